//! A real cluster to stand on: that of `MATIH_TEST_KUBECONFIG`.
//!
//! Without one its tests say so and do nothing; where `MATIH_TEST_CLUSTER_REQUIRED` is `1`, they
//! fail instead. Every test has a namespace and an installation of its own, so that many may use
//! one cluster at once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use matih_model::{
    Abandoned, Applied, Attributes, Call, Crossing, OwnerMark, Point, Provider, ProviderError,
    ReadRequest, Reading, RemoteId, RunId, SecretError, SecretRef, SecretSource, SecretValue,
    Telling, Version,
};
use serde_json::{Value as Json, json};

use super::super::cluster::Cluster;
use super::super::provider::Kubernetes;
use super::super::settings::{ClusterSettings, KubernetesSettings};
use super::super::wire::{Ask, JSON};

/// The ground of a test, or its end where there is no cluster.
macro_rules! ground {
    ($name:literal, $force:literal) => {
        match $crate::kubernetes::tests::ground::Ground::new($name, $force).await {
            Some(ground) => ground,
            None => return,
        }
    };
}

pub(super) use ground;

/// The name of the cluster as a target.
pub(super) const TARGET: &str = "test";

/// The simplest of manifests.
pub(super) fn config_map(name: &str, data: Json) -> Json {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

/// A namespace of a real cluster.
pub(super) struct Ground {
    pub(super) provider: Arc<Kubernetes>,
    /// The same cluster, in the hands of another process.
    pub(super) stranger: Arc<Kubernetes>,
    pub(super) cluster: Arc<Cluster>,
    pub(super) namespace: String,
    /// Unlike any other ground's.
    pub(super) installation: String,
}

impl Ground {
    /// `None`: there is no cluster, which has been said.
    pub(super) async fn new(name: &str, force: bool) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let Some(path) = std::env::var_os("MATIH_TEST_KUBECONFIG") else {
            let required = std::env::var("MATIH_TEST_CLUSTER_REQUIRED").is_ok_and(|it| it == "1");
            assert!(
                !required,
                "a cluster is required, and MATIH_TEST_KUBECONFIG names none"
            );
            eprintln!("SKIPPED {name}: it needs a cluster, and MATIH_TEST_KUBECONFIG names none");
            return None;
        };
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let unique = format!("{}-{number}", std::process::id());
        let settings = KubernetesSettings {
            concurrency: 16,
            force_conflicts: force,
            timeout: Duration::from_secs(20),
            clusters: BTreeMap::from([(
                TARGET.to_owned(),
                ClusterSettings {
                    kubeconfig: Some(PathBuf::from(path)),
                    default: true,
                    ..ClusterSettings::default()
                },
            )]),
        };
        let provider = Kubernetes::new(settings.clone()).unwrap();
        let cluster = provider.cluster(TARGET).await.unwrap();
        let ground = Self {
            provider,
            stranger: Kubernetes::new(settings).unwrap(),
            cluster,
            namespace: format!("kube-{name}-{unique}"),
            installation: format!("test-{unique}"),
        };
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": ground.namespace}});
        ground
            .send(Method::POST, "/api/v1/namespaces", JSON, &namespace)
            .await;
        Some(ground)
    }

    /// Somebody else's request, which must succeed.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        form: &'static str,
        body: &Json,
    ) -> Json {
        let ask = Ask {
            method,
            path: path.to_owned(),
            body: Some(body.to_string().into_bytes()),
            form,
            accept: JSON,
        };
        self.cluster
            .wire
            .send(ask, self.cluster.wire.soon())
            .await
            .unwrap()
            .json
    }

    /// Merges something into an object, as somebody else.
    pub(super) async fn patch(&self, path: &str, patch: &Json) -> Json {
        let path = format!("{path}?fieldManager=stranger");
        self.send(Method::PATCH, &path, "application/merge-patch+json", patch)
            .await
    }

    /// An object as it is.
    pub(super) async fn get(&self, path: &str) -> Json {
        self.cluster.wire.look(path).await.unwrap()
    }

    /// The path of an object of the core in the namespace.
    pub(super) fn path(&self, plural: &str, name: &str) -> String {
        format!("/api/v1/namespaces/{}/{plural}/{name}", self.namespace)
    }

    /// The attributes of an object in the namespace.
    pub(super) fn attributes(&self, mut manifest: Json) -> Attributes {
        manifest["metadata"]["namespace"] = json!(self.namespace);
        let attributes = json!({"cluster": TARGET, "manifest": manifest});
        serde_json::from_value(attributes).unwrap()
    }

    /// Takes the namespace away, and does not wait.
    pub(super) async fn clear(self) {
        let path = format!("/api/v1/namespaces/{}", self.namespace);
        self.send(Method::DELETE, &path, JSON, &json!({})).await;
    }

    /// The hand of tenant acme.
    pub(super) fn hand(&self, name: &str) -> Hand<'_> {
        Hand {
            ground: self,
            owner: OwnerMark {
                installation: self.installation.clone(),
                address: format!("acme/kubernetes.manifest/{name}").parse().unwrap(),
                generation: 1,
                run: RunId::new("run-1"),
            },
            timeout: Duration::from_secs(30),
            waited: Mutex::default(),
        }
    }
}

/// Calls about one address.
pub(super) struct Hand<'g> {
    pub(super) ground: &'g Ground,
    pub(super) owner: OwnerMark,
    pub(super) timeout: Duration,
    /// What it was told to wait for.
    pub(super) waited: Mutex<Vec<String>>,
}

impl Hand<'_> {
    fn call<'a>(&'a self, attributes: &'a Attributes, id: Option<&'a RemoteId>) -> Call<'a> {
        Call {
            owner: &self.owner,
            attributes,
            before: None,
            remote_id: id,
            expects: None,
            timeout: self.timeout,
            secrets: &Plain,
            crossing: self,
        }
    }

    pub(super) async fn create(&self, attributes: &Attributes) -> Result<Applied, ProviderError> {
        self.ground
            .provider
            .create(&self.call(attributes, None))
            .await
    }

    pub(super) async fn update(
        &self,
        made: &Applied,
        before: &Attributes,
        attributes: &Attributes,
        expects: Option<&Version>,
    ) -> Result<Applied, ProviderError> {
        let call = Call {
            before: Some(before),
            expects,
            ..self.call(attributes, Some(&made.remote_id))
        };
        self.ground.provider.update(&call).await
    }

    pub(super) async fn delete(
        &self,
        made: &Applied,
        attributes: &Attributes,
    ) -> Result<(), ProviderError> {
        let call = self.call(attributes, Some(&made.remote_id));
        self.ground.provider.delete(&call).await
    }

    pub(super) async fn read(
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
}

impl Crossing for Hand<'_> {
    fn cross(&self, _: Point) -> Result<(), Abandoned> {
        Ok(())
    }

    fn tell(&self, what: Telling<'_>) {
        if let Telling::Waiting(text) = what {
            self.waited.lock().unwrap().push(text.to_owned());
        }
    }
}

/// Secrets that are all one word, and an onlooker who never stops anything.
pub(super) struct Plain;

impl SecretSource for Plain {
    fn reveal(&self, _: &SecretRef) -> Result<SecretValue, SecretError> {
        Ok(SecretValue::new("hush".to_owned()))
    }
}

impl Crossing for Plain {
    fn cross(&self, _: Point) -> Result<(), Abandoned> {
        Ok(())
    }
}
