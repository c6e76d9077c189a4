//! Why workloads do not come up, for who makes them in another way than by manifests.

use std::collections::BTreeSet;

use super::cluster::Cluster;
use super::live::Live;
use super::place::Gvk;
use super::ready::{Readiness, readiness, trouble};
use super::wait::last_words;

/// What keeps workloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Why {
    /// For people.
    pub(crate) text: String,
    /// What a person can do about it.
    pub(crate) hint: &'static str,
    /// It never goes away by itself.
    pub(crate) is_final: bool,
    /// It is more than not being ready yet.
    pub(crate) is_trouble: bool,
    /// More nodes would do, and those may come by themselves.
    pub(crate) is_room: bool,
}

/// The names of the pods that a selector finds.
pub(crate) async fn pods(cluster: &Cluster, namespace: &str, selector: &str) -> BTreeSet<String> {
    let pods = list(cluster, &Gvk::new("v1", "Pod"), namespace, selector).await;
    pods.iter().map(|pod| pod.name().to_owned()).collect()
}

/// What keeps the workloads that a selector finds: their pods, but for those of these names, or
/// what hinders pods from being made. Not to see it is no reason for anything.
pub(crate) async fn why(
    cluster: &Cluster,
    namespace: &str,
    selector: &str,
    but: &BTreeSet<String>,
) -> Option<Why> {
    let mut pods = list(cluster, &Gvk::new("v1", "Pod"), namespace, selector).await;
    // What an old pod asks for counts until it is gone: then there is room again.
    let goes = pods.iter().any(Live::is_going);
    pods.retain(|pod| !but.contains(pod.name()));
    if let Some(found) = trouble(&pods) {
        let mut text = found.why;
        if let (true, Some(container)) = (found.has_crashed, &found.container)
            && let Some(last) = last_words(cluster, namespace, &found.pod, container).await
        {
            text = format!("{text}; its last words: {last}");
        }
        return Some(Why {
            text,
            hint: found.hint,
            is_final: found.is_final,
            is_trouble: true,
            is_room: found.container.is_none(),
        });
    }
    let workloads = list(
        cluster,
        &Gvk::new("apps/v1", "Deployment"),
        namespace,
        selector,
    )
    .await;
    workloads.iter().find_map(|workload| {
        let (text, is_final) = match readiness(workload, None) {
            Readiness::Ready => return None,
            Readiness::Waiting(text) => (text, false),
            Readiness::Failed(text) => (text, true),
        };
        let quota = text.contains("exceeded quota");
        Some(Why {
            hint: if quota {
                "raise the quota of the tenant, or ask for less"
            } else {
                "when the cause is gone, apply again"
            },
            text: format!("deployment {}: {text}", workload.name()),
            is_final,
            is_trouble: quota && !goes,
            is_room: false,
        })
    })
}

async fn list(cluster: &Cluster, gvk: &Gvk, namespace: &str, selector: &str) -> Vec<Live> {
    let Ok(api) = cluster.api(gvk).await else {
        return Vec::new();
    };
    let found = cluster.list(&api, namespace, selector).await;
    found.unwrap_or_default()
}
