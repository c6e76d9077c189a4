//! Releases that are installed as wanted and do not work.

use std::time::{Duration, Instant};

use http::Method;
use matih_model::{Attributes, ErrorKind, Reading, Value};
use serde_json::json;

use super::ground::Ground;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_crash_end_the_wait_with_their_own_words() {
    let Some(ground) = Ground::new("crash").await else {
        return;
    };
    let hand = ground.hand("web");
    let began = Instant::now();
    let values = json!({ "text": "a", "pods": { "behaviour": "crash-loop" } });
    let made = hand
        .create(&values, Duration::from_secs(120))
        .await
        .unwrap();
    let error = made.unready.clone().unwrap();
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    assert!(error.message.contains("CrashLoopBackOff"), "{error}");
    assert!(
        began.elapsed() < Duration::from_secs(50),
        "{:?}",
        began.elapsed()
    );
    let waited = hand.waited.lock().unwrap().clone();
    assert!(
        waited.iter().any(|it| it.contains("CrashLoopBackOff")),
        "{waited:?}"
    );
    // It is recorded as it is: there, and not working.
    let there = hand.observe(&made, &values).await;
    assert_eq!(there.attributes.text("status"), Some("failed"));
    assert_eq!(there.version, made.version);
    // When the cause is gone, the same address comes to work.
    let values = json!({ "text": "a", "pods": { "behaviour": "ready" } });
    let healed = hand
        .update(&made, &values, Some(&made.version))
        .await
        .unwrap();
    assert!(healed.unready.is_none(), "{healed:?}");
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_take_their_time_are_counted_and_told_once() {
    let Some(ground) = Ground::new("slow").await else {
        return;
    };
    let hand = ground.hand("web");
    let values = json!({ "text": "a", "pods": { "behaviour": "slow", "delay": "12s" } });
    let made = hand.create(&values, MINUTE).await.unwrap();
    assert!(made.unready.is_none(), "{made:?}");
    let waited = hand.waited.lock().unwrap().clone();
    let told = |it: &String| {
        it.starts_with("0 of 1 pods ready; pod web-") && it.ends_with(": ContainerCreating")
    };
    assert_eq!(waited.iter().filter(|it| told(it)).count(), 1, "{waited:?}");
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_without_room_are_waited_for_to_the_end_and_told() {
    let Some(ground) = Ground::new("room").await else {
        return;
    };
    let hand = ground.hand("web");
    let values = json!({ "text": "a", "pods": { "behaviour": "ready", "cpu": "1000" } });
    let made = hand.create(&values, Duration::from_secs(20)).await.unwrap();
    let error = made.unready.unwrap();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert!(error.message.contains("it fits on no node"), "{error}");
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_is_recorded_and_told() {
    let Some(ground) = Ground::new("refused").await else {
        return;
    };
    let quota = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "q" },
        "spec": { "hard": { "services": 0 } } });
    let path = format!("/api/v1/namespaces/{}/resourcequotas", ground.namespace);
    ground.send(Method::POST, &path, &quota).await;
    let hand = ground.hand("web");
    let made = hand.create(&json!({ "text": "a" }), MINUTE).await.unwrap();
    let error = made.unready.clone().unwrap();
    assert_eq!(error.kind, ErrorKind::Denied, "{error}");
    assert!(error.message.contains("exceeded quota"), "{error}");
    hand.delete(&json!({ "text": "a" })).await.unwrap();
    assert!(ground.revisions("web").await.is_empty());
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_helm_itself_refuses_leaves_nothing() {
    let Some(ground) = Ground::new("invalid").await else {
        return;
    };
    let hand = ground.hand("web");
    let mut attributes = ground.attributes("web", &json!({ "type": "NoSuchType" }));
    let error = hand.create_as(&attributes, MINUTE).await;
    // The server refuses it, so the release is begun.
    assert_eq!(error.unwrap().unready.unwrap().kind, ErrorKind::Invalid);
    let mut chart = attributes
        .get("chart")
        .and_then(Value::as_map)
        .unwrap()
        .clone();
    chart.insert("version", "2.0.0");
    attributes.insert("chart", chart);
    let error = hand.create_as(&attributes, MINUTE).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(
        error
            .message
            .contains("has version 1.0.0, and 2.0.0 is wanted"),
        "{error}"
    );
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_with_an_address_waits_for_it() {
    let Some(ground) = Ground::new("address").await else {
        return;
    };
    let hand = ground.hand("web");
    let mut attributes = ground.attributes("web", &json!({ "text": "a", "type": "LoadBalancer" }));
    attributes.insert("expose", "load_balancer");
    let made = hand.create_as(&attributes, MINUTE).await.unwrap();
    assert!(made.unready.is_none(), "{made:?}");
    let address = made.outputs.text("load_balancer_ip").unwrap();
    assert!(!address.is_empty());
    assert_eq!(made.outputs.text("app_version"), Some("7"));
    let endpoint = format!("web.{}.svc.cluster.local:80", ground.namespace);
    assert_eq!(made.outputs.text("endpoint"), Some(endpoint.as_str()));

    // Also for who knows nothing of it but its token.
    for attributes in [attributes, Attributes::new()] {
        let seen = hand.read(&made, &attributes).await;
        assert_eq!(seen, Reading::Unchanged, "with its address");
    }
    ground.clear().await;
}
