//! Each rule, with objects as servers give them.

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
