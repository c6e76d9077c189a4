//! What the tests of a tenant's life on a cluster do and ask, each in one call.

use super::Cluster;
use crate::acme::{ACME, example};
use crate::{Output, Sandbox};

/// Words that allow everything.
pub const YES: &[&str] = &[
    "--auto-approve",
    "--allow-data-loss",
    "all",
    "--allow-mass-delete",
];

/// An apply of a spec.
#[track_caller]
pub fn apply(sandbox: &Sandbox, spec: &str) -> Output {
    sandbox.run(&[&["apply", spec], YES].concat())
}

/// Takes a tenant down.
#[track_caller]
pub fn destroy(sandbox: &Sandbox, tenant: &str) -> Output {
    let words = [
        "destroy",
        tenant,
        "--auto-approve",
        "--allow-data-loss",
        "all",
    ];
    sandbox.run(&words)
}

/// Fails unless state, simulated world and cluster agree, and the plan is empty.
#[track_caller]
pub fn assert_sound(cluster: &Cluster, sandbox: &Sandbox, tenant: &str, spec: &str) {
    let findings = cluster.facts(sandbox, tenant, &["plan", spec]).findings();
    assert!(findings.is_empty(), "{findings}");
}

/// Fails unless nothing of the tenant is left anywhere.
#[track_caller]
pub fn assert_gone(cluster: &Cluster, sandbox: &Sandbox, tenant: &str, spec: &str) {
    let facts = cluster.facts(sandbox, tenant, &["plan", spec, "--destroy"]);
    let findings = facts.findings();
    assert!(findings.is_empty() && facts.rows.is_empty(), "{findings}");
}

/// Fails unless a second apply says that there is nothing to do, and asks the server for nothing.
#[track_caller]
pub fn assert_quiet(cluster: &Cluster, sandbox: &Sandbox, spec: &str) {
    let audit = cluster.audit();
    let output = apply(sandbox, spec).exits(0);
    assert!(output.stdout.contains("No changes."), "{output}");
    assert!(
        !audit.requests().is_empty(),
        "the cluster was not even read"
    );
    let writes = audit.writes();
    assert!(writes.is_empty(), "{}", lines(&writes));
}

fn lines(all: &[impl ToString]) -> String {
    let lines: Vec<String> = all.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// acme under another slug, in a cluster of its own.
#[must_use]
pub fn dedicated(slug: &str) -> String {
    example("acme").replace(ACME, slug)
}

/// The FREE tenant under another slug.
#[must_use]
pub fn free(slug: &str) -> String {
    example("free")
        .replace("sparrow", slug)
        .replace("Sparrow", slug)
}

/// Puts one text of a spec in the place of another, which must be there.
#[track_caller]
pub fn edit(sandbox: &Sandbox, spec: &str, old: &str, new: &str) {
    let text = sandbox.read(spec);
    assert!(text.contains(old), "{spec} has no {old}");
    sandbox.write(spec, &text.replace(old, new));
}

/// One field of an object in the cluster.
#[must_use]
#[track_caller]
pub fn field(cluster: &Cluster, namespace: &str, object: &str, path: &str) -> String {
    let path = format!("jsonpath={{{path}}}");
    let words = ["get", object, "--namespace", namespace, "--output", &path];
    cluster.kubectl(&words).stdout
}
