//! What was seen of a tenant in its cluster, and what of it is not as it must be.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use matih_model::{Attributes, CheckFinding, ErrorKind, ProviderError, TenantId, Value};

use super::super::cluster::Cluster;
use super::super::json::text;
use super::super::live::Live;
use super::super::place::Gvk;
use super::super::ready::{Readiness, readiness};
use super::{Unready, ways};

/// The label that charts give their pods: what it is.
pub(super) const NAME: &str = "app.kubernetes.io/name";
/// The label that charts give their pods: the release that it is of.
const INSTANCE: &str = "app.kubernetes.io/instance";
/// The controllers that serve Ingresses (domain.md section 4).
const CONTROLLER: &str = "app.kubernetes.io/name=ingress-nginx";
/// Who answers for names, in every distribution of Kubernetes.
const RESOLVER: (&str, &str) = ("kube-system", "k8s-app=kube-dns");

/// What was seen of a tenant in its cluster.
pub(super) struct Seen {
    /// By kind, all of the tenant's namespace.
    own: BTreeMap<&'static str, Vec<Live>>,
    /// The pods that serve its Ingress.
    pub(super) controllers: Vec<Live>,
    /// The pods that answer for names.
    pub(super) resolvers: Vec<Live>,
    /// The namespaces of all of them.
    pub(super) namespaces: Vec<Live>,
    /// Policies of those namespaces.
    pub(super) policies: Vec<Live>,
}

/// What is looked at of the tenant's own namespace.
const OWN: &[(&str, &str)] = &[
    ("v1", "Pod"),
    ("v1", "Service"),
    ("apps/v1", "Deployment"),
    ("networking.k8s.io/v1", "Ingress"),
];

impl Seen {
    /// Looks.
    pub(super) async fn look(cluster: &Cluster, asked: &Attributes) -> Result<Self, ProviderError> {
        let namespace = text(asked, &["namespace"]);
        let mut kinds = OWN.to_vec();
        if !text(asked, &["certificate"]).is_empty() {
            kinds.push(("cert-manager.io/v1", "Certificate"));
        }
        let lists = kinds.into_iter().map(|(version, kind)| async move {
            let found = list(cluster, &Gvk::new(version, kind), namespace, "").await?;
            Ok::<_, ProviderError>((kind, found))
        });
        let mut own: BTreeMap<_, _> = try_join_all(lists).await?.into_iter().collect();
        if !texts(asked, "releases").is_empty() {
            let gvk = Gvk::new("v1", "Secret");
            let deployed = "owner=helm,status=deployed";
            own.insert(
                "Release",
                outsides(cluster, &gvk, namespace, deployed).await?,
            );
        }
        let pod = Gvk::new("v1", "Pod");
        let mut controllers = list(cluster, &pod, namespace, CONTROLLER).await?;
        if controllers.is_empty() {
            controllers = list(cluster, &pod, "", CONTROLLER).await?;
        }
        let resolvers = list(cluster, &pod, RESOLVER.0, RESOLVER.1).await?;
        let others = controllers.iter().chain(&resolvers).map(Live::namespace);
        let places: BTreeSet<&str> = others.chain([namespace]).collect();
        let policy = Gvk::new("networking.k8s.io/v1", "NetworkPolicy");
        let policies = places.iter().map(|place| list(cluster, &policy, place, ""));
        let policies = try_join_all(policies)
            .await?
            .into_iter()
            .flatten()
            .collect();
        let names = places
            .iter()
            .map(|place| format!("kubernetes.io/metadata.name={place}"));
        let names: Vec<String> = names.collect();
        let gvk = Gvk::new("v1", "Namespace");
        let namespaces = names.iter().map(|name| outsides(cluster, &gvk, "", name));
        let namespaces = try_join_all(namespaces)
            .await?
            .into_iter()
            .flatten()
            .collect();
        Ok(Self {
            own,
            controllers,
            resolvers,
            namespaces,
            policies,
        })
    }

    #[cfg(test)]
    pub(super) fn of(
        objects: Vec<Live>,
        controllers: Vec<Live>,
        resolvers: Vec<Live>,
        policies: Vec<Live>,
    ) -> Self {
        let mut own: BTreeMap<_, Vec<Live>> = BTreeMap::new();
        for live in objects {
            let kinds = OWN.iter().map(|(_, kind)| *kind);
            let kind = kinds.chain(["Certificate"]).find(|it| *it == live.kind());
            own.entry(kind.unwrap()).or_default().push(live);
        }
        Self {
            own,
            controllers,
            resolvers,
            namespaces: Vec::new(),
            policies,
        }
    }

    /// Objects of the tenant's namespace.
    pub(super) fn own(&self, kind: &str) -> &[Live] {
        self.own.get(kind).map_or(&[], Vec::as_slice)
    }

    /// One of them.
    pub(super) fn named(&self, kind: &str, name: &str) -> Option<&Live> {
        self.own(kind).iter().find(|it| it.name() == name)
    }

    /// What is not ready.
    pub(super) fn unready(&self, asked: &Attributes, tenant: &TenantId) -> Vec<Unready> {
        let namespace = text(asked, &["namespace"]);
        let services = texts(asked, "services").into_iter();
        let services = services.filter_map(|service| self.workload(namespace, tenant, service));
        let of_kind = |kind: &'static str, wait: Option<&str>| {
            let name = text(asked, &[&kind.to_lowercase()]);
            let message = match self.named(kind, name) {
                _ if name.is_empty() => return None,
                None => "is not there".to_owned(),
                Some(live) => match readiness(live, wait) {
                    Readiness::Ready => return None,
                    Readiness::Waiting(why) | Readiness::Failed(why) => {
                        format!("is not ready: {why}")
                    }
                },
            };
            let kind = kind.to_lowercase();
            Some(Unready::new(
                format!("{kind} `{name}` {message}"),
                namespace,
            ))
        };
        let entrance = [
            of_kind("Ingress", None),
            of_kind("Certificate", Some("Ready")),
        ];
        let missing = texts(asked, "releases").into_iter().filter(|release| {
            let is_it =
                |live: &&Live| text(&live.body, &["metadata", "labels", "name"]) == *release;
            self.own("Release").iter().find(is_it).is_none()
        });
        let missing =
            missing.map(|it| Unready::new(format!("release `{it}` is not deployed"), namespace));
        services
            .chain(entrance.into_iter().flatten())
            .chain(missing)
            .collect()
    }

    /// What is wrong with the pods of a service: those of its release, or of its name.
    fn workload(&self, namespace: &str, tenant: &TenantId, service: &str) -> Option<Unready> {
        let pods: Vec<&Live> = self.pods_of(tenant, service).collect();
        let ready = |pod: &&&Live| readiness(pod, Some("Ready")) == Readiness::Ready;
        let (count, good) = (pods.len(), pods.iter().filter(ready).count());
        let short = self
            .named("Deployment", service)
            .and_then(|it| match readiness(it, None) {
                Readiness::Ready => None,
                Readiness::Waiting(why) | Readiness::Failed(why) => Some(why),
            });
        let message = match short {
            Some(why) => format!("service `{service}` is not ready: {why}"),
            None if pods.is_empty() => format!("service `{service}` has no pods"),
            None if good < count => {
                format!("service `{service}` is not ready: {good} of {count} pods are")
            }
            None => return None,
        };
        let label = pods
            .first()
            .map(|pod| text(&pod.body, &["metadata", "labels", NAME]));
        Some(Unready {
            selector: label
                .filter(|it| !it.is_empty())
                .map(|it| format!("{NAME}={it}")),
            ..Unready::new(message, namespace)
        })
    }

    /// The pods of a service that are to stay.
    pub(super) fn pods_of<'a>(
        &'a self,
        tenant: &TenantId,
        service: &'a str,
    ) -> impl Iterator<Item = &'a Live> + use<'a> {
        let release = format!("{}-{service}", tenant);
        self.own("Pod").iter().filter(move |pod| {
            let label = |name| text(&pod.body, &["metadata", "labels", name]);
            let over = matches!(
                text(&pod.body, &["status", "phase"]),
                "Succeeded" | "Failed"
            );
            let is_of = label(NAME) == service || label(INSTANCE) == release;
            is_of && !over && !pod.is_going()
        })
    }

    /// What the policies shut and must not.
    pub(super) fn shut(&self, asked: &Attributes, tenant: &TenantId) -> Vec<CheckFinding> {
        let namespace = text(asked, &["namespace"]);
        let ingress = text(asked, &["ingress"]);
        let services = texts(asked, "services");
        let pods = services
            .iter()
            .flat_map(|service| self.pods_of(tenant, service));
        let hint = format!(
            "put the policies right; look at them with `kubectl describe networkpolicies --namespace {namespace}`"
        );
        ways::shut(self, ingress, &pods.collect::<Vec<_>>())
            .into_iter()
            .map(|message| CheckFinding {
                message,
                hint: Some(hint.clone()),
            })
            .collect()
    }
}

/// All of a kind that a selector finds; none, where the cluster does not serve the kind.
async fn list(
    cluster: &Cluster,
    gvk: &Gvk,
    namespace: &str,
    selector: &str,
) -> Result<Vec<Live>, ProviderError> {
    match cluster.api(gvk).await {
        Ok(api) => Ok(cluster.list(&api, namespace, selector).await?),
        Err(error) if error.kind == ErrorKind::Invalid => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The same, with nothing but names and labels.
async fn outsides(
    cluster: &Cluster,
    gvk: &Gvk,
    namespace: &str,
    selector: &str,
) -> Result<Vec<Live>, ProviderError> {
    let api = cluster.api(gvk).await?;
    Ok(cluster.outsides(&api, namespace, selector).await?)
}

/// The texts of a list.
fn texts<'a>(asked: &'a Attributes, name: &str) -> Vec<&'a str> {
    let list = asked.get(name).and_then(Value::as_list).unwrap_or_default();
    list.iter().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn live(version: &str, kind: &str, name: &str, rest: Json) -> Live {
        let labels = json!({NAME: "web", INSTANCE: "tit-web"});
        let mut object = json!({"apiVersion": version, "kind": kind,
            "metadata": {"name": name, "namespace": "t", "uid": "u", "labels": labels}});
        object
            .as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        Live::read(object).unwrap()
    }

    fn pod(ready: &str) -> Live {
        let status = json!({"conditions": [{"type": "Ready", "status": ready}]});
        live("v1", "Pod", "web-1", json!({"status": status}))
    }

    fn ingress(addresses: Json) -> Live {
        let status = json!({"loadBalancer": {"ingress": addresses}});
        live(
            "networking.k8s.io/v1",
            "Ingress",
            "in",
            json!({"status": status}),
        )
    }

    fn unready(asked: Json, objects: Vec<Live>) -> Vec<String> {
        let asked: Attributes = serde_json::from_value(asked).unwrap();
        let seen = Seen::of(objects, Vec::new(), Vec::new(), Vec::new());
        let found = seen.unready(&asked, &TenantId::new("tit").unwrap());
        found.into_iter().map(|it| it.message).collect()
    }

    #[test]
    fn services_have_ready_pods_and_the_ingress_an_address() {
        let asked =
            || json!({"namespace": "t", "services": ["web"], "ingress": "in", "certificate": ""});
        let there = json!([{"ip": "203.0.113.10"}]);
        let good = vec![pod("True"), ingress(there.clone())];
        assert_eq!(unready(asked(), good), Vec::<String>::new());
        assert_eq!(
            unready(asked(), vec![pod("True"), pod("False"), ingress(json!([]))]),
            [
                "service `web` is not ready: 1 of 2 pods are",
                "ingress `in` is not ready: it has no address yet"
            ]
        );
        assert_eq!(
            unready(asked(), vec![]),
            ["service `web` has no pods", "ingress `in` is not there"]
        );
        let deployment = live(
            "apps/v1",
            "Deployment",
            "web",
            json!({"spec": {"replicas": 2},
            "status": {"updatedReplicas": 2, "replicas": 2, "availableReplicas": 1}}),
        );
        assert_eq!(
            unready(json!({"services": ["web"]}), vec![pod("True"), deployment]),
            ["service `web` is not ready: 1 of 2 pods are ready"]
        );
    }

    #[test]
    fn certificate_and_releases_are_looked_at_where_they_are_named() {
        let asked = json!({"certificate": "tls", "releases": ["tit-web"]});
        let waits = live("cert-manager.io/v1", "Certificate", "tls", json!({}));
        assert_eq!(
            unready(asked, vec![waits]),
            [
                "certificate `tls` is not ready: nobody says yet whether Ready holds",
                "release `tit-web` is not deployed"
            ]
        );
    }
}
