//! What would become of a release's objects, and what Helm remembers of it.

use std::time::Duration;

use matih_model::{Answer, Attributes, ChangeKind, ErrorKind, Provider, Rehearsal, Rehearse};
use serde_json::{Value as Json, json};

use super::ground::{Ground, Hand, SECRET};

const MINUTE: Duration = Duration::from_secs(60);

async fn rehearsed(
    ground: &Ground,
    hand: &Hand<'_>,
    attributes: &Attributes,
    before: Option<&Attributes>,
) -> Rehearsal {
    let request = Rehearse {
        owner: &hand.owner,
        kind: match before {
            Some(_) => ChangeKind::Update,
            None => ChangeKind::Create,
        },
        attributes,
        before,
        remote_id: None,
    };
    let mut answers = ground.provider.rehearse(&[request]).await.unwrap();
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_told_before_anything_is_sent_and_no_secret_with_them() {
    let Some(ground) = Ground::new("rehearsed").await else {
        return;
    };
    let hand = ground.hand("web");
    let secret = json!({ "$secret": { "env": "S" } });
    let values =
        |number: u64, kind: &str| json!({ "text": secret, "number": number, "type": kind });
    let before = ground.attributes("web", &values(1, "ClusterIP"));
    let fresh = rehearsed(&ground, &hand, &before, None).await;
    let names: Vec<_> = fresh.objects.iter().map(|it| &*it.name).collect();
    assert_eq!(names, ["ConfigMap web", "Service web"]);
    assert!(ground.revisions("web").await.is_empty());
    let made = hand.create_as(&before, MINUTE).await.unwrap();
    assert!(made.unready.is_none(), "{made:?}");
    // The deployed manifest has the secret in the clear, and another number.
    let after = ground.attributes("web", &values(2, "ClusterIP"));
    let told = rehearsed(&ground, &hand, &after, Some(&before)).await;
    assert!(!format!("{told:?}").contains(SECRET), "{told:?}");
    let [map] = told.objects.as_slice() else {
        panic!("{told:?}")
    };
    let text = |side: &Option<matih_model::Text>| side.as_deref().unwrap().to_owned();
    let (now, then) = (text(&map.before), text(&map.after));
    assert_eq!(now.replace("number: \"1\"", "number: \"2\""), then);
    assert!(then.contains("text: \"(sensitive value)\""), "{then}");
    // The same again is no change.
    let same = rehearsed(&ground, &hand, &before, Some(&before)).await;
    assert_eq!(same.objects, []);
    assert_eq!(ground.revisions("web").await.len(), 1);
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_chart_does_not_take_does_not_fit() {
    let Some(ground) = Ground::new("misfit").await else {
        return;
    };
    let schema = json!({ "properties": { "number": { "type": "integer" } } });
    let path = ground
        .folder
        .path()
        .join("charts/sample/values.schema.json");
    std::fs::write(path, schema.to_string()).unwrap();
    let hand = ground.hand("web");
    let answer = async |values: Json| {
        let attributes = ground.attributes("web", &values);
        rehearsed(&ground, &hand, &attributes, None).await.answer
    };
    match answer(json!({ "number": "many" })).await {
        Answer::Misfit(error) => assert!(error.message.contains("number"), "{error}"),
        other => panic!("{other:?}"),
    }
    // A word that stands for a value does not fit either, which says nothing of the value.
    let unknown = answer(json!({ "number": { "$unknown": true } })).await;
    let held = matches!(unknown, Answer::NotYet { checked: true, .. });
    assert!(!held, "{unknown:?}");
    let fits = answer(json!({ "number": 7 })).await;
    let held = matches!(fits, Answer::NotYet { checked: true, .. });
    assert!(held, "{fits:?}");

    // What helm would write, and the server does not know.
    let odd = "{{ with .Values.odd }}apiVersion: v1\nkind: Service\nmetadata: { name: odd }\n\
         spec: { prots: [{{ . }}] }\n{{ end }}";
    let templates = ground.folder.path().join("charts/sample/templates");
    std::fs::write(templates.join("odd.yaml"), odd).unwrap();
    match answer(json!({ "odd": 7 })).await {
        Answer::Misfit(error) => assert_eq!(
            error.message,
            "Service odd does not fit the server's schema of v1 Service: `spec.prots` is no field \
             of its kind"
        ),
        other => panic!("{other:?}"),
    }
    let hidden = json!({ "odd": 7, "text": { "$unknown": true } });
    assert!(matches!(answer(hidden).await, Answer::NotYet { .. }));
    let values = ground.attributes("web", &json!({ "odd": 7 }));
    let refused = hand.create_as(&values, MINUTE).await.unwrap();
    let error = refused.unready.unwrap();
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    assert!(error.message.contains("prots"), "{error}");
    // The same address comes to work when the cause is gone.
    let healed = hand.create(&json!({ "number": 7 }), MINUTE).await.unwrap();
    assert!(healed.unready.is_none(), "{healed:?}");
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_remembers_whose_hand_made_which_revision() {
    let Some(ground) = Ground::new("past").await else {
        return;
    };
    let hand = ground.hand("web");
    let mut attributes = ground.attributes("web", &json!({ "text": "a" }));
    attributes.insert("description", "the first");
    let made = hand.create_as(&attributes, MINUTE).await.unwrap();
    let theirs = ["--set", "text=theirs", "--description", "a hotfix"];
    ground.helm(&[&["upgrade", "web", "charts/sample"], &theirs[..]].concat());
    let told = ground.provider.history(&made.remote_id).await.unwrap();
    let row = |at: usize| {
        let it = &told[at];
        let (status, said) = (it.status.to_string(), it.description.to_string());
        (
            it.number,
            status,
            said,
            it.maker.as_ref() == Some(&hand.owner),
        )
    };
    let row_of =
        |number, status: &str, said: &str, ours| (number, status.to_owned(), said.to_owned(), ours);
    assert_eq!(row(0), row_of(2, "deployed", "a hotfix", false));
    assert_eq!(row(1), row_of(1, "superseded", "the first", true));
    assert!(
        told.iter()
            .all(|it| it.updated.is_some() && &*it.made_of == "sample 1.0.0")
    );
    ground.clear().await;
}
