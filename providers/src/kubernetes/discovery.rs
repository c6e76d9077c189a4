//! Which kinds a cluster serves, and under which paths: asked once in a run.
//!
//! A kind that is not there is asked for again, since its definition may have just come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::try_join_all;
use serde_json::{Value, json};

use super::failure::Failure;
use super::place::Gvk;
use super::wire::{Ask, Wire};

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
        let groups = wire.look("/apis").await?;
        let groups = groups["groups"].as_array().cloned().unwrap_or_default();
        let mut versions = vec!["v1".to_owned()];
        versions.extend(groups.iter().filter_map(|group| {
            let preferred = group["preferredVersion"]["groupVersion"].as_str()?;
            Some(preferred.to_owned())
        }));
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
fn apis(version: &str, list: &Value) -> Vec<Arc<Api>> {
    let resources = list["resources"].as_array().into_iter().flatten();
    let api = |resource: &Value| {
        let plural = resource["name"].as_str()?;
        let verbs = resource["verbs"].as_array().into_iter().flatten();
        (!plural.contains('/')).then_some(())?;
        Some(Arc::new(Api {
            gvk: Gvk::new(version, resource["kind"].as_str()?),
            plural: plural.to_owned(),
            namespaced: resource["namespaced"].as_bool()?,
            verbs: verbs
                .filter_map(|it| Some(it.as_str()?.to_owned()))
                .collect(),
        }))
    };
    resources.filter_map(api).collect()
}

/// What our role lets us list.
#[derive(Debug, Default)]
struct Allowed {
    /// Group and plural; `*` stands for any.
    rules: Vec<(BTreeSet<String>, BTreeSet<String>)>,
    /// The server could not say all, so everything is tried.
    incomplete: bool,
}

impl Allowed {
    async fn ask(wire: &Wire) -> Result<Self, Failure> {
        let body = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": { "namespace": "default" },
        });
        let ask = Ask {
            method: http::Method::POST,
            body: Some(body.to_string().into_bytes()),
            ..Ask::get("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews")
        };
        let reply = wire.send(ask, wire.soon()).await?;
        Ok(Self::read(&reply.json["status"]))
    }

    fn read(status: &Value) -> Self {
        let texts = |value: &Value| -> BTreeSet<String> {
            let items = value.as_array().into_iter().flatten();
            items
                .filter_map(|it| Some(it.as_str()?.to_owned()))
                .collect()
        };
        let rules = status["resourceRules"].as_array().into_iter().flatten();
        let lists = rules.filter(|rule| {
            let verbs = texts(&rule["verbs"]);
            verbs.contains("list") || verbs.contains("*")
        });
        Self {
            rules: lists
                .map(|rule| (texts(&rule["apiGroups"]), texts(&rule["resources"])))
                .collect(),
            incomplete: status["incomplete"].as_bool() == Some(true),
        }
    }

    fn may_list(&self, api: &Api) -> bool {
        let has = |set: &BTreeSet<String>, name: &str| set.contains("*") || set.contains(name);
        self.incomplete
            || self.rules.iter().any(|(groups, resources)| {
                has(groups, &api.gvk.group) && has(resources, &api.plural)
            })
    }
}

#[cfg(test)]
mod tests {
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
    fn what_the_role_does_not_list_is_left_out() {
        let apis = list();
        let allowed = |json: Value| Allowed::read(&json).may_list(&apis[0]);
        let rule = |verbs: &[&str], group: &str, resource: &str| json!({"resourceRules": [{"verbs": verbs, "apiGroups": [group], "resources": [resource]}]});
        assert!(allowed(rule(&["list"], "apps", "deployments")));
        assert!(allowed(rule(&["*"], "*", "*")));
        assert!(!allowed(rule(&["get"], "apps", "deployments")));
        assert!(!allowed(rule(&["list"], "", "deployments")));
        assert!(!allowed(rule(&["list"], "apps", "views")));
        assert!(allowed(json!({"incomplete": true})));
    }
}
