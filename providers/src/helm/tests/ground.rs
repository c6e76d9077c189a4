//! A namespace of the cluster of `MATIH_TEST_KUBECONFIG`, and somebody else's helm.
//!
//! Without a cluster or without helm a test says so and does nothing; where
//! `MATIH_TEST_CLUSTER_REQUIRED` is `1`, it fails instead.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use matih_model::{
    Abandoned, Applied, Attributes, Call, Crossing, Observed, OwnerMark, Point, Provider,
    ProviderError, ReadRequest, Reading, RunId, SecretError, SecretRef, SecretSource, SecretValue,
    Telling, Version,
};
use rustix::process::Pid;
use serde_json::{Value as Json, json};

use super::super::binary::Binary;
use super::super::provider::HelmProvider;
use super::super::settings::HelmSettings;
use super::super::view::history;
use crate::kubernetes::{Ask, Cluster, ClusterSettings, Kubernetes, KubernetesSettings};

/// The name of the cluster as a target.
pub(super) const TARGET: &str = "test";

/// A chart that is there at once: a ConfigMap and a Service; and pods, if any are asked for, that
/// behave as the test cluster is told.
pub(super) const CHART: &[(&str, &str)] = &[
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
    (
        "templates/pods.yaml",
        "{{- with .Values.pods }}\napiVersion: apps/v1\nkind: Deployment\n\
         metadata: { name: {{ $.Release.Name }}, labels: &l { app.kubernetes.io/instance: {{ $.Release.Name }} } }\n\
         spec:\n  selector: { matchLabels: *l }\n  template:\n    metadata:\n      labels: *l\n\
         \x20     annotations: { test.matih.ai/behaviour: {{ .behaviour | quote }}, test.matih.ai/delay: {{ .delay | default \"0s\" | quote }} }\n\
         \x20   spec: { containers: [{ name: c, image: pause, resources: { requests: { cpu: {{ .cpu | default \"1m\" | quote }} } } }] }\n\
         {{- end }}\n",
    ),
];

/// A namespace of a real cluster.
pub(super) struct Ground {
    pub(super) provider: Arc<HelmProvider>,
    /// The same cluster, in the hands of another process.
    pub(super) stranger: Arc<HelmProvider>,
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
        Self::with(name, true).await
    }

    /// The same, where fields of others may be taken over or not.
    pub(super) async fn with(name: &str, force: bool) -> Option<Self> {
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
        let clusters = KubernetesSettings {
            concurrency: 16,
            force_conflicts: false,
            timeout: Duration::from_secs(20),
            clusters: BTreeMap::from([(TARGET.to_owned(), cluster)]),
        };
        let kubernetes = Kubernetes::new(clusters.clone()).unwrap();
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
            force_conflicts: force,
            parallel: 8,
            history: 5,
            folder: folder.path().join("helm"),
            base: folder.path().to_owned(),
            embedded: Vec::new(),
        };
        let cluster = kubernetes.cluster(TARGET).await.unwrap();
        let others = Kubernetes::new(clusters).unwrap();
        let ground = Self {
            stranger: HelmProvider::new(settings.clone(), others).unwrap(),
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
        self.send_as(method, path, "application/json", body).await;
    }

    /// The same with a body of another form.
    pub(super) async fn send_as(
        &self,
        method: Method,
        path: &str,
        form: &'static str,
        body: &Json,
    ) {
        let ask = Ask {
            method,
            path: path.to_owned(),
            body: Some(body.to_string().into_bytes()),
            form,
            accept: "application/json",
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

    /// A call about the release of acme's resource of the same name.
    pub(super) fn hand(&self, release: &str) -> Hand<'_> {
        Hand {
            ground: self,
            release: release.to_owned(),
            owner: OwnerMark {
                installation: format!("test-{}", self.word),
                address: format!("acme/helm.release/{release}").parse().unwrap(),
                generation: 1,
                run: RunId::new("run-1"),
            },
            noted: Mutex::default(),
            waited: Mutex::default(),
        }
    }

    /// The status and number of each revision, newest first.
    pub(super) async fn revisions(&self, release: &str) -> Vec<(String, u64)> {
        let found = history(&self.cluster, &self.namespace, release)
            .await
            .unwrap();
        found.into_iter().map(|it| (it.status, it.number)).collect()
    }

    /// Waits until something is so.
    pub(super) async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let found = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(60), found).await;
        found.unwrap_or_else(|_| panic!("it never was: {what}"))
    }

    /// The helm that is at work on a release.
    pub(super) async fn child(&self, release: &str) -> Pid {
        self.until("a helm at work", async || {
            let processes = std::fs::read_dir("/proc").unwrap().flatten();
            processes.into_iter().find_map(|process| {
                let id = process.file_name().to_str()?.parse().ok()?;
                let line = std::fs::read(process.path().join("cmdline")).ok()?;
                let mut words = line.split(|byte| *byte == 0);
                let program = Path::new(std::str::from_utf8(words.next()?).ok()?);
                let ours = program == self.helm && words.any(|word| word == release.as_bytes());
                ours.then(|| Pid::from_raw(id)).flatten()
            })
        })
        .await
    }

    /// Takes the namespace away, and does not wait.
    pub(super) async fn clear(self) {
        let path = format!("/api/v1/namespaces/{}", self.namespace);
        self.send(Method::DELETE, &path, &json!({})).await;
    }
}

/// Calls about one release.
pub(super) struct Hand<'g> {
    ground: &'g Ground,
    release: String,
    pub(super) owner: OwnerMark,
    /// What the calls did beside what they were asked for.
    pub(super) noted: Mutex<Vec<String>>,
    /// What the calls waited for.
    pub(super) waited: Mutex<Vec<String>>,
}

impl Hand<'_> {
    pub(super) async fn create(
        &self,
        values: &Json,
        timeout: Duration,
    ) -> Result<Applied, ProviderError> {
        let attributes = self.ground.attributes(&self.release, values);
        self.create_as(&attributes, timeout).await
    }

    pub(super) async fn create_as(
        &self,
        attributes: &Attributes,
        timeout: Duration,
    ) -> Result<Applied, ProviderError> {
        self.ground
            .provider
            .create(&self.call(attributes, timeout))
            .await
    }

    pub(super) async fn update(
        &self,
        made: &Applied,
        values: &Json,
        expects: Option<&Version>,
    ) -> Result<Applied, ProviderError> {
        let attributes = self.ground.attributes(&self.release, values);
        let call = Call {
            remote_id: Some(&made.remote_id),
            expects,
            ..self.call(&attributes, Duration::from_secs(60))
        };
        self.ground.provider.update(&call).await
    }

    pub(super) async fn delete(&self, values: &Json) -> Result<(), ProviderError> {
        let attributes = self.ground.attributes(&self.release, values);
        let call = self.call(&attributes, Duration::from_secs(60));
        self.ground.provider.delete(&call).await
    }

    /// The release as a question about it is answered, asked with these values.
    pub(super) async fn observe(&self, made: &Applied, values: &Json) -> Observed {
        let attributes = self.ground.attributes(&self.release, values);
        match self.ask(made, &attributes, None).await {
            Reading::Present(observed) => *observed,
            other => panic!("{other:?}"),
        }
    }

    /// The answer to somebody who knows what was made.
    pub(super) async fn read(&self, made: &Applied, attributes: &Attributes) -> Reading {
        self.ask(made, attributes, Some(&made.version)).await
    }

    async fn ask(
        &self,
        made: &Applied,
        attributes: &Attributes,
        version: Option<&Version>,
    ) -> Reading {
        let request = ReadRequest {
            address: &self.owner.address,
            remote_id: Some(&made.remote_id),
            attributes,
            version,
        };
        let mut readings = self.ground.provider.read(&[request]).await.unwrap();
        readings.pop().unwrap()
    }

    fn call<'a>(&'a self, attributes: &'a Attributes, timeout: Duration) -> Call<'a> {
        Call {
            owner: &self.owner,
            attributes,
            before: None,
            remote_id: None,
            expects: None,
            timeout,
            secrets: &Plain,
            crossing: self,
        }
    }
}

impl Crossing for Hand<'_> {
    fn cross(&self, _: Point) -> Result<(), Abandoned> {
        Ok(())
    }

    fn tell(&self, what: Telling<'_>) {
        let (list, text) = match what {
            Telling::Done(text) => (&self.noted, text),
            Telling::Waiting(text) => (&self.waited, text),
        };
        list.lock().unwrap().push(text.to_owned());
    }
}

/// Every secret is the same.
struct Plain;

/// What every secret is.
pub(super) const SECRET: &str = "hunter2-in-the-clear";

impl SecretSource for Plain {
    fn reveal(&self, _: &SecretRef) -> Result<SecretValue, SecretError> {
        Ok(SecretValue::new(SECRET.to_owned()))
    }
}
