//! Which cluster a tenant is in: the one whose kubeconfig comes with it.

use std::fs;

use matih_tests::cluster::Cluster;
use matih_tests::cluster::life::{dedicated, destroy};
use serde_json::Value;

/// The clusters of dedicated tenants, each by a file of its own.
const FAMILY: &str = r#"[platform]
blueprint = "names"

[providers.simulated]
latency = "none"

[targets.own]
provider = "kubernetes"
kubeconfig = "clusters/{cluster}.kubeconfig"
"#;

#[test]
fn a_dedicated_tenant_is_in_the_cluster_whose_file_its_workspace_names() {
    let test = "a_dedicated_tenant_is_in_the_cluster_whose_file_its_workspace_names";
    let Some(cluster) = Cluster::find(test) else {
        return;
    };
    let (tenant, namespace) = ("heron", "own-heron");
    let sandbox = cluster.sandbox();
    sandbox.write("matih.toml", FAMILY);
    sandbox.write("heron.toml", &dedicated(tenant));
    let apply =
        |target: &str| sandbox.run(&["apply", "heron.toml", "--auto-approve", "--target", target]);

    // The workspace makes the cluster, and says what it is called.
    let workspace = "terraform.workspace/infrastructure";
    let _ = apply(workspace).exits(0);
    let address = format!("{tenant}/{workspace}");
    let shown = sandbox
        .run(&["state", "show", &address, "-o", "json"])
        .exits(0);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    let id = shown["outputs"]["cluster_id"].as_str().unwrap().to_owned();
    let name = id.rsplit('/').next().unwrap();

    // Without its file nothing can be made, and nothing is made anywhere else.
    let objects = "kubernetes.manifest/resource-quota";
    let failed = apply(objects).exits(1);
    let file = format!("clusters/{name}.kubeconfig");
    for told in [&*file, "hint: look at targets.own in matih.toml"] {
        assert!(failed.stdout.contains(told), "no {told}\n{failed}");
    }

    fs::create_dir(sandbox.path("clusters")).unwrap();
    fs::copy(cluster.kubeconfig(), sandbox.path(&file)).unwrap();
    let _ = apply(objects).exits(0);
    let quota = cluster.kubectl(&[
        "get",
        "resourcequota",
        "--namespace",
        namespace,
        "-o",
        "name",
    ]);
    assert!(quota.stdout.contains("resourcequota/"), "{quota}");
    let records = sandbox.run(&["state", "list", "-o", "json"]).exits(0);
    let id = format!("own@{name}/core/Namespace/-/{namespace}/");
    assert!(records.stdout.contains(&id), "{records}");

    // What bears our mark there is found there.
    let drift = sandbox
        .run(&["drift", tenant, "--detailed-exitcode"])
        .exits(0);
    assert!(drift.stdout.contains(" 0 unmanaged, 0 unknown"), "{drift}");
    let _ = sandbox
        .run(&[
            "state",
            "rm",
            &format!("{tenant}/{objects}"),
            "--auto-approve",
        ])
        .exits(0);
    let drift = sandbox
        .run(&["drift", tenant, "--detailed-exitcode"])
        .exits(2);
    assert!(drift.stdout.contains(" 1 unmanaged, 0 unknown"), "{drift}");

    let _ = destroy(&sandbox, tenant).exits(0);
    cluster.wait_until_quiet();
    let left = cluster.try_kubectl(&["get", "namespace", namespace], "");
    assert!(left.stderr.contains("NotFound"), "{left}");
}
