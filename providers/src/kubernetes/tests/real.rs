//! What only a real server shows.

use matih_model::{Attributes, ErrorKind, Provider, ReadRequest, Reading, RemoteId};
use serde_json::json;

use super::ground::{TARGET, config_map, ground};

#[tokio::test(flavor = "multi_thread")]
async fn what_another_manager_owns_is_a_conflict_that_says_who_and_since_when() {
    let ground = ground!("conflict", false);
    let hand = ground.hand("c");
    let first = ground.attributes(config_map("c", json!({"a": "1", "b": "1"})));
    let made = hand.create(&first).await.unwrap();
    let path = ground.path("configmaps", "c");
    ground.patch(&path, &json!({"data": {"a": "theirs"}})).await;
    let Reading::Present(seen) = hand.read(&made, &first, Some(&made.version)).await else {
        panic!("the edit is not seen");
    };
    assert_eq!(seen.touches.len(), 1, "{:?}", seen.touches);
    assert_eq!(seen.touches[0].path.to_string(), "manifest.data.a");
    assert_eq!(seen.touches[0].by, "stranger".into());
    let error = hand
        .update(&made, &first, &first, Some(&seen.version))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    for word in ["`.data.a`", "stranger", "since 20"] {
        assert!(error.message.contains(word), "{error}");
    }
    assert!(error.hint.unwrap().contains("force_conflicts"));
    let now = ground.get(&path).await;
    assert_eq!(
        now["data"],
        json!({"a": "theirs", "b": "1"}),
        "something was written all the same"
    );
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_the_manifest_leaves_the_object_and_what_others_set_stays() {
    let ground = ground!("fields", false);
    let hand = ground.hand("c");
    let first = ground.attributes(config_map("c", json!({"a": "1", "b": "1"})));
    let made = hand.create(&first).await.unwrap();
    let path = ground.path("configmaps", "c");
    ground.patch(&path, &json!({"data": {"theirs": "x"}})).await;
    assert_eq!(
        hand.read(&made, &first, Some(&made.version)).await,
        Reading::Unchanged
    );
    let second = ground.attributes(config_map("c", json!({"a": "1"})));
    let altered = hand
        .update(&made, &first, &second, Some(&made.version))
        .await
        .unwrap();
    let now = ground.get(&path).await;
    assert_eq!(now["data"], json!({"a": "1", "theirs": "x"}));
    assert_eq!(
        hand.read(&altered, &second, Some(&altered.version)).await,
        Reading::Unchanged
    );
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_bears_no_mark_is_refused_and_can_be_imported() {
    let ground = ground!("import", true);
    let path = format!("/api/v1/namespaces/{}/configmaps", ground.namespace);
    let theirs = config_map("c", json!({"a": "theirs"}));
    ground
        .send(http::Method::POST, &path, super::super::wire::JSON, &theirs)
        .await;
    let hand = ground.hand("c");
    let wanted = ground.attributes(config_map("c", json!({"a": "ours"})));
    let error = hand.create(&wanted).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    let hint = error.hint.unwrap();
    let id = format!("{TARGET}/core/ConfigMap/{}/c", ground.namespace);
    assert!(
        hint.contains("matih import") && hint.contains(&id),
        "{hint}"
    );
    let nothing = Attributes::new();
    let request = ReadRequest {
        address: &hand.owner.address,
        remote_id: Some(&RemoteId::new(&id)),
        attributes: &nothing,
        version: None,
    };
    let Some(Reading::Present(found)) = ground.provider.read(&[request]).await.unwrap().pop()
    else {
        panic!("it is not found");
    };
    assert!(found.remote_id.as_str().starts_with(&format!("{id}/")));
    let mut made = hand
        .create(&ground.attributes(config_map("d", json!({}))))
        .await
        .unwrap();
    made.remote_id = found.remote_id.clone();
    let ours = hand
        .update(&made, &found.attributes, &wanted, None)
        .await
        .unwrap();
    assert_eq!(ours.remote_id, found.remote_id);
    let now = ground.get(&ground.path("configmaps", "c")).await;
    assert_eq!(now["data"]["a"], "ours");
    assert_eq!(now["metadata"]["labels"]["matih.ai/tenant-slug"], "acme");
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_life_of_a_name_is_missing_and_is_not_deleted() {
    let ground = ground!("lives", true);
    let hand = ground.hand("c");
    let wanted = ground.attributes(config_map("c", json!({"a": "1"})));
    let made = hand.create(&wanted).await.unwrap();
    let path = ground.path("configmaps", "c");
    let json = super::super::wire::JSON;
    ground
        .send(http::Method::DELETE, &path, json, &json!({}))
        .await;
    let all = path.strip_suffix("/c").unwrap();
    ground
        .send(http::Method::POST, all, json, &config_map("c", json!({})))
        .await;
    assert_eq!(
        hand.read(&made, &wanted, Some(&made.version)).await,
        Reading::Missing
    );
    hand.delete(&made, &wanted).await.unwrap();
    assert_eq!(ground.get(&path).await["metadata"]["name"], "c");
    let error = hand
        .update(&made, &wanted, &wanted, None)
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_go_in_and_never_come_out() {
    let ground = ground!("secret", true);
    let hand = ground.hand("s");
    let manifest = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "s"}, "stringData": {"word": {"$secret": {"env": "X"}}, "plain": "p"}});
    let wanted = ground.attributes(manifest);
    let made = hand.create(&wanted).await.unwrap();
    let path = ground.path("secrets", "s");
    assert_eq!(ground.get(&path).await["data"]["word"], "aHVzaA==");
    assert_eq!(
        hand.read(&made, &wanted, Some(&made.version)).await,
        Reading::Unchanged
    );
    ground
        .patch(
            &path,
            &json!({"data": {"word": "bG91ZA==", "more": "bW9yZQ=="}}),
        )
        .await;
    let Reading::Present(seen) = hand.read(&made, &wanted, Some(&made.version)).await else {
        panic!("the edit of a secret is not seen");
    };
    let told = format!("{seen:?}");
    for value in ["aHVzaA==", "hush", "bG91ZA==", "loud", "bW9yZQ=="] {
        assert!(!told.contains(value), "`{value}` is told: {told}");
    }
    assert_eq!(seen.touches[0].path.to_string(), "manifest.stringData.word");
    let found = ground
        .provider
        .list(&ground.installation, hand.owner.tenant())
        .await
        .unwrap();
    assert!(!format!("{found:?}").contains("bG91ZA=="));
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_installations_only_one_gets_a_namespace() {
    let ground = ground!("race", true);
    let name = format!("{}-raced", ground.namespace);
    let manifest = json!({"cluster": TARGET, "manifest": {"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"a": "b"}}}});
    let manifest: Attributes = serde_json::from_value(manifest).unwrap();
    let hands: Vec<_> = (0..6)
        .map(|number| {
            let mut hand = ground.hand("namespace");
            hand.owner.installation = format!("{}-{number}", ground.installation);
            hand
        })
        .collect();
    let tries = hands.iter().map(|hand| hand.create(&manifest));
    let mut won = Vec::new();
    for (hand, tried) in hands
        .iter()
        .zip(futures_util::future::join_all(tries).await)
    {
        match tried {
            Ok(made) => won.push((hand, made)),
            Err(error) => assert_eq!(error.kind, ErrorKind::Conflict, "{error}"),
        }
    }
    let [(hand, made)] = &won[..] else {
        panic!("{} of 6 have it", won.len());
    };
    let now = ground.get(&format!("/api/v1/namespaces/{name}")).await;
    let label = &now["metadata"]["labels"]["matih.ai/installation"];
    assert_eq!(label, hand.owner.installation.as_str());
    hand.delete(made, &manifest).await.unwrap();
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_makes_an_object_in_a_namespace_or_none() {
    let ground = ground!("fresh", true);
    let name = format!("{}-fresh", ground.namespace);
    let manifest = json!({"cluster": TARGET, "manifest": {"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name}}});
    let manifest: Attributes = serde_json::from_value(manifest).unwrap();
    let namespace = ground.hand("namespace");
    let sent = || ground.cluster.wire.sent();
    // What there is of kinds is asked once.
    namespace.create(&manifest).await.unwrap();
    let inside = |name: &str| {
        let mut object = config_map(name, json!({"a": "1"}));
        object["metadata"]["namespace"] = json!(format!("{}-fresh", ground.namespace));
        let attributes = json!({"cluster": TARGET, "manifest": object});
        serde_json::from_value::<Attributes>(attributes).unwrap()
    };
    let before = sent();
    let hand = ground.hand("c");
    let first = hand.create(&inside("c")).await.unwrap();
    assert_eq!((sent() - before, first.adopted), (1, false));
    let again = hand.create(&inside("c")).await.unwrap();
    assert!(again.adopted, "it is looked at whose it is");
    let other = format!("{name}-2");
    let text = serde_json::to_string(&manifest).unwrap();
    let second: Attributes = serde_json::from_str(&text.replace(&name, &other)).unwrap();
    let (before, wide) = (sent(), ground.hand("namespace-2"));
    let made = wide.create(&second).await.unwrap();
    assert_eq!((sent() - before, made.adopted), (1, false));
    wide.delete(&made, &second).await.unwrap();
    // What the cluster itself has put there is not ours, and stays as it is.
    let path = format!("/api/v1/namespaces/{name}/configmaps/kube-root-ca.crt");
    let root = loop {
        if let Ok(root) = ground.cluster.wire.look(&path).await {
            break root;
        }
    };
    let error = ground
        .hand("root")
        .create(&inside("kube-root-ca.crt"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
    let now = ground.get(&path).await;
    assert_eq!(
        (&now["data"], &now["metadata"]["labels"]),
        (&root["data"], &root["metadata"]["labels"])
    );
    let path = format!("/api/v1/namespaces/{name}");
    let json = super::super::wire::JSON;
    ground
        .send(http::Method::DELETE, &path, json, &json!({}))
        .await;
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_objects_are_read_by_few_requests() {
    let ground = ground!("many", true);
    let names: Vec<String> = (0..60).map(|number| format!("c-{number}")).collect();
    let hands: Vec<_> = names.iter().map(|name| ground.hand(name)).collect();
    let wanted: Vec<_> = names
        .iter()
        .map(|name| ground.attributes(config_map(name, json!({"a": "1"}))))
        .collect();
    let makes = hands
        .iter()
        .zip(&wanted)
        .map(|(hand, wanted)| hand.create(wanted));
    let made: Vec<_> = futures_util::future::join_all(makes)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    // One loses its labels, one goes, one is edited.
    let path = |name: &str| ground.path("configmaps", name);
    let labels = json!({"metadata": {"labels": {"matih.ai/tenant-slug": null, "matih.ai/installation": null}}});
    ground.patch(&path("c-1"), &labels).await;
    ground
        .send(
            http::Method::DELETE,
            &path("c-2"),
            super::super::wire::JSON,
            &json!({}),
        )
        .await;
    ground
        .patch(&path("c-3"), &json!({"data": {"a": "2"}}))
        .await;
    let requests: Vec<_> = hands
        .iter()
        .zip(&made)
        .zip(&wanted)
        .map(|((hand, made), attributes)| ReadRequest {
            address: &hand.owner.address,
            remote_id: Some(&made.remote_id),
            attributes,
            version: Some(&made.version),
        })
        .collect();
    let before = ground.cluster.wire.sent();
    let readings = ground.provider.read(&requests).await.unwrap();
    let asked = ground.cluster.wire.sent() - before;
    assert_eq!(
        asked, 4,
        "a list, two objects that it did not show, and whether one of them is gone"
    );
    for (index, reading) in readings.iter().enumerate() {
        match index {
            1 | 3 => assert!(
                matches!(reading, Reading::Present(_)),
                "{index}: {reading:?}"
            ),
            2 => assert_eq!(*reading, Reading::Missing),
            _ => assert_eq!(*reading, Reading::Unchanged, "{index}"),
        }
    }
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_says_what_a_manifest_may_not_say() {
    let ground = ground!("invalid", true);
    let mut manifest = config_map("c", json!({"a": "1"}));
    manifest["dta"] = json!({});
    let error = ground
        .hand("c")
        .create(&ground.attributes(manifest))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.contains("dta"), "{error}");
    let fixed = |a: &str| {
        let mut manifest = config_map("d", json!({"a": a}));
        manifest["immutable"] = json!(true);
        ground.attributes(manifest)
    };
    let hand = ground.hand("d");
    let made = hand.create(&fixed("1")).await.unwrap();
    let error = hand
        .update(&made, &fixed("1"), &fixed("2"), None)
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(
        error
            .hint
            .unwrap()
            .contains("--replace kubernetes.manifest/d")
    );
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": {"$secret": {"env": "X"}}}});
    let error = ground
        .hand("s")
        .create(&ground.attributes(secret))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    let told = format!("{error:?}");
    assert!(
        !told.contains("hush") && !told.contains("aHVzaA=="),
        "{told}"
    );
    let nowhere = json!({"cluster": TARGET, "manifest": {"apiVersion": "example.com/v1",
        "kind": "Thing", "metadata": {"name": "x", "namespace": ground.namespace}}});
    let nowhere: Attributes = serde_json::from_value(nowhere).unwrap();
    let error = ground.hand("x").create(&nowhere).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.contains("example.com/v1 Thing"), "{error}");
    ground.clear().await;
}
