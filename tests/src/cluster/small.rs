//! A small tenant: nine objects of a namespace that has its slug, in two shapes to go between.
//!
//! It promises that everything which differs between the shapes differs in a field that is
//! compared, and that one object is in each shape alone. The tenant's other resources are left out
//! by [`TARGET`].

use serde_json::{Value, json};

use crate::Sandbox;

/// The resources of the small tenant alone.
pub const TARGET: &str = "kubernetes.manifest/net-*";

/// A small tenant.
#[derive(Debug, Clone)]
pub struct Small {
    /// Its slug, and the name of its namespace.
    pub tenant: String,
    /// Whether the namespace is one of its objects; else it must be there.
    pub owns_namespace: bool,
}

impl Small {
    /// The objects of a shape, 1 or 2, by the end of their address; of each, all that is set.
    #[must_use]
    pub fn objects(&self, shape: u32) -> Vec<(&'static str, Value)> {
        let mut all = manifests(&self.tenant, shape);
        if self.owns_namespace {
            let metadata = json!({"name": self.tenant});
            all.push((
                "space",
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}),
            ));
        }
        all
    }

    /// The full address of an object.
    #[must_use]
    pub fn address(&self, name: &str) -> String {
        format!("{}/kubernetes.manifest/net-{name}", self.tenant)
    }

    /// Writes `spec.toml` in a shape.
    #[track_caller]
    pub fn write(&self, sandbox: &Sandbox, shape: u32) {
        let tenant = &self.tenant;
        let mut spec = format!(
            "[tenant]\nname = \"Tenant {tenant}\"\nslug = \"{tenant}\"\ntier = \"FREE\"\nadmin_email = \"a@b.example\"\n"
        );
        for (name, manifest) in self.objects(shape) {
            spec +=
                &format!("\n[[resource]]\nkind = \"kubernetes.manifest\"\nname = \"net-{name}\"\n");
            // The server looks for the role of a binding.
            let role = (name == "binding").then_some("role");
            let space = (self.owns_namespace && name != "space").then_some("space");
            let needs = role.into_iter().chain(space);
            let needs: Vec<String> = needs
                .map(|it| format!("\"kubernetes.manifest/net-{it}\""))
                .collect();
            spec += &format!("depends_on = [{}]\n", needs.join(", "));
            let manifest = toml(&manifest);
            spec += &format!("attributes = {{ cluster = \"any\", manifest = {manifest} }}\n");
        }
        sandbox.write("spec.toml", &spec);
    }
}

/// Objects of the tenant's namespace in one of its two shapes; of a shape, all that is set.
fn manifests(namespace: &str, shape: u32) -> Vec<(&'static str, Value)> {
    let text = shape.to_string();
    let (verbs, only) = match shape {
        1 => (json!(["get"]), "early"),
        _ => (json!(["get", "list"]), "late"),
    };
    let config = |name, text: &str| (name, "v1", "ConfigMap", json!({ "data": { "a": text } }));
    let rbac = "rbac.authorization.k8s.io/v1";
    let rows = [
        config("settings", &text),
        config("fixed", "always"),
        config(only, &text),
        (
            "account",
            "v1",
            "ServiceAccount",
            json!({ "automountServiceAccountToken": shape == 1 }),
        ),
        (
            "web",
            "v1",
            "Service",
            json!({ "spec": {
            "selector": { "app": text },
            "ports": [{ "name": "http", "port": 8000 + shape }],
        } }),
        ),
        (
            "quota",
            "v1",
            "ResourceQuota",
            json!({ "spec": { "hard": { "pods": text } } }),
        ),
        (
            "role",
            rbac,
            "Role",
            json!({ "rules": [
            { "apiGroups": [""], "resources": ["configmaps"], "verbs": verbs },
        ] }),
        ),
        (
            "binding",
            rbac,
            "RoleBinding",
            json!({
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "role" },
                "subjects": [{ "kind": "ServiceAccount", "name": "account", "namespace": namespace }],
            }),
        ),
        (
            "deny",
            "networking.k8s.io/v1",
            "NetworkPolicy",
            json!({ "spec": {
            "podSelector": { "matchLabels": { "app": text } },
            "policyTypes": ["Ingress"],
        } }),
        ),
    ];
    let object = |(name, api, kind, rest): (&'static str, &str, &str, Value)| {
        let metadata = json!({ "name": name, "namespace": namespace });
        let mut object = json!({ "apiVersion": api, "kind": kind, "metadata": metadata });
        if let (Some(object), Value::Object(rest)) = (object.as_object_mut(), rest) {
            object.extend(rest);
        }
        (name, object)
    };
    rows.into_iter().map(object).collect()
}

/// A value in a spec; JSON but for the signs between keys and values.
#[must_use]
pub fn toml(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let pairs = map
                .iter()
                .map(|(key, value)| format!("{key:?} = {}", toml(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(toml).collect();
            format!("[{}]", items.join(", "))
        }
        plain => plain.to_string(),
    }
}

/// Whether all that is wanted is so; what others added is their matter. A wanted null, as in a patch,
/// is nothing.
#[must_use]
pub fn holds(wanted: &Value, there: &Value) -> bool {
    match (wanted, there) {
        (Value::Object(wanted), Value::Object(there)) => wanted
            .iter()
            .all(|(key, value)| holds(value, there.get(key).unwrap_or(&Value::Null))),
        (Value::Array(wanted), Value::Array(there)) => {
            wanted.len() == there.len() && wanted.iter().zip(there).all(|(a, b)| holds(a, b))
        }
        _ => wanted == there,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_holds_beside_what_others_added() {
        let wanted = json!({"a": {"b": [1]}});
        assert!(holds(&wanted, &json!({"a": {"b": [1], "c": 2}, "d": 3})));
        let nothing = json!({"a": {"b": null}});
        assert!(holds(&nothing, &json!({"a": {}})));
        assert!(!holds(&nothing, &json!({"a": {"b": 1}})));
        for there in [
            json!({"a": {"b": [1, 2]}}),
            json!({"a": {"b": [2]}}),
            json!({"a": {}}),
        ] {
            assert!(!holds(&wanted, &there), "{there}");
        }
    }

    #[test]
    fn the_shapes_differ_and_are_written_as_toml() {
        let small = Small {
            tenant: "tit".to_owned(),
            owns_namespace: true,
        };
        assert_eq!(small.objects(1).len(), 10);
        let differ = small.objects(1).into_iter().zip(small.objects(2));
        assert_eq!(differ.filter(|(one, two)| one != two).count(), 7);
        assert_eq!(toml(&json!({"a/b": [1, "x"]})), r#"{ "a/b" = [1, "x"] }"#);
    }
}
