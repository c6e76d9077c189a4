//! What ready means, kind by kind: pure.
//!
//! A rule looks at the object alone; why the pods of a workload are not there is told by `trouble`
//! from the pods.

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
pub(super) fn find<'a>(live: &'a Live, name: &str) -> Option<&'a Attributes> {
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

#[cfg(test)]
mod tests;
