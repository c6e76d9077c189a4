//! What a release tells of itself: where it answers, inside of the cluster and outside. Pure.

use matih_model::{Attributes, Value};
use serde_json::Value as Json;

use super::release::Release;

/// A Service of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) name: String,
    /// It has an address outside of the cluster, or will have.
    pub(super) balanced: bool,
    /// The port that it is spoken to at.
    port: Option<u64>,
}

/// The documents of a manifest; what is no YAML is passed over.
pub(super) fn documents(manifest: &str) -> impl Iterator<Item = Json> {
    let documents = manifest
        .split("\n---")
        .map(|text| text.trim_start_matches("---"));
    documents.filter_map(|text| serde_saphyr::from_str::<Json>(text).ok())
}

/// The Services among the objects of a release, the one that stands for it first: the one with an
/// address outside, then the first that speaks HTTP.
pub(super) fn services(manifest: &str) -> Vec<Service> {
    let mut services: Vec<Service> = documents(manifest).filter_map(|it| service(&it)).collect();
    services.sort_by_key(|service| !service.balanced);
    services
}

fn service(document: &Json) -> Option<Service> {
    if document.get("kind")?.as_str()? != "Service" || document.get("apiVersion")? != "v1" {
        return None;
    }
    let spec = document.get("spec")?;
    let ports = spec.get("ports").and_then(Json::as_array);
    let ports = ports.map(Vec::as_slice).unwrap_or_default();
    let http = |port: &&Json| port.get("name").is_some_and(|name| name == "http");
    let port = ports.iter().find(http).or_else(|| ports.first());
    Some(Service {
        name: document.pointer("/metadata/name")?.as_str()?.to_owned(),
        balanced: spec.get("type").is_some_and(|it| it == "LoadBalancer"),
        port: port.and_then(|port| port.get("port")?.as_u64()),
    })
}

/// The outputs of a revision. `chart` is the digest of the chart's files, where it is known;
/// `address` the one outside, where there is one.
pub(super) fn outputs(
    namespace: &str,
    release: &Release,
    chart: &str,
    address: &str,
) -> Attributes {
    let services = services(&release.manifest);
    let endpoint = services.first().map(|service| {
        let host = format!("{}.{namespace}.svc.cluster.local", service.name);
        service
            .port
            .map_or_else(|| host.clone(), |port| format!("{host}:{port}"))
    });
    let revision = i64::try_from(release.version).unwrap_or(i64::MAX);
    let mut outputs = Attributes::new();
    outputs.insert("revision", revision);
    outputs.insert("status", release.info.status.as_str());
    outputs.insert("app_version", release.chart.metadata.app_version.as_str());
    outputs.insert("chart_digest", chart);
    outputs.insert("endpoint", Value::from(endpoint.unwrap_or_default()));
    outputs.insert("load_balancer_ip", address);
    outputs
}

/// The address that a live Service has outside of the cluster.
pub(super) fn address(service: &Json) -> Option<String> {
    let first = service.pointer("/status/loadBalancer/ingress/0")?;
    let text = |key: &str| first.get(key)?.as_str();
    text("ip").or_else(|| text("hostname")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MANIFEST: &str = "---\n# Source: a\napiVersion: v1\nkind: Service\nmetadata:\n  name: metrics\n\
        spec:\n  type: ClusterIP\n  ports: [{ name: metrics, port: 10254 }]\n\
        ---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: c }\ndata:\n  text: |\n    a\n\n    ---\n    kind: Service\n\
        ---\nkind: [\n\
        ---\napiVersion: v1\nkind: Service\nmetadata: { name: front }\n\
        spec:\n  type: LoadBalancer\n  ports: [{ name: https, port: 443 }, { name: http, port: 80 }]\n";

    fn release(manifest: &str) -> Release {
        let release = json!({ "version": 3, "info": { "status": "deployed" },
            "chart": { "metadata": { "name": "c", "version": "1.0.0", "appVersion": "2.0.0" } },
            "manifest": manifest });
        serde_json::from_value(release).unwrap()
    }

    #[test]
    fn the_service_with_an_address_outside_stands_for_the_release() {
        let found = services(MANIFEST);
        let names: Vec<&str> = found.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["front", "metrics"]);
        let told = outputs("ns", &release(MANIFEST), "d1", "203.0.113.10");
        assert_eq!(told.text("endpoint"), Some("front.ns.svc.cluster.local:80"));
        assert_eq!(told.text("load_balancer_ip"), Some("203.0.113.10"));
        assert_eq!(told.get("revision"), Some(&Value::Integer(3)));
        assert_eq!(told.text("app_version"), Some("2.0.0"));
    }

    #[test]
    fn a_release_without_a_service_answers_nowhere() {
        let told = outputs("ns", &release(""), "", "");
        assert_eq!(told.text("endpoint"), Some(""));
        assert_eq!(documents(MANIFEST).count(), 3);
    }

    #[test]
    fn an_address_is_an_ip_or_a_name() {
        let live = |ingress: Json| json!({ "status": { "loadBalancer": { "ingress": ingress } } });
        let name = live(json!([{ "hostname": "a.example" }]));
        assert_eq!(address(&name).as_deref(), Some("a.example"));
        let both = live(json!([{ "ip": "1.2.3.4", "hostname": "a.example" }]));
        assert_eq!(address(&both).as_deref(), Some("1.2.3.4"));
        assert_eq!(address(&live(json!([]))), None);
        assert_eq!(address(&json!({})), None);
    }
}
