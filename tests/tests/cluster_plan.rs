//! What a plan asks of a real cluster, and what an apply does with the answers: refusals are found
//! before anything is changed, what cannot be altered becomes a replacement, what another manager
//! owns names that manager, and nobody is asked who need not be.
//!
//! Without a cluster the tests say so and pass. Each has a tenant with a few objects in a namespace
//! of the same name.

use matih_tests::cluster::ground::{Ground, config};
use matih_tests::cluster::{Audit, Cluster, REFUSAL};
use serde_json::{Value, json};

/// Fails unless plan and apply are refused with these words, and nothing was even tried.
#[track_caller]
fn assert_refused(ground: &Ground<'_>, words: &[&str]) {
    for output in [ground.plan(&[]), ground.apply(&[])] {
        let output = output.exits(7);
        for told in words.iter().chain(&["Nothing was changed."]) {
            assert!(output.stderr.contains(told), "no `{told}` in\n{output}");
        }
        assert!(
            output.stdout.contains("# the server would refuse: "),
            "{output}"
        );
    }
    assert_eq!(
        ground.field("configmap/first", ".data.a"),
        "",
        "it is there"
    );
}

fn service(port: u32) -> Value {
    let spec = json!({"selector": {"app": "x"}, "ports": [{"port": port}]});
    json!({"apiVersion": "v1", "kind": "Service", "spec": spec})
}

fn policy() -> Value {
    let spec = json!({"podSelector": {}, "policyTypes": ["Ingress"]});
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": spec})
}

/// The dry runs among the requests of matih.
fn dry_runs(audit: &Audit) -> usize {
    let all = audit.requests();
    all.iter()
        .filter(|it| it.uri.contains("dryRun=All"))
        .count()
}

#[test]
fn what_does_not_fit_is_found_by_the_plan() {
    let Some(cluster) = Cluster::find("what_does_not_fit_is_found_by_the_plan") else {
        return;
    };
    let ground = Ground::in_a_namespace(&cluster, "misfit");
    let mut wrong = service(80);
    wrong["spec"]["portz"] = json!([]);
    let audit = cluster.audit();
    ground.write(&[("first", "", config("1")), ("web", "", wrong)]);
    assert_refused(
        &ground,
        &[
            "kubernetes.manifest/net-web: Service misfit/web: ",
            ".spec.portz",
        ],
    );
    audit.assert_no_write();
    assert_eq!(dry_runs(&audit), 4);

    ground.write(&[("first", "", config("1")), ("web", "", service(80))]);
    let plan = ground.plan(&["--detail"]).exits(0);
    assert!(plan.stdout.contains("# asked: accepted"), "{plan}");
    let told = "# the server sets manifest.spec.type = \"ClusterIP\"";
    assert!(plan.stdout.contains(told), "{plan}");
    let plan = ground.plan(&["-o", "json"]).exits(0);
    let told: Value = serde_json::from_str(&plan.stdout).unwrap();
    let answers = told["plans"][0]["changes"].as_array().unwrap().iter();
    let answers: Vec<&Value> = answers.map(|it| &it["rehearsal"]["answer"]).collect();
    assert_eq!(answers, [&json!("accepted"), &json!("accepted")], "{plan}");
    let _ = ground.apply(&[]).exits(0);
    ground.clear();
}

#[test]
fn quota_and_policies_refuse_the_plan() {
    let Some(cluster) = Cluster::find("quota_and_policies_refuse_the_plan") else {
        return;
    };
    let ground = Ground::in_a_namespace(&cluster, "refused");
    cluster.refuse("refused", "fence");
    ground.write(&[("first", "", config("1")), ("fence", "", policy())]);
    let audit = cluster.audit();
    assert_refused(
        &ground,
        &["net-fence: NetworkPolicy refused/fence: ", REFUSAL],
    );
    audit.assert_no_write();
    cluster.allow("refused", "fence");

    // The server looks for the role of a binding. Where the role comes first, it may be there then.
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": []});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "role"}, "subjects": []});
    ground.write(&[("first", "", config("1")), ("binding", "", binding.clone())]);
    assert_refused(
        &ground,
        &["RoleBinding refused/binding: ", "\"role\" not found"],
    );
    let needs = "depends_on = [\"kubernetes.manifest/net-role\"]";
    ground.write(&[("role", "", role), ("binding", needs, binding)]);
    let plan = ground.plan(&[]).exits(0);
    assert!(
        plan.stdout
            .contains("not found; what comes first may cure it"),
        "{plan}"
    );
    let _ = ground.apply(&[]).exits(0);

    cluster.make("apiVersion: v1\nkind: ResourceQuota\nmetadata: { name: limit, namespace: refused }\nspec: { hard: { services: \"0\" } }\n");
    // The quota counts once its controller has looked at it.
    let probe = "apiVersion: v1\nkind: Service\nmetadata: { name: probe, namespace: refused }\nspec: { ports: [{ port: 1 }] }\n";
    let words = ["create", "--dry-run=server", "--filename", "-"];
    let counts = |_: &u32| {
        let asked = cluster.try_kubectl(&words, probe);
        asked.stderr.contains("exceeded quota")
    };
    assert!((0..200).any(|it| counts(&it)), "the quota does not count");
    ground.write(&[("first", "", config("1")), ("web", "", service(80))]);
    let audit = cluster.audit();
    assert_refused(&ground, &["exceeded quota: limit", "raise the quota"]);
    audit.assert_no_write();
    ground.clear();
}

#[test]
fn what_the_server_cannot_alter_is_replaced_with_the_guard() {
    let test = "what_the_server_cannot_alter_is_replaced_with_the_guard";
    let Some(cluster) = Cluster::find(test) else {
        return;
    };
    let ground = Ground::in_a_namespace(&cluster, "fixed");
    let fixed = |value: &str| {
        let mut fixed = config(value);
        fixed["immutable"] = json!(true);
        fixed
    };
    let hollow = |is: bool| {
        let mut hollow = service(80);
        if is {
            hollow["spec"]["clusterIP"] = json!("None");
        }
        hollow
    };
    ground.write(&[("first", "", fixed("1")), ("web", "", hollow(false))]);
    let _ = ground.apply(&[]).exits(0);
    let uid = ground.field("configmap/first", ".metadata.uid");

    ground.write(&[("first", "", fixed("2")), ("web", "", hollow(true))]);
    let spec = ground.sandbox.read("spec.toml");
    let protected =
        "\n[[lifecycle]]\naddress = \"kubernetes.manifest/net-first\"\nprotect = true\n";
    ground
        .sandbox
        .write("spec.toml", &(spec.clone() + protected));
    let plan = ground.plan(&[]).exits(0);
    for told in [
        "-/+ kubernetes.manifest/net-first",
        "the server does not alter data: field is immutable when `immutable` is set",
        "# manifest.data forces replacement",
        "-/+ kubernetes.manifest/net-web",
        "may not change once set",
        "has `protect` and would be replaced",
        "Undo: 2 replaced",
    ] {
        assert!(plan.stdout.contains(told), "no `{told}` in\n{plan}");
    }
    let _ = ground.apply(&[]).exits(5);
    assert_eq!(ground.field("configmap/first", ".metadata.uid"), uid);

    ground.sandbox.write("spec.toml", &spec);
    let _ = ground.apply(&[]).exits(0);
    assert_ne!(ground.field("configmap/first", ".metadata.uid"), uid);
    assert_eq!(ground.field("configmap/first", ".data.a"), "2");
    assert_eq!(ground.field("service/web", ".spec.clusterIP"), "None");
    let plan = ground.plan(&["--detailed-exitcode"]).exits(0);
    assert!(plan.stdout.contains("No changes."), "{plan}");
    ground.clear();
}

#[test]
fn a_field_of_another_manager_is_a_conflict_until_it_is_taken() {
    let test = "a_field_of_another_manager_is_a_conflict_until_it_is_taken";
    let Some(cluster) = Cluster::find(test) else {
        return;
    };
    let ground = Ground::in_a_namespace(&cluster, "owned");
    ground.write(&[("conf", "", config("1")), ("web", "", service(80))]);
    let _ = ground.apply(&[]).exits(0);
    ground.patch("configmap/conf", &json!({"data": {"a": "theirs"}}), &[]);
    ground.write(&[("conf", "", config("2")), ("web", "", service(81))]);
    let audit = cluster.audit();
    assert_refused(
        &ground,
        &[
            "net-conf: ConfigMap owned/conf: others own `.data.a` by mallory since 20",
            "--force-conflicts",
        ],
    );
    audit.assert_no_write();
    assert_eq!(ground.field("configmap/conf", ".data.a"), "theirs");
    assert_eq!(ground.field("service/web", ".spec.ports[0].port"), "80");

    let plan = ground.plan(&["--force-conflicts"]).exits(0);
    assert!(plan.stdout.contains("# asked: accepted"), "{plan}");
    let next = "--target 'kubernetes.manifest/net-*' --force-conflicts";
    assert!(plan.stderr.contains(next), "{plan}");
    let _ = ground.apply(&["--force-conflicts"]).exits(0);
    assert_eq!(ground.field("configmap/conf", ".data.a"), "2");

    // The same on the way back: refused, until it is taken.
    ground.patch("configmap/conf", &json!({"data": {"a": "theirs"}}), &[]);
    let audit = cluster.audit();
    let shown = ground.rollback(&["--dry-run"]).exits(7);
    let owned = "ConfigMap owned/conf: others own `.data.a` by mallory since 20";
    assert!(shown.stderr.contains(owned), "{shown}");
    let _ = ground.rollback(&["--auto-approve"]).exits(7);
    audit.assert_no_write();
    let force = ["--force-conflicts", "--auto-approve"];
    let _ = ground.rollback(&force).exits(0);
    assert_eq!(ground.field("configmap/conf", ".data.a"), "1");
    ground.patch("configmap/conf", &json!({"data": {"a": "theirs"}}), &[]);
    let revert = |more: &[&str]| {
        let words = ["drift", "owned", "--revert", "--auto-approve"];
        ground.sandbox.run(&[&words[..], more].concat())
    };
    let _ = revert(&[]).exits(7);
    let _ = revert(&["--force-conflicts"]).exits(0);
    assert_eq!(ground.field("configmap/conf", ".data.a"), "1");
    ground.clear();
}

#[test]
fn what_cannot_be_asked_yet_is_held_against_the_schema() {
    let test = "what_cannot_be_asked_yet_is_held_against_the_schema";
    let Some(cluster) = Cluster::find(test) else {
        return;
    };
    let ground = Ground::without(&cluster, "unasked");
    let space = json!({"apiVersion": "v1", "kind": "Namespace"});
    let needs = "depends_on = [\"kubernetes.manifest/net-space\"]";
    let widget = json!({"apiVersion": "test.example/v1", "kind": "Widget"});
    let mut wrong = service(80);
    wrong["spec"]["ports"][0]["port"] = json!("http");
    let objects = |web: Value| {
        [
            ("space", "", space.clone()),
            ("first", needs, config("1")),
            ("web", needs, web),
            ("widget", needs, widget.clone()),
        ]
    };
    ground.write(&objects(wrong));
    let audit = cluster.audit();
    assert_refused(
        &ground,
        &[
            "net-web: Service web does not fit the server's schema of v1 Service: `spec.ports.0.port` must be integer and is string",
        ],
    );
    audit.assert_no_write();

    ground.write(&objects(service(80)));
    let plan = ground.plan(&[]).exits(0);
    for told in [
        "# asked: accepted",
        "# not asked: its namespace unasked is in this plan; fits the server's schema",
        "# not asked: the cluster does not serve its kind yet; not checked",
    ] {
        assert!(plan.stdout.contains(told), "no `{told}` in\n{plan}");
    }
    ground.write(&objects(service(80))[..3]);
    let _ = ground.apply(&[]).exits(0);
    ground.clear();
}

#[test]
fn nobody_is_asked_without_need() {
    let Some(cluster) = Cluster::find("nobody_is_asked_without_need") else {
        return;
    };
    let ground = Ground::in_a_namespace(&cluster, "quiet");
    ground.write(&[("conf", "", config("1"))]);
    let audit = cluster.audit();
    let plan = ground.plan(&["--offline"]).exits(0);
    assert!(!plan.stdout.contains("asked"), "{plan}");
    assert!(plan.stderr.contains(" --offline"), "{plan}");
    let _ = ground.apply(&[]).exits(0);
    ground.write(&[("conf", "", config("2"))]);
    let asked = cluster.audit();
    let plan = ground.plan(&["--offline", "--detailed-exitcode"]).exits(2);
    assert!(
        plan.stdout.contains("without a look at the world"),
        "{plan}"
    );
    let destroy = ["destroy", "quiet", "--offline", "--no-input"];
    let destroy = ground.sandbox.run(&destroy).exits(9);
    let told = "without a look at the world";
    assert!(destroy.stdout.contains(told), "{destroy}");
    let requests = asked.requests();
    assert!(requests.is_empty(), "{requests:?}");
    assert_eq!(audit.writes().len(), 1, "the apply alone");

    ground.write(&[("conf", "", config("1"))]);
    let audit = cluster.audit();
    let _ = ground.plan(&["--detailed-exitcode"]).exits(0);
    let _ = ground.apply(&[]).exits(0);
    audit.assert_no_write();
    assert_eq!(dry_runs(&audit), 0);
    assert!(!audit.requests().is_empty(), "it was not even looked at");
    ground.clear();
}

#[test]
fn a_saved_plan_is_stale_by_what_is_ours_and_says_by_whom() {
    let test = "a_saved_plan_is_stale_by_what_is_ours_and_says_by_whom";
    let Some(cluster) = Cluster::find(test) else {
        return;
    };
    let ground = Ground::in_a_namespace(&cluster, "saved");
    ground.write(&[("conf", "", config("1")), ("web", "", service(80))]);
    let _ = ground.apply(&[]).exits(0);
    ground.write(&[("conf", "", config("2")), ("web", "", service(80))]);
    let _ = ground.plan(&["--out", "a.plan"]).exits(0);
    let version = || ground.field("service/web", ".metadata.resourceVersion");
    let before = version();
    let condition = json!({"type": "Seen", "status": "True", "reason": "x", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let status = json!({"status": {"conditions": [condition]}});
    ground.patch("service/web", &status, &["--subresource=status"]);
    assert_ne!(version(), before, "the status did not change");
    let audit = cluster.audit();
    let _ = ground.sandbox.run(&["apply", "a.plan"]).exits(0);
    assert_eq!(dry_runs(&audit), 0, "a saved plan is not asked about again");
    assert_eq!(ground.field("configmap/conf", ".data.a"), "2");

    ground.write(&[("conf", "", config("3")), ("web", "", service(80))]);
    let _ = ground.plan(&["--out", "b.plan"]).exits(0);
    let selector = json!({"spec": {"selector": {"app": "theirs"}}});
    ground.patch("service/web", &selector, &[]);
    let output = ground.sandbox.run(&["apply", "b.plan"]).exits(8);
    let told = "net-web was changed since the plan was made: `manifest.spec.selector.app` by mallory (Update) at 20";
    assert!(output.stderr.contains(told), "{output}");
    assert_eq!(ground.field("configmap/conf", ".data.a"), "2");
    ground.clear();
}
