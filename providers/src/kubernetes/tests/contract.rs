//! The contract of every provider, on a real server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use matih_model::{Kind, Provider, Reading, RemoteId, Value};
use serde_json::{Value as Json, json};

use super::super::place::{Gvk, Place, collection};
use super::super::provider::Kubernetes;
use super::ground::Ground;
use crate::contract::{self, Bench, Own, Sample};

/// Takes out what controllers write while the suite looks twice.
fn quiet(reading: &mut Reading) {
    let Reading::Present(observed) = reading else {
        return;
    };
    observed.outputs.insert("resource_version", "moves");
    if let Some(Value::Map(manifest)) = observed.attributes.get_mut("manifest") {
        manifest.remove("status");
        if let Some(Value::Map(metadata)) = manifest.get_mut("metadata") {
            metadata.remove("resourceVersion");
        }
    }
}

/// One kind of object to play with: its plural, and two forms of it.
struct Play {
    plural: &'static str,
    first: Json,
    second: Json,
    tampered: Json,
}

struct KubernetesBench {
    ground: Arc<Ground>,
    number: u32,
    play: Arc<Play>,
}

impl KubernetesBench {
    fn own(&self, provider: Arc<Kubernetes>) -> Arc<dyn Provider> {
        let word = format!("{}-{}", self.ground.installation, self.number);
        Arc::new(Own::new(provider, word).with_quiet(quiet))
    }

    fn patch(&self, id: &RemoteId, patch: &Json) {
        let place = Place::parse(id).unwrap();
        let version = self.play.first["apiVersion"].as_str().unwrap();
        let all = collection(
            &Gvk::new(version, &place.kind),
            self.play.plural,
            &place.namespace,
        );
        let path = format!("{all}/{}", place.name);
        let ground = self.ground.clone();
        let patched = async move { ground.patch(&path, patch).await };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(patched));
    }
}

impl Bench for KubernetesBench {
    fn provider(&self) -> Arc<dyn Provider> {
        self.own(self.ground.provider.clone())
    }

    fn stranger(&self) -> Arc<dyn Provider> {
        self.own(self.ground.stranger.clone())
    }

    fn sample(&self) -> Sample {
        let form = |form: &Json| {
            let mut form = form.clone();
            form["metadata"]["name"] = json!(format!("sample-{}", self.number));
            self.ground.attributes(form)
        };
        Sample {
            kind: Kind::new("kubernetes.manifest").unwrap(),
            first: form(&self.play.first),
            second: form(&self.play.second),
        }
    }

    fn stir(&self, remote_id: &RemoteId) {
        self.patch(
            remote_id,
            &json!({"metadata": {"annotations": {"stranger": "was here"}}}),
        );
    }

    fn tamper(&self, remote_id: &RemoteId) {
        self.patch(remote_id, &self.play.tampered);
    }
}

async fn proves(name: &str, play: Play) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let Some(ground) = Ground::new(name, true).await else {
        return;
    };
    let (ground, play) = (Arc::new(ground), Arc::new(play));
    let broken = contract::prove(|| KubernetesBench {
        ground: ground.clone(),
        number: COUNT.fetch_add(1, Ordering::Relaxed),
        play: play.clone(),
    })
    .await;
    if let Ok(ground) = Arc::try_unwrap(ground) {
        ground.clear().await;
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_map_keeps_the_contract() {
    let form = |a: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"labels": {"x": "y"}}, "data": {"a": a, "b": "2"}});
    let play = Play {
        plural: "configmaps",
        first: form("1"),
        second: form("3"),
        tampered: json!({"data": {"a": "tampered"}}),
    };
    proves("config-map", play).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_in_the_servers_spelling_keeps_the_contract() {
    let form = |cpu: &str| {
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {},
        "spec": {"hard": {"requests.cpu": cpu, "limits.memory": "1024Mi", "pods": 10}}})
    };
    let play = Play {
        plural: "resourcequotas",
        first: form("0.5"),
        second: form("1.5"),
        tampered: json!({"spec": {"hard": {"requests.cpu": "7"}}}),
    };
    proves("quota", play).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_with_lists_and_defaults_keeps_the_contract() {
    let form = |port: i64| {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {},
        "spec": {"selector": {"app": "x"}, "ports": [
            {"name": "web", "port": port}, {"name": "admin", "port": 9000, "protocol": "TCP"}]}})
    };
    let play = Play {
        plural: "services",
        first: form(80),
        second: form(81),
        tampered: json!({"spec": {"selector": {"app": "other"}}}),
    };
    proves("service", play).await;
}
