//! Objects that another tool made of manifests, and whether they still are as it made them.
//!
//! Told by two looks: lists of metadata show whose hands are on an object, and what another hand
//! has touched is looked at itself. What others set beside the manifest, and what only the server
//! says, is never a difference.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use matih_model::{AttributePath, Attributes, ErrorKind, ProviderError, Touch, Value};
use serde::{Deserialize, Serialize};

use super::cluster::Cluster;
use super::json::{table, text};
use super::live::Live;
use super::place::{Gvk, Place};
use super::project::project;

/// How many places of one object are told.
const TOLD: usize = 3;

/// An object by its name in a manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Made {
    #[serde(rename = "v")]
    version: String,
    #[serde(rename = "k")]
    kind: String,
    /// Empty where the manifest names none.
    #[serde(rename = "ns", default, skip_serializing_if = "String::is_empty")]
    namespace: String,
    #[serde(rename = "n")]
    name: String,
}

impl Made {
    /// The object that a manifest names; `None`: it names none.
    pub(crate) fn of(manifest: &Attributes) -> Option<Self> {
        let made = Self {
            version: text(manifest, &["apiVersion"]).to_owned(),
            kind: text(manifest, &["kind"]).to_owned(),
            namespace: text(manifest, &["metadata", "namespace"]).to_owned(),
            name: text(manifest, &["metadata", "name"]).to_owned(),
        };
        let named = [&made.version, &made.kind, &made.name]
            .iter()
            .all(|it| !it.is_empty());
        named.then_some(made)
    }

    fn gvk(&self) -> Gvk {
        Gvk::new(&self.version, &self.kind)
    }
}

/// A manifest of JSON as our tree.
pub(crate) fn manifest(json: serde_json::Value) -> Option<Attributes> {
    match json {
        serde_json::Value::Object(map) => Some(table(map)),
        _ => None,
    }
}

/// Whose hands are on objects of some kinds: by kind, namespace and name, whether the maker's are
/// the only ones.
#[derive(Debug, Default)]
pub(crate) struct Hands(BTreeMap<(Gvk, String, String), bool>);

impl Hands {
    /// Whether an object is there and nobody but its maker has touched it. `home` is the namespace
    /// of what names none.
    pub(crate) fn is_as_made(&self, made: &Made, home: &str) -> bool {
        let namespace = if made.namespace.is_empty() {
            home
        } else {
            &made.namespace
        };
        let at = |namespace: &str| {
            let key = (made.gvk(), namespace.to_owned(), made.name.clone());
            self.0.get(&key).copied()
        };
        // What has no namespace is found without one.
        at(namespace).or_else(|| at("")).unwrap_or(false)
    }
}

/// Looks whose hands are on all objects of these kinds that a selector finds, in these namespaces
/// or, without any, in all.
///
/// # Errors
/// A kind cannot be listed.
pub(crate) async fn hands(
    cluster: &Cluster,
    objects: &BTreeSet<&Made>,
    namespaces: &[&str],
    selector: &str,
    maker: &str,
) -> Result<Hands, ProviderError> {
    let kinds: BTreeSet<Gvk> = objects.iter().map(|made| made.gvk()).collect();
    let lists = kinds.iter().map(|gvk| async move {
        let Some(api) = cluster.discovery.find(&cluster.wire, gvk).await? else {
            return Ok(Vec::new());
        };
        let everywhere = [""];
        let places = if api.namespaced && !namespaces.is_empty() {
            namespaces
        } else {
            &everywhere
        };
        let lists = places
            .iter()
            .map(|namespace| cluster.outsides(&api, namespace, selector));
        let mut found = Vec::new();
        for list in join_all(lists).await {
            found.extend(list?);
        }
        Ok::<_, ProviderError>(found)
    });
    let mut hands = Hands::default();
    for (gvk, list) in kinds.iter().zip(join_all(lists).await) {
        for live in list? {
            let key = (
                gvk.clone(),
                live.namespace().to_owned(),
                live.name().to_owned(),
            );
            let alone = live
                .managers
                .iter()
                .all(|hand| &*hand.name == maker || &*hand.subresource == "status");
            hands.0.insert(key, alone && !live.is_going());
        }
    }
    Ok(hands)
}

/// How an object is otherwise than it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Otherwise {
    /// For people, without any value.
    pub(crate) text: String,
    /// Whose hand it was, where that is known.
    pub(crate) by: Option<Touch>,
}

/// Looks how an object is otherwise than its manifest says; `None`: it is not.
///
/// # Errors
/// It cannot be looked at.
pub(crate) async fn otherwise(
    cluster: &Cluster,
    manifest: &Attributes,
    home: &str,
) -> Result<Option<Otherwise>, ProviderError> {
    let Some(made) = Made::of(manifest) else {
        return Ok(None);
    };
    let shown = format!("{} {}", made.kind, made.name);
    let gone = |text: String| Some(Otherwise { text, by: None });
    let Some(api) = cluster.discovery.find(&cluster.wire, &made.gvk()).await? else {
        return Ok(gone(format!("{shown} is of a kind that is gone")));
    };
    let namespace = match (api.namespaced, made.namespace.is_empty()) {
        (false, _) => String::new(),
        (true, true) => home.to_owned(),
        (true, false) => made.namespace.clone(),
    };
    let place = Place {
        target: cluster.name.clone(),
        group: api.gvk.group.clone(),
        kind: made.kind.clone(),
        namespace,
        name: made.name.clone(),
        uid: String::new(),
    };
    let live = cluster.get(&api, &place).await.map_err(|failure| {
        let text = format!("{shown} cannot be read: {}", failure.message);
        ProviderError::new(ErrorKind::Unavailable, text)
    })?;
    Ok(match live {
        None => gone(format!("{shown} is gone")),
        Some(live) if live.is_going() => gone(format!("{shown} is being deleted")),
        Some(live) => compare(&live, manifest, &shown),
    })
}

fn compare(live: &Live, manifest: &Attributes, shown: &str) -> Option<Otherwise> {
    let mut asked = manifest.clone();
    for key in ["apiVersion", "kind", "status"] {
        asked.remove(key);
    }
    let seen = project(live, &asked);
    let mut paths = Vec::new();
    lacking(&asked, &seen.manifest, &AttributePath::root(), &mut paths);
    let first = paths.first()?;
    let root = AttributePath::root().join("manifest");
    let whole = first
        .parts()
        .iter()
        .fold(root, |path, part| path.join(part));
    let by = seen
        .touches
        .into_iter()
        .find(|touch| touch.path.covers(&whole) || whole.covers(&touch.path));
    let more = if paths.len() > TOLD { ", …" } else { "" };
    let told: Vec<String> = paths.iter().take(TOLD).map(ToString::to_string).collect();
    let text = format!("{shown} has another {}{more}", told.join(", "));
    Some(Otherwise { text, by })
}

/// Where something that was asked for is not there.
fn lacking(
    asked: &Attributes,
    seen: &Attributes,
    path: &AttributePath,
    paths: &mut Vec<AttributePath>,
) {
    for (key, asked) in asked.iter() {
        lacks(asked, seen.get(key), &path.join(key), paths);
    }
}

fn lacks(
    asked: &Value,
    seen: Option<&Value>,
    path: &AttributePath,
    paths: &mut Vec<AttributePath>,
) {
    match (asked, seen) {
        (Value::Null, _) => {}
        (Value::Map(asked), Some(Value::Map(seen))) => lacking(asked, seen, path, paths),
        (Value::List(asked), Some(Value::List(seen))) if asked.len() == seen.len() => {
            for (index, (asked, seen)) in asked.iter().zip(seen).enumerate() {
                lacks(asked, Some(seen), &path.join(index.to_string()), paths);
            }
        }
        (asked, Some(seen)) if asked == seen => {}
        _ => paths.push(path.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tree(json: serde_json::Value) -> Attributes {
        manifest(json).unwrap()
    }

    fn live(replicas: i64, image: &str) -> Live {
        let hand = |name: &str, fields: serde_json::Value| json!({ "manager": name, "operation": "Update", "time": "2026-11-21T10:00:00Z", "fieldsV1": fields });
        Live::read(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "namespace": "ns", "uid": "u", "labels": { "a": "b", "more": "x" },
                "managedFields": [
                    hand("helm", json!({ "f:spec": { "f:image": {} } })),
                    hand("kubectl-edit", json!({ "f:spec": { "f:replicas": {} } })),
                ] },
            "spec": { "replicas": replicas, "image": image, "resources": { "limits": { "cpu": "500m" } } },
            "status": { "replicas": 1 },
        }))
        .unwrap()
    }

    fn asked() -> Attributes {
        tree(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "labels": { "a": "b" } },
            "spec": { "replicas": 2, "image": "i", "resources": { "limits": { "cpu": "0.5" } } },
        }))
    }

    #[test]
    fn what_is_as_made_is_no_difference_whatever_the_server_and_others_add() {
        assert_eq!(compare(&live(2, "i"), &asked(), "it"), None);
    }

    #[test]
    fn what_is_otherwise_is_told_by_its_place_and_hand() {
        let found = compare(&live(5, "i"), &asked(), "Deployment web").unwrap();
        assert_eq!(found.text, "Deployment web has another spec.replicas");
        assert_eq!(&*found.by.unwrap().by, "kubectl-edit");
        let both = compare(&live(5, "j"), &asked(), "it").unwrap();
        assert_eq!(both.text, "it has another spec.image, spec.replicas");
    }

    #[test]
    fn an_object_is_named_by_its_manifest() {
        let made = Made::of(&asked()).unwrap();
        let text = serde_json::to_string(&made).unwrap();
        assert_eq!(text, r#"{"v":"apps/v1","k":"Deployment","n":"web"}"#);
        assert_eq!(Made::of(&tree(json!({ "kind": "List" }))), None);
        let mut hands = Hands::default();
        let key = (made.gvk(), "ns".to_owned(), "web".to_owned());
        assert!(
            !hands.is_as_made(&made, "ns"),
            "what is not there is not as made"
        );
        hands.0.insert(key, true);
        assert!(hands.is_as_made(&made, "ns") && !hands.is_as_made(&made, "other"));
    }
}
