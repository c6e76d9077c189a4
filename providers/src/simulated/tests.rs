//! The simulated cloud under the contract's suite, and in what it adds to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use matih_model::{
    Abandoned, Address, Applied, Attributes, Call, Crossing, ErrorKind, Kind, OwnerMark, Point,
    Provider, ProviderError, ReadRequest, Reading, RemoteId, RunId, SecretError, SecretRef,
    SecretSource, SecretValue, TenantId, Value, Version,
};

use super::*;
use crate::contract::{Bench, CASES, Sample, prove};

mod behaviour;
mod checks;
mod faults;
mod many;

fn tree(json: &str) -> Attributes {
    serde_json::from_str(json).unwrap()
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// A world, and calls to it in the name of one installation.
struct Cloud(Arc<Simulated>);

/// Knows one secret, `env:KNOWN`.
struct Known;

impl SecretSource for Known {
    fn reveal(&self, reference: &SecretRef) -> Result<SecretValue, SecretError> {
        match reference {
            SecretRef::Env(name) if name == "KNOWN" => Ok(SecretValue::new("canary-7f3a".into())),
            SecretRef::Env(name) if name == "EMPTY" => Ok(SecretValue::new(String::new())),
            other => Err(SecretError {
                reference: other.clone(),
                cause: "it is not set".into(),
            }),
        }
    }
}

/// Counts what it crosses.
#[derive(Default)]
struct Count(AtomicU32);

impl Crossing for Count {
    fn cross(&self, _: Point) -> Result<(), Abandoned> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Cloud {
    fn new(options: SimulatedOptions) -> Self {
        Self(Simulated::in_memory(options).unwrap())
    }

    fn plain() -> Self {
        Self::new(SimulatedOptions::default())
    }

    fn owner(at: &str) -> OwnerMark {
        OwnerMark {
            installation: "here".into(),
            address: address(at),
            generation: 1,
            run: RunId::new("run-1"),
        }
    }

    async fn call(
        &self,
        op: CallOp,
        at: &str,
        attributes: &str,
        remote_id: Option<&RemoteId>,
        expects: Option<&Version>,
    ) -> Result<Option<Applied>, ProviderError> {
        let (owner, attributes) = (Self::owner(at), tree(attributes));
        let call = Call {
            owner: &owner,
            attributes: &attributes,
            before: None,
            remote_id,
            expects,
            timeout: Duration::from_secs(30),
            secrets: &Known,
            crossing: &Count::default(),
        };
        match op {
            CallOp::Create => self.0.create(&call).await.map(Some),
            CallOp::Update => self.0.update(&call).await.map(Some),
            CallOp::Delete => self.0.delete(&call).await.map(|()| None),
            other => panic!("no call {other:?}"),
        }
    }

    async fn create(&self, at: &str, attributes: &str) -> Result<Applied, ProviderError> {
        let applied = self.call(CallOp::Create, at, attributes, None, None).await;
        applied.map(Option::unwrap)
    }

    async fn update(&self, made: &Applied, at: &str, to: &str) -> Result<Applied, ProviderError> {
        let id = Some(&made.remote_id);
        let applied = self.call(CallOp::Update, at, to, id, None).await;
        applied.map(Option::unwrap)
    }

    /// An update of what must be as it was made.
    async fn alter(&self, made: &Applied, at: &str, to: &str) -> Result<Applied, ProviderError> {
        let (id, expects) = (Some(&made.remote_id), Some(&made.version));
        let applied = self.call(CallOp::Update, at, to, id, expects).await;
        applied.map(Option::unwrap)
    }

    async fn delete(&self, at: &str) -> Result<(), ProviderError> {
        let done = self.call(CallOp::Delete, at, "{}", None, None).await;
        done.map(|_| ())
    }

    async fn read(&self, at: &str, remote_id: Option<&RemoteId>) -> Reading {
        let (address, attributes) = (address(at), Attributes::new());
        let request = ReadRequest {
            address: &address,
            remote_id,
            attributes: &attributes,
            version: None,
        };
        self.0.read(&[request]).await.unwrap().remove(0)
    }

    async fn list(&self, tenant: &str) -> Vec<String> {
        let tenant = TenantId::new(tenant).unwrap();
        let found = self.0.list("here", &tenant).await.unwrap();
        let names = found
            .iter()
            .map(|it| it.owner.as_ref().unwrap().address.to_string());
        names.collect()
    }

    fn sandbox(&self) -> Sandbox {
        self.0.sandbox()
    }
}

/// One world and one kind to try in it.
struct OnBench {
    provider: Arc<Simulated>,
    sample: Sample,
    /// A path of the server's own, and one that the sample sets.
    paths: [&'static str; 2],
}

impl OnBench {
    fn edit(&self, remote_id: &RemoteId, path: &str) {
        let sandbox = self.provider.sandbox();
        let value = Some(Value::from("by hand"));
        let path = path.parse().unwrap();
        sandbox.edit(remote_id.as_str(), &path, value).unwrap();
    }
}

impl Bench for OnBench {
    fn provider(&self) -> Arc<dyn Provider> {
        self.provider.clone()
    }

    fn stranger(&self) -> Arc<dyn Provider> {
        self.provider.clone()
    }

    fn sample(&self) -> Sample {
        self.sample.clone()
    }

    fn stir(&self, remote_id: &RemoteId) {
        self.edit(remote_id, self.paths[0]);
    }

    fn tamper(&self, remote_id: &RemoteId) {
        self.edit(remote_id, self.paths[1]);
    }
}

fn bench(kind: &str, first: &str, second: &str, paths: [&'static str; 2]) -> OnBench {
    OnBench {
        provider: Simulated::in_memory(SimulatedOptions::default()).unwrap(),
        sample: Sample {
            kind: Kind::new(kind).unwrap(),
            first: tree(first),
            second: tree(second),
        },
        paths,
    }
}

fn manifest() -> OnBench {
    let manifest = |pods: &str| {
        format!(
            r#"{{"cluster":"shared","manifest":{{"apiVersion":"v1","kind":"ResourceQuota",
            "metadata":{{"name":"tenant-quota","namespace":"tenant-acme"}},
            "spec":{{"hard":{{"pods":"{pods}"}}}}}}}}"#
        )
    };
    let paths = ["manifest.status.used", "manifest.spec.hard.pods"];
    bench(
        "kubernetes.manifest",
        &manifest("20"),
        &manifest("30"),
        paths,
    )
}

fn release() -> OnBench {
    let release = |version: &str| {
        format!(
            r#"{{"cluster":"shared","release":"acme-ai","namespace":"tenant-acme",
            "chart":{{"name":"matih-ai-service","version":"{version}"}},"values":{{"replicas":2}}}}"#
        )
    };
    let paths = ["status", "chart.version"];
    bench("helm.release", &release("1.0.0"), &release("1.1.0"), paths)
}

fn zone() -> OnBench {
    let first = r#"{"name":"acme.matih.ai","comment":"a"}"#;
    let second = r#"{"name":"acme.matih.ai","comment":"b"}"#;
    bench("dns.zone", first, second, ["soa", "comment"])
}

#[tokio::test]
async fn it_keeps_the_contract() {
    assert!(CASES.len() > 30);
    for kind in [manifest, release, zone] {
        assert_eq!(prove(kind).await, [], "{}", kind().sample.kind);
    }
}
