//! What ready means, kind by kind: pure.
//!
//! A rule looks at the object alone; why the pods of a workload are not there is told by
//! [`trouble`] from the pods.

use matih_model::{Attributes, Value};

use super::json::{at, number, tables, text};
use super::live::Live;

/// How far an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    /// It does what it is for.
    Ready,
    /// Not yet, and why.
    Waiting(String),
    /// Not any more without somebody's help, and why.
    Failed(String),
}

/// Kinds with a rule of their own that are not waited for unless the resource says so: a claim is
/// bound when its first pod comes, which may be never.
const ON_DEMAND: &[(&str, &str)] = &[("", "PersistentVolumeClaim")];

/// How far an object is, by what the resource waits for: `none` is nothing, `Ready` the kind's own
/// rule or, where it has none, the condition; any other word is a condition; without a word, the
/// kind's own rule.
pub(super) fn readiness(live: &Live, wait: Option<&str>) -> Readiness {
    let kind = (live.group(), live.kind());
    match wait {
        Some("none") => Readiness::Ready,
        None if ON_DEMAND.contains(&kind) => Readiness::Ready,
        None => own_rule(live).unwrap_or(Readiness::Ready),
        Some("Ready") => own_rule(live).unwrap_or_else(|| condition(live, "Ready")),
        Some(other) => condition(live, other),
    }
}

/// Whether the pods of a kind tell why it is not ready.
pub(super) fn has_pods(live: &Live) -> bool {
    matches!(
        (live.group(), live.kind()),
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet") | ("batch", "Job")
    )
}

fn own_rule(live: &Live) -> Option<Readiness> {
    Some(match (live.group(), live.kind()) {
        ("", "Namespace") => phase(live, "Active"),
        ("", "PersistentVolumeClaim") => phase(live, "Bound"),
        ("", "Service") if text(&live.body, &["spec", "type"]) == "LoadBalancer" => address(live),
        ("", "Service") => Readiness::Ready,
        ("networking.k8s.io", "Ingress") => address(live),
        ("apps", "Deployment") => deployment(live),
        ("apps", "StatefulSet") => stateful_set(live),
        ("apps", "DaemonSet") => daemon_set(live),
        ("batch", "Job") => job(live),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(live),
        ("cert-manager.io", "Certificate") => condition(live, "Ready"),
        _ => return None,
    })
}

fn waiting(text: impl Into<String>) -> Readiness {
    Readiness::Waiting(text.into())
}

fn phase(live: &Live, wanted: &str) -> Readiness {
    match text(&live.body, &["status", "phase"]) {
        phase if phase == wanted => Readiness::Ready,
        "Lost" => Readiness::Failed("its volume is lost".to_owned()),
        "" => waiting("nothing is known of it yet"),
        phase => waiting(format!("it is {phase}, not {wanted}")),
    }
}

fn address(live: &Live) -> Readiness {
    match at(&live.body, &["status", "loadBalancer", "ingress"]) {
        Some(Value::List(addresses)) if !addresses.is_empty() => Readiness::Ready,
        _ => waiting("it has no address yet"),
    }
}

/// A condition, unless it is of an older state of the object.
fn find<'a>(live: &'a Live, name: &str) -> Option<&'a Attributes> {
    let generation = number(&live.body, &["metadata", "generation"]);
    let found =
        tables(&live.body, &["status", "conditions"]).find(|it| text(it, &["type"]) == name);
    found.filter(|it| match number(it, &["observedGeneration"]) {
        Some(seen) => Some(seen) >= generation,
        None => true,
    })
}

fn holds(live: &Live, name: &str) -> bool {
    find(live, name).is_some_and(|it| text(it, &["status"]) == "True")
}

/// What a condition says, for people.
fn words(condition: &Attributes) -> String {
    match (text(condition, &["reason"]), text(condition, &["message"])) {
        ("", "") => "no reason is given".to_owned(),
        ("", message) => message.to_owned(),
        (reason, "") => reason.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

fn condition(live: &Live, name: &str) -> Readiness {
    match find(live, name) {
        Some(it) if text(it, &["status"]) == "True" => Readiness::Ready,
        Some(it) => waiting(format!("{name} does not hold: {}", words(it))),
        None => waiting(format!("nobody says yet whether {name} holds")),
    }
}

fn count(live: &Live, name: &str) -> i64 {
    number(&live.body, &["status", name]).unwrap_or(0)
}

fn deployment(live: &Live) -> Readiness {
    if let Some(stuck) = find(live, "Progressing")
        && text(stuck, &["reason"]) == "ProgressDeadlineExceeded"
    {
        return Readiness::Failed(words(stuck));
    }
    if let Some(failure) = find(live, "ReplicaFailure")
        && text(failure, &["status"]) == "True"
    {
        return waiting(words(failure));
    }
    let wanted = number(&live.body, &["spec", "replicas"]).unwrap_or(1);
    let (updated, available) = (
        count(live, "updatedReplicas"),
        count(live, "availableReplicas"),
    );
    if !live.is_observed() {
        waiting("its controller has not seen the change")
    } else if updated < wanted {
        waiting(format!("{updated} of {wanted} pods are of the new kind"))
    } else if count(live, "replicas") > updated {
        waiting("old pods are still there")
    } else if available < wanted {
        waiting(format!("{available} of {wanted} pods are ready"))
    } else {
        Readiness::Ready
    }
}

fn stateful_set(live: &Live) -> Readiness {
    let wanted = number(&live.body, &["spec", "replicas"]).unwrap_or(1);
    let strategy = ["spec", "updateStrategy"];
    let kept = number(
        &live.body,
        &["spec", "updateStrategy", "rollingUpdate", "partition"],
    );
    let by_hand = at(&live.body, &strategy)
        .and_then(Value::as_map)
        .is_some_and(|it| it.text("type") == Some("OnDelete"));
    let to_update = if by_hand {
        0
    } else {
        (wanted - kept.unwrap_or(0)).max(0)
    };
    let (updated, ready) = (count(live, "updatedReplicas"), count(live, "readyReplicas"));
    if !live.is_observed() {
        waiting("its controller has not seen the change")
    } else if ready < wanted {
        waiting(format!("{ready} of {wanted} pods are ready"))
    } else if updated < to_update {
        waiting(format!("{updated} of {to_update} pods are of the new kind"))
    } else {
        Readiness::Ready
    }
}

fn daemon_set(live: &Live) -> Readiness {
    let wanted = count(live, "desiredNumberScheduled");
    let (updated, available) = (
        count(live, "updatedNumberScheduled"),
        count(live, "numberAvailable"),
    );
    if !live.is_observed() {
        waiting("its controller has not seen the change")
    } else if updated < wanted {
        waiting(format!("{updated} of {wanted} pods are of the new kind"))
    } else if available < wanted {
        waiting(format!("{available} of {wanted} pods are ready"))
    } else {
        Readiness::Ready
    }
}

fn job(live: &Live) -> Readiness {
    if holds(live, "Complete") {
        return Readiness::Ready;
    }
    if let Some(failed) = find(live, "Failed")
        && text(failed, &["status"]) == "True"
    {
        return Readiness::Failed(words(failed));
    }
    if at(&live.body, &["spec", "suspend"]).and_then(Value::as_bool) == Some(true) {
        return Readiness::Ready;
    }
    let wanted = number(&live.body, &["spec", "completions"]).unwrap_or(1);
    waiting(format!(
        "{} of {wanted} runs are done",
        count(live, "succeeded")
    ))
}

fn definition(live: &Live) -> Readiness {
    match find(live, "NamesAccepted") {
        Some(refused) if text(refused, &["status"]) == "False" => Readiness::Failed(words(refused)),
        _ => condition(live, "Established"),
    }
}

/// What keeps a pod from coming up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) pod: String,
    /// The container, where it is one's fault.
    pub(super) container: Option<String>,
    /// For people.
    pub(super) why: String,
    pub(super) hint: &'static str,
    /// It never goes away by itself.
    pub(super) is_final: bool,
    /// The last words of the container may tell more.
    pub(super) has_crashed: bool,
}

/// The first pod that is in trouble.
pub(super) fn trouble(pods: &[Live]) -> Option<Trouble> {
    pods.iter().filter(|pod| !pod.is_going()).find_map(of_pod)
}

fn of_pod(pod: &Live) -> Option<Trouble> {
    let new = |container: Option<&str>, why: String, hint: &'static str| Trouble {
        pod: pod.name().to_owned(),
        container: container.map(str::to_owned),
        why: format!("pod {}: {why}", pod.name()),
        hint,
        is_final: false,
        has_crashed: false,
    };
    if let Some(unscheduled) = find(pod, "PodScheduled")
        && text(unscheduled, &["reason"]) == "Unschedulable"
    {
        let why = format!("it fits on no node: {}", text(unscheduled, &["message"]));
        return Some(new(None, why, "add nodes, or ask for less"));
    }
    let containers = ["initContainerStatuses", "containerStatuses"];
    let mut containers = containers
        .iter()
        .flat_map(|list| tables(&pod.body, &["status", list]));
    containers.find_map(|container| {
        let name = Some(text(container, &["name"]));
        let state = ["state", "waiting"];
        let reason = text(container, &["state", "waiting", "reason"]);
        let message = at(container, &state).and_then(|it| it.as_map()?.text("message"));
        let why = match message {
            Some(message) => format!("{reason}: {message}"),
            None => reason.to_owned(),
        };
        let image = "check the name of the image and the secret that it is pulled with";
        Some(match reason {
            "InvalidImageName" | "ErrImageNeverPull" => Trouble {
                is_final: true,
                ..new(name, why, image)
            },
            "ErrImagePull" | "ImagePullBackOff" => new(name, why, image),
            "CreateContainerConfigError" | "CreateContainerError" => {
                new(name, why, "check the config maps and secrets that it names")
            }
            "CrashLoopBackOff" => Trouble {
                has_crashed: true,
                ..new(name, why, "look at its log: kubectl logs --previous")
            },
            _ => return None,
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn live(api: &str, kind: &str, mut json: Json) -> Live {
        json["apiVersion"] = json!(api);
        json["kind"] = json!(kind);
        json["metadata"] = json!({"name": "x", "uid": "u", "generation": 2});
        Live::read(json).unwrap()
    }

    #[track_caller]
    fn is(api: &str, kind: &str, wait: Option<&str>, json: Json, wanted: &str) {
        let seen = match readiness(&live(api, kind, json), wait) {
            Readiness::Ready => "ready".to_owned(),
            Readiness::Waiting(why) => format!("waiting: {why}"),
            Readiness::Failed(why) => format!("failed: {why}"),
        };
        assert_eq!(seen, wanted);
    }

    #[test]
    fn a_deployment_is_ready_when_all_new_pods_are_and_no_old_one_is() {
        let status = |status: Json| json!({"spec": {"replicas": 3}, "status": status});
        let full = json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3});
        let with = |key: &str, value: Json| {
            let mut it = full.clone();
            it[key] = value;
            status(it)
        };
        let check = |json: Json, wanted: &str| is("apps/v1", "Deployment", None, json, wanted);
        check(status(full.clone()), "ready");
        check(
            json!({"spec": {}}),
            "waiting: its controller has not seen the change",
        );
        check(
            with("observedGeneration", json!(1)),
            "waiting: its controller has not seen the change",
        );
        check(
            with("updatedReplicas", json!(1)),
            "waiting: 1 of 3 pods are of the new kind",
        );
        check(
            with("replicas", json!(4)),
            "waiting: old pods are still there",
        );
        check(
            with("availableReplicas", json!(2)),
            "waiting: 2 of 3 pods are ready",
        );
        check(
            with(
                "conditions",
                json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "m"}]),
            ),
            "failed: ProgressDeadlineExceeded: m",
        );
        check(
            with(
                "conditions",
                json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}]),
            ),
            "waiting: FailedCreate: exceeded quota",
        );
    }

    #[test]
    fn other_workloads_have_rules_of_their_own() {
        let set = |status: Json| json!({"spec": {"replicas": 2}, "status": status});
        is(
            "apps/v1",
            "StatefulSet",
            None,
            set(json!({"observedGeneration": 2, "readyReplicas": 1})),
            "waiting: 1 of 2 pods are ready",
        );
        is(
            "apps/v1",
            "StatefulSet",
            None,
            set(json!({"observedGeneration": 2, "readyReplicas": 2, "updatedReplicas": 1})),
            "waiting: 1 of 2 pods are of the new kind",
        );
        is(
            "apps/v1",
            "StatefulSet",
            None,
            set(json!({"observedGeneration": 2, "readyReplicas": 2, "updatedReplicas": 2})),
            "ready",
        );
        let partition = json!({"spec": {"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 2}}}, "status": {"observedGeneration": 2, "readyReplicas": 2}});
        is("apps/v1", "StatefulSet", None, partition, "ready");
        let daemons = |available: i64| json!({"status": {"observedGeneration": 2, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": available}});
        is(
            "apps/v1",
            "DaemonSet",
            None,
            daemons(1),
            "waiting: 1 of 2 pods are ready",
        );
        is("apps/v1", "DaemonSet", None, daemons(2), "ready");
        let job = |kind: &str| json!({"status": {"conditions": [{"type": kind, "status": "True", "reason": "R"}]}});
        is("batch/v1", "Job", None, job("Complete"), "ready");
        is("batch/v1", "Job", None, job("Failed"), "failed: R");
        is(
            "batch/v1",
            "Job",
            None,
            json!({}),
            "waiting: 0 of 1 runs are done",
        );
    }

    #[test]
    fn addresses_and_phases() {
        let address = json!({"spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.10"}]}}});
        is("v1", "Service", None, address.clone(), "ready");
        is(
            "v1",
            "Service",
            None,
            json!({"spec": {"type": "LoadBalancer"}}),
            "waiting: it has no address yet",
        );
        is(
            "v1",
            "Service",
            None,
            json!({"spec": {"type": "ClusterIP"}}),
            "ready",
        );
        is(
            "networking.k8s.io/v1",
            "Ingress",
            None,
            json!({}),
            "waiting: it has no address yet",
        );
        is(
            "networking.k8s.io/v1",
            "Ingress",
            Some("none"),
            json!({}),
            "ready",
        );
        is(
            "v1",
            "Namespace",
            None,
            json!({"status": {"phase": "Active"}}),
            "ready",
        );
        is(
            "v1",
            "PersistentVolumeClaim",
            None,
            json!({"status": {"phase": "Pending"}}),
            "ready",
        );
        is(
            "v1",
            "PersistentVolumeClaim",
            Some("Ready"),
            json!({"status": {"phase": "Pending"}}),
            "waiting: it is Pending, not Bound",
        );
        is("v1", "ConfigMap", None, json!({}), "ready");
    }

    #[test]
    fn conditions_of_an_older_state_do_not_count() {
        let condition = |generation: i64, status: &str| {
            json!({"status": {"conditions": [
            {"type": "Ready", "status": status, "reason": "Pending", "message": "order", "observedGeneration": generation}]}})
        };
        is(
            "cert-manager.io/v1",
            "Certificate",
            None,
            condition(2, "True"),
            "ready",
        );
        is(
            "cert-manager.io/v1",
            "Certificate",
            None,
            condition(1, "True"),
            "waiting: nobody says yet whether Ready holds",
        );
        is(
            "x.io/v1",
            "Thing",
            Some("Ready"),
            condition(2, "False"),
            "waiting: Ready does not hold: Pending: order",
        );
        is(
            "x.io/v1",
            "Thing",
            Some("Synced"),
            condition(2, "True"),
            "waiting: nobody says yet whether Synced holds",
        );
        let names = json!({"status": {"conditions": [{"type": "NamesAccepted", "status": "False", "reason": "R", "message": "taken"}]}});
        is(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            None,
            names,
            "failed: R: taken",
        );
    }

    #[test]
    fn pods_tell_their_trouble() {
        let pod = |status: Json| vec![live("v1", "Pod", json!({"status": status}))];
        assert_eq!(trouble(&pod(json!({"phase": "Running"}))), None);
        let waiting = |reason: &str| {
            pod(
                json!({"containerStatuses": [{"name": "web", "state": {"waiting": {"reason": reason, "message": "m"}}}]}),
            )
        };
        let found = trouble(&waiting("ImagePullBackOff")).unwrap();
        assert_eq!(found.why, "pod x: ImagePullBackOff: m");
        assert!(!found.is_final && !found.has_crashed);
        assert!(trouble(&waiting("InvalidImageName")).unwrap().is_final);
        assert!(trouble(&waiting("CrashLoopBackOff")).unwrap().has_crashed);
        assert_eq!(trouble(&waiting("ContainerCreating")), None);
        let unscheduled = pod(
            json!({"conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/3 nodes"}]}),
        );
        assert!(trouble(&unscheduled).unwrap().why.contains("0/3 nodes"));
    }
}
