//! A tenant to try a way to the cluster with: a namespace, a ConfigMap and a release of a chart
//! with another ConfigMap, so that both go the way, matih itself and its helm.

use super::Cluster;
use crate::{Output, Sandbox};

/// What its spec is about; the tenant's other resources are left out.
const TARGETS: [&str; 4] = [
    "--target",
    "kubernetes.manifest/way-*",
    "--target",
    "helm.release/way-*",
];

/// The chart as files.
pub const CHART: &[(&str, &str)] = &[
    (
        "Chart.yaml",
        "apiVersion: v2\nname: way\nversion: 1.0.0\nappVersion: \"1\"\n",
    ),
    (
        "templates/all.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: by-helm }\n\
         data: { text: {{ .Values.text | quote }} }\n",
    ),
];

/// The tenant, and where matih runs.
#[derive(Debug)]
pub struct Traveller<'a> {
    cluster: &'a Cluster,
    /// Where matih runs.
    pub sandbox: Sandbox,
    tenant: &'a str,
    /// Where its chart is: the folder of the sandbox at first.
    pub repository: String,
    /// What the chart is pinned to.
    pub digest: Option<String>,
}

impl<'a> Traveller<'a> {
    /// With its chart in a folder of the sandbox, and nothing on the cluster.
    #[track_caller]
    pub fn new(cluster: &'a Cluster, sandbox: Sandbox, tenant: &'a str) -> Self {
        cluster.wait_until_quiet();
        for (path, text) in CHART {
            sandbox.write(&format!("charts/way/{path}"), text);
        }
        Self {
            cluster,
            sandbox,
            tenant,
            repository: "charts".to_owned(),
            digest: None,
        }
    }

    /// Runs a verb about the spec with this text in both ConfigMaps.
    #[track_caller]
    pub fn run(&self, verb: &str, text: &str, more: &[&str]) -> Output {
        self.sandbox.write("spec.toml", &self.spec(text));
        self.sandbox
            .run(&[&[verb, "spec.toml"], &TARGETS[..], more].concat())
    }

    /// From nothing through a change and an edit by somebody else to nothing again.
    #[track_caller]
    pub fn live(&self) {
        let planned = self.run("plan", "one", &["--detailed-exitcode"]).exits(2);
        assert!(planned.stdout.contains("helm.release/way-web"), "{planned}");
        for text in ["one", "two"] {
            let _ = self.run("apply", text, &["--auto-approve"]).exits(0);
            assert_eq!(self.texts(), [text, text]);
        }
        let drift = || {
            self.sandbox
                .run(&["drift", self.tenant, "--detailed-exitcode"])
        };
        let _ = drift().exits(0);
        for name in ["by-matih", "by-helm"] {
            let patch = r#"--patch={"data":{"text":"other"}}"#;
            let words = ["patch", "configmap", name, "--namespace", self.tenant];
            let _ = self.cluster.kubectl(&[&words[..], &[patch]].concat());
        }
        let told = drift().exits(2);
        for name in ["manifest/way-settings", "release/way-web"] {
            assert!(told.stdout.contains(name), "{told}");
        }
        let words = ["destroy", self.tenant, "--auto-approve"];
        let all = ["--allow-data-loss", "all"];
        let _ = self.sandbox.run(&[&words[..], &all].concat()).exits(0);
        assert_eq!(self.texts(), ["", ""]);
    }

    /// What stands in both ConfigMaps: the one by matih, and the one by helm.
    #[must_use]
    #[track_caller]
    pub fn texts(&self) -> [String; 2] {
        ["by-matih", "by-helm"].map(|name| {
            let path = "jsonpath={.data.text}";
            let words = ["get", "configmap", name, "--namespace", self.tenant];
            let words = [&words[..], &["--ignore-not-found", "--output", path]].concat();
            self.cluster.kubectl(&words).stdout
        })
    }

    fn spec(&self, text: &str) -> String {
        let (tenant, repository) = (self.tenant, &self.repository);
        let pinned = self.digest.as_ref();
        let pinned = pinned.map(|digest| format!(", digest = \"{digest}\""));
        let pinned = pinned.unwrap_or_default();
        format!(
            r#"[tenant]
name = "Tenant {tenant}"
slug = "{tenant}"
tier = "FREE"
admin_email = "a@b.example"

[[resource]]
kind = "kubernetes.manifest"
name = "way-space"
[resource.attributes]
cluster = "any"
manifest = {{ apiVersion = "v1", kind = "Namespace", metadata = {{ name = "{tenant}" }} }}

[[resource]]
kind = "kubernetes.manifest"
name = "way-settings"
depends_on = ["kubernetes.manifest/way-space"]
[resource.attributes]
cluster = "any"
[resource.attributes.manifest]
apiVersion = "v1"
kind = "ConfigMap"
metadata = {{ name = "by-matih", namespace = "{tenant}" }}
data = {{ text = "{text}" }}

[[resource]]
kind = "helm.release"
name = "way-web"
depends_on = ["kubernetes.manifest/way-space"]
[resource.attributes]
cluster = "any"
namespace = "{tenant}"
release = "web"
chart = {{ repository = "{repository}", name = "way", version = "1.0.0"{pinned} }}
values = {{ text = "{text}" }}
wait = true
timeout_seconds = 60
status = "deployed"
"#
        )
    }
}
