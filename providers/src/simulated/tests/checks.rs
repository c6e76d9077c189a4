//! The four checks.

use super::*;

async fn findings(cloud: &Cloud, kind: &str, attributes: &str) -> Vec<String> {
    let (owner, attributes) = (Cloud::owner(&format!("acme/{kind}/look")), tree(attributes));
    let call = Call {
        owner: &owner,
        attributes: &attributes,
        before: None,
        remote_id: None,
        expects: None,
        timeout: Duration::from_secs(1),
        secrets: &Known,
        crossing: &Count::default(),
    };
    let report = cloud.0.check(&call).await.unwrap();
    report.failures.into_iter().map(|it| it.message).collect()
}

#[tokio::test]
async fn a_slug_and_a_name_are_free_or_ours() {
    let cloud = Cloud::plain();
    let record = |slug: &str| format!(r#"{{"slug":"{slug}","name":"The {slug}"}}"#);
    cloud
        .create("acme/tenant.record/tenant", &record("acme"))
        .await
        .unwrap();
    cloud
        .create("globex/tenant.record/tenant", &record("globex"))
        .await
        .unwrap();
    let look = |slug: &str| record(slug);
    let none: [&str; 0] = [];
    assert_eq!(findings(&cloud, "check.input", &look("acme")).await, none);
    assert_eq!(findings(&cloud, "check.input", &look("new")).await, none);
    let taken = findings(&cloud, "check.input", &look("globex")).await;
    assert_eq!(taken.len(), 2);
    assert!(taken[0].contains("`globex` is taken"), "{taken:?}");
    assert!(taken[1].contains("`The globex`"), "{taken:?}");
}

#[tokio::test]
async fn room_is_what_others_left() {
    let cloud = Cloud::plain();
    let (zones, look) = (
        |n| format!(r#"{{"name":"{n}.matih.ai"}}"#),
        r#"{"dns_zones":1,"pods":50}"#,
    );
    cloud
        .create("acme/dns.zone/a", &zones("acme"))
        .await
        .unwrap();
    cloud
        .create("globex/dns.zone/a", &zones("globex"))
        .await
        .unwrap();
    let none: [&str; 0] = [];
    assert_eq!(
        findings(&cloud, "check.capacity", look).await,
        none,
        "no end by itself"
    );
    cloud.sandbox().set_capacity("dns_zones", Some(2)).unwrap();
    assert_eq!(
        findings(&cloud, "check.capacity", look).await,
        none,
        "its own zone is not counted"
    );
    cloud.sandbox().set_capacity("dns_zones", Some(1)).unwrap();
    cloud.sandbox().set_capacity("pods", Some(49)).unwrap();
    assert_eq!(
        findings(&cloud, "check.capacity", look).await,
        [
            "no room: 1 dns_zones wanted, 1 of 1 taken",
            "no room: 50 pods wanted, 0 of 49 taken"
        ]
    );
    cloud.sandbox().set_capacity("dns_zones", None).unwrap();
    cloud.sandbox().set_capacity("pods", None).unwrap();
    assert_eq!(findings(&cloud, "check.capacity", look).await, none);
}

#[tokio::test]
async fn namespaces_and_addresses_are_counted_too() {
    let cloud = Cloud::plain();
    let namespace = r#"{"cluster":"c","manifest":{"kind":"Namespace","metadata":{"name":"g"}}}"#;
    cloud
        .create("globex/kubernetes.manifest/namespace", namespace)
        .await
        .unwrap();
    let ingress =
        r#"{"cluster":"c","release":"g","namespace":"g","chart":{"name":"ingress-nginx"}}"#;
    cloud
        .create("globex/helm.release/ingress", ingress)
        .await
        .unwrap();
    let plain = r#"{"cluster":"c","release":"h","namespace":"g","chart":{"name":"other"}}"#;
    cloud
        .create("globex/helm.release/other", plain)
        .await
        .unwrap();
    for resource in ["namespaces", "load_balancers"] {
        cloud.sandbox().set_capacity(resource, Some(1)).unwrap();
        let look = format!(r#"{{"{resource}":1}}"#);
        let found = findings(&cloud, "check.capacity", &look).await;
        assert_eq!(
            found,
            [format!("no room: 1 {resource} wanted, 1 of 1 taken")]
        );
        cloud.sandbox().set_capacity(resource, None).unwrap();
    }
}

#[tokio::test]
async fn credentials_can_be_read_and_hold_something() {
    let cloud = Cloud::plain();
    let look = |name: &str| {
        format!(r#"{{"cloud":"azure","client_secret":{{"$secret":{{"env":"{name}"}}}}}}"#)
    };
    let none: [&str; 0] = [];
    assert_eq!(
        findings(&cloud, "check.credentials", &look("KNOWN")).await,
        none
    );
    let empty = findings(&cloud, "check.credentials", &look("EMPTY")).await;
    assert_eq!(empty, ["secret env:EMPTY is empty"]);
    let missing = findings(&cloud, "check.credentials", &look("NOT_SET")).await;
    assert_eq!(
        missing,
        ["secret env:NOT_SET cannot be read: it is not set"]
    );
}

#[tokio::test]
async fn the_gate_sees_what_is_not_ready() {
    let cloud = Cloud::plain();
    let manifest = |kind: &str, name: &str| {
        format!(
            r#"{{"cluster":"c","manifest":{{"kind":"{kind}","metadata":{{"name":"{name}","namespace":"n"}}}}}}"#
        )
    };
    let release =
        r#"{"cluster":"c","release":"acme-ai-service","namespace":"n","chart":{"name":"x"}}"#;
    let record =
        r#"{"zone":"acme.matih.ai","name":"@","type":"A","ttl":300,"values":["20.0.0.1"]}"#;
    for (at, attributes) in [
        ("acme/helm.release/ai", release.to_owned()),
        (
            "acme/kubernetes.manifest/ingress",
            manifest("Ingress", "tenant-ingress"),
        ),
        (
            "acme/kubernetes.manifest/certificate",
            manifest("Certificate", "acme-tls"),
        ),
        ("acme/dns.record/root", record.to_owned()),
    ] {
        cloud.create(at, &attributes).await.unwrap();
    }
    let look = r#"{"services":["ai-service"],"releases":["acme-ai-service"],
        "ingress":"tenant-ingress","certificate":"acme-tls","dns_records":["acme.matih.ai"],
        "host":"acme.matih.ai","load_balancer_ip":"20.0.0.1"}"#;
    let none: [&str; 0] = [];
    assert_eq!(findings(&cloud, "check.connectivity", look).await, none);

    let sandbox = cloud.sandbox();
    let edit = |at: &str, path: &str, value: &str| {
        sandbox
            .edit(at, &path.parse().unwrap(), Some(value.into()))
            .unwrap();
    };
    edit("acme/helm.release/ai", "status", "failed");
    edit(
        "acme/kubernetes.manifest/certificate",
        "manifest.status.conditions.0.status",
        "False",
    );
    edit("acme/dns.record/root", "values.0", "20.0.0.2");
    sandbox.remove("acme/kubernetes.manifest/ingress").unwrap();
    assert_eq!(
        findings(&cloud, "check.connectivity", look).await,
        [
            "release `acme-ai-service` is failed, not deployed",
            "ingress `tenant-ingress` is not there",
            "certificate `acme-tls` is not ready",
            "`acme.matih.ai` does not resolve to 20.0.0.1",
        ]
    );
    sandbox.remove("acme/helm.release/ai").unwrap();
    sandbox.remove("acme/dns.record/root").unwrap();
    let found = findings(&cloud, "check.connectivity", look).await;
    assert!(found.contains(&"release `acme-ai-service` is not there".to_owned()));
    assert!(found.contains(&"service `ai-service` has no release".to_owned()));
    assert!(found.contains(&"`acme.matih.ai` does not resolve".to_owned()));
}

#[tokio::test]
async fn a_resource_is_no_check_and_a_check_no_resource() {
    let cloud = Cloud::plain();
    let (owner, attributes) = (Cloud::owner("acme/dns.zone/a"), Attributes::new());
    let call = Call {
        owner: &owner,
        attributes: &attributes,
        before: None,
        remote_id: None,
        expects: None,
        timeout: Duration::from_secs(1),
        secrets: &Known,
        crossing: &Count::default(),
    };
    assert_eq!(
        cloud.0.check(&call).await.unwrap_err().kind,
        ErrorKind::Invalid
    );
    let error = cloud.create("acme/check.input/a", "{}").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    let reading = cloud.read("acme/check.input/a", None).await;
    assert!(matches!(reading, Reading::Unknown(_)));
}
