//! What lies in a namespace of ours and bears no mark: what somebody put there beside matih.
//!
//! Told by lists of metadata. Left out is what nobody put there by hand: what a controller made of
//! another object, what the control plane makes in every namespace, and what Helm made of a release
//! that bears our mark. Who made an object is told by the server's books on its fields.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{try_join, try_join_all};
use matih_model::{AttributePath, ProviderError, RemoteId, Touch, Unmarked, Value};

use super::cluster::Cluster;
use super::discovery::Api;
use super::json::{at, text};
use super::live::{Live, Manager};
use super::look::{FEW_NAMESPACES, of};
use super::mark;
use super::place::Place;
use super::provider::Kubernetes;
use crate::helm::RELEASE_MARK;

/// The hands of the control plane, as managers of fields.
const CONTROL_PLANE: &[&str] = &[
    "kube-controller-manager",
    "kube-apiserver",
    "kube-scheduler",
];
/// Kinds that only running programs write: what happened, and who leads.
const PROGRAMS: &[(&str, &str)] = &[
    ("", "Event"),
    ("events.k8s.io", "Event"),
    ("coordination.k8s.io", "Lease"),
];
/// Where a controller says on an object what it made it for, if it makes itself no owner: the
/// Secret of a Certificate, the token of a service account.
const MADE_FOR: &[&str] = &[
    "cert-manager.io/certificate-name",
    "kubernetes.io/service-account.name",
];
/// The release that an object is part of.
const RELEASE: &str = "meta.helm.sh/release-name";

/// Namespaces by name, with the remote id that they are recorded under.
type Namespaces<'a> = BTreeMap<String, &'a RemoteId>;

/// What lies unmarked in those of the holders that are namespaces.
pub(super) async fn unmarked(
    provider: &Kubernetes,
    holders: &[RemoteId],
) -> Result<Vec<Unmarked>, ProviderError> {
    let mut targets: BTreeMap<String, Namespaces<'_>> = BTreeMap::new();
    for holder in holders {
        let place = Place::parse(holder)?;
        if place.group.is_empty() && place.kind == "Namespace" {
            let namespaces = targets.entry(place.target).or_default();
            namespaces.insert(place.name, holder);
        }
    }
    let targets = targets.iter().map(|(target, namespaces)| async move {
        let cluster = provider.cluster(target).await?;
        within(&cluster, namespaces).await
    });
    let mut found: Vec<Unmarked> = try_join_all(targets).await?.into_iter().flatten().collect();
    found.sort();
    Ok(found)
}

async fn within(
    cluster: &Cluster,
    namespaces: &Namespaces<'_>,
) -> Result<Vec<Unmarked>, ProviderError> {
    let apis = cluster.discovery.managed(&cluster.wire).await?;
    let secrets = apis.iter().find(|api| api.gvk.is("", "Secret"));
    let kinds = apis.iter().filter(|api| api.namespaced);
    let kinds = kinds.filter(|api| !PROGRAMS.iter().any(|(group, kind)| api.gvk.is(group, kind)));
    let selector = format!("!{},!{RELEASE_MARK}", mark::INSTALLATION);
    let lists = kinds.map(|api| list(cluster, api, namespaces, &selector));
    let releases = async {
        match secrets {
            Some(api) => {
                list(
                    cluster,
                    api,
                    namespaces,
                    &format!("owner=helm,{RELEASE_MARK}"),
                )
                .await
            }
            None => Ok(Vec::new()),
        }
    };
    let (lists, releases) = try_join(try_join_all(lists), releases).await?;
    let label = |live: &Live| text(&live.body, &["metadata", "labels", "name"]).to_owned();
    let releases = releases
        .iter()
        .map(|live| (live.namespace().to_owned(), label(live)));
    let releases: BTreeSet<(String, String)> = releases.collect();
    let is_of_release = |live: &Live| {
        let release = text(&live.body, &["metadata", "annotations", RELEASE]);
        releases.contains(&(live.namespace().to_owned(), release.to_owned()))
    };
    let found = lists.iter().flatten();
    let found = found.filter(|live| !is_made_by_controllers(live) && !is_of_release(live));
    let found = found.filter_map(|live| {
        Some(Unmarked {
            holder: (*namespaces.get(live.namespace())?).clone(),
            remote_id: of(live, &cluster.name).id(),
            by: maker(live).map(touch),
        })
    });
    Ok(found.collect())
}

/// The metadata of what a selector finds in some namespaces; of many of them in one list of all.
async fn list(
    cluster: &Cluster,
    api: &Api,
    namespaces: &Namespaces<'_>,
    selector: &str,
) -> Result<Vec<Live>, ProviderError> {
    let mut places = vec![""];
    if namespaces.len() <= FEW_NAMESPACES {
        places = namespaces.keys().map(String::as_str).collect();
    }
    let lists = places
        .into_iter()
        .map(|it| cluster.outsides(api, it, selector));
    Ok(try_join_all(lists).await?.into_iter().flatten().collect())
}

/// Whether nobody put it there by hand.
fn is_made_by_controllers(live: &Live) -> bool {
    let metadata = |key: &str| at(&live.body, &["metadata", key]);
    let owners = metadata("ownerReferences").and_then(Value::as_list);
    let notes = metadata("annotations").and_then(Value::as_map);
    // The books are empty on an object of which nothing is set.
    (live.kind(), live.name()) == ("ServiceAccount", "default")
        || owners.is_some_and(|owners| !owners.is_empty())
        || notes.is_some_and(|notes| MADE_FOR.iter().any(|it| notes.get(it).is_some()))
        || maker(live).is_some_and(is_control_plane)
}

fn is_control_plane(manager: &Manager) -> bool {
    CONTROL_PLANE.contains(&&*manager.name)
}

/// Whose hand is the oldest on it. The control plane writes on objects of others too (a claim that
/// it binds), so of two hands within a second the other one made it.
fn maker(live: &Live) -> Option<&Manager> {
    let hands = live.managers.iter().filter(|it| it.subresource.is_empty());
    hands.min_by_key(|it| (it.when.clone(), is_control_plane(it)))
}

fn touch(manager: &Manager) -> Touch {
    Touch {
        path: AttributePath::root(),
        by: manager.name.clone(),
        how: manager.way(),
        when: manager.when.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn account(name: &str) -> Live {
        let metadata = json!({ "name": name, "uid": "u" });
        Live::read(json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata }))
            .unwrap()
    }

    fn live(metadata: Json, hands: &[(&str, &str, &str)]) -> Live {
        let hands = hands.iter().map(|(name, subresource, when)| {
            json!({ "manager": name, "operation": "Update", "subresource": subresource,
                "time": when, "fieldsV1": { "f:metadata": {} } })
        });
        let mut json =
            json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata });
        json["metadata"]["uid"] = json!("u");
        json["metadata"]["managedFields"] = hands.collect();
        Live::read(json).unwrap()
    }

    #[test]
    fn what_controllers_make_is_theirs() {
        let plane = ("kube-controller-manager", "", "2026-11-27T10:00:00Z");
        let ann = ("kubectl-edit", "", "2026-11-27T11:00:00Z");
        for theirs in [
            account("default"),
            live(json!({ "name": "default" }), &[plane]),
            live(json!({ "name": "default" }), &[ann, plane]),
            live(
                json!({ "name": "a", "ownerReferences": [{ "name": "b" }] }),
                &[ann],
            ),
            live(
                json!({ "name": "a", "annotations": { "cert-manager.io/certificate-name": "b" } }),
                &[ann],
            ),
        ] {
            assert!(is_made_by_controllers(&theirs), "{theirs:?}");
        }
    }

    #[test]
    fn what_a_person_made_is_not_theirs_whoever_wrote_on_it_since() {
        let ann = ("kubectl", "", "2026-11-27T10:00:00Z");
        let bound = ("kube-controller-manager", "", "2026-11-27T10:00:00Z");
        let status = ("kube-controller-manager", "status", "2026-11-27T09:00:00Z");
        let live = live(json!({ "name": "a" }), &[status, bound, ann]);
        assert!(!is_made_by_controllers(&live));
        assert!(!is_made_by_controllers(&account("hers")));
        assert_eq!(&*touch(maker(&live).unwrap()).by, "kubectl");
    }
}
