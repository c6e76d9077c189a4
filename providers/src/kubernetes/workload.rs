//! How far workloads are and why they do not come up, for who makes them in another way than by
//! manifests.

use std::collections::BTreeSet;
use std::fmt;

use futures_util::future::join;

use super::cluster::Cluster;
use super::json::{number, tables, text};
use super::live::Live;
use super::place::Gvk;
use super::ready::{Readiness, readiness};
use super::trouble::{Trouble, trouble};
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

/// How far workloads are, and what keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coming {
    /// How many pods do what they are for.
    pub(crate) ready: i64,
    /// How many there are to be.
    pub(crate) wanted: i64,
    /// What the pod that has been waited for longest is at.
    pub(crate) slowest: Option<String>,
    /// What keeps them from coming up.
    pub(crate) why: Option<Why>,
}

/// `1 of 3 pods ready; pod web-1: ContainerCreating`; nothing where there is nothing to tell.
impl fmt::Display for Coming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.wanted > 0 {
            write!(f, "{} of {} pods ready", self.ready, self.wanted)?;
        }
        let trouble = self
            .why
            .as_ref()
            .filter(|why| why.is_trouble || self.slowest.is_none());
        let reason = trouble.map(|why| &why.text).or(self.slowest.as_ref());
        match reason {
            Some(reason) if self.wanted > 0 => write!(f, "; {reason}"),
            Some(reason) => f.write_str(reason),
            None => Ok(()),
        }
    }
}

/// How far the workloads that a selector finds are, and what keeps them: their pods, but for those
/// of these names, or what hinders pods from being made. Not to see it is no reason for anything.
pub(crate) async fn coming(
    cluster: &Cluster,
    namespace: &str,
    selector: &str,
    but: &BTreeSet<String>,
) -> Coming {
    let of = async |api: &str, kind: &str| {
        list(cluster, &Gvk::new(api, kind), namespace, selector).await
    };
    let (mut pods, workloads) = join(of("v1", "Pod"), of("apps/v1", "Deployment")).await;
    let (ready, wanted) = count(&pods, &workloads);
    // What an old pod asks for counts until it is gone: then there is room again.
    let goes = pods.iter().any(Live::is_going);
    pods.retain(|pod| !but.contains(pod.name()));
    let why = match trouble(&pods) {
        Some(found) => Some(of_pods(cluster, namespace, found).await),
        None => workloads.iter().find_map(|it| of_workload(it, goes)),
    };
    Coming {
        ready,
        wanted,
        slowest: slowest(&pods),
        why,
    }
}

async fn of_pods(cluster: &Cluster, namespace: &str, found: Trouble) -> Why {
    let mut text = found.why;
    if let (true, Some(container)) = (found.has_crashed, &found.container)
        && let Some(last) = last_words(cluster, namespace, &found.pod, container).await
    {
        text = format!("{text}; its last words: {last}");
    }
    Why {
        text,
        hint: found.hint,
        is_final: found.is_final,
        is_trouble: true,
        is_room: found.container.is_none(),
    }
}

fn of_workload(workload: &Live, goes: bool) -> Option<Why> {
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
}

/// How many pods are ready, and how many there are to be: of deployments as their own status says,
/// where the old pods of an upgrade do not count; of others by the pods that are there.
fn count(pods: &[Live], deployments: &[Live]) -> (i64, i64) {
    let (mut ready, mut wanted) = (0, 0);
    for deployment in deployments {
        let replicas = number(&deployment.body, &["spec", "replicas"]).unwrap_or(1);
        let of = |key: &str| number(&deployment.body, &["status", key]).unwrap_or(0);
        let new = of("updatedReplicas") - of("unavailableReplicas");
        wanted += replicas;
        if deployment.is_observed() {
            ready += new.clamp(0, replicas);
        }
    }
    let owner = |pod: &Live| {
        let owner = tables(&pod.body, &["metadata", "ownerReferences"]).next();
        owner.map(|owner| text(owner, &["kind"]).to_owned())
    };
    for pod in pods.iter().filter(|pod| !pod.is_going()) {
        if !matches!(owner(pod).as_deref(), Some("ReplicaSet" | "Job")) {
            wanted += 1;
            ready += i64::from(is_ready(pod));
        }
    }
    (ready, wanted)
}

fn is_ready(pod: &Live) -> bool {
    let mut conditions = tables(&pod.body, &["status", "conditions"]);
    conditions.any(|it| text(it, &["type"]) == "Ready" && text(it, &["status"]) == "True")
}

/// What the oldest pod is at that is not ready.
fn slowest(pods: &[Live]) -> Option<String> {
    let ended = |pod: &Live| text(&pod.body, &["status", "phase"]) == "Succeeded";
    let open = pods.iter();
    let open = open.filter(|pod| !pod.is_going() && !is_ready(pod) && !ended(pod));
    let since = |pod: &&Live| text(&pod.body, &["metadata", "creationTimestamp"]).to_owned();
    let pod = open.min_by_key(since)?;
    let lists = ["initContainerStatuses", "containerStatuses"];
    let mut containers = lists
        .iter()
        .flat_map(|list| tables(&pod.body, &["status", list]));
    let waits = containers.find_map(|it| match text(it, &["state", "waiting", "reason"]) {
        "" => None,
        reason => Some(reason),
    });
    let state = waits.unwrap_or(match text(&pod.body, &["status", "phase"]) {
        "Running" => "it runs and is not ready",
        "" => "Pending",
        phase => phase,
    });
    Some(format!("pod {}: {state}", pod.name()))
}

async fn list(cluster: &Cluster, gvk: &Gvk, namespace: &str, selector: &str) -> Vec<Live> {
    let Ok(api) = cluster.api(gvk).await else {
        return Vec::new();
    };
    let found = cluster.list(&api, namespace, selector).await;
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn live(api: &str, kind: &str, name: &str, mut json: Json) -> Live {
        json["apiVersion"] = json!(api);
        json["kind"] = json!(kind);
        let metadata = json!({ "name": name, "uid": "u", "generation": 2,
            "ownerReferences": json["owners"], "creationTimestamp": json["made"] });
        json["metadata"] = metadata;
        Live::read(json).unwrap()
    }

    fn deployment(updated: i64, unavailable: i64) -> Live {
        let status = json!({ "observedGeneration": 2, "updatedReplicas": updated,
            "unavailableReplicas": unavailable });
        let body = json!({ "spec": { "replicas": 3 }, "status": status });
        live("apps/v1", "Deployment", "web", body)
    }

    #[test]
    fn the_old_pods_of_an_upgrade_are_not_counted() {
        for (updated, unavailable, ready) in [(0, 0, 0), (1, 1, 0), (2, 1, 1), (3, 0, 3), (1, 3, 0)]
        {
            assert_eq!(count(&[], &[deployment(updated, unavailable)]), (ready, 3));
        }
    }

    #[test]
    fn pods_of_others_count_one_by_one_and_those_of_jobs_do_not() {
        let pod = |owner: &str, ready: &str| {
            let status = json!({ "conditions": [{ "type": "Ready", "status": ready }] });
            let owners = json!([{ "kind": owner }]);
            live(
                "v1",
                "Pod",
                "x",
                json!({ "owners": owners, "status": status }),
            )
        };
        let pods = [
            pod("StatefulSet", "True"),
            pod("StatefulSet", "False"),
            pod("ReplicaSet", "True"),
            pod("Job", "False"),
        ];
        assert_eq!(count(&pods, &[]), (1, 2));
    }

    #[test]
    fn the_oldest_that_is_not_ready_is_told() {
        let pod = |name: &str, made: &str, status: Json| {
            live("v1", "Pod", name, json!({ "made": made, "status": status }))
        };
        let creating = json!({ "phase": "Pending", "containerStatuses": [
            { "name": "c", "state": { "waiting": { "reason": "ContainerCreating" } } }] });
        let ready = json!({ "conditions": [{ "type": "Ready", "status": "True" }] });
        let pods = [
            pod("b", "2026-01-02T00:00:00Z", json!({ "phase": "Running" })),
            pod("a", "2026-01-01T00:00:00Z", creating),
            pod("c", "2025-01-01T00:00:00Z", ready),
        ];
        let mut coming = Coming {
            ready: 1,
            wanted: 3,
            slowest: slowest(&pods),
            why: None,
        };
        assert_eq!(
            coming.to_string(),
            "1 of 3 pods ready; pod a: ContainerCreating"
        );
        coming.why = Some(Why {
            text: "pod b: CrashLoopBackOff".to_owned(),
            hint: "",
            is_final: false,
            is_trouble: true,
            is_room: false,
        });
        assert_eq!(
            coming.to_string(),
            "1 of 3 pods ready; pod b: CrashLoopBackOff"
        );
        assert_eq!(Coming::default().to_string(), "");
    }
}
