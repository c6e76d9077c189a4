//! The gate before activation on a real cluster: nothing is activated whose pods are not Ready or
//! whose policies shut what must be open, and it opens when that is mended.

use matih_tests::Output;
use matih_tests::cluster::Cluster;
use matih_tests::cluster::life::{YES, apply, assert_sound, destroy, edit, free};

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

/// Whom the tenant writes to. With another one its namespace and its record change, and so the
/// gate is asked again.
fn email(name: &str) -> String {
    format!("{name}@sparrow.example")
}

/// Fails unless the gate has stopped the run with these words.
#[track_caller]
fn assert_shut(output: Output, told: &str) {
    let output = output.exits(3);
    let text = format!("{}{}", output.stdout, output.stderr);
    for told in [told, "check.connectivity/verify"] {
        assert!(text.contains(told), "no `{told}` in\n{output}");
    }
}

/// Makes a pod behave, and waits until it is Ready or is not.
#[track_caller]
fn behaves(cluster: &Cluster, pod: &str, how: &str, ready: &str) {
    let how = format!("test.matih.ai/behaviour={how}");
    let inside = ["--namespace", NAMESPACE];
    let words = ["annotate", "pod", pod, "--overwrite", &how];
    let _ = cluster.kubectl(&[&words[..], &inside].concat());
    let until = format!("--for=condition=Ready={ready}");
    let words = ["wait", "pod", pod, &until, "--timeout=60s"];
    let _ = cluster.kubectl(&[&words[..], &inside].concat());
}

#[test]
fn the_gate_is_shut_while_something_is_wrong() {
    let Some(cluster) = Cluster::find("the_gate_is_shut_while_something_is_wrong") else {
        return;
    };
    cluster.wait_until_quiet();
    cluster.make(FURNITURE);
    let sandbox = cluster.sandbox();
    let spec = free(TENANT).replace("robin@pipit.example", &email("a"));
    sandbox.write(SPEC, &spec);
    let _ = apply(&sandbox, SPEC).exits(0);

    // A pod that is not Ready any more.
    let first = "--output=jsonpath={.items[0].metadata.name}";
    let words = ["get", "pods", "--namespace", NAMESPACE, first];
    let pod = cluster.kubectl(&words).stdout;
    behaves(&cluster, &pod, "never-ready", "false");
    edit(&sandbox, SPEC, &email("a"), &email("b"));
    let service = pod.rsplitn(3, '-').nth(2).unwrap();
    let told = format!("service `{service}` is not ready");
    assert_shut(apply(&sandbox, SPEC), &told);
    behaves(&cluster, &pod, "ready", "true");
    let _ = sandbox.run(&["resume", SPEC, "--auto-approve"]).exits(0);
    assert_sound(&cluster, &sandbox, TENANT, SPEC);

    // Policies that are not there any more, and nobody looked.
    let way = "ingress `tenant-ingress` cannot reach service `ai-service`";
    for (policy, told, old, new) in [
        ("allow-ingress", way, "b", "c"),
        ("allow-dns", "cannot ask for names", "c", "d"),
    ] {
        let _ = cluster.kubectl(&["delete", "networkpolicy", policy, "--namespace", NAMESPACE]);
        edit(&sandbox, SPEC, &email(old), &email(new));
        let words = [&["apply", SPEC, "--refresh=false"], YES].concat();
        assert_shut(sandbox.run(&words), told);
        let _ = apply(&sandbox, SPEC).exits(0);
        assert_sound(&cluster, &sandbox, TENANT, SPEC);
    }
    let _ = destroy(&sandbox, TENANT).exits(0);
    let _ = cluster.kubectl(&["delete", "pod", "names", "--namespace=kube-system"]);
    cluster.clear(&["edge"]);
}
