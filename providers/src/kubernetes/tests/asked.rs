//! What a real server answers to a rehearsal.

use matih_model::{
    Answer, Attributes, ChangeKind, ErrorKind, Provider, Rehearsal, Rehearse, RemoteId,
};
use serde_json::{Value as Json, json};

use super::super::wire::JSON;
use super::ground::{Ground, Hand};

/// The ground of a test, or its end where there is no cluster.
macro_rules! ground {
    ($name:literal) => {
        match Ground::new($name, false).await {
            Some(ground) => ground,
            None => return,
        }
    };
}

fn config_map(name: &str, data: Json) -> Json {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

impl Hand<'_> {
    async fn rehearse(
        &self,
        kind: ChangeKind,
        attributes: &Attributes,
        remote_id: Option<&RemoteId>,
    ) -> Rehearsal {
        let request = Rehearse {
            owner: &self.owner,
            kind,
            attributes,
            before: None,
            remote_id,
        };
        let mut answers = self.ground.provider.rehearse(&[request]).await.unwrap();
        assert_eq!(answers.len(), 1);
        answers.remove(0)
    }

    async fn create_rehearsed(&self, attributes: &Attributes) -> Answer {
        let rehearsal = self.rehearse(ChangeKind::Create, attributes, None).await;
        rehearsal.answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_read_and_a_refused_stand_in_is_no_refusal() {
    let ground = ground!("standin");
    let hand = ground.hand("s");
    let secret = |kind: &str, key: &str| {
        let data = json!({ key: {"$secret": {"env": "NOBODY_SETS_THIS"}} });
        let manifest = json!({"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": {"name": "s"}, "stringData": data});
        ground.attributes(manifest)
    };
    let answer = hand.create_rehearsed(&secret("Opaque", "token")).await;
    assert_eq!(answer, Answer::Accepted { filled: Vec::new() });
    let docker = secret("kubernetes.io/dockerconfigjson", ".dockerconfigjson");
    let Answer::NotYet {
        why,
        checked: false,
    } = hand.create_rehearsed(&docker).await
    else {
        panic!("it should not have been believed");
    };
    assert!(why.contains("stand-ins"), "{why}");
    let mut wrong = secret("Opaque", "token");
    let mut manifest = wrong.get("manifest").unwrap().as_map().unwrap().clone();
    manifest.insert("dta", Attributes::new());
    wrong.insert("manifest", manifest);
    let answer = hand.create_rehearsed(&wrong).await;
    assert!(
        matches!(&answer, Answer::Misfit(error) if error.message.contains("dta")),
        "{answer}"
    );
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_yet_is_held_against_the_schema() {
    let ground = ground!("unknown");
    let hand = ground.hand("c");
    let reference = json!({"$ref": "acme/dns.zone/zone", "output": "name"});
    let wanted = ground.attributes(config_map("c", json!({"a": reference})));
    let answer = hand.create_rehearsed(&wanted).await;
    let told = "not asked: `manifest.data.a` is known only after apply; fits the server's schema";
    assert_eq!(answer.to_string(), told);
    let wrong = ground.attributes(config_map("c", json!({"a": reference, "b": 1})));
    let answer = hand.create_rehearsed(&wrong).await;
    let Answer::Misfit(error) = answer else {
        panic!("{answer}");
    };
    assert!(
        error
            .message
            .contains("`data.b` must be string and is integer"),
        "{error}"
    );
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_an_object_is_counts_in_a_rehearsal_too() {
    let ground = ground!("whose");
    let path = format!("/api/v1/namespaces/{}/configmaps", ground.namespace);
    let theirs = config_map("theirs", json!({"a": "1"}));
    ground.send(http::Method::POST, &path, JSON, &theirs).await;
    let hand = ground.hand("c");
    let wanted = ground.attributes(config_map("theirs", json!({"b": "1"})));
    let Answer::Refused(error) = hand.create_rehearsed(&wanted).await else {
        panic!("it should be refused");
    };
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(
        error.message.contains("belongs to nobody that matih knows"),
        "{error}"
    );

    let first = ground.attributes(config_map("ours", json!({"a": "1"})));
    let made = hand.create(&first).await.unwrap();
    let before = ground.get(&ground.path("configmaps", "ours")).await;
    let second = ground.attributes(config_map("ours", json!({"a": "2"})));
    for kind in [ChangeKind::Create, ChangeKind::Replace, ChangeKind::Update] {
        let known = (kind == ChangeKind::Update).then_some(&made.remote_id);
        let rehearsal = hand.rehearse(kind, &second, known).await;
        assert_eq!(
            rehearsal.answer,
            Answer::Accepted { filled: Vec::new() },
            "{kind:?}"
        );
    }
    assert_eq!(ground.get(&ground.path("configmaps", "ours")).await, before);
    hand.delete(&made, &first).await.unwrap();
    let rehearsal = hand
        .rehearse(ChangeKind::Update, &second, Some(&made.remote_id))
        .await;
    assert!(
        matches!(&rehearsal.answer, Answer::Refused(error) if error.kind == ErrorKind::NotFound),
        "{}",
        rehearsal.answer
    );
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_comes_with_the_plan_is_held_against_its_own_definition() {
    let ground = ground!("defined");
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.test.example"}, "spec": {"group": "test.example", "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {"type": "object", "required": ["size"],
                    "properties": {"size": {"type": "integer"}}}}}}}]}});
    let definition: Attributes =
        serde_json::from_value(json!({"cluster": "test", "manifest": definition})).unwrap();
    let widget = |spec: Json| {
        let manifest = json!({"apiVersion": "test.example/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec});
        ground.attributes(manifest)
    };
    let (good, bad) = (widget(json!({"size": 1})), widget(json!({"sise": 1})));
    let hands = [ground.hand("d"), ground.hand("good"), ground.hand("bad")];
    let requests: Vec<_> = hands
        .iter()
        .zip([&definition, &good, &bad])
        .map(|(hand, attributes)| Rehearse {
            owner: &hand.owner,
            kind: ChangeKind::Create,
            attributes,
            before: None,
            remote_id: None,
        })
        .collect();
    let answers = ground.provider.rehearse(&requests).await.unwrap();
    assert_eq!(
        answers[1].answer.to_string(),
        "not asked: its kind is defined in this plan; fits the server's schema"
    );
    let told = answers[2].answer.to_string();
    for word in ["`spec.sise` is no field", "`spec.size` is missing"] {
        assert!(told.contains(word), "{told}");
    }
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_of_the_server_is_told() {
    let ground = ground!("warned");
    let path = format!("/api/v1/namespaces/{}", ground.namespace);
    let label = json!({"metadata": {"labels": {"pod-security.kubernetes.io/warn": "restricted"}}});
    ground.patch(&path, &label).await;
    let manifest = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}}});
    let wanted = ground.attributes(manifest);
    let rehearsal = ground
        .hand("web")
        .rehearse(ChangeKind::Create, &wanted, None)
        .await;
    assert!(
        rehearsal
            .warnings
            .iter()
            .any(|it| it.contains("PodSecurity")),
        "{:?}",
        rehearsal.warnings
    );
    let Answer::Accepted { filled } = rehearsal.answer else {
        panic!("{}", rehearsal.answer);
    };
    let paths: Vec<String> = filled.iter().map(|it| it.path.to_string()).collect();
    assert!(
        paths.contains(&"manifest.spec.replicas".to_owned()),
        "{paths:?}"
    );
    assert!(!paths.iter().any(|it| it.contains("matih.ai")), "{paths:?}");
    ground.clear().await;
}
