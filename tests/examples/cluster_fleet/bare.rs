//! The least that anybody must ask of the server: the same objects by parallel server-side
//! applies, and lists of their kinds in pages, with the `kube` crate that matih uses too.

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::Failed;
use crate::objects::{KINDS, PARTS, objects};

/// Requests at once: as matih's `concurrency` and `--parallelism`.
pub(crate) const WORKERS: usize = 16;
/// Objects of a page, as everybody asks for them (kubectl's `--chunk-size`).
const PAGE: u32 = 500;

/// A client of the cluster and nothing around it.
pub(crate) struct Bare {
    client: Client,
    runtime: Runtime,
}

/// What lists came to.
pub(crate) struct Lists {
    pub(crate) wall: Duration,
    pub(crate) pages: usize,
    pub(crate) seen: usize,
}

impl Bare {
    pub(crate) fn new(kubeconfig: &Path) -> Result<Self, Failed> {
        // An error says that somebody has installed it.
        let _there = rustls::crypto::ring::default_provider().install_default();
        let runtime = Runtime::new()?;
        let client = runtime.block_on(async {
            let options = KubeConfigOptions::default();
            let config = Kubeconfig::read_from(kubeconfig)?;
            let config = Config::from_custom_kubeconfig(config, &options).await?;
            Ok::<_, Failed>(Client::try_from(config)?)
        })?;
        Ok(Self { client, runtime })
    }

    fn api(&self, object: &Value) -> Api<DynamicObject> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let version = text(&object["apiVersion"]);
        let (group, version) = version.split_once('/').unwrap_or(("", &version));
        let gvk = GroupVersionKind::gvk(group, version, &text(&object["kind"]));
        let resource = ApiResource::from_gvk(&gvk);
        match object["metadata"]["namespace"].as_str() {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }

    /// Makes the objects of all tenants.
    pub(crate) fn apply(&self, tenants: &[String]) -> Result<Duration, Failed> {
        let all: Vec<Vec<Value>> = tenants.iter().map(|it| objects(it)).collect();
        let begun = Instant::now();
        self.runtime.block_on(async {
            for part in PARTS {
                let objects = all.iter().flat_map(|tenant| &tenant[part.clone()]);
                let calls = objects.map(|object| async move {
                    let name = object["metadata"]["name"].as_str().unwrap_or_default();
                    let how = PatchParams::apply("bare");
                    let api = self.api(object);
                    api.patch(name, &how, &Patch::Apply(object)).await
                });
                let mut calls = stream::iter(calls).buffer_unordered(WORKERS);
                while let Some(done) = calls.next().await {
                    done?;
                }
            }
            Ok(begun.elapsed())
        })
    }

    /// Lists all kinds of the fleet, side by side.
    pub(crate) fn lists(&self) -> Result<Lists, Failed> {
        let begun = Instant::now();
        let kinds = objects("any");
        let lists = KINDS.map(|kind| {
            let mut object = kinds[kind].clone();
            object["metadata"] = json!({});
            async move {
                let api = self.api(&object);
                let mut how = ListParams::default().labels("matih.ai/tenant").limit(PAGE);
                let (mut pages, mut seen) = (0, 0);
                loop {
                    let page = api.list(&how).await?;
                    (pages, seen) = (pages + 1, seen + page.items.len());
                    match page.metadata.continue_ {
                        Some(next) if !next.is_empty() => how = how.continue_token(&next),
                        _ => return Ok::<_, kube::Error>((pages, seen)),
                    }
                }
            }
        });
        let (mut pages, mut seen) = (0, 0);
        let all = self.runtime.block_on(futures_util::future::join_all(lists));
        for one in all {
            let one = one?;
            (pages, seen) = (pages + one.0, seen + one.1);
        }
        let wall = begun.elapsed();
        Ok(Lists { wall, pages, seen })
    }
}
