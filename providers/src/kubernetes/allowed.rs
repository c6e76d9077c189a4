//! What our role lets us list: asked once in a run, so that nobody asks for what is refused.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::discovery::{Api, texts};
use super::failure::Failure;
use super::wire::{Ask, Wire};

/// What our role lets us list.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    /// Group and plural; `*` stands for any.
    rules: Vec<(BTreeSet<String>, BTreeSet<String>)>,
    /// The server could not say all, so everything is tried.
    incomplete: bool,
}

impl Allowed {
    /// Asks the server.
    pub(super) async fn ask(wire: &Wire) -> Result<Self, Failure> {
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

    /// Whether it lets us list a kind.
    pub(super) fn may_list(&self, api: &Api) -> bool {
        let has = |set: &BTreeSet<String>, name: &str| set.contains("*") || set.contains(name);
        self.incomplete
            || self.rules.iter().any(|(groups, resources)| {
                has(groups, &api.gvk.group) && has(resources, &api.plural)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::super::discovery::apis;
    use super::*;

    #[test]
    fn what_the_role_does_not_list_is_left_out() {
        let resource = json!({"name": "deployments", "kind": "Deployment", "namespaced": true});
        let apis = apis("apps/v1", &json!({"resources": [resource]}));
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
