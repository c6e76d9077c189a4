//! The contract of every provider, on a real server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use matih_model::{
    Address, Applied, Call, CheckReport, Found, Kind, KindSchema, Marked, Name, OwnerMark,
    Provider, ProviderFuture, ReadRequest, Reading, Rehearsal, Rehearse, RemoteId, TenantId, Value,
};
use serde_json::{Value as Json, json};

use super::super::place::{Gvk, Place, collection};
use super::super::provider::Kubernetes;
use super::ground::Ground;
use crate::contract::{self, Bench, Sample};

/// The provider with installations and addresses of this bench's own: the suite speaks of `here`,
/// `there` and `sample`, and expects to see nobody else's objects.
struct Own {
    ground: Arc<Ground>,
    number: u32,
}

impl Own {
    fn theirs(&self, installation: &str) -> String {
        format!(
            "{installation}-{}-{}",
            self.ground.installation, self.number
        )
    }

    fn address(&self, address: &Address) -> Address {
        let name = format!("{}-{}", address.name, self.theirs(""));
        Address {
            name: Name::new(name).unwrap(),
            ..address.clone()
        }
    }

    fn plain(&self, address: &Address) -> Name {
        let end = format!("-{}", self.theirs(""));
        let name = address.name.as_str();
        Name::new(name.strip_suffix(&end).unwrap_or(name)).unwrap()
    }

    fn owner(&self, owner: &OwnerMark) -> OwnerMark {
        OwnerMark {
            installation: self.theirs(&owner.installation),
            address: self.address(&owner.address),
            ..owner.clone()
        }
    }

    async fn with<T>(
        &self,
        call: &Call<'_>,
        act: for<'c> fn(&'c Kubernetes, &'c Call<'c>) -> ProviderFuture<'c, T>,
    ) -> Result<T, matih_model::ProviderError> {
        let owner = self.owner(call.owner);
        let call = Call {
            owner: &owner,
            ..*call
        };
        act(&self.ground.provider, &call).await
    }
}

impl Provider for Own {
    fn name(&self) -> &str {
        self.ground.provider.name()
    }

    fn kinds(&self) -> Vec<KindSchema> {
        self.ground.provider.kinds()
    }

    fn read<'a>(&'a self, requests: &'a [ReadRequest<'a>]) -> ProviderFuture<'a, Vec<Reading>> {
        Box::pin(async move {
            let addresses = requests.iter().map(|it| self.address(it.address));
            let addresses: Vec<Address> = addresses.collect();
            let requests = requests.iter().zip(&addresses);
            let requests = requests.map(|(it, address)| ReadRequest { address, ..*it });
            let requests: Vec<_> = requests.collect();
            let mut readings = self.ground.provider.read(&requests).await?;
            readings.iter_mut().for_each(quiet);
            Ok(readings)
        })
    }

    fn list<'a>(
        &'a self,
        installation: &'a str,
        tenant: &'a TenantId,
    ) -> ProviderFuture<'a, Vec<Found>> {
        Box::pin(async move {
            let theirs = self.theirs(installation);
            let mut found = self.ground.provider.list(&theirs, tenant).await?;
            for found in &mut found {
                installation.clone_into(&mut found.owner.installation);
                found.owner.address.name = self.plain(&found.owner.address);
            }
            Ok(found)
        })
    }

    fn marks<'a>(
        &'a self,
        installation: &'a str,
        tenants: &'a [TenantId],
    ) -> ProviderFuture<'a, Vec<Marked>> {
        Box::pin(async move {
            let theirs = self.theirs(installation);
            let mut marked = self.ground.provider.marks(&theirs, tenants).await?;
            for marked in &mut marked {
                installation.clone_into(&mut marked.owner.installation);
                marked.owner.address.name = self.plain(&marked.owner.address);
            }
            Ok(marked)
        })
    }

    fn rehearse<'a>(&'a self, requests: &'a [Rehearse<'a>]) -> ProviderFuture<'a, Vec<Rehearsal>> {
        Box::pin(async move {
            let owners = requests.iter().map(|it| self.owner(it.owner));
            let owners: Vec<OwnerMark> = owners.collect();
            let requests = requests.iter().zip(&owners);
            let requests = requests.map(|(it, owner)| Rehearse { owner, ..*it });
            let requests: Vec<_> = requests.collect();
            self.ground.provider.rehearse(&requests).await
        })
    }

    fn create<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, Applied> {
        Box::pin(self.with(call, |it, call| it.create(call)))
    }

    fn update<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, Applied> {
        Box::pin(self.with(call, |it, call| it.update(call)))
    }

    fn delete<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, ()> {
        Box::pin(self.with(call, |it, call| it.delete(call)))
    }

    fn check<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, CheckReport> {
        self.ground.provider.check(call)
    }
}

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
    own: Arc<Own>,
    play: Arc<Play>,
}

impl KubernetesBench {
    fn patch(&self, id: &RemoteId, patch: &Json) {
        let place = Place::parse(id).unwrap();
        let version = self.play.first["apiVersion"].as_str().unwrap();
        let all = collection(
            &Gvk::new(version, &place.kind),
            self.play.plural,
            &place.namespace,
        );
        let path = format!("{all}/{}", place.name);
        let ground = self.own.ground.clone();
        let patched = async move { ground.patch(&path, patch).await };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(patched));
    }
}

impl Bench for KubernetesBench {
    fn provider(&self) -> Arc<dyn Provider> {
        self.own.clone()
    }

    fn sample(&self) -> Sample {
        let form = |form: &Json| {
            let mut form = form.clone();
            form["metadata"]["name"] = json!(format!("sample-{}", self.own.number));
            self.own.ground.attributes(form)
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
        own: Arc::new(Own {
            ground: ground.clone(),
            number: COUNT.fetch_add(1, Ordering::Relaxed),
        }),
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
