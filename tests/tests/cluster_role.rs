//! The role that matih asks for (`providers/kubernetes/role.yaml`) is what it needs: in a life of a
//! tenant each of its rules is used, and no request is refused.
//!
//! What was used is read from the API server's books: requests of matih and its helms, and the
//! Roles that they wrote, of which the server asks that their writer has what they grant.

use std::collections::BTreeSet;

use matih_tests::acme::{ACME, example};
use matih_tests::cluster::life::{apply, destroy, edit};
use matih_tests::cluster::{Cluster, Request};
use matih_tests::{Sandbox, workspace_root};
use serde_json::Value as Json;

/// A permission: group, resource (`pods/log` for a part), verb.
type Right = (String, String, String);

fn texts(value: &Json) -> impl Iterator<Item = &str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
}

/// All that the rules of a role allow.
fn rights(role: &Json) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for rule in role["rules"].as_array().into_iter().flatten() {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                for verb in texts(&rule["verbs"]) {
                    rights.insert((group.to_owned(), resource.to_owned(), verb.to_owned()));
                }
            }
        }
    }
    rights
}

/// The rights that a request needed.
fn needed(request: &Request) -> Vec<Right> {
    let Some(object) = &request.object else {
        return Vec::new();
    };
    let resource = match object.subresource.as_str() {
        "" => object.resource.clone(),
        part => format!("{}/{part}", object.resource),
    };
    let right = |verb: &str| (object.api_group.clone(), resource.clone(), verb.to_owned());
    let mut rights = vec![right(&request.verb)];
    // A server-side apply that makes its object is asked for both.
    if request.verb == "patch" && request.code == 201 {
        rights.push(right("create"));
    }
    rights
}

/// The rights that the Roles of a namespace grant: those of matih, and those of its releases.
fn granted(cluster: &Cluster, namespace: &str) -> BTreeSet<Right> {
    let words = ["get", "roles", "--namespace", namespace, "--output=json"];
    let roles: Json = serde_json::from_str(&cluster.kubectl(&words).stdout).unwrap();
    let roles = roles["items"].as_array().cloned().unwrap_or_default();
    roles.iter().flat_map(rights).collect()
}

/// Everything that happens to a tenant; gives the rights of the Roles that were there meanwhile.
#[track_caller]
fn life(cluster: &Cluster, sandbox: &Sandbox) -> BTreeSet<Right> {
    let version = |tag: &str| {
        let tables = format!("[charts]\napp_version = \"{tag}\"\n");
        sandbox.write("names/tables.toml", &tables);
    };
    let edit = |old: &str, new: &str| edit(sandbox, "acme.toml", old, new);
    let apply = || apply(sandbox, "acme.toml");
    version("2.0.0");
    sandbox.write("acme.toml", &example(ACME));
    let _ = apply().exits(0);
    let granted = granted(cluster, "matih");
    let _ = apply().exits(0);
    edit("\nml = true", "\nml = false");
    edit("resource_tier = \"medium\"", "resource_tier = \"large\"");
    let _ = apply().exits(0);
    let _ = cluster.kubectl(&["delete", "role", "tenant-admin", "--namespace", "matih"]);
    let _ = sandbox
        .run(&["drift", ACME, "--detailed-exitcode"])
        .exits(2);
    let _ = sandbox
        .run(&["drift", ACME, "--revert", "--auto-approve"])
        .exits(0);
    version("2.0.1");
    let _ = apply().exits(0);
    // Pods of the new version crash: then why they do is looked for.
    version("crash-loop");
    let _ = apply().exits(3);
    version("2.0.2");
    let _ = apply().exits(0);
    let _ = destroy(sandbox, ACME).exits(0);
    granted
}

#[test]
fn each_rule_of_the_role_is_needed_and_none_is_missing() {
    let Some(cluster) = Cluster::find("each_rule_of_the_role_is_needed_and_none_is_missing") else {
        return;
    };
    cluster.wait_until_quiet();
    let file = workspace_root().join("providers/kubernetes/role.yaml");
    let role: Json = serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let allowed = rights(&role);

    let audit = cluster.audit();
    let sandbox = cluster.sandbox();
    let granted = life(&cluster, &sandbox);
    let requests = audit.requests();

    let refused: BTreeSet<String> = requests
        .iter()
        .filter(|it| it.code == 403)
        .map(ToString::to_string)
        .collect();
    assert!(refused.is_empty(), "refused:\n{refused:#?}");

    // The role gives `watch` for the sake of helm alone.
    let watches = requests.iter().filter(|it| it.verb == "watch");
    assert_eq!(
        watches.filter(|it| it.agent.starts_with("matih/")).count(),
        0
    );

    let used: BTreeSet<Right> = requests.iter().flat_map(needed).collect();
    let unused: Vec<String> = allowed
        .iter()
        .filter(|it| !used.contains(*it) && !granted.contains(*it))
        .map(|(group, resource, verb)| format!("{group} {resource} {verb}"))
        .collect();
    assert!(
        unused.is_empty(),
        "rules that nothing used:\n{}",
        unused.join("\n")
    );
    println!(
        "role: {} rights, {} requests, all used, none refused",
        allowed.len(),
        requests.len()
    );
}
