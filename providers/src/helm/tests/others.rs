//! What others do to a release, and what is none of theirs to see.

use std::time::Duration;

use matih_model::{ErrorKind, Provider, Value};
use serde_json::json;

use super::ground::{Ground, SECRET};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn another_hand_is_told_with_revision_time_and_values() {
    let Some(ground) = Ground::new("other-hand").await else {
        return;
    };
    let hand = ground.hand("web");
    let values = json!({ "text": "ours" });
    let made = hand.create(&values, MINUTE).await.unwrap();
    let before = hand.observe(&made, &values).await;
    assert_eq!(before.touches, []);
    let set = [
        "--reuse-values",
        "--set",
        "text=theirs",
        "--description",
        "a hotfix",
    ];
    ground.helm(&[&["upgrade", "web", "charts/sample"], &set[..]].concat());
    let after = hand.observe(&made, &values).await;
    assert_ne!(after.version, before.version);
    let text = after
        .attributes
        .get("values")
        .and_then(|it| it.as_map()?.get("text"));
    assert_eq!(text, Some(&Value::from("theirs")));
    let touch = after.touch(&"values.text".parse().unwrap()).unwrap();
    assert_eq!((&*touch.by, &*touch.how), ("helm", "revision 2: a hotfix"));
    assert!(touch.when.is_some());
    // The mark is still ours, so the release is found, and repaired when asked.
    let tenant = hand.owner.tenant();
    let found = ground
        .provider
        .list(&hand.owner.installation, tenant)
        .await
        .unwrap();
    assert_eq!(found[0].owner, Some(hand.owner.clone()));
    assert_eq!(found[0].attributes.get("values"), None);
    let repaired = hand.update(&made, &values, None).await.unwrap();
    assert_eq!(repaired.version, made.version);
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_of_nobody_is_not_taken_over() {
    let Some(ground) = Ground::new("nobodys").await else {
        return;
    };
    ground.helm(&["install", "web", "charts/sample", "--set", "text=theirs"]);
    let hand = ground.hand("web");
    let error = hand
        .create(&json!({ "text": "ours" }), MINUTE)
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(
        error.message.contains("belongs to nobody that matih knows"),
        "{error}"
    );
    assert!(error.hint.unwrap().contains("matih import"));
    assert_eq!(ground.revisions("web").await, [("deployed".to_owned(), 1)]);
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_reaches_helm_and_nothing_else() {
    let Some(ground) = Ground::new("secret").await else {
        return;
    };
    let hand = ground.hand("web");
    let digest = "1".repeat(64);
    let values = json!({ "text": { "$secret": { "env": "X" }, "digest": digest }, "plain": 1 });
    let made = hand.create(&values, MINUTE).await.unwrap();
    let kept = ground.helm(&["get", "values", "web", "--output", "json"]);
    assert!(kept.contains(SECRET), "{kept}");
    let observed = hand.observe(&made, &values).await;
    assert_eq!(observed.version, made.version);
    let tenant = hand.owner.tenant();
    let listed = ground
        .provider
        .list(&hand.owner.installation, tenant)
        .await
        .unwrap();
    let wanted = ground.attributes("web", &values);
    assert_eq!(listed[0].attributes.get("values"), wanted.get("values"));
    assert_eq!(observed.attributes.get("values"), wanted.get("values"));
    for seen in [
        format!("{observed:?}"),
        format!("{listed:?}"),
        format!("{made:?}"),
    ] {
        assert!(!seen.contains(SECRET), "{seen}");
    }
    // Another value under the same reference is another release, though nobody else can tell.
    assert!(!walk(ground.folder.path()).contains(SECRET));
    ground.clear().await;
}

/// All text of all files below a folder.
fn walk(folder: &std::path::Path) -> String {
    let mut text = String::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&walk(&path));
        } else {
            text.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
        }
    }
    text
}
