//! The simulated cloud under the contract's suite, and in what it adds to it.

use matih_model::{Attributes, Kind, Provider, RemoteId};

use super::*;
use crate::contract::{Bench, CASES, Sample, prove};

fn tree(json: &str) -> Attributes {
    serde_json::from_str(json).unwrap()
}

/// One world and one kind to try in it.
struct OnBench {
    provider: std::sync::Arc<Simulated>,
    sample: Sample,
    /// A path of the server's own, and one that the sample sets.
    paths: [&'static str; 2],
}

impl Bench for OnBench {
    fn provider(&self) -> std::sync::Arc<dyn Provider> {
        self.provider.clone()
    }

    fn sample(&self) -> Sample {
        self.sample.clone()
    }

    fn stir(&self, remote_id: &RemoteId) {
        let path = self.paths[0].parse().unwrap();
        let sandbox = self.provider.sandbox();
        sandbox
            .edit(remote_id.as_str(), &path, Some("stirred".into()))
            .unwrap();
    }

    fn tamper(&self, remote_id: &RemoteId) {
        let path = self.paths[1].parse().unwrap();
        let sandbox = self.provider.sandbox();
        sandbox
            .edit(remote_id.as_str(), &path, Some("tampered".into()))
            .unwrap();
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
    let manifest = |hard: &str| {
        format!(
            r#"{{"cluster":"shared","manifest":{{"apiVersion":"v1","kind":"ResourceQuota",
            "metadata":{{"name":"tenant-quota","namespace":"tenant-acme"}},"spec":{{"hard":{hard}}}}}}}"#
        )
    };
    let (first, second) = (r#"{"pods":"20"}"#, r#"{"pods":"30"}"#);
    let paths = ["manifest.status.used", "manifest.spec.hard.pods"];
    bench(
        "kubernetes.manifest",
        &manifest(first),
        &manifest(second),
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
    let (first, second) = (
        r#"{"name":"acme.matih.ai"}"#,
        r#"{"name":"acme.matih.ai","comment":"x"}"#,
    );
    bench("dns.zone", first, second, ["soa", "name"])
}

#[tokio::test]
async fn it_keeps_the_contract() {
    assert!(CASES.len() > 30);
    for kind in [manifest, release, zone] {
        assert_eq!(prove(kind).await, [], "{}", kind().sample.kind);
    }
}
