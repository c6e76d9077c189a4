//! Tenants of one cluster cannot reach each other, and each reaches what it needs: proved from the
//! policies and labels that the blueprint renders, over every pair of pods and every port that any
//! of them names.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use matih_model::{ResourceGraph, Value as ModelValue};
use matih_providers::isolation::{End, Network, Pod, Policy, Port, Protocol};
use matih_tests::compiled;
use regex::Regex;
use serde_json::{Value, json};

/// A host of the internet (RFC 5737).
const WORLD: End<'static> = End::Outside(Ipv4Addr::new(203, 0, 113, 9));
/// The platform's network, as dedicated clusters see it (tables.toml, `network.platform_cidr`).
const PLATFORM: End<'static> = End::Outside(Ipv4Addr::new(10, 3, 0, 9));
/// The metadata service of a cloud's virtual machines.
const METADATA: End<'static> = End::Outside(Ipv4Addr::new(169, 254, 169, 254));
/// Ports that nobody names, beside those that somebody does.
const OTHERS: [u16; 3] = [22, 4000, 65535];

/// The shared cluster with two tenants of each tier that lives on it.
fn shared() -> Network {
    let tenants = [
        ("free", "kite"),
        ("free", "wren"),
        ("starter", "finch"),
        ("starter", "swift"),
    ];
    let mut network = platform();
    for (example, slug) in tenants {
        add(&mut network, example, slug);
    }
    network
}

/// The namespaces of the platform that tenants meet (domain.md section 4), each with one pod. They
/// are open: what the platform itself restricts is not ours to prove.
fn platform() -> Network {
    let mut network = Network::default();
    for (namespace, role, name, labels) in [
        (
            "kube-system",
            "",
            "kube-dns",
            json!({"k8s-app": "kube-dns"}),
        ),
        ("matih-system", "control-plane", "api-gateway", json!({})),
        ("matih-data", "shared-infra", "stores", json!({})),
        (
            "matih-ingress",
            "ingress",
            "ingress-nginx",
            json!({"app.kubernetes.io/name": "ingress-nginx"}),
        ),
        ("matih-monitoring-data-plane", "", "prometheus", json!({})),
        ("matih-observability", "", "otel-collector", json!({})),
    ] {
        let role = (!role.is_empty()).then(|| ("matih.ai/role".to_owned(), role.to_owned()));
        network
            .namespaces
            .insert(namespace.to_owned(), role.into_iter().collect());
        network.pods.push(Pod {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            labels: serde_json::from_value(labels).unwrap(),
        });
    }
    network
}

/// Adds what a spec compiles to: its namespace, its policies, and a pod of each of its releases.
fn add(network: &mut Network, example: &str, slug: &str) -> ResourceGraph {
    let graph = compiled::graph(example, slug, &|_| None).unwrap();
    for resource in graph.resources().values() {
        let attributes = json(&ModelValue::Map(resource.attributes.clone()));
        let manifest = &attributes["manifest"];
        match (resource.address.kind.as_str(), manifest["kind"].as_str()) {
            ("kubernetes.manifest", Some("NetworkPolicy")) => {
                let policy = Policy::of_manifest(manifest).unwrap();
                network.policies.push(policy);
            }
            ("kubernetes.manifest", Some("Namespace")) => {
                let name = manifest["metadata"]["name"].as_str().unwrap().to_owned();
                let labels = &manifest["metadata"]["labels"];
                let labels = serde_json::from_value(labels.clone()).unwrap();
                network.namespaces.insert(name, labels);
            }
            ("helm.release", _) => network.pods.push(pod(&attributes)),
            _ => {}
        }
    }
    graph
}

/// The pods of a release: labelled as charts do it, with the labels of its values.
fn pod(release: &Value) -> Pod {
    let values = &release["values"];
    let (name, labels) = match values["controller"].as_object() {
        Some(controller) => ("ingress-nginx", &controller["podLabels"]),
        None => (
            values["nameOverride"].as_str().unwrap(),
            &values["podLabels"],
        ),
    };
    let mut labels: std::collections::BTreeMap<String, String> =
        serde_json::from_value(labels.clone()).unwrap();
    labels.insert("app.kubernetes.io/name".to_owned(), name.to_owned());
    Pod {
        namespace: release["namespace"].as_str().unwrap().to_owned(),
        name: name.to_owned(),
        labels,
    }
}

fn json(value: &ModelValue) -> Value {
    serde_json::to_value(value).unwrap()
}

fn tcp(port: u16) -> Port {
    Port(Protocol::Tcp, port)
}

/// Every port that a rendered policy or release names, and some that none does.
fn ports() -> Vec<Port> {
    let mut numbers: BTreeSet<u16> = OTHERS.into();
    let number = Regex::new(r#""(?:port|endPort|servicePort)":(\d+)|:(\d{2,5})\b"#).unwrap();
    for example in ["free", "starter", "acme", "enterprise"] {
        let graph = compiled::graph(example, "acme", &|_| None).unwrap();
        let text = serde_json::to_string(graph.resources()).unwrap();
        for found in number.captures_iter(&text) {
            let digits = found.get(1).or(found.get(2)).unwrap();
            numbers.extend(digits.as_str().parse::<u16>());
        }
    }
    let both = |number| [Port(Protocol::Tcp, number), Port(Protocol::Udp, number)];
    numbers.into_iter().flat_map(both).collect()
}

fn is_tenants(pod: &Pod) -> bool {
    pod.labels.contains_key("matih.ai/tenant")
}

/// The first connection from a tenant's pod into another tenant that is open and is not open to
/// the whole internet too: a tenant's own front door is everybody's.
fn counterexample(network: &Network, ports: &[Port]) -> Option<String> {
    let tenants: Vec<&Pod> = network.pods.iter().filter(|pod| is_tenants(pod)).collect();
    for from in &tenants {
        for to in tenants.iter().filter(|to| to.namespace != from.namespace) {
            for port in ports {
                let verdict = network.reach(End::Pod(from), End::Pod(to), *port);
                if verdict.open && !network.reach(WORLD, End::Pod(to), *port).open {
                    return Some(format!("{from} reaches {to} on {port}: {}", verdict.why));
                }
            }
        }
    }
    None
}

#[test]
fn no_pod_of_one_tenant_reaches_another() {
    let (network, ports) = (shared(), ports());
    let tenants = network.pods.iter().filter(|pod| is_tenants(pod)).count();
    assert!(
        tenants > 40 && ports.len() > 40,
        "{tenants} pods, {ports:?}"
    );
    assert_eq!(counterexample(&network, &ports), None);
    println!(
        "{tenants} pods of 4 tenants, {} ports: no way between tenants",
        ports.len()
    );
}

#[test]
fn only_the_front_door_is_open_to_the_world() {
    let (network, ports) = (shared(), ports());
    let mut open = BTreeSet::new();
    for pod in network.pods.iter().filter(|pod| is_tenants(pod)) {
        for port in &ports {
            if network.reach(WORLD, End::Pod(pod), *port).open {
                open.insert(format!("{pod} {port}"));
            }
        }
    }
    let doors = ["finch", "swift"]
        .iter()
        .flat_map(|slug| [443, 80].map(|port| format!("tenant-{slug}/ingress-nginx Tcp {port}")));
    assert_eq!(open, doors.collect());
}

#[test]
fn no_pod_of_a_tenant_reaches_the_metadata_service() {
    let (network, ports) = (shared(), ports());
    for pod in network.pods.iter().filter(|pod| is_tenants(pod)) {
        for port in &ports {
            let verdict = network.reach(End::Pod(pod), METADATA, *port);
            assert!(!verdict.open, "{pod} {port}: {}", verdict.why);
        }
    }
}

#[test]
fn each_pod_reaches_what_it_is_told_of() {
    let address =
        Regex::new(r"([a-z0-9-]+)\.([a-z0-9-]+)\.svc\.cluster\.local(?::(\d+))?").unwrap();
    let mut asked = 0;
    for (example, slug) in [("free", "kite"), ("starter", "finch")] {
        let mut network = platform();
        let graph = add(&mut network, example, slug);
        for resource in graph.resources().values() {
            if resource.address.kind.as_str() != "helm.release" {
                continue;
            }
            let attributes = json(&ModelValue::Map(resource.attributes.clone()));
            let from = pod(&attributes);
            let values = &attributes["values"];
            for found in address.captures_iter(&values.to_string()) {
                let port = match (found.get(3), &found[1]) {
                    (Some(port), _) => port.as_str().parse().unwrap(),
                    (None, "postgresql") => values["database"]["port"].as_u64().unwrap(),
                    (None, "redis") => values["stores"]["redis"]["port"].as_u64().unwrap(),
                    (None, other) => panic!("{}: no port of {other}", resource.address),
                };
                let to = network.pods.iter().find(|it| it.namespace == found[2]);
                let to = to.unwrap_or_else(|| panic!("nobody is in {}", &found[2]));
                let port = tcp(u16::try_from(port).unwrap());
                let verdict = network.reach(End::Pod(&from), End::Pod(to), port);
                assert!(
                    verdict.open,
                    "{} needs {}: {}",
                    from, &found[0], verdict.why
                );
                asked += 1;
            }
        }
    }
    assert!(asked > 50, "only {asked} needs were found");
}

#[test]
fn everybody_in_a_tenant_is_served_watched_and_finds_names() {
    for (example, slug) in [("free", "kite"), ("starter", "finch"), ("acme", "acme")] {
        let mut network = platform();
        add(&mut network, example, slug);
        let one = |namespace: &str| {
            let found = network.pods.iter().find(|pod| pod.namespace == namespace);
            End::Pod(found.unwrap())
        };
        let own = network.pods.iter().filter(|pod| is_tenants(pod));
        let services: Vec<&Pod> = own.filter(|pod| pod.name != "ingress-nginx").collect();
        let door = network
            .pods
            .iter()
            .find(|pod| is_tenants(pod) && pod.name == "ingress-nginx");
        let door = door.map_or_else(|| one("matih-ingress"), End::Pod);
        let dns = [Port(Protocol::Udp, 53), tcp(53)];
        for pod in services.iter().copied() {
            let mut must = vec![
                (door, End::Pod(pod), tcp(8080)),
                (one("matih-monitoring-data-plane"), End::Pod(pod), tcp(8080)),
                (one("matih-system"), End::Pod(pod), tcp(8080)),
                (End::Pod(pod), WORLD, tcp(443)),
            ];
            must.extend(dns.map(|port| (End::Pod(pod), one("kube-system"), port)));
            must.extend(
                services
                    .iter()
                    .map(|to| (End::Pod(pod), End::Pod(to), tcp(8000))),
            );
            for (from, to, port) in must {
                let verdict = network.reach(from, to, port);
                assert!(verdict.open, "{from} to {to} on {port}: {}", verdict.why);
            }
        }
        let agent = services
            .iter()
            .find(|pod| pod.name == "data-plane-agent")
            .unwrap();
        assert!(network.reach(End::Pod(agent), PLATFORM, tcp(6443)).open);
    }
}

#[test]
fn a_hole_made_on_purpose_is_found() {
    let ports = [tcp(5432)];
    let hole = |namespace: &str, spec: Value| {
        let metadata = json!({"name": "hole", "namespace": namespace});
        Policy::of_manifest(&json!({"metadata": metadata, "spec": spec})).unwrap()
    };
    let everywhere = json!([{"to": [{"namespaceSelector": {}}]}]);
    let out = hole(
        "tenant-kite",
        json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": everywhere}),
    );
    let mut network = shared();
    network.policies.push(out);
    // Half a hole is none: the other end still refuses.
    assert_eq!(counterexample(&network, &ports), None);
    let from =
        json!([{"from": [{"namespaceSelector": {"matchLabels": {"matih.ai/role": "tenant"}}}]}]);
    let into = hole("tenant-finch", json!({"podSelector": {}, "ingress": from}));
    network.policies.push(into);
    let found = counterexample(&network, &ports).unwrap();
    assert!(found.contains("reaches tenant-finch/"), "{found}");
    assert!(found.contains("by hole"), "{found}");
}
