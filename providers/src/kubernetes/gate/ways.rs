//! Which ways the policies of a cluster shut that must be open: pure.
//!
//! The ways that no tenant can do without: from the controller to everything that the tenant's
//! Ingress leads to, and from each pod of its services to whoever answers for names. Where the
//! cluster has no such controller or nobody who answers, there is no way to judge. A policy that
//! cannot be read leaves the question open, and then nothing is found.

use std::collections::{BTreeMap, BTreeSet};

use matih_model::{Attributes, Value};

use super::super::json::{at, number, tables, text};
use super::super::live::Live;
use super::seen::{NAME, Seen};
use crate::isolation::{End, Labels, Network, Pod, Policy, Port, Protocol};

/// Names are asked for here, over both transports.
const DNS: [Port; 2] = [Port(Protocol::Udp, 53), Port(Protocol::Tcp, 53)];

/// What is shut, in words for people. `pods` are those of the tenant's services.
pub(super) fn shut(seen: &Seen, ingress: &str, pods: &[&Live]) -> Vec<String> {
    let Some(network) = network(seen) else {
        return Vec::new();
    };
    let mut found = BTreeMap::new();
    for from in pods {
        for port in DNS {
            let refused = refused(&network, &[from], &seen.resolvers, port);
            let service = text(&from.body, &["metadata", "labels", NAME]);
            if let Some(why) = refused {
                found
                    .entry(format!("{service} dns"))
                    .or_insert_with(|| format!("service `{service}` cannot ask for names: {why}"));
            }
        }
    }
    let controllers: Vec<&Live> = seen.controllers.iter().collect();
    for (service, port) in backends(seen, ingress) {
        let Some(live) = seen.named("Service", &service) else {
            let text =
                format!("ingress `{ingress}` leads to service `{service}`, which is not there");
            found.insert(format!("{service} way"), text);
            continue;
        };
        for pod in behind(seen, live) {
            let Some(number) = opened(live, &port, pod) else {
                continue;
            };
            let end = std::slice::from_ref(pod);
            if let Some(why) = refused(&network, &controllers, end, Port(Protocol::Tcp, number)) {
                found.entry(format!("{service} way")).or_insert_with(|| {
                    format!("ingress `{ingress}` cannot reach service `{service}`: {why}")
                });
            }
        }
    }
    found.into_values().collect()
}

/// Why nobody of one side reaches anybody of the other; `None`: somebody does, or there is nobody.
fn refused(network: &Network, from: &[&Live], to: &[Live], port: Port) -> Option<String> {
    let mut why = None;
    for from in from {
        let from = pod(from);
        for to in to {
            let to = pod(to);
            let verdict = network.reach(End::Pod(&from), End::Pod(&to), port);
            if verdict.open {
                return None;
            }
            why = Some(verdict.why);
        }
    }
    why
}

/// All that policies look at; `None`: one of them cannot be read.
fn network(seen: &Seen) -> Option<Network> {
    let policies = seen.policies.iter().map(|live| {
        let manifest = serde_json::to_value(&live.body).ok()?;
        Policy::of_manifest(&manifest).ok()
    });
    let namespaces = seen.namespaces.iter();
    Some(Network {
        namespaces: namespaces
            .map(|live| (live.name().to_owned(), labels(live)))
            .collect(),
        pods: Vec::new(),
        policies: policies.collect::<Option<_>>()?,
    })
}

fn labels(live: &Live) -> Labels {
    let labels = at(&live.body, &["metadata", "labels"]).and_then(Value::as_map);
    let labels = labels.into_iter().flat_map(Attributes::iter);
    labels
        .filter_map(|(key, value)| Some((key.to_string(), value.as_str()?.to_owned())))
        .collect()
}

fn pod(live: &Live) -> Pod {
    Pod {
        namespace: live.namespace().to_owned(),
        name: live.name().to_owned(),
        labels: labels(live),
    }
}

/// A port as an Ingress names it: by its number or its name in the Service.
type Named = Result<i64, String>;

/// The services that an Ingress leads to, and on which port.
fn backends(seen: &Seen, ingress: &str) -> BTreeSet<(String, Named)> {
    let Some(live) = seen.named("Ingress", ingress) else {
        return BTreeSet::new();
    };
    let mut found = BTreeSet::new();
    for rule in tables(&live.body, &["spec", "rules"]) {
        for path in tables(rule, &["http", "paths"]) {
            let service = text(path, &["backend", "service", "name"]).to_owned();
            let port = number(path, &["backend", "service", "port", "number"]);
            let name = text(path, &["backend", "service", "port", "name"]);
            found.insert((service, port.ok_or_else(|| name.to_owned())));
        }
    }
    found
}

/// The pods behind a Service; none behind one that stands for a name elsewhere.
fn behind<'a>(seen: &'a Seen, service: &Live) -> Vec<&'a Live> {
    let selector = at(&service.body, &["spec", "selector"]).and_then(Value::as_map);
    let Some(selector) = selector.filter(|it| it.iter().next().is_some()) else {
        return Vec::new();
    };
    let selected = |pod: &&Live| {
        let mut wanted = selector.iter();
        !pod.is_going()
            && wanted.all(|(key, value)| {
                Some(text(&pod.body, &["metadata", "labels", key])) == value.as_str()
            })
    };
    seen.own("Pod").iter().filter(selected).collect()
}

/// The port of a pod that a port of a Service leads to.
fn opened(service: &Live, named: &Named, pod: &Live) -> Option<u16> {
    let port = tables(&service.body, &["spec", "ports"]).find(|port| match named {
        Ok(wanted) => number(port, &["port"]) == Some(*wanted),
        Err(wanted) => text(port, &["name"]) == wanted,
    })?;
    let target = number(port, &["targetPort"]).or_else(|| {
        let name = text(port, &["targetPort"]);
        let containers = tables(&pod.body, &["spec", "containers"]);
        let mut ports = containers.flat_map(|it| tables(it, &["ports"]));
        let found = ports.find(|it| !name.is_empty() && text(it, &["name"]) == name);
        found.map_or_else(
            || number(port, &["port"]),
            |it| number(it, &["containerPort"]),
        )
    });
    target.and_then(|it| u16::try_from(it).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn live(kind: &str, name: &str, labels: Json, rest: Json) -> Live {
        let namespace = if name == "dns" { "kube-system" } else { "t" };
        let metadata = json!({"name": name, "namespace": namespace, "uid": "u", "labels": labels});
        let mut object = json!({"apiVersion": "v1", "kind": kind, "metadata": metadata});
        object
            .as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        Live::read(object).unwrap()
    }

    fn policy(name: &str, spec: Json) -> Live {
        live("NetworkPolicy", name, json!({}), json!({"spec": spec}))
    }

    /// An ingress to `web` by a named port, a controller beside it, somebody who answers for names,
    /// and these policies.
    fn seen(policies: Vec<Live>) -> Seen {
        let container = json!({"name": "web", "ports": [{"name": "http", "containerPort": 8080}]});
        let path = json!({"backend": {"service": {"name": "web", "port": {"number": 80}}}});
        let port = json!({"name": "http", "port": 80, "targetPort": "http"});
        Seen::of(
            vec![
                live(
                    "Pod",
                    "web-1",
                    json!({NAME: "web"}),
                    json!({"spec": {"containers": [container]}}),
                ),
                live(
                    "Service",
                    "web",
                    json!({}),
                    json!({"spec": {"selector": {NAME: "web"}, "ports": [port]}}),
                ),
                live(
                    "Ingress",
                    "in",
                    json!({}),
                    json!({"spec": {"rules": [{"http": {"paths": [path]}}]}}),
                ),
            ],
            vec![live(
                "Pod",
                "controller",
                json!({NAME: "ingress-nginx"}),
                json!({}),
            )],
            vec![live(
                "Pod",
                "dns",
                json!({"k8s-app": "kube-dns"}),
                json!({}),
            )],
            policies,
        )
    }

    fn found(policies: Vec<Live>) -> Vec<String> {
        let seen = seen(policies);
        let pods: Vec<&Live> = seen.own("Pod").iter().collect();
        shut(&seen, "in", &pods)
    }

    #[test]
    fn what_a_policy_shuts_is_told_with_the_policy() {
        let deny = || {
            policy(
                "deny",
                json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
            )
        };
        let inside = json!([{"podSelector": {}}]);
        let same = |port: i64| {
            let ports = json!([{"port": port}]);
            policy(
                "same",
                json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": inside.clone(), "ports": ports.clone()}],
                "egress": [{"to": inside.clone(), "ports": ports}]}),
            )
        };
        let names = |protocols: &[&str]| {
            let ports: Vec<Json> = protocols
                .iter()
                .map(|it| json!({"protocol": it, "port": 53}))
                .collect();
            policy(
                "names",
                json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": ports}]}),
            )
        };
        assert!(found(vec![]).is_empty());
        assert!(found(vec![deny(), same(8080), names(&["UDP", "TCP"])]).is_empty());
        let all = found(vec![deny()]);
        let texts: Vec<&str> = all.iter().map(|it| it.split(':').next().unwrap()).collect();
        assert_eq!(
            texts,
            [
                "service `web` cannot ask for names",
                "ingress `in` cannot reach service `web`"
            ]
        );
        assert!(all[1].contains("none of deny"), "{all:?}");
        // The port of the Service is not the port of the pod.
        let all = found(vec![deny(), same(80), names(&["UDP", "TCP"])]);
        assert!(
            all.len() == 1 && all[0].starts_with("ingress `in` cannot reach"),
            "{all:?}"
        );
        let all = found(vec![deny(), same(8080), names(&["UDP"])]);
        assert!(all.len() == 1 && all[0].contains("Tcp 53"), "{all:?}");
    }

    #[test]
    fn what_cannot_be_judged_is_not_found() {
        let strange = policy(
            "strange",
            json!({"podSelector": {}, "ingress": [{"ports": [{"port": "http"}]}]}),
        );
        let deny = policy(
            "deny",
            json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
        );
        assert!(found(vec![deny.clone(), strange]).is_empty());
        let mut seen = seen(vec![deny]);
        (seen.controllers, seen.resolvers) = (Vec::new(), Vec::new());
        let pods: Vec<&Live> = seen.own("Pod").iter().collect();
        assert!(shut(&seen, "in", &pods).is_empty());
    }
}
