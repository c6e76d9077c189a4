//! Objects of a release that somebody edits or takes away by hand.

use std::time::Duration;

use http::Method;
use matih_model::{ErrorKind, Reading};
use serde_json::{Value as Json, json};

use super::super::binary::Version;
use super::ground::Ground;

const MINUTE: Duration = Duration::from_secs(60);

impl Ground {
    async fn patch(&self, plural: &str, patch: &Json) {
        let path = format!(
            "/api/v1/namespaces/{}/{plural}/web?fieldManager=kubectl-edit",
            self.namespace
        );
        self.send_as(Method::PATCH, &path, "application/merge-patch+json", patch)
            .await;
    }
}

fn values() -> Json {
    json!({ "text": "a", "number": 1 })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_by_hand_is_told_with_its_hand_and_repaired() {
    let Some(ground) = Ground::new("edited").await else {
        return;
    };
    let hand = ground.hand("web");
    let made = hand.create(&values(), MINUTE).await.unwrap();
    let unchanged = hand.read(&made, &ground.attributes("web", &values())).await;
    assert_eq!(unchanged, Reading::Unchanged);
    // Beside what the chart sets: nobody's business.
    ground
        .patch(
            "configmaps",
            &json!({ "metadata": { "annotations": { "note": "x" } } }),
        )
        .await;
    assert_eq!(
        hand.read(&made, &ground.attributes("web", &values())).await,
        Reading::Unchanged
    );

    ground
        .patch("configmaps", &json!({ "data": { "text": "by-hand" } }))
        .await;
    let Reading::Present(seen) = hand.read(&made, &ground.attributes("web", &values())).await
    else {
        panic!("the edit was not seen");
    };
    assert_ne!(seen.version, made.version);
    let status = seen.attributes.text("status").unwrap();
    assert_eq!(status, "deployed, but ConfigMap web has another data.text");
    let touch = seen.touch(&"status".parse().unwrap()).unwrap();
    assert_eq!(&*touch.by, "kubectl-edit");
    assert!(
        !format!("{seen:?}").contains("by-hand"),
        "a value of an object is told"
    );

    // A plan that did not see it is refused; one that did repairs it.
    let blind = hand
        .update(&made, &json!({ "text": "b" }), Some(&made.version))
        .await;
    assert_eq!(blind.unwrap_err().kind, ErrorKind::Conflict);
    let repaired = hand
        .update(&made, &values(), Some(&seen.version))
        .await
        .unwrap();
    assert_eq!(repaired.version, made.version);
    assert_eq!(
        hand.read(&repaired, &ground.attributes("web", &values()))
            .await,
        Reading::Unchanged
    );
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_gone_is_told_and_made_again() {
    let Some(ground) = Ground::new("gone").await else {
        return;
    };
    let hand = ground.hand("web");
    let made = hand.create(&values(), MINUTE).await.unwrap();
    let path = format!("/api/v1/namespaces/{}/services/web", ground.namespace);
    ground.send(Method::DELETE, &path, &json!({})).await;
    let seen = hand.observe(&made, &values()).await;
    assert_eq!(
        seen.attributes.text("status"),
        Some("deployed, but Service web is gone")
    );
    let repaired = hand
        .update(&made, &values(), Some(&seen.version))
        .await
        .unwrap();
    assert_eq!(repaired.version, made.version);
    let there = hand.observe(&made, &values()).await;
    assert_eq!(there.attributes.text("status"), Some("deployed"));
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_hand_holds_is_taken_over_only_with_leave() {
    let Some(ground) = Ground::with("held", false).await else {
        return;
    };
    let hand = ground.hand("web");
    let made = hand.create(&values(), MINUTE).await.unwrap();
    ground
        .patch("configmaps", &json!({ "data": { "text": "by-hand" } }))
        .await;
    let refused = hand.update(&made, &values(), None).await.unwrap();
    if ground.provider.helm().await.unwrap().binary.version < Version(4, 0, 0) {
        // Helm 3 asks nobody.
        assert!(refused.unready.is_none(), "{refused:?}");
        return ground.clear().await;
    }
    let error = refused.unready.unwrap();
    assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
    assert!(error.message.contains("kubectl-edit"), "{error}");
    assert!(error.hint.unwrap().contains("force_conflicts"));
    ground.clear().await;
}
