//! A tenant with a few objects in a namespace of its name, which a test writes down itself.

use serde_json::{Value, json};

use super::Cluster;
use super::small::{TARGET, toml};
use crate::{Output, Sandbox};

/// A tenant whose objects a test writes down itself.
#[derive(Debug)]
pub struct Ground<'a> {
    cluster: &'a Cluster,
    /// Where matih runs.
    pub sandbox: Sandbox,
    tenant: &'a str,
}

impl<'a> Ground<'a> {
    /// With the namespace there, made by somebody else.
    #[track_caller]
    pub fn in_a_namespace(cluster: &'a Cluster, tenant: &'a str) -> Self {
        cluster.wait_until_quiet();
        // What a test that failed has left.
        let _ = cluster.kubectl(&["delete", "namespace", tenant, "--ignore-not-found"]);
        cluster.make(&format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {tenant} }}\n"
        ));
        Self::without(cluster, tenant)
    }

    /// With no namespace.
    #[track_caller]
    pub fn without(cluster: &'a Cluster, tenant: &'a str) -> Self {
        let sandbox = cluster.sandbox();
        Self {
            cluster,
            sandbox,
            tenant,
        }
    }

    /// Writes the spec: each object with the rest of its block.
    #[track_caller]
    pub fn write(&self, objects: &[(&str, &str, Value)]) {
        let tenant = self.tenant;
        let mut spec = format!(
            "[tenant]\nname = \"Tenant {tenant}\"\nslug = \"{tenant}\"\ntier = \"FREE\"\nadmin_email = \"a@b.example\"\n"
        );
        for (name, rest, manifest) in objects {
            let mut manifest = manifest.clone();
            manifest["metadata"]["name"] = json!(name);
            if manifest["kind"] == "Namespace" {
                manifest["metadata"]["name"] = json!(tenant);
            } else {
                manifest["metadata"]["namespace"] = json!(tenant);
            }
            let manifest = toml(&manifest);
            spec += &format!(
                "\n[[resource]]\nkind = \"kubernetes.manifest\"\nname = \"net-{name}\"\n{rest}\nattributes = {{ cluster = \"any\", manifest = {manifest} }}\n"
            );
        }
        self.sandbox.write("spec.toml", &spec);
    }

    fn run(&self, command: &str, more: &[&str]) -> Output {
        let words = [command, "spec.toml", "--target", TARGET];
        self.sandbox.run(&[&words[..], more].concat())
    }

    /// What an apply would do.
    #[must_use]
    pub fn plan(&self, more: &[&str]) -> Output {
        self.run("plan", more)
    }

    /// Brings the tenant to its spec.
    #[must_use]
    pub fn apply(&self, more: &[&str]) -> Output {
        self.run("apply", &[&["--auto-approve"], more].concat())
    }

    /// A field of an object; empty if one of them is not there.
    #[must_use]
    pub fn field(&self, object: &str, path: &str) -> String {
        let path = format!("jsonpath={{{path}}}");
        let words = ["get", object, "--namespace", self.tenant, "--output", &path];
        self.cluster.try_kubectl(&words, "").stdout
    }

    /// Somebody else changes an object.
    #[track_caller]
    pub fn patch(&self, object: &str, patch: &Value, more: &[&str]) {
        let patch = format!("--patch={patch}");
        let words = [
            "patch",
            object,
            "--namespace",
            self.tenant,
            "--type=merge",
            &patch,
            "--field-manager=mallory",
        ];
        let _ = self.cluster.kubectl(&[&words[..], more].concat());
    }

    /// Brings the tenant back, by default to the snapshot before the newest.
    #[must_use]
    pub fn rollback(&self, more: &[&str]) -> Output {
        let words = ["rollback", self.tenant];
        self.sandbox.run(&[&words[..], more].concat())
    }

    /// Takes the namespace away.
    pub fn clear(self) {
        self.cluster.clear(&[self.tenant]);
    }
}

/// A ConfigMap with this value.
#[must_use]
pub fn config(value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": value}})
}
