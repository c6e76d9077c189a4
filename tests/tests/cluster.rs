//! The life of tenants on a real cluster, by the account that has matih's role and nothing more.
//!
//! Without a cluster these tests say so and pass: `tests/run cluster` starts one. What is real is
//! real in every provider that a target is there for; the tests ask nobody which.

use matih_tests::Sandbox;
use matih_tests::acme::{self, ACME, example};
use matih_tests::cluster::life::{
    YES, apply, assert_gone, assert_quiet, assert_sound, dedicated, destroy, edit, field, free,
};
use matih_tests::cluster::{Cluster, REFUSAL};

#[test]
fn acme_from_nothing_to_active_and_back() {
    let Some(cluster) = Cluster::find("acme_from_nothing_to_active_and_back") else {
        return;
    };
    cluster.wait_until_quiet();
    let before = cluster.everything();
    let sandbox = cluster.sandbox();
    // As every dedicated tenant: its namespace is called as in a cluster of its own.
    sandbox.write("names/tables.toml", "");
    sandbox.write("acme.toml", &example("acme"));

    let output = apply(&sandbox, "acme.toml").exits(0);
    assert!(output.stdout.contains("Apply complete!"), "{output}");
    let status = sandbox.run(&["status", ACME]).exits(0);
    assert!(status.stdout.contains("ACTIVE"), "{status}");
    assert_sound(&cluster, &sandbox, ACME, "acme.toml");
    let ours = cluster.marked(None);
    println!("acme: {} objects of the cluster bear its mark", ours.len());
    assert!(ours.len() > 60, "{}", ours.len());
    assert_quiet(&cluster, &sandbox, "acme.toml");
    // What controllers and Helm make of ours is known as theirs.
    let drift = sandbox.run(&["drift", ACME, "--unmarked"]).exits(0);
    assert!(drift.stdout.contains(" 0 unmanaged, "), "{drift}");

    an_address_that_moves_reaches_dns(&cluster, &sandbox);

    // A module goes, and comes back.
    let with_all = cluster.marked(None).len();
    edit(&sandbox, "acme.toml", "\nml = true", "\nml = false");
    let _ = apply(&sandbox, "acme.toml").exits(0);
    assert_sound(&cluster, &sandbox, ACME, "acme.toml");
    assert!(cluster.marked(None).len() < with_all);
    edit(&sandbox, "acme.toml", "\nml = false", "\nml = true");
    let _ = apply(&sandbox, "acme.toml").exits(0);
    assert_sound(&cluster, &sandbox, ACME, "acme.toml");
    assert_eq!(cluster.marked(None).len(), with_all);

    // The quota grows.
    let pods = || {
        field(
            &cluster,
            "matih",
            "resourcequota/tenant-quota",
            ".spec.hard.pods",
        )
    };
    let small = pods();
    edit(
        &sandbox,
        "acme.toml",
        "resource_tier = \"medium\"",
        "resource_tier = \"large\"",
    );
    let _ = apply(&sandbox, "acme.toml").exits(0);
    assert_sound(&cluster, &sandbox, ACME, "acme.toml");
    let number = |text: &str| text.parse::<u32>().unwrap();
    assert!(number(&pods()) > number(&small), "{small}, then {}", pods());

    let _ = destroy(&sandbox, ACME).exits(0);
    assert_gone(&cluster, &sandbox, ACME, "acme.toml");
    let difference = before.difference(&cluster.everything());
    assert!(difference.is_empty(), "{difference}");
}

#[test]
fn a_free_tenant_becomes_a_professional_one() {
    let Some(cluster) = Cluster::find("a_free_tenant_becomes_a_professional_one") else {
        return;
    };
    cluster.wait_until_quiet();
    let before = cluster.everything();
    let sandbox = cluster.sandbox();
    sandbox.write("robin.toml", &free("robin"));
    let _ = apply(&sandbox, "robin.toml").exits(0);
    let status = sandbox.run(&["status", "robin"]).exits(0);
    assert!(status.stdout.contains("ACTIVE"), "{status}");
    assert_sound(&cluster, &sandbox, "robin", "robin.toml");
    assert_quiet(&cluster, &sandbox, "robin.toml");

    let credentials = dedicated("robin");
    let begin = credentials.find("[infrastructure]").unwrap();
    let end = credentials.find("[[data_sources]]").unwrap();
    let text = sandbox.read("robin.toml").replace("FREE", "PROFESSIONAL");
    sandbox.write(
        "robin.toml",
        &format!("{text}\n{}", &credentials[begin..end]),
    );
    let _ = apply(&sandbox, "robin.toml").exits(0);
    assert_sound(&cluster, &sandbox, "robin", "robin.toml");
    assert_quiet(&cluster, &sandbox, "robin.toml");
    let tier = ".metadata.labels.matih\\.ai/tier";
    let tier = field(&cluster, "default", "namespace/own-robin", tier);
    assert_eq!(tier, "professional");
    let old = cluster.try_kubectl(&["get", "namespace", "tenant-robin"], "");
    assert!(old.stderr.contains("NotFound"), "{old}");

    let _ = destroy(&sandbox, "robin").exits(0);
    assert_gone(&cluster, &sandbox, "robin", "robin.toml");
    let difference = before.difference(&cluster.everything());
    assert!(difference.is_empty(), "{difference}");
}

/// The cloud gives the ingress controller another address: nothing of ours has changed, and yet
/// what refers to it must.
fn an_address_that_moves_reaches_dns(cluster: &Cluster, sandbox: &Sandbox) {
    let balanced = "jsonpath={range .items[?(@.spec.type==\"LoadBalancer\")]}\
         {.metadata.namespace} {.metadata.name}{end}";
    let words = ["get", "services", "--all-namespaces", "--output", balanced];
    let found = cluster.kubectl(&words).stdout;
    let (namespace, name) = found.split_once(' ').unwrap();
    for address in ["203.0.113.77", "203.0.113.10"] {
        let patch = format!(
            r#"--patch={{"status":{{"loadBalancer":{{"ingress":[{{"ip":"{address}"}}]}}}}}}"#
        );
        let words = ["patch", "service", name, "--subresource=status"];
        let more = ["--type=merge", &*patch, "--namespace", namespace];
        let _ = cluster.kubectl(&[&words[..], &more].concat());
        let planned = sandbox.run(&["plan", "acme.toml", "--detailed-exitcode"]);
        let planned = planned.exits(2).stdout;
        let told = |it: &&str| it.contains("values") && it.contains(address);
        assert!(planned.lines().any(|it| told(&it)), "{planned}");
        let _ = apply(sandbox, "acme.toml").exits(0);
        assert_quiet(cluster, sandbox, "acme.toml");
    }
}

#[test]
fn drift_names_who_and_what_and_is_repaired() {
    let Some(cluster) = Cluster::find("drift_names_who_and_what_and_is_repaired") else {
        return;
    };
    let (tenant, namespace) = ("wren", "tenant-wren");
    let sandbox = cluster.sandbox();
    sandbox.write("wren.toml", &free(tenant));
    let _ = apply(&sandbox, "wren.toml").exits(0);
    let quota = |path: &str| field(&cluster, namespace, "resourcequota/tenant-quota", path);
    let pods = quota(".spec.hard.pods");

    for words in [
        &[
            "patch",
            "quota",
            "tenant-quota",
            "--type=merge",
            "--patch={\"spec\":{\"hard\":{\"pods\":\"7\"}}}",
            "--field-manager=mallory",
        ][..],
        &[
            "label",
            "serviceaccount",
            "tenant-workload",
            "matih.ai/tenant=eve",
            "--overwrite",
            "--field-manager=eve",
        ],
        &["delete", "role", "tenant-admin"],
        // Not ours, so no drift.
        &["label", "serviceaccount", "tenant-workload", "colour=blue"],
    ] {
        let _ = cluster.kubectl(&[words, &["--namespace", namespace]].concat());
    }
    let drift = ["drift", tenant, "--detailed-exitcode"];
    let output = sandbox.run(&drift).exits(2);
    for told in [
        "manifest.spec.hard.pods by mallory (Update) at ",
        "manifest.metadata.labels[matih.ai/tenant] by eve (Update) at ",
        "kubernetes.manifest/role-tenant-admin  is gone",
        "2 changed, 1 missing",
    ] {
        assert!(output.stdout.contains(told), "no `{told}` in\n{output}");
    }
    assert!(!output.stdout.contains("colour"), "{output}");

    // What others own is not taken from them without a word.
    let revert = ["drift", tenant, "--revert", "--auto-approve"];
    let output = sandbox.run(&revert);
    assert_ne!(output.status, Some(0), "{output}");
    let told = format!("{}{}", output.stdout, output.stderr);
    let owned = ["`.spec.hard.pods` by mallory", "tenant` by eve"];
    assert!(owned.iter().any(|it| told.contains(it)), "{output}");
    assert_eq!(quota(".spec.hard.pods"), "7");
    let output = sandbox.run(&drift).exits(2);
    assert!(output.stdout.contains("2 changed, "), "{output}");

    let platform = sandbox.read("matih.toml");
    sandbox.write(
        "matih.toml",
        &format!("{platform}\n[providers.kubernetes]\nforce_conflicts = true\n"),
    );
    let _ = sandbox.run(&revert).exits(0);
    assert_eq!(quota(".spec.hard.pods"), pods);
    let _ = sandbox.run(&drift).exits(0);
    let account = "serviceaccount/tenant-workload";
    let colour = field(&cluster, namespace, account, ".metadata.labels.colour");
    assert_eq!(colour, "blue", "what others added stays");

    what_lies_beside_ours_is_told_on_request(&cluster, &sandbox, tenant, namespace);
    a_mark_that_is_taken_off_cannot_be_accepted(&cluster, &sandbox, namespace);
    assert_sound(&cluster, &sandbox, tenant, "wren.toml");
    assert_quiet(&cluster, &sandbox, "wren.toml");
    cluster.clear(&[namespace]);
}

fn a_mark_that_is_taken_off_cannot_be_accepted(
    cluster: &Cluster,
    sandbox: &Sandbox,
    namespace: &str,
) {
    let mark = ".metadata.annotations.matih\\.ai/address";
    let marked = || field(cluster, namespace, "limitrange/tenant-limits", mark);
    let before = marked();
    let words = ["annotate", "limitrange", "tenant-limits"];
    let more = ["matih.ai/address-", "--namespace", namespace];
    let _ = cluster.kubectl(&[words, more].concat());
    let accepted = sandbox.run(&["drift", "wren.toml", "--accept"]).exits(0);
    let told = "1 objects bear no mark of ours, which cannot be ignored";
    assert!(accepted.stderr.contains(told), "{accepted}");
    assert_eq!(marked(), "");
    let _ = apply(sandbox, "wren.toml").exits(0);
    assert_eq!(marked(), before);
}

fn what_lies_beside_ours_is_told_on_request(
    cluster: &Cluster,
    sandbox: &Sandbox,
    tenant: &str,
    namespace: &str,
) {
    let drift = ["drift", tenant, "--detailed-exitcode"];
    let _ = cluster.kubectl(&[
        "create",
        "configmap",
        "hers",
        "--from-literal=a=b",
        "--field-manager=eve",
        "--namespace",
        namespace,
    ]);
    let _ = sandbox.run(&drift).exits(0);
    let output = sandbox
        .run(&[&drift[..], &["--unmarked"]].concat())
        .exits(2);
    let told = format!("/core/ConfigMap/{namespace}/hers/");
    let by = "  bears no mark, made by eve (Update) at ";
    assert!(
        output.stdout.contains(&told) && output.stdout.contains(by),
        "{output}"
    );
    assert!(output.stdout.contains(" 1 unmanaged, "), "{output}");
    let _ = cluster.kubectl(&["delete", "configmap", "hers", "--namespace", namespace]);
}

#[test]
fn a_refused_object_stops_the_apply_and_resume_goes_on() {
    let Some(cluster) = Cluster::find("a_refused_object_stops_the_apply_and_resume_goes_on") else {
        return;
    };
    let (tenant, namespace) = ("lark", "own-lark");
    let sandbox = cluster.sandbox();
    sandbox.write("lark.toml", &dedicated(tenant));
    cluster.refuse(namespace, "allow-telemetry");
    let output = apply(&sandbox, "lark.toml");
    cluster.allow(namespace, "allow-telemetry");
    let output = output.exits(3);
    let told = format!("{}{}", output.stdout, output.stderr);
    assert!(
        told.contains(REFUSAL) && told.contains("allow-telemetry"),
        "{output}"
    );
    let findings = cluster
        .facts(&sandbox, tenant, &["plan", "lark.toml"])
        .findings();
    assert!(
        findings.lost.is_empty() && findings.orphaned.is_empty(),
        "{findings}"
    );

    let _ = sandbox
        .run(&["resume", "lark.toml", "--auto-approve"])
        .exits(0);
    assert_sound(&cluster, &sandbox, tenant, "lark.toml");
    assert_quiet(&cluster, &sandbox, "lark.toml");
    cluster.clear(&[namespace]);
}

#[test]
fn a_refused_update_is_rolled_back_while_the_cause_is_there() {
    let test = "a_refused_update_is_rolled_back_while_the_cause_is_there";
    let Some(cluster) = Cluster::find(test) else {
        return;
    };
    let (tenant, namespace) = ("tern", "own-tern");
    let sandbox = cluster.sandbox();
    sandbox.write("acme.toml", &dedicated(tenant));
    let _ = apply(&sandbox, "acme.toml").exits(0);
    let good = cluster.facts(&sandbox, tenant, &["plan", "acme.toml"]);
    assert!(good.findings().is_empty(), "{}", good.findings());
    let first = sandbox.read("acme.toml");

    acme::edit(&sandbox);
    let _ = sandbox
        .run(&["plan", "acme.toml", "--out", "edit.plan"])
        .exits(0);
    cluster.refuse(namespace, "allow-data-source-sales");
    let output = sandbox.run(&[&["apply", "edit.plan"], YES].concat());
    let back = [
        "rollback",
        tenant,
        "--to",
        "1",
        "--auto-approve",
        "--allow-data-loss",
        "all",
        "--allow-mass-delete",
    ];
    let back = sandbox.run(&back);
    cluster.allow(namespace, "allow-data-source-sales");
    let _ = output.exits(3);
    let _ = back.exits(0);
    sandbox.write("acme.toml", &first);
    assert_sound(&cluster, &sandbox, tenant, "acme.toml");
    cluster.clear(&[namespace]);
}

#[test]
fn tenants_and_installations_never_take_each_others_objects() {
    let test = "tenants_and_installations_never_take_each_others_objects";
    let Some(cluster) = Cluster::find(test) else {
        return;
    };
    cluster.wait_until_quiet();
    let one = cluster.sandbox();
    one.write("finch.toml", &free("finch"));
    one.write("siskin.toml", &free("siskin"));
    let _ = apply(&one, "finch.toml").exits(0);
    let _ = apply(&one, "siskin.toml").exits(0);
    let before = cluster.everything();

    // The same tenant from another state folder: every object is another's.
    let other = cluster.sandbox();
    other.write("finch.toml", &free("finch"));
    let words = ["--auto-approve", "--on-failure", "continue"];
    let output = other.run(&[&["apply", "finch.toml"], &words[..]].concat());
    assert_ne!(output.status, Some(0), "{output}");
    let told = format!("{}{}", output.stdout, output.stderr);
    assert!(told.contains("of installation ins-"), "{output}");
    let _ = destroy(&other, "finch").exits(0);
    let difference = before.difference(&cluster.everything());
    assert!(difference.is_empty(), "{difference}");

    // The other tenant of the same installation goes, and nothing of this one.
    let _ = destroy(&one, "siskin").exits(0);
    let after = cluster.everything().without(&["tenant-siskin"]);
    let difference = before.without(&["tenant-siskin"]).difference(&after);
    assert!(difference.is_empty(), "{difference}");
    assert_gone(&cluster, &one, "siskin", "siskin.toml");
    assert_sound(&cluster, &one, "finch", "finch.toml");
    cluster.clear(&["tenant-finch"]);
}
