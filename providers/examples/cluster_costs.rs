//! What the kubernetes provider costs beside bare calls to the same server, in one run.
//!
//!     cargo run --release -p matih-providers --example cluster_costs -- KUBECONFIG [TENANTS]
//!
//! Each tenant has the twelve objects of a namespace, its quota, its limits, policies, accounts
//! and roles. Bare: the same objects by parallel server-side applies, and lists of their kinds.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use matih_model::{
    Abandoned, Applied, Attributes, Call, Crossing, OwnerMark, Point, Provider, ReadRequest,
    Reading, RunId, SecretError, SecretRef, SecretSource, SecretValue, TenantId,
};
use matih_providers::kubernetes::{ClusterSettings, Kubernetes, KubernetesSettings};
use serde_json::{Value, json};

const WORKERS: usize = 16;
const INSTALLATION: &str = "cluster-costs";

struct Nothing;

impl SecretSource for Nothing {
    fn reveal(&self, reference: &SecretRef) -> Result<SecretValue, SecretError> {
        Err(SecretError {
            reference: reference.clone(),
            cause: "there are none".to_owned(),
        })
    }
}

impl Crossing for Nothing {
    fn cross(&self, _: Point) -> Result<(), Abandoned> {
        Ok(())
    }
}

type Failed = Box<dyn std::error::Error>;

/// The objects of one tenant, the namespace first.
fn objects(namespace: &str) -> Vec<Value> {
    let object = |version: &str, kind: &str, name: &str, rest: Value| {
        let mut object = json!({"apiVersion": version, "kind": kind,
            "metadata": {"name": name, "namespace": namespace, "labels": {"matih.ai/tenant": "x"}}});
        for (key, value) in rest.as_object().into_iter().flatten() {
            object[key] = value.clone();
        }
        object
    };
    let policy = |name: &str, kinds: Value| {
        let spec = json!({"spec": {"podSelector": {}, "policyTypes": kinds}});
        object("networking.k8s.io/v1", "NetworkPolicy", name, spec)
    };
    let group = "rbac.authorization.k8s.io/v1";
    let rules =
        json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]});
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
        object(
            "v1",
            "ResourceQuota",
            "quota",
            json!({"spec": {"hard": {"requests.cpu": "0.5", "pods": "20"}}}),
        ),
        object(
            "v1",
            "LimitRange",
            "limits",
            json!({"spec": {"limits": [{"type": "Container", "default": {"cpu": "500m"}}]}}),
        ),
        policy("deny-all", json!(["Ingress", "Egress"])),
        policy("same-namespace", json!(["Ingress"])),
        policy("dns", json!(["Egress"])),
        policy("platform", json!(["Egress"])),
        object("v1", "ServiceAccount", "workload", json!({})),
        object("v1", "ServiceAccount", "agent", json!({})),
        object(
            "v1",
            "ConfigMap",
            "settings",
            json!({"data": {"a": "1", "b": "2"}}),
        ),
        object(group, "Role", "reader", rules.clone()),
        object(group, "Role", "second-reader", rules),
    ]
}

fn api(client: &Client, object: &Value) -> Api<DynamicObject> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (group, version) = text(&object["apiVersion"]).split_once('/').map_or_else(
        || (String::new(), text(&object["apiVersion"])),
        |(a, b)| (a.to_owned(), b.to_owned()),
    );
    let gvk = GroupVersionKind::gvk(&group, &version, &text(&object["kind"]));
    let resource = ApiResource::from_gvk(&gvk);
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

async fn bare(client: &Client, all: &[Vec<Value>]) -> Result<Duration, Failed> {
    let begun = Instant::now();
    // Namespaces first, as the dependencies of a plan have it.
    for part in [0..1, 1..12] {
        let objects = all.iter().flat_map(|tenant| &tenant[part.clone()]);
        let calls = objects.map(|object| async move {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let how = PatchParams::apply("bare");
            api(client, object)
                .patch(name, &how, &Patch::Apply(object))
                .await
        });
        let mut calls = stream::iter(calls).buffer_unordered(WORKERS);
        while let Some(done) = calls.next().await {
            done?;
        }
    }
    Ok(begun.elapsed())
}

async fn clear(client: &Client, all: &[Vec<Value>]) -> Result<(), Failed> {
    for tenant in all {
        let name = tenant[0]["metadata"]["name"].as_str().unwrap_or_default();
        api(client, &tenant[0])
            .delete(name, &Default::default())
            .await?;
    }
    for tenant in all {
        let name = tenant[0]["metadata"]["name"].as_str().unwrap_or_default();
        while api(client, &tenant[0]).get_opt(name).await?.is_some() {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
    Ok(())
}

/// One object as matih has it.
struct Known {
    owner: OwnerMark,
    attributes: Attributes,
    made: Option<Applied>,
}

fn known(all: &[Vec<Value>]) -> Result<Vec<Known>, Failed> {
    let mut known = Vec::new();
    for (number, tenant) in all.iter().enumerate() {
        for (index, object) in tenant.iter().enumerate() {
            known.push(Known {
                owner: OwnerMark {
                    installation: INSTALLATION.to_owned(),
                    address: format!("costs-{number}/kubernetes.manifest/object-{index}")
                        .parse()?,
                    generation: 1,
                    run: RunId::new("run-1"),
                },
                attributes: serde_json::from_value(
                    json!({"cluster": "costs", "manifest": object}),
                )?,
                made: None,
            });
        }
    }
    Ok(known)
}

async fn provided(provider: &Kubernetes, known: &mut [Known]) -> Result<Duration, Failed> {
    let begun = Instant::now();
    for namespaces in [true, false] {
        let part = known.iter_mut().enumerate();
        let part = part.filter(|(index, _)| (index % 12 == 0) == namespaces);
        let calls = part.map(|(_, it)| async move {
            let call = Call {
                owner: &it.owner,
                attributes: &it.attributes,
                before: None,
                remote_id: None,
                expects: None,
                timeout: Duration::from_secs(60),
                secrets: &Nothing,
                crossing: &Nothing,
            };
            it.made = Some(provider.create(&call).await?);
            Ok::<_, matih_model::ProviderError>(())
        });
        let mut calls = stream::iter(calls).buffer_unordered(WORKERS);
        while let Some(done) = calls.next().await {
            done?;
        }
    }
    Ok(begun.elapsed())
}

/// All objects of the kinds, by bare lists: how many there are.
async fn lists(client: &Client, all: &[Vec<Value>]) -> Result<usize, Failed> {
    let mut seen = 0;
    for kind in [0, 1, 2, 3, 7, 9, 10] {
        let mut object = all[0][kind].clone();
        object["metadata"] = json!({});
        let mut how = ListParams::default()
            .labels("matih.ai/installation")
            .limit(500);
        loop {
            let page = api(client, &object).list(&how).await?;
            seen += page.items.len();
            match page.metadata.continue_ {
                Some(next) if !next.is_empty() => how = how.continue_token(&next),
                _ => break,
            }
        }
    }
    Ok(seen)
}

async fn looks(
    client: &Client,
    provider: &Kubernetes,
    all: &[Vec<Value>],
    known: &[Known],
) -> Result<(), Failed> {
    let request = |it: &'_ Known| -> Option<_> {
        let made = it.made.as_ref()?;
        Some((made.remote_id.clone(), made.version.clone()))
    };
    let ids: Vec<_> = known.iter().filter_map(request).collect();
    let requests = known
        .iter()
        .zip(&ids)
        .map(|(it, (id, version))| ReadRequest {
            address: &it.owner.address,
            remote_id: Some(id),
            attributes: &it.attributes,
            version: Some(version),
        });
    let requests: Vec<_> = requests.collect();
    let tenants = known.iter().step_by(12).map(|it| it.owner.tenant().clone());
    let tenants: Vec<TenantId> = tenants.collect();
    for _ in 0..3 {
        let begun = Instant::now();
        let seen = lists(client, all).await?;
        let bare = begun.elapsed();
        let begun = Instant::now();
        let readings = provider.read(&requests).await?;
        let read = begun.elapsed();
        let same = readings
            .iter()
            .filter(|it| **it == Reading::Unchanged)
            .count();
        let begun = Instant::now();
        let marks = provider.marks(INSTALLATION, &tenants).await?.len();
        let marked = begun.elapsed();
        println!(
            "bare lists {:>7.3} s of {seen}; read {:>7.3} s, {same} unchanged; marks {:>7.3} s of {marks}",
            bare.as_secs_f64(),
            read.as_secs_f64(),
            marked.as_secs_f64()
        );
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let mut args = std::env::args().skip(1);
    let path = PathBuf::from(args.next().ok_or("which kubeconfig?")?);
    let tenants: usize = args.next().unwrap_or_else(|| "50".to_owned()).parse()?;
    let cluster = ClusterSettings {
        kubeconfig: Some(path.clone()),
        default: true,
        ..ClusterSettings::default()
    };
    let provider = Kubernetes::new(KubernetesSettings {
        concurrency: WORKERS,
        force_conflicts: false,
        timeout: Duration::from_secs(60),
        clusters: [("costs".to_owned(), cluster)].into(),
    })?;
    // The first call of the provider installs what TLS needs.
    provider
        .marks(INSTALLATION, &[TenantId::new("warm-up")?])
        .await?;
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(Kubeconfig::read_from(&path)?, &options).await?;
    let client = Client::try_from(config)?;
    let all: Vec<Vec<Value>> = (0..tenants)
        .map(|it| objects(&format!("kube-costs-{it}")))
        .collect();
    println!(
        "{tenants} tenants, {} objects, {WORKERS} at once",
        tenants * 12
    );
    let by_hand = bare(&client, &all).await?;
    println!("bare applies              {:>8.3} s", by_hand.as_secs_f64());
    clear(&client, &all).await?;
    let mut known = known(&all)?;
    let ours = provided(&provider, &mut known).await?;
    println!(
        "creates                   {:>8.3} s  {:.2} of the bare ones",
        ours.as_secs_f64(),
        ours.as_secs_f64() / by_hand.as_secs_f64()
    );
    looks(&client, &provider, &all, &known).await?;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let most = status.lines().find(|line| line.starts_with("VmHWM"));
    println!("{}", most.unwrap_or("the most memory is not known"));
    clear(&client, &all).await
}
