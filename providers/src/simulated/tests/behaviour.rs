//! What the world does by itself: ids, defaults, outputs, names, cascades, lag, pace, secrets.

use super::*;

const ZONE: &str = r#"{"name":"acme.matih.ai"}"#;

fn namespace() -> String {
    manifest("Namespace", "tenant-acme", None)
}

fn manifest(kind: &str, name: &str, namespace: Option<&str>) -> String {
    let namespace = namespace.map_or(String::new(), |it| format!(r#","namespace":"{it}""#));
    format!(
        r#"{{"cluster":"shared","manifest":{{"apiVersion":"v1","kind":"{kind}","metadata":{{"name":"{name}"{namespace}}}}}}}"#
    )
}

fn release(name: &str) -> String {
    format!(
        r#"{{"cluster":"shared","release":"{name}","namespace":"tenant-acme","chart":{{"name":"x","version":"1"}}}}"#
    )
}

#[tokio::test]
async fn the_server_fills_in_its_defaults_and_ours_stay() {
    let cloud = Cloud::plain();
    let at = "acme/kubernetes.manifest/namespace";
    let made = cloud.create(at, &namespace()).await.unwrap();
    let Reading::Present(there) = cloud.read(at, None).await else {
        panic!("it is there");
    };
    let find = |path: &str| {
        path.parse::<matih_model::AttributePath>()
            .unwrap()
            .find(&there.attributes)
            .cloned()
    };
    assert_eq!(find("manifest.status.phase"), Some("Active".into()));
    assert_eq!(
        find("manifest.metadata.uid"),
        Some(made.remote_id.as_str().into())
    );
    assert_eq!(find("manifest.metadata.name"), Some("tenant-acme".into()));
    assert_eq!(made.outputs.text("uid"), Some(made.remote_id.as_str()));
}

#[tokio::test]
async fn ids_follow_from_seed_and_name_and_are_never_given_twice() {
    let at = "acme/dns.zone/tenant";
    let mut ids = Vec::new();
    for seed in [1, 1, 2] {
        let cloud = Cloud::new(SimulatedOptions {
            seed,
            ..SimulatedOptions::default()
        });
        ids.push(cloud.create(at, ZONE).await.unwrap().remote_id);
        for _ in 0..2 {
            cloud.delete(at).await.unwrap();
            ids.push(cloud.create(at, ZONE).await.unwrap().remote_id);
        }
    }
    assert_eq!(ids[..3], ids[3..6], "one seed, one set of ids");
    ids.drain(..3);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6, "another id for each seed and life");
}

#[tokio::test]
async fn two_tenants_cannot_have_one_zone_and_one_tenant_cannot_have_it_twice() {
    let cloud = Cloud::plain();
    cloud.create("acme/dns.zone/tenant", ZONE).await.unwrap();
    for other in ["globex/dns.zone/tenant", "acme/dns.zone/second"] {
        let error = cloud.create(other, ZONE).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        assert!(error.message.contains("acme/dns.zone/tenant"), "{error}");
    }
    let moved = r#"{"name":"other.matih.ai"}"#;
    let error = cloud
        .create("acme/dns.zone/tenant", moved)
        .await
        .unwrap_err();
    assert_eq!(
        error.kind,
        ErrorKind::Conflict,
        "the mark is on another zone"
    );
}

#[tokio::test]
async fn what_cannot_change_in_place_is_refused() {
    let cloud = Cloud::plain();
    let at = "acme/dns.zone/tenant";
    let made = cloud.create(at, ZONE).await.unwrap();
    let error = cloud
        .update(&made, at, r#"{"name":"b.matih.ai"}"#)
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.contains("`name`"), "{error}");

    let at = "acme/kubernetes.manifest/quota";
    let nowhere = manifest("ResourceQuota", "tenant-quota", None);
    let made = cloud.create(at, &nowhere).await.unwrap();
    let somewhere = manifest("ResourceQuota", "tenant-quota", Some("tenant-acme"));
    let error = cloud.update(&made, at, &somewhere).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid, "it would be another object");
}

#[tokio::test]
async fn a_namespace_takes_along_what_is_in_it_and_nothing_else() {
    let cloud = Cloud::plain();
    let quota = manifest("ResourceQuota", "tenant-quota", Some("tenant-acme"));
    let elsewhere = manifest("ResourceQuota", "tenant-quota", Some("tenant-globex"));
    let ns = "acme/kubernetes.manifest/namespace";
    for (at, attributes) in [
        (ns, namespace()),
        ("acme/kubernetes.manifest/quota", quota),
        ("acme/helm.release/ai", release("acme-ai")),
        ("acme/kubernetes.manifest/elsewhere", elsewhere),
        ("acme/dns.zone/tenant", ZONE.to_owned()),
    ] {
        cloud.create(at, &attributes).await.unwrap();
    }
    cloud.delete(ns).await.unwrap();
    let left = ["acme/kubernetes.manifest/elsewhere", "acme/dns.zone/tenant"];
    assert_eq!(cloud.list("acme").await, left);
}

#[tokio::test]
async fn a_namespace_that_goes_leaves_what_has_no_place() {
    let cloud = Cloud::plain();
    cloud.create("acme/dns.zone/tenant", ZONE).await.unwrap();
    let at = "acme/tenant.record/tenant";
    cloud.create(at, r#"{"slug":"acme"}"#).await.unwrap();
    cloud.delete(at).await.unwrap();
    assert_eq!(cloud.list("acme").await, ["acme/dns.zone/tenant"]);
}

#[tokio::test]
async fn volatile_outputs_count_and_the_others_stay() {
    let cloud = Cloud::plain();
    let at = "acme/helm.release/ingress";
    let attributes = |version: &str| {
        format!(
            r#"{{"cluster":"c","release":"acme-ingress","namespace":"n","chart":{{"name":"ingress-nginx","version":"{version}"}}}}"#
        )
    };
    let made = cloud.create(at, &attributes("1")).await.unwrap();
    let next = cloud.update(&made, at, &attributes("2")).await.unwrap();
    assert_eq!(made.outputs.get("revision"), Some(&Value::Integer(1)));
    assert_eq!(next.outputs.get("revision"), Some(&Value::Integer(2)));
    let ip = |applied: &Applied| applied.outputs.text("load_balancer_ip").unwrap().to_owned();
    assert_eq!(ip(&made), ip(&next));
    assert!(ip(&made).starts_with("20."));
}

#[tokio::test]
async fn a_new_object_is_listed_late_but_found_by_its_id_at_once() {
    let cloud = Cloud::new(SimulatedOptions {
        lag: 3,
        ..SimulatedOptions::default()
    });
    let at = "acme/dns.zone/tenant";
    let made = cloud.create(at, ZONE).await.unwrap();
    let by_id = cloud.read(at, Some(&made.remote_id)).await;
    assert!(matches!(by_id, Reading::Present(_)));
    assert_eq!(cloud.read(at, None).await, Reading::Missing);
    assert_eq!(cloud.list("acme").await, [at]);
    assert!(matches!(cloud.read(at, None).await, Reading::Present(_)));
    let adopted = cloud.create(at, ZONE).await.unwrap();
    assert!(adopted.adopted, "its name is known at once");
}

#[tokio::test]
async fn a_limited_world_throttles_and_says_how_long() {
    let retry_after = Duration::from_millis(250);
    let rate = Some(RateLimit {
        burst: 2,
        every: 0,
        retry_after,
    });
    let cloud = Cloud::new(SimulatedOptions {
        rate,
        ..SimulatedOptions::default()
    });
    cloud
        .create("acme/dns.zone/a", r#"{"name":"a"}"#)
        .await
        .unwrap();
    cloud
        .create("acme/dns.zone/b", r#"{"name":"b"}"#)
        .await
        .unwrap();
    let error = cloud
        .create("acme/dns.zone/c", r#"{"name":"c"}"#)
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled(Some(retry_after)));
    assert_eq!(cloud.sandbox().list(None).unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_too_slow_is_done_and_its_reply_lost() {
    let latency = Latency::Real;
    let cloud = Cloud::new(SimulatedOptions {
        latency,
        ..SimulatedOptions::default()
    });
    let (owner, attributes) = (Cloud::owner("acme/dns.zone/tenant"), tree(ZONE));
    let call = Call {
        owner: &owner,
        attributes: &attributes,
        before: None,
        remote_id: None,
        expects: None,
        timeout: Duration::from_millis(1),
        secrets: &Known,
        crossing: &Count::default(),
    };
    let error = cloud.0.create(&call).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unknown);
    assert_eq!(cloud.sandbox().list(None).unwrap().len(), 1);
}

#[tokio::test]
async fn secrets_are_read_at_the_wire_and_never_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.db");
    let cloud = Cloud(Simulated::open(&path, SimulatedOptions::default()).unwrap());
    let at = "acme/postgres.role/ai";
    let with = |name: &str| {
        format!(
            r#"{{"server":"pg","name":"t_acme_ai","password":{{"$secret":{{"env":"{name}"}}}}}}"#
        )
    };
    let made = cloud.create(at, &with("KNOWN")).await.unwrap();
    let error = cloud.update(&made, at, &with("OTHER")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.contains("env:OTHER"), "{error}");

    let Reading::Present(there) = cloud.read(at, None).await else {
        panic!("it is there");
    };
    assert!(matches!(
        there.attributes.get("password"),
        Some(Value::Secret(_))
    ));
    drop(cloud);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let canary = b"canary-7f3a";
        assert!(!bytes.windows(canary.len()).any(|window| window == canary));
    }
}

#[tokio::test]
async fn what_is_not_known_is_not_sent() {
    let cloud = Cloud::plain();
    for open in [
        r#"{"name":{"$unknown":true}}"#,
        r#"{"name":{"$ref":"acme/dns.zone/x","output":"name"}}"#,
    ] {
        let error = cloud
            .create("acme/dns.zone/tenant", open)
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
    }
    assert!(cloud.sandbox().list(None).unwrap().is_empty());
}

#[tokio::test]
async fn a_change_crosses_two_points_also_when_there_is_nothing_to_do() {
    let cloud = Cloud::plain();
    let (owner, attributes) = (Cloud::owner("acme/dns.zone/tenant"), tree(ZONE));
    let crossing = Count::default();
    let call = Call {
        owner: &owner,
        attributes: &attributes,
        before: None,
        remote_id: None,
        expects: None,
        timeout: Duration::from_secs(1),
        secrets: &Known,
        crossing: &crossing,
    };
    cloud.0.delete(&call).await.unwrap();
    cloud.0.create(&call).await.unwrap();
    cloud.0.create(&call).await.unwrap();
    assert_eq!(crossing.0.load(Ordering::Relaxed), 6);
}

#[tokio::test]
async fn an_object_without_a_mark_is_taken_over_by_its_id_only() {
    let cloud = Cloud::plain();
    let zone = Kind::new("dns.zone").unwrap();
    let foreign = cloud.sandbox().add(&zone, tree(ZONE)).unwrap();
    let at = "acme/dns.zone/tenant";
    let error = cloud.create(at, ZONE).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(error.message.contains("nobody that matih knows"), "{error}");

    let to = r#"{"name":"acme.matih.ai","comment":"ours"}"#;
    let taken = cloud
        .call(CallOp::Update, at, to, Some(&foreign.remote_id), None)
        .await;
    assert_eq!(taken.unwrap().unwrap().remote_id, foreign.remote_id);
    assert_eq!(cloud.list("acme").await, [at]);
}

#[tokio::test]
async fn hands_see_everything_and_change_anything() {
    let cloud = Cloud::plain();
    let (at, sandbox) = ("acme/dns.zone/tenant", cloud.sandbox());
    let made = cloud.create(at, ZONE).await.unwrap();
    let shown = sandbox.show(at).unwrap();
    assert_eq!(shown, sandbox.show(made.remote_id.as_str()).unwrap());
    assert_eq!(shown.owner.unwrap().tenant.as_str(), "acme");

    let path = "name".parse().unwrap();
    let edited = sandbox.edit(at, &path, Some("b.matih.ai".into())).unwrap();
    assert_ne!(edited.version, made.version);
    let back = sandbox
        .edit(at, &path, Some("acme.matih.ai".into()))
        .unwrap();
    assert_eq!(back.version, made.version, "as it was is unchanged");

    let disowned = sandbox.disown(at).unwrap();
    assert_ne!(disowned.version, made.version, "the mark is ours too");
    assert!(cloud.list("acme").await.is_empty());
    sandbox.remove(made.remote_id.as_str()).unwrap();
    let gone = sandbox.show(at).unwrap_err();
    assert!(matches!(gone, WorldError::NoSuchObject(name) if name == at));
}
