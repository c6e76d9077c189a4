//! Which kinds a cluster serves, and under which paths: asked once in a run.
//!
//! A kind that is not there is asked for again, since its definition may have just come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{try_join, try_join_all};
use serde_json::Value;

use super::allowed::Allowed;
use super::failure::Failure;
use super::place::Gvk;
use super::wire::Wire;

/// The form of an answer that tells all kinds at once; a server that does not know it tells its
/// groups.
pub(crate) const ALL_KINDS: &str =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

/// One kind of a cluster's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Api {
    pub(super) gvk: Gvk,
    /// Its name in paths.
    pub(super) plural: String,
    /// Whether its objects are in namespaces.
    pub(super) namespaced: bool,
    verbs: BTreeSet<String>,
}

impl Api {
    /// Whether objects of it can be made, found and taken away.
    fn is_managed(&self) -> bool {
        ["create", "delete", "list"]
            .iter()
            .all(|verb| self.verbs.contains(*verb))
    }
}

/// What is known of one group and version: its kinds, none if it is not served.
type Version = Arc<Vec<Arc<Api>>>;

/// What is known of a cluster's API.
#[derive(Default)]
pub(super) struct Discovery {
    versions: Mutex<BTreeMap<String, Version>>,
    allowed: tokio::sync::OnceCell<Allowed>,
}

impl Discovery {
    /// The kind that a manifest names; `None` if the cluster does not serve it.
    pub(super) async fn find(&self, wire: &Wire, gvk: &Gvk) -> Result<Option<Arc<Api>>, Failure> {
        let of = |version: &Version| version.iter().find(|api| api.gvk == *gvk).cloned();
        let known = self.known(&gvk.api_version()).as_ref().and_then(of);
        if known.is_some() {
            return Ok(known);
        }
        Ok(of(&self.ask(wire, &gvk.api_version()).await?))
    }

    /// The version of a group that the server prefers; `None` if it does not serve the group.
    pub(super) async fn preferred(
        &self,
        wire: &Wire,
        group: &str,
    ) -> Result<Option<String>, Failure> {
        if group.is_empty() {
            return Ok(Some("v1".to_owned()));
        }
        match wire.look(&format!("/apis/{group}")).await {
            Ok(found) => {
                let version = found["preferredVersion"]["groupVersion"].as_str();
                Ok(version.map(str::to_owned))
            }
            Err(failure) if failure.is_absent() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Every kind of which objects could be ours, each once.
    pub(super) async fn managed(&self, wire: &Wire) -> Result<Vec<Arc<Api>>, Failure> {
        let (core, groups) = try_join(
            wire.look_as("/api", ALL_KINDS),
            wire.look_as::<Value>("/apis", ALL_KINDS),
        )
        .await?;
        self.learn([&core, &groups]);
        let mut versions = vec!["v1".to_owned()];
        versions.extend(preferred(&groups));
        let known = versions.iter().map(|version| async move {
            match self.known(version) {
                Some(known) => Ok(known),
                None => self.ask(wire, version).await,
            }
        });
        let known = try_join_all(known).await?;
        let allowed = self.allowed.get_or_try_init(|| Allowed::ask(wire)).await?;
        let all = known.iter().flat_map(|version| version.iter());
        let ours = all.filter(|api| api.is_managed() && allowed.may_list(api));
        Ok(ours.cloned().collect())
    }

    /// Learns from answers that tell all kinds at once; a server before 1.30 gives none of them.
    fn learn(&self, answers: [&Value; 2]) {
        let mut known = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        for (version, apis) in answers.into_iter().flat_map(wholes) {
            known.insert(version, Arc::new(apis));
        }
    }

    fn known(&self, version: &str) -> Option<Version> {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.get(version).cloned()
    }

    async fn ask(&self, wire: &Wire, version: &str) -> Result<Version, Failure> {
        let path = if version.contains('/') {
            format!("/apis/{version}")
        } else {
            format!("/api/{version}")
        };
        let found = match wire.look(&path).await {
            Ok(list) => apis(version, &list),
            Err(failure) if failure.is_absent() => Vec::new(),
            Err(failure) => return Err(failure),
        };
        let found = Arc::new(found);
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.insert(version.to_owned(), found.clone());
        Ok(found)
    }
}

/// Reads an `APIResourceList`; subresources are no kinds of their own.
pub(super) fn apis(version: &str, list: &Value) -> Vec<Arc<Api>> {
    let resources = list["resources"].as_array().into_iter().flatten();
    let api = |resource: &Value| {
        let plural = resource["name"].as_str()?;
        (!plural.contains('/')).then_some(())?;
        Some(Arc::new(Api {
            gvk: Gvk::new(version, resource["kind"].as_str()?),
            plural: plural.to_owned(),
            namespaced: resource["namespaced"].as_bool()?,
            verbs: texts(&resource["verbs"]),
        }))
    };
    resources.filter_map(api).collect()
}

/// The versions that a server prefers, a group each, from either form of its answer.
fn preferred(groups: &Value) -> Vec<String> {
    let listed = groups["groups"].as_array().into_iter().flatten();
    let listed = listed.filter_map(|it| it["preferredVersion"]["groupVersion"].as_str());
    let whole = groups["items"].as_array().into_iter().flatten();
    let whole = whole.filter_map(|group| group_version(group, group["versions"].get(0)?));
    listed.map(str::to_owned).chain(whole).collect()
}

/// Reads what is fresh in an `APIGroupDiscoveryList`.
fn wholes(list: &Value) -> Vec<(String, Vec<Arc<Api>>)> {
    let groups = list["items"].as_array().into_iter().flatten();
    let versions = groups.flat_map(|group| {
        let versions = group["versions"].as_array().into_iter().flatten();
        let fresh = versions.filter(|it| it["freshness"].as_str() != Some("Stale"));
        fresh.filter_map(move |version| {
            let name = group_version(group, version)?;
            let apis = version["resources"].as_array().into_iter().flatten();
            let apis = apis.filter_map(|api| whole(&name, api)).collect();
            Some((name, apis))
        })
    });
    versions.collect()
}

fn group_version(group: &Value, version: &Value) -> Option<String> {
    let version = version["version"].as_str()?;
    Some(match group["metadata"]["name"].as_str() {
        None | Some("") => version.to_owned(),
        Some(group) => format!("{group}/{version}"),
    })
}

fn whole(version: &str, resource: &Value) -> Option<Arc<Api>> {
    Some(Arc::new(Api {
        gvk: Gvk::new(version, resource["responseKind"]["kind"].as_str()?),
        plural: resource["resource"].as_str()?.to_owned(),
        namespaced: resource["scope"].as_str()? == "Namespaced",
        verbs: texts(&resource["verbs"]),
    }))
}

/// The texts of a list.
pub(super) fn texts(value: &Value) -> BTreeSet<String> {
    let items = value.as_array().into_iter().flatten();
    items
        .filter_map(|it| Some(it.as_str()?.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list() -> Vec<Arc<Api>> {
        let json = json!({"resources": [
            {"name": "deployments", "kind": "Deployment", "namespaced": true,
             "verbs": ["create", "delete", "get", "list", "patch"]},
            {"name": "deployments/scale", "kind": "Scale", "namespaced": true, "verbs": ["get"]},
            {"name": "views", "kind": "View", "namespaced": false, "verbs": ["list"]}
        ]});
        apis("apps/v1", &json)
    }

    #[test]
    fn kinds_are_read_and_subresources_are_not() {
        let apis = list();
        assert_eq!(apis.len(), 2);
        assert_eq!(apis[0].gvk, Gvk::new("apps/v1", "Deployment"));
        assert!(apis[0].is_managed() && !apis[1].is_managed());
    }

    #[test]
    fn an_answer_of_all_kinds_says_what_those_of_each_group_say() {
        let resource = json!({"resource": "deployments", "scope": "Namespaced",
            "responseKind": {"group": "", "version": "", "kind": "Deployment"},
            "verbs": ["create", "delete", "get", "list", "patch"]});
        let version = |freshness: &str| json!({"version": "v1", "freshness": freshness, "resources": [resource]});
        let groups = json!({"items": [
            {"metadata": {"name": "apps"}, "versions": [version("Current"), {"version": "v1beta1"}]},
            {"metadata": {"name": "behind"}, "versions": [version("Stale")]},
        ]});
        assert_eq!(preferred(&groups), ["apps/v1", "behind/v1"]);
        let wholes = wholes(&groups);
        let names: Vec<&str> = wholes.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["apps/v1", "apps/v1beta1"]);
        assert_eq!(wholes[0].1, list()[..1]);
        let core = json!({"items": [{"metadata": {}, "versions": [version("Current")]}]});
        assert_eq!(super::wholes(&core)[0].0, "v1");
        let old = json!({"groups": [{"preferredVersion": {"groupVersion": "apps/v1"}}]});
        assert_eq!(preferred(&old), ["apps/v1"]);
    }
}
