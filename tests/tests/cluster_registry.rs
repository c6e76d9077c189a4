//! Charts from a registry: pushed by helm itself, pulled by matih with the login of the platform
//! file, installed; and what becomes of a tag that is moved to other files.
//!
//! Without a cluster this says so and passes. The registry is built like the cluster, once.

use matih_tests::Sandbox;
use matih_tests::cluster::Cluster;
use matih_tests::cluster::registry::{LOGIN, Registry};
use matih_tests::cluster::way::Traveller;
use serde_json::Value;

const TENANT: &str = "finch";

/// Fails unless an apply is refused with these words, without the login, and before any effect.
#[track_caller]
fn assert_refused(traveller: &Traveller<'_>, told: &str) {
    let before = traveller.texts();
    let refused = traveller.run("apply", "other", &["--auto-approve"]);
    assert_ne!(refused.status, Some(0), "{refused}");
    let text = refused.to_string();
    assert!(text.contains(told), "no `{told}` in\n{refused}");
    assert!(!text.contains(LOGIN.1), "{refused}");
    assert_eq!(traveller.texts()[1], before[1]);
}

/// The chart's digest by the record.
#[track_caller]
fn recorded(sandbox: &Sandbox) -> String {
    let address = format!("{TENANT}/helm.release/way-web");
    let shown = sandbox.run(&["state", "show", &address, "-o", "json"]);
    let shown: Value = serde_json::from_str(&shown.exits(0).stdout).unwrap();
    shown["outputs"]["chart_digest"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Another machine has nothing downloaded.
fn forget_downloads(sandbox: &Sandbox) {
    std::fs::remove_dir_all(sandbox.path(".matih/helm/charts/downloads")).unwrap();
}

#[test]
fn a_chart_of_a_registry_is_pulled_with_a_login_and_stays_what_it_is() {
    let test = "a_chart_of_a_registry_is_pulled_with_a_login_and_stays_what_it_is";
    let Some(cluster) = Cluster::find(test) else {
        return;
    };
    let registry = Registry::start(&cluster);
    let logins = registry.log_in();
    let early = registry.push("early");

    let mut sandbox = cluster.sandbox();
    let authority = cluster.pki().join("ca.crt");
    sandbox.set_env("SSL_CERT_FILE", authority.to_str().unwrap());
    let mut traveller = Traveller::new(&cluster, sandbox, TENANT);
    traveller.repository = registry.repository();

    assert_refused(&traveller, "helm registry login");
    let logins = format!(
        "\n[providers.helm]\nregistries = \"{}\"\n",
        logins.display()
    );
    let platform = traveller.sandbox.read("matih.toml") + &logins;
    traveller.sandbox.write("matih.toml", &platform);
    let _ = traveller.run("apply", "one", &["--auto-approve"]).exits(0);
    assert_eq!(traveller.texts(), ["one", "one"]);
    let first = recorded(&traveller.sandbox);

    // The tag moves. What is here stays, and what is installed is no other than before.
    let late = registry.push("late");
    assert_ne!(early, late);
    let plan = traveller.run("plan", "one", &["--detailed-exitcode"]);
    let _ = plan.exits(0);
    let _ = traveller.run("apply", "two", &["--auto-approve"]).exits(0);
    assert_eq!(traveller.texts(), ["two", "two"]);
    assert_eq!(recorded(&traveller.sandbox), first);

    // Another machine gets the other files, with the next change and not before.
    forget_downloads(&traveller.sandbox);
    let plan = traveller.run("plan", "two", &["--detailed-exitcode"]);
    let _ = plan.exits(0);
    let _ = traveller
        .run("apply", "three", &["--auto-approve"])
        .exits(0);
    assert_ne!(recorded(&traveller.sandbox), first);

    // Who pins the digest has what was pinned, and nothing else under its name.
    traveller.digest = Some(early);
    assert_refused(&traveller, "digest mismatch");
    traveller.digest = Some(late);
    let _ = traveller.run("apply", "four", &["--auto-approve"]).exits(0);
    assert_eq!(traveller.texts(), ["four", "four"]);
    let _ = traveller
        .sandbox
        .run(&["drift", TENANT, "--detailed-exitcode"])
        .exits(0);
    cluster.clear(&[TENANT]);
}
