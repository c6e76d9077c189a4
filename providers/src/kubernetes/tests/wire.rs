//! A bad way to the server, and a server in trouble: what is known of what was done.

use std::time::Duration;

use matih_model::{
    Applied, Attributes, Call, ErrorKind, OwnerMark, Provider, ProviderError, ReadRequest, Reading,
    RemoteId, RunId,
};
use serde_json::{Value as Json, json};

use super::super::provider::Kubernetes;
use super::fake::{Act, Fake, kubeconfig, provider};
use super::ground::Plain;

fn attributes(name: &str) -> Attributes {
    let attributes = json!({"cluster": "any", "manifest": {"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "n"}, "data": {"a": "1"}}});
    serde_json::from_value(attributes).unwrap()
}

async fn create(provider: &Kubernetes, name: &str) -> Result<Applied, ProviderError> {
    let owner = OwnerMark {
        installation: "here".to_owned(),
        address: format!("acme/kubernetes.manifest/{name}").parse().unwrap(),
        generation: 1,
        run: RunId::new("run-1"),
    };
    let attributes = attributes(name);
    let call = Call {
        owner: &owner,
        attributes: &attributes,
        before: None,
        remote_id: None,
        expects: None,
        timeout: Duration::from_secs(10),
        secrets: &Plain,
        crossing: &Plain,
    };
    provider.create(&call).await
}

async fn read(provider: &Kubernetes, names: &[&str]) -> Result<Vec<Reading>, ProviderError> {
    let known: Vec<_> = names
        .iter()
        .map(|name| {
            let address = format!("acme/kubernetes.manifest/{name}").parse().unwrap();
            let id = RemoteId::new(format!("fake/core/ConfigMap/n/{name}/u"));
            (address, id, attributes(name))
        })
        .collect();
    let requests = known.iter().map(|(address, id, attributes)| ReadRequest {
        address,
        remote_id: Some(id),
        attributes,
        version: None,
    });
    provider.read(&requests.collect::<Vec<_>>()).await
}

/// An object of the server.
fn object(name: &str) -> Json {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "n", "uid": "u", "resourceVersion": "1"}})
}

/// Something of this name is there.
fn taken() -> Act {
    Act::Say(409, json!({"reason": "Conflict", "message": "modified"}))
}

fn absent() -> Act {
    Act::Say(404, json!({"reason": "NotFound"}))
}

#[tokio::test]
async fn what_cannot_be_reached_did_nothing_and_is_not_missing() {
    let folder = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let config = kubeconfig(folder.path(), port, &json!({"token": "canary-token"}));
    let provider = provider(config, true);
    let error = create(&provider, "c").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    for reading in read(&provider, &["a", "b"]).await.unwrap() {
        assert!(matches!(reading, Reading::Unknown(_)), "{reading:?}");
    }
}

#[tokio::test]
async fn an_answer_that_never_came_is_unknown() {
    for (act, kind) in [
        (Act::Close, ErrorKind::Unknown),
        (Act::Half, ErrorKind::Unknown),
        (Act::Say(500, json!({})), ErrorKind::Unknown),
        (Act::Say(504, json!({})), ErrorKind::Unknown),
        (Act::Say(503, json!({})), ErrorKind::Unavailable),
        (
            Act::Later(429, 3),
            ErrorKind::Throttled(Some(Duration::from_secs(3))),
        ),
        (
            Act::Say(403, json!({"reason": "Forbidden"})),
            ErrorKind::Denied,
        ),
        (
            Act::Say(422, json!({"reason": "Invalid"})),
            ErrorKind::Invalid,
        ),
    ] {
        let said = format!("{act:?}");
        let fake = Fake::new(move |seen, _| match seen.method.as_str() {
            "GET" => absent(),
            _ => act.clone(),
        })
        .await;
        let error = create(&fake.provider, "c").await.unwrap_err();
        assert_eq!(error.kind, kind, "{said}: {error}");
        assert_eq!(fake.of("PATCH").len(), 1, "{said}: a change was sent again");
    }
}

#[tokio::test]
async fn a_look_is_tried_again() {
    let fake = Fake::new(|seen, number| match (seen.method.as_str(), number) {
        ("GET", 0) => Act::Say(503, json!({})),
        ("GET", 1) => Act::Close,
        ("GET", _) => absent(),
        ("PATCH", 0) => taken(),
        _ => Act::Say(201, object("c")),
    })
    .await;
    create(&fake.provider, "c").await.unwrap();
    assert_eq!((fake.of("GET").len(), fake.of("PATCH").len()), (3, 2));
}

#[tokio::test]
async fn a_server_that_has_just_come_back_is_not_believed_when_it_forbids() {
    let forbids = || {
        let message = "configmaps \"c\" is forbidden: User \"matih\" cannot get resource";
        Act::Say(403, json!({"reason": "Forbidden", "message": message}))
    };
    let fake = Fake::new(move |seen, number| match (seen.method.as_str(), number) {
        ("GET", 0) => Act::Close,
        ("GET", 1) => forbids(),
        ("GET", _) => absent(),
        ("PATCH", 0) => taken(),
        ("PATCH", 1) => forbids(),
        _ => {
            let quota = "forbidden: exceeded quota";
            Act::Say(403, json!({"reason": "Forbidden", "message": quota}))
        }
    })
    .await;
    let error = create(&fake.provider, "c").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    let error = create(&fake.provider, "c").await.unwrap_err();
    assert_eq!(
        error.kind,
        ErrorKind::Denied,
        "a quota is no matter of rights: {error}"
    );
}

#[tokio::test]
async fn what_is_there_already_is_not_touched_by_a_create() {
    let fake = Fake::new(|seen, _| match seen.method.as_str() {
        "GET" => Act::Say(200, object("c")),
        _ => taken(),
    })
    .await;
    let error = create(&fake.provider, "c").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(error.message.contains("there already"), "{error}");
    let patches = fake.of("PATCH");
    assert_eq!(patches.len(), 1);
    let body: Json = serde_json::from_str(&patches[0].body).unwrap();
    assert_eq!(body["metadata"]["resourceVersion"], "1", "only what is not");
}

#[tokio::test]
async fn a_server_that_keeps_no_condition_is_not_trusted() {
    let fake = Fake::new(|_, _| Act::Say(200, object("c"))).await;
    let error = create(&fake.provider, "c").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(error.message.contains("against our condition"), "{error}");
}

#[tokio::test]
async fn a_conflict_over_what_is_not_there_is_told_in_the_servers_words() {
    let fake = Fake::new(|seen, _| match seen.method.as_str() {
        "GET" => absent(),
        _ => taken(),
    })
    .await;
    let error = create(&fake.provider, "c").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(error.message.contains("modified"), "{error}");
}

#[tokio::test]
async fn a_list_goes_on_page_by_page_and_begins_anew_when_it_is_too_old() {
    let page = |names: &[&str], next: &str| {
        let items: Vec<Json> = names.iter().map(|name| object(name)).collect();
        Act::Say(200, json!({"metadata": {"continue": next}, "items": items}))
    };
    let fake = Fake::new(move |seen, number| {
        let next = seen
            .path
            .rsplit_once("continue=")
            .map_or("", |(_, next)| next);
        match (next, number) {
            ("", _) => page(&["a", "b"], "2"),
            ("2", 1) => Act::Say(410, json!({"reason": "Expired"})),
            ("2", _) => page(&["c", "d"], ""),
            _ => absent(),
        }
    })
    .await;
    let readings = read(&fake.provider, &["a", "b", "c", "d"]).await.unwrap();
    assert!(
        readings.iter().all(|it| matches!(it, Reading::Present(_))),
        "{readings:?}"
    );
    assert_eq!(fake.of("GET").len(), 4);
    assert!(fake.of("GET")[0].path.contains("limit=500"));
}

#[tokio::test]
async fn a_list_of_an_earlier_time_is_asked_for_again() {
    let names = ["a", "b", "c", "d"];
    let list = move |revision: &str, names: &[&str]| {
        let items: Vec<Json> = names.iter().map(|name| object(name)).collect();
        Act::Say(
            200,
            json!({"metadata": {"resourceVersion": revision}, "items": items}),
        )
    };
    let fake = Fake::new(
        move |seen, number| match (seen.path.contains("limit="), number) {
            (true, 0 | 2) => list("7", &names),
            (true, 1) => list("6", &[]),
            (true, _) => list("5", &names),
            _ => absent(),
        },
    )
    .await;
    for lists in [1, 3, 7] {
        let readings = read(&fake.provider, &names).await.unwrap();
        let present = |it: &Reading| matches!(it, Reading::Present(_));
        assert!(readings.iter().all(present), "{lists}: {readings:?}");
        // What is behind all the time is believed in the end: it may have a count of its own.
        assert_eq!(fake.of("GET").len(), lists);
    }
}

#[tokio::test]
async fn a_list_that_fails_leaves_nothing_missing() {
    let fake =
        Fake::new(|_, _| Act::Say(403, json!({"reason": "Forbidden", "message": "no list"}))).await;
    for reading in read(&fake.provider, &["a", "b", "c", "d"]).await.unwrap() {
        assert_eq!(reading, Reading::Unknown("no list".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_requests_at_once_and_no_more() {
    let fake = Fake::new(|seen, _| match seen.method.as_str() {
        "GET" => absent(),
        _ => Act::Say(201, object("c")),
    })
    .await;
    let names: Vec<String> = (0..40).map(|number| format!("c-{number}")).collect();
    let creates = names.iter().map(|name| create(&fake.provider, name));
    for made in futures_util::future::join_all(creates).await {
        made.unwrap();
    }
    let most = fake.most.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(most, 4, "the settings say four");
}

#[tokio::test]
async fn a_server_that_is_not_verified_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = kubeconfig(folder.path(), 9, &json!({"token": "canary-token"}));
    let error = create(&provider(config, false), "c").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied);
    assert!(error.message.contains("without TLS"), "{error}");
    assert!(error.hint.unwrap().contains("insecure = true"));
}

#[tokio::test]
async fn no_credential_is_told() {
    let fake = Fake::new(|_, _| Act::Say(401, json!({"message": "Unauthorized"}))).await;
    let plugin = |script: &str| {
        json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh",
            "args": ["-c", script], "interactiveMode": "Never"}})
    };
    let users = [
        plugin("echo canary-token; echo canary-token >&2; exit 3"),
        plugin("echo canary-token"),
        json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1",
            "command": "no-such-plugin", "interactiveMode": "Never"}}),
        json!({"tokenFile": "no-such-file"}),
        json!({"client-certificate-data": "canary-token", "client-key-data": "canary-token"}),
    ];
    let mut errors = vec![create(&fake.provider, "c").await.unwrap_err()];
    for user in &users {
        let config = kubeconfig(fake.folder.path(), 9, user);
        errors.push(create(&provider(config, true), "c").await.unwrap_err());
    }
    let broken = fake.folder.path().join("broken");
    std::fs::write(&broken, "users: [{token: canary-token").unwrap();
    errors.push(create(&provider(broken, true), "c").await.unwrap_err());
    for error in errors {
        assert_eq!(error.kind, ErrorKind::Denied, "{error:?}");
        assert!(!format!("{error:?}").contains("canary-token"), "{error:?}");
    }
}

#[tokio::test]
async fn what_no_target_stands_for_is_told_with_what_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let config = kubeconfig(folder.path(), 9, &json!({}));
    let settings = super::super::settings::KubernetesSettings {
        concurrency: 1,
        force_conflicts: false,
        timeout: Duration::from_secs(1),
        clusters: [(
            "west".to_owned(),
            super::super::settings::ClusterSettings {
                kubeconfig: Some(config),
                ..Default::default()
            },
        )]
        .into(),
    };
    let provider = Kubernetes::new(settings).unwrap();
    let error = create(&provider, "c").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.contains("`any`"), "{error}");
    assert!(error.hint.unwrap().contains("[targets.any]"));
}

#[tokio::test]
async fn the_end_of_an_object_is_not_taken_from_a_look_that_is_behind() {
    // A life that is being ended, with a look in between that was true before it began.
    let fake = Fake::new(|request, number| match (request.method.as_str(), number) {
        ("GET", 1) => absent(),
        ("GET", number) if number < 4 => Act::Say(200, object("c")),
        ("DELETE", number) if number < 2 => Act::Say(200, json!({})),
        _ => absent(),
    })
    .await;
    let owner = OwnerMark {
        installation: "here".to_owned(),
        address: "acme/kubernetes.manifest/c".parse().unwrap(),
        generation: 1,
        run: RunId::new("run-1"),
    };
    let (attributes, id) = (attributes("c"), RemoteId::new("fake/core/ConfigMap/n/c/u"));
    let call = Call {
        owner: &owner,
        attributes: &attributes,
        before: None,
        remote_id: Some(&id),
        expects: None,
        timeout: Duration::from_secs(10),
        secrets: &Plain,
        crossing: &Plain,
    };
    fake.provider.delete(&call).await.unwrap();
    assert_eq!(fake.of("GET").len(), 5, "{:?}", fake.of("GET"));
}
