//! The gate before activation on a real cluster: nothing is activated whose pods are not Ready or
//! whose policies shut what must be open, and it opens when that is mended.

use matih_tests::cluster::Cluster;
use matih_tests::cluster::life::{YES, apply, assert_sound, destroy, edit, free};
use matih_tests::{Output, Sandbox};

/// The ingress controllers of a shared cluster, and who answers for names, as far as policies see
/// them: pods with the right labels in namespaces with the right labels.
const FURNITURE: &str = r#"apiVersion: v1
kind: Namespace
metadata: { name: edge, labels: { matih.ai/role: ingress } }
---
apiVersion: v1
kind: Pod
metadata: { name: controller, namespace: edge, labels: { app.kubernetes.io/name: ingress-nginx } }
spec: { automountServiceAccountToken: false, containers: [{ name: one, image: controller:1 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: names, namespace: kube-system, labels: { k8s-app: kube-dns } }
spec: { automountServiceAccountToken: false, containers: [{ name: one, image: names:1 }] }
"#;

const TENANT: &str = "pipit";
const NAMESPACE: &str = "tenant-pipit";
const SPEC: &str = "pipit.toml";

/// A tenant's namespace and its record change, and so the gate is asked again.
#[track_caller]
fn change(sandbox: &Sandbox, old: &str, new: &str) {
    edit(
        sandbox,
        SPEC,
        &format!("\"{old}@sparrow.example\""),
        &format!("\"{new}@sparrow.example\""),
    );
}

/// Fails unless the gate has stopped the run with these words.
#[track_caller]
fn assert_shut(output: Output, told: &[&str]) {
    let output = output.exits(3);
    let text = format!("{}{}", output.stdout, output.stderr);
    for told in told.iter().chain(&["check.connectivity/verify"]) {
        assert!(text.contains(told), "no `{told}` in\n{output}");
    }
}

#[test]
fn the_gate_is_shut_while_something_is_wrong() {
    let Some(cluster) = Cluster::find("the_gate_is_shut_while_something_is_wrong") else {
        return;
    };
    cluster.wait_until_quiet();
    cluster.make(FURNITURE);
    let sandbox = cluster.sandbox();
    let spec = free(TENANT).replace("robin@sparrow", "a@sparrow");
    let spec = spec
        .replace(&format!("a@{TENANT}"), "a@sparrow")
        .replace("robin@pipit", "a@sparrow");
    sandbox.write(SPEC, &spec);
    let _ = apply(&sandbox, SPEC).exits(0);

    // A pod that is not Ready any more.
    let words = [
        "get",
        "pods",
        "--namespace",
        NAMESPACE,
        "--output=jsonpath={.items[0].metadata.name}",
    ];
    let pod = cluster.kubectl(&words).stdout;
    let behaves = |how: &str, ready: &str| {
        let how = format!("test.matih.ai/behaviour={how}");
        let words = [
            "annotate",
            "pod",
            &pod,
            "--namespace",
            NAMESPACE,
            "--overwrite",
            &how,
        ];
        let _ = cluster.kubectl(&words);
        let (pod, until) = (
            format!("pod/{pod}"),
            format!("--for=condition=Ready={ready}"),
        );
        let _ = cluster.kubectl(&[
            "wait",
            &pod,
            "--namespace",
            NAMESPACE,
            &until,
            "--timeout=60s",
        ]);
    };
    behaves("never-ready", "false");
    change(&sandbox, "a", "b");
    let service = pod.rsplitn(3, '-').nth(2).unwrap();
    assert_shut(
        apply(&sandbox, SPEC),
        &[&format!("service `{service}` is not ready")],
    );
    behaves("ready", "true");
    let _ = sandbox.run(&["resume", SPEC, "--auto-approve"]).exits(0);
    assert_sound(&cluster, &sandbox, TENANT, SPEC);

    // Policies that are not there any more, and nobody looked.
    for (policy, told) in [
        (
            "allow-ingress",
            "ingress `tenant-ingress` cannot reach service `ai-service`",
        ),
        ("allow-dns", "cannot ask for names"),
    ] {
        let _ = cluster.kubectl(&["delete", "networkpolicy", policy, "--namespace", NAMESPACE]);
        let (old, new) = if policy == "allow-dns" {
            ("c", "d")
        } else {
            ("b", "c")
        };
        change(&sandbox, old, new);
        let words = [&["apply", SPEC, "--refresh=false"], YES].concat();
        assert_shut(sandbox.run(&words), &[told]);
        let _ = apply(&sandbox, SPEC).exits(0);
        assert_sound(&cluster, &sandbox, TENANT, SPEC);
    }
    let _ = destroy(&sandbox, TENANT).exits(0);
    let _ = cluster.kubectl(&["delete", "pod", "names", "--namespace=kube-system"]);
    cluster.clear(&["edge"]);
}
