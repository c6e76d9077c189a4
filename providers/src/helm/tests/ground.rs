//! A namespace of the cluster of `MATIH_TEST_KUBECONFIG`, and somebody else's helm.
//!
//! Without a cluster or without helm a test says so and does nothing; where
//! `MATIH_TEST_CLUSTER_REQUIRED` is `1`, it fails instead.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::Method;
use matih_model::Attributes;
use serde_json::{Value as Json, json};

use super::super::binary::Binary;
use super::super::provider::HelmProvider;
use super::super::settings::HelmSettings;
use crate::kubernetes::{Ask, Cluster, ClusterSettings, Kubernetes, KubernetesSettings};

/// The name of the cluster as a target.
pub(super) const TARGET: &str = "test";

/// A chart that is there at once: a ConfigMap and a Service.
const CHART: &[(&str, &str)] = &[
    (
        "Chart.yaml",
        "apiVersion: v2\nname: sample\nversion: 1.0.0\nappVersion: \"7\"\n",
    ),
    (
        "templates/all.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: {{ .Release.Name }} }\n\
         data: { text: {{ .Values.text | quote }}, number: {{ .Values.number | quote }} }\n---\n\
         apiVersion: v1\nkind: Service\nmetadata: { name: {{ .Release.Name }} }\n\
         spec: { type: {{ .Values.type | default \"ClusterIP\" }}, ports: [{ name: http, port: 80 }] }\n",
    ),
];

/// A namespace of a real cluster.
pub(super) struct Ground {
    pub(super) provider: Arc<HelmProvider>,
    pub(super) cluster: Arc<Cluster>,
    pub(super) namespace: String,
    /// Unlike any other ground's.
    pub(super) word: String,
    pub(super) folder: tempfile::TempDir,
    helm: PathBuf,
    kubeconfig: PathBuf,
}

impl Ground {
    /// `None`: there is no cluster or no helm, which has been said.
    pub(super) async fn new(name: &str) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let named = std::env::var_os("MATIH_HELM").map(PathBuf::from);
        let helm = Binary::find(named.as_deref()).await;
        let kubeconfig = std::env::var_os("MATIH_TEST_KUBECONFIG");
        let (Ok(helm), Some(kubeconfig)) = (helm, kubeconfig) else {
            let what = "it needs helm, and a cluster that MATIH_TEST_KUBECONFIG names";
            let required = std::env::var("MATIH_TEST_CLUSTER_REQUIRED").is_ok_and(|it| it == "1");
            assert!(!required, "{name}: {what}");
            eprintln!("SKIPPED {name}: {what}");
            return None;
        };
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let word = format!("{}-{number}", std::process::id());
        let kubeconfig = PathBuf::from(kubeconfig);
        let cluster = ClusterSettings {
            kubeconfig: Some(kubeconfig.clone()),
            default: true,
            ..ClusterSettings::default()
        };
        let kubernetes = Kubernetes::new(KubernetesSettings {
            concurrency: 16,
            force_conflicts: false,
            timeout: Duration::from_secs(20),
            clusters: BTreeMap::from([(TARGET.to_owned(), cluster)]),
        });
        let kubernetes = kubernetes.unwrap();
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in CHART {
            let path = folder.path().join("charts/sample").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let settings = HelmSettings {
            binary: Some(helm.path.clone()),
            registries: None,
            environment: Vec::new(),
            parallel: 8,
            history: 5,
            folder: folder.path().join("helm"),
            base: folder.path().to_owned(),
            embedded: Vec::new(),
        };
        let cluster = kubernetes.cluster(TARGET).await.unwrap();
        let ground = Self {
            provider: HelmProvider::new(settings, kubernetes).unwrap(),
            cluster,
            namespace: format!("helm-{name}-{word}"),
            word,
            folder,
            helm: helm.path,
            kubeconfig,
        };
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": ground.namespace}});
        ground
            .send(Method::POST, "/api/v1/namespaces", &namespace)
            .await;
        Some(ground)
    }

    /// Somebody else's request, which must succeed.
    pub(super) async fn send(&self, method: Method, path: &str, body: &Json) {
        let ask = Ask {
            method,
            path: path.to_owned(),
            body: Some(body.to_string().into_bytes()),
            form: "application/json",
        };
        let until = tokio::time::Instant::now() + Duration::from_secs(20);
        self.cluster.wire.send(ask, until).await.unwrap();
    }

    /// The attributes of a release of the sample chart.
    pub(super) fn attributes(&self, release: &str, values: &Json) -> Attributes {
        let attributes = json!({
            "cluster": TARGET, "namespace": self.namespace, "release": release,
            "chart": { "repository": "charts", "name": "sample", "version": "1.0.0" },
            "values": values, "wait": true, "timeout_seconds": 40, "status": "deployed",
        });
        serde_json::from_value(attributes).unwrap()
    }

    /// Somebody else's helm, which must succeed.
    pub(super) fn helm(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "helm {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same, not run yet.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.helm);
        command
            .args(arguments)
            .args(["--namespace", &self.namespace, "--kubeconfig"])
            .arg(&self.kubeconfig)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path());
        command
    }

    /// Where the sample chart is.
    pub(super) fn chart(&self) -> PathBuf {
        Path::new("charts/sample").to_owned()
    }

    /// Takes the namespace away, and does not wait.
    pub(super) async fn clear(self) {
        let path = format!("/api/v1/namespaces/{}", self.namespace);
        self.send(Method::DELETE, &path, &json!({})).await;
    }
}
