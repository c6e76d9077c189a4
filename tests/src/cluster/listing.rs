//! All objects of a cluster, as the API server lists them to its administrator.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::{Cluster, TARGET};
use crate::world::{Object, Owner};
use crate::{crash, fail};

/// Kinds that a cluster writes by itself at all times, and one that is no object.
const RESTLESS: &[&str] = &[
    "componentstatuses",
    "events",
    "events.events.k8s.io",
    "leases.coordination.k8s.io",
];

/// The kinds that are looked at in one namespace alone.
const SMALL: &str = "configmaps,secrets,serviceaccounts,services,resourcequotas,limitranges,roles,rolebindings,networkpolicies,ingresses";

/// The mark of kubernetes.manifest.
const INSTALLATION: &str = "matih.ai/installation";
const ADDRESS: &str = "matih.ai/address";
const GENERATION: &str = "matih.ai/generation";
const RUN: &str = "matih.ai/run";
/// The mark of helm.release, on the Secrets of its revisions.
const RELEASE: &str = "helm.matih.ai/";

/// Objects by what they are called, such as `v1 ConfigMap tenant-a/settings`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing(pub BTreeMap<String, Value>);

impl Listing {
    /// Lists every kind, with more words for `kubectl get`.
    #[track_caller]
    pub(super) fn of(cluster: &Cluster, more: &[&str]) -> Self {
        static KINDS: OnceLock<String> = OnceLock::new();
        let kinds = KINDS.get_or_init(|| {
            let words = ["api-resources", "--verbs=list", "--output=name"];
            let names = cluster.kubectl(&words).stdout;
            let wanted = names.lines().filter(|name| !RESTLESS.contains(name));
            wanted.collect::<Vec<_>>().join(",")
        });
        let words = [
            "get",
            kinds,
            "--all-namespaces",
            "--output=json",
            "--show-managed-fields",
        ];
        let output = cluster.kubectl(&[&words[..], more].concat());
        let mut list: Value = match serde_json::from_str(&output.stdout) {
            Ok(list) => list,
            Err(error) => fail(&format!("kubectl get: {error}\n{output}")),
        };
        let Value::Array(items) = list["items"].take() else {
            fail(&format!("kubectl get gave no list:\n{output}"));
        };
        Self(items.into_iter().map(|item| (name(&item), item)).collect())
    }

    /// What is in one of two listings only, or differs between them; each in a line, with the
    /// lines that differ below it.
    #[must_use]
    pub fn difference(&self, after: &Self) -> String {
        crash::difference(&self.0, &after.0)
    }

    /// Without what stands in these namespaces, the namespaces themselves, and the addresses that
    /// the server keeps for their Services, which are cluster-wide.
    #[must_use]
    pub fn without(mut self, namespaces: &[&str]) -> Self {
        self.0.retain(|_, object| {
            let metadata = &object["metadata"];
            let is = |value: &Value| value.as_str().is_some_and(|it| namespaces.contains(&it));
            let itself = object["kind"] == "Namespace" && is(&metadata["name"]);
            let address = is(&object["spec"]["parentRef"]["namespace"]);
            !itself && !address && !is(&metadata["namespace"])
        });
        self
    }
}

/// What an object is called.
fn name(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    let mut name = format!("{} {} ", text(&object["apiVersion"]), text(&object["kind"]));
    if let Some(namespace) = metadata["namespace"].as_str() {
        name += namespace;
        name.push('/');
    }
    name + &text(&metadata["name"])
}

impl Cluster {
    /// Every object that bears matih's mark, in the words of the simulated world's listing; of
    /// one installation, or of all.
    #[must_use]
    #[track_caller]
    pub fn marked(&self, installation: Option<&str>) -> Vec<Object> {
        let selector = match installation {
            Some(installation) => format!("--selector={INSTALLATION}={installation}"),
            None => format!("--selector={INSTALLATION}"),
        };
        let listing = Listing::of(self, &[&selector]);
        let mut objects: Vec<Object> = listing.0.values().filter_map(object).collect();
        objects.extend(self.releases(installation));
        objects
    }

    /// Every object of one namespace that bears matih's mark, and the namespace if it does: of the
    /// kinds of the core, of rights and of networks.
    #[must_use]
    #[track_caller]
    pub fn marked_in(&self, namespace: &str) -> Vec<Object> {
        let marked = format!("--selector={INSTALLATION}");
        let itself = format!("--field-selector=metadata.name={namespace}");
        let mut found = Vec::new();
        for words in [
            &["get", SMALL, "--namespace", namespace][..],
            &["get", "namespaces", &itself],
        ] {
            let words = [words, &[&marked, "--output=json"]].concat();
            let output = self.kubectl(&words);
            let list: Value = match serde_json::from_str(&output.stdout) {
                Ok(list) => list,
                Err(error) => fail(&format!("kubectl get: {error}\n{output}")),
            };
            let items = list["items"].as_array().into_iter().flatten();
            found.extend(items.filter_map(object));
        }
        found
    }

    /// Releases by the Secrets that Helm keeps their revisions in: the newest of each.
    #[track_caller]
    fn releases(&self, installation: Option<&str>) -> Vec<Object> {
        let words = ["get", "secrets", "--all-namespaces", "--output=json"];
        let selector = ["--selector=owner=helm"];
        let output = self.kubectl(&[&words[..], &selector].concat());
        let list: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
        let mut newest = BTreeMap::<String, (u64, Object)>::new();
        for secret in list["items"].as_array().into_iter().flatten() {
            let owner = secret["metadata"]["labels"][format!("{RELEASE}installation")].as_str();
            let Some((revision, object)) = release(secret) else {
                continue;
            };
            let later = |known: &(u64, Object)| known.0 < revision;
            let ours = installation.is_none_or(|it| owner == Some(it));
            if ours && newest.get(&object.remote_id).is_none_or(later) {
                newest.insert(object.remote_id.clone(), (revision, object));
            }
        }
        newest.into_values().map(|(_, object)| object).collect()
    }
}

/// An object that bears a whole mark.
fn object(body: &Value) -> Option<Object> {
    let metadata = &body["metadata"];
    let note = |name: &str| Some(metadata["annotations"][name].as_str()?.to_owned());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let address = note(ADDRESS)?;
    let (group, _) = body["apiVersion"]
        .as_str()?
        .rsplit_once('/')
        .unwrap_or(("core", ""));
    let namespace = metadata["namespace"].as_str().unwrap_or("-");
    let (kind, name) = (text(&body["kind"]), text(&metadata["name"]));
    let life = format!("/{}", text(&metadata["uid"]));
    Some(Object {
        kind: "kubernetes.manifest".to_owned(),
        remote_id: format!("{TARGET}/{group}/{kind}/{namespace}/{name}{life}"),
        life,
        owner: Some(Owner {
            tenant: address.split('/').next()?.to_owned(),
            generation: note(GENERATION)?.parse().ok()?,
            run: note(RUN)?,
            address,
        }),
        attributes: wanted(body),
    })
}

/// What of an object does not depend on who made it when.
fn wanted(body: &Value) -> Value {
    let mut body = body.as_object().cloned().unwrap_or_else(Map::new);
    body.remove("status");
    if let Some(Value::Object(metadata)) = body.get_mut("metadata") {
        for key in [
            "uid",
            "generation",
            "managedFields",
            "creationTimestamp",
            "resourceVersion",
        ] {
            metadata.remove(key);
        }
        for table in ["annotations", "labels"] {
            if let Some(Value::Object(notes)) = metadata.get_mut(table) {
                for key in [RUN, INSTALLATION] {
                    notes.remove(key);
                }
            }
        }
    }
    if body.get("kind").is_some_and(|kind| kind == "Service")
        && let Some(Value::Object(spec)) = body.get_mut("spec")
    {
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
    }
    Value::Object(body)
}

/// A revision of a release: its number, and the release.
fn release(secret: &Value) -> Option<(u64, Object)> {
    let labels = secret["metadata"]["labels"].as_object()?;
    let plain = |name: &str| Some(labels.get(name)?.as_str()?.to_owned());
    let ours = |name: &str| plain(&format!("{RELEASE}{name}"));
    let namespace = secret["metadata"]["namespace"].as_str()?;
    let tenant = ours("tenant")?;
    let object = Object {
        kind: "helm.release".to_owned(),
        remote_id: format!("{TARGET}/{namespace}/{}", plain("name")?),
        life: String::new(),
        owner: Some(Owner {
            address: format!("{tenant}/helm.release/{}", ours("name")?),
            tenant,
            generation: ours("generation")?.parse().ok()?,
            run: ours("run")?,
        }),
        // What it holds is the manifest's to tell; two ways to one end have it deployed.
        attributes: serde_json::json!({ "status": plain("status")? }),
    };
    Some((plain("version")?.parse().ok()?, object))
}
