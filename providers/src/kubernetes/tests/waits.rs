//! What is waited for on a real server, and what ends a wait.

use std::time::Duration;

use matih_model::{Attributes, ErrorKind, Reading, RemoteId};
use serde_json::json;

use super::ground::{Ground, TARGET, config_map, ground};

#[tokio::test(flavor = "multi_thread")]
async fn what_holds_a_deletion_is_named_and_not_taken_off() {
    let ground = ground!("stuck", true);
    let mut hand = ground.hand("c");
    hand.timeout = Duration::from_secs(2);
    let mut manifest = config_map("c", json!({}));
    manifest["metadata"]["finalizers"] = json!(["example.com/held"]);
    let wanted = ground.attributes(manifest);
    let made = hand.create(&wanted).await.unwrap();
    let error = hand.delete(&made, &wanted).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unknown);
    assert!(error.message.contains("example.com/held"), "{error}");
    let told = hand.waited.lock().unwrap().clone();
    let said = |it: &String| it.contains("its finalizers are example.com/held");
    assert!(!told.is_empty() && told.iter().all(said), "{told:?}");
    let error = hand.create(&wanted).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    let path = ground.path("configmaps", "c");
    assert_eq!(
        ground.get(&path).await["metadata"]["finalizers"][0],
        "example.com/held"
    );
    // Its namespace cannot end either, says so, and takes nothing new.
    let namespace = json!({"cluster": TARGET, "manifest": {"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": ground.namespace}}});
    let namespace: Attributes = serde_json::from_value(namespace).unwrap();
    let mut of_namespace = ground.hand("namespace");
    of_namespace.timeout = Duration::from_secs(9);
    let mut known = made.clone();
    known.remote_id = RemoteId::new(format!("{TARGET}/core/Namespace/-/{}", ground.namespace));
    let error = of_namespace.delete(&known, &namespace).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unknown);
    assert!(error.message.contains("example.com/held"), "{error}");
    let other = ground.attributes(config_map("other", json!({})));
    let error = ground.hand("other").create(&other).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    ground
        .patch(&path, &json!({"metadata": {"finalizers": null}}))
        .await;
    of_namespace.timeout = Duration::from_secs(60);
    of_namespace.delete(&known, &namespace).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_waited_for() {
    let ground = ground!("address", true);
    let service = |name: &str, address: &str| {
        ground.attributes(json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "annotations": {"test.matih.ai/address": address}},
            "spec": {"type": "LoadBalancer", "selector": {"a": "b"}, "ports": [{"port": 80}]}}))
    };
    let made = ground.hand("s").create(&service("s", "any")).await.unwrap();
    assert_eq!(made.unready, None);
    let now = ground.get(&ground.path("services", "s")).await;
    assert!(now["status"]["loadBalancer"]["ingress"][0]["ip"].is_string());
    let mut hand = ground.hand("t");
    hand.timeout = Duration::from_secs(2);
    let wanted = service("t", "none");
    let made = hand.create(&wanted).await.unwrap();
    let unready = made.unready.clone().unwrap();
    assert_eq!(unready.kind, ErrorKind::Unavailable);
    assert!(unready.message.contains("no address yet"), "{unready}");
    let told = hand.waited.lock().unwrap().clone();
    let said = |it: &String| it.contains("no address yet");
    assert!(!told.is_empty() && told.iter().all(said), "{told:?}");
    // A status that comes later is no change of ours.
    assert_eq!(
        hand.read(&made, &wanted, Some(&made.version)).await,
        Reading::Unchanged
    );
    ground.clear().await;
}

/// What waiting for a deployment comes to.
async fn deployment(ground: &Ground, name: &str, behaviour: &str, cpu: &str) -> Option<String> {
    let pod = json!({
        "metadata": {"labels": {"app": name}, "annotations": {"test.matih.ai/behaviour": behaviour}},
        "spec": {"containers": [{"name": "web", "image": "registry.k8s.io/pause:3.10",
            "resources": {"requests": {"cpu": cpu}}}]},
    });
    let wanted = ground.attributes(json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": pod}}));
    let mut hand = ground.hand(name);
    hand.timeout = Duration::from_secs(40);
    let made = hand.create(&wanted).await.unwrap();
    made.unready.map(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_means_ready_and_what_cannot_heal_ends_the_wait() {
    let ground = ground!("ready", true);
    let begun = std::time::Instant::now();
    let (good, image, crash, large) = tokio::join!(
        deployment(&ground, "good", "ready", "10m"),
        deployment(&ground, "image", "image-missing", "10m"),
        deployment(&ground, "crash", "crash-loop", "10m"),
        deployment(&ground, "large", "ready", "100"),
    );
    assert_eq!(good, None);
    for (found, word) in [
        (&image, "ImagePullBackOff"),
        (&crash, "CrashLoopBackOff"),
        (&large, "fits on no node"),
    ] {
        let found = found.as_deref().unwrap_or("ready");
        assert!(found.contains(word), "{word}: {found}");
    }
    assert!(
        begun.elapsed() < Duration::from_secs(35),
        "no wait ended early"
    );
    let quota = ground.attributes(json!({"apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "q"}, "spec": {"hard": {"pods": "0"}}}));
    ground.hand("quota").create(&quota).await.unwrap();
    let quota = deployment(&ground, "none", "ready", "10m")
        .await
        .unwrap_or_default();
    assert!(quota.contains("exceeded quota"), "{quota}");
    ground.clear().await;
}
