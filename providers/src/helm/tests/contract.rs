//! The contract of every provider, with the real Helm on a real cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use matih_model::{Kind, Provider, RemoteId};
use serde_json::json;

use super::ground::Ground;
use crate::contract::{self, Bench, Own, Sample};
use crate::helm::site::Place;

struct HelmBench {
    ground: Arc<Ground>,
    own: Arc<Own>,
    release: String,
}

impl Bench for HelmBench {
    fn provider(&self) -> Arc<dyn Provider> {
        self.own.clone()
    }

    fn stranger(&self) -> Arc<dyn Provider> {
        let word = self.release.trim_start_matches("sample-").to_owned();
        Arc::new(Own::new(self.ground.stranger.clone(), word))
    }

    fn sample(&self) -> Sample {
        let form = |text: &str| {
            let values = json!({ "text": text, "number": 5, "list": ["a", 1], "nothing": null });
            self.ground.attributes(&self.release, &values)
        };
        Sample {
            kind: Kind::new("helm.release").unwrap(),
            first: form("first"),
            second: form("second"),
        }
    }

    fn stir(&self, remote_id: &RemoteId) {
        // The same once more: another revision that holds what it held.
        let release = Place::parse(remote_id).unwrap().release;
        self.ground.helm(&["rollback", &release, "1"]);
    }

    fn tamper(&self, remote_id: &RemoteId) {
        let release = Place::parse(remote_id).unwrap().release;
        let chart = self.ground.chart();
        let chart = chart.to_str().unwrap();
        let set = ["--reuse-values", "--set", "text=tampered"];
        self.ground
            .helm(&[&["upgrade", &release, chart], &set[..]].concat());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_keeps_the_contract() {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let Some(ground) = Ground::new("contract").await else {
        return;
    };
    let ground = Arc::new(ground);
    let broken = contract::prove(|| {
        let word = format!("{}-{}", ground.word, COUNT.fetch_add(1, Ordering::Relaxed));
        HelmBench {
            ground: ground.clone(),
            release: format!("sample-{word}"),
            own: Arc::new(Own::new(ground.provider.clone(), word)),
        }
    })
    .await;
    if let Ok(ground) = Arc::try_unwrap(ground) {
        ground.clear().await;
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
