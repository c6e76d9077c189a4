//! What a plan asks of a real cluster, and what an apply does with the answers: refusals are found
//! before anything is changed, what cannot be altered becomes a replacement, what another manager
//! owns names that manager, and nobody is asked who need not be.
//!
//! Without a cluster the tests say so and pass. Each has a tenant with a few objects in a namespace
//! of the same name.

use matih_tests::cluster::small::{TARGET, toml};
use matih_tests::cluster::{Audit, Cluster, REFUSAL};
use matih_tests::{Output, Sandbox};
use serde_json::{Value, json};

/// A tenant whose objects a test writes down itself.
struct Ground<'a> {
    cluster: &'a Cluster,
    sandbox: Sandbox,
    tenant: &'a str,
}

impl<'a> Ground<'a> {
    /// With the namespace there, made by somebody else.
    #[track_caller]
    fn in_a_namespace(cluster: &'a Cluster, tenant: &'a str) -> Self {
        cluster.wait_until_quiet();
        // What a test that failed has left.
        let _ = cluster.kubectl(&["delete", "namespace", tenant, "--ignore-not-found"]);
        cluster.make(&format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {tenant} }}\n"
        ));
        Self::without(cluster, tenant)
    }

    /// With no namespace.
    #[track_caller]
    fn without(cluster: &'a Cluster, tenant: &'a str) -> Self {
        let sandbox = cluster.sandbox();
        Self {
            cluster,
            sandbox,
            tenant,
        }
    }

    /// Writes the spec: each object with the rest of its block.
    #[track_caller]
    fn write(&self, objects: &[(&str, &str, Value)]) {
        let tenant = self.tenant;
        let mut spec = format!(
            "[tenant]\nname = \"Tenant {tenant}\"\nslug = \"{tenant}\"\ntier = \"FREE\"\nadmin_email = \"a@b.example\"\n"
        );
        for (name, rest, manifest) in objects {
            let mut manifest = manifest.clone();
            manifest["metadata"]["name"] = json!(name);
            if manifest["kind"] == "Namespace" {
                manifest["metadata"]["name"] = json!(tenant);
            } else {
                manifest["metadata"]["namespace"] = json!(tenant);
            }
            let manifest = toml(&manifest);
            spec += &format!(
                "\n[[resource]]\nkind = \"kubernetes.manifest\"\nname = \"net-{name}\"\n{rest}\nattributes = {{ cluster = \"any\", manifest = {manifest} }}\n"
            );
        }
        self.sandbox.write("spec.toml", &spec);
    }

    fn run(&self, command: &str, more: &[&str]) -> Output {
        let words = [command, "spec.toml", "--target", TARGET];
        self.sandbox.run(&[&words[..], more].concat())
    }

    fn plan(&self, more: &[&str]) -> Output {
        self.run("plan", more)
    }

    fn apply(&self, more: &[&str]) -> Output {
        self.run("apply", &[&["--auto-approve"], more].concat())
    }

    /// Fails unless plan and apply are refused with these words, and nothing was even tried.
    #[track_caller]
    fn assert_refused(&self, words: &[&str]) {
        for output in [self.plan(&[]), self.apply(&[])] {
            let output = output.exits(7);
            for told in words.iter().chain(&["Nothing was changed."]) {
                assert!(output.stderr.contains(told), "no `{told}` in\n{output}");
            }
            assert!(
                output.stdout.contains("# the server would refuse: "),
                "{output}"
            );
        }
        assert_eq!(self.field("configmap/first", ".data.a"), "", "it is there");
    }

    /// A field of an object; empty if one of them is not there.
    fn field(&self, object: &str, path: &str) -> String {
        let path = format!("jsonpath={{{path}}}");
        let words = ["get", object, "--namespace", self.tenant, "--output", &path];
        self.cluster.try_kubectl(&words, "").stdout
    }

    #[track_caller]
    fn patch(&self, object: &str, patch: &Value, more: &[&str]) {
        let patch = format!("--patch={patch}");
        let words = [
            "patch",
            object,
            "--namespace",
            self.tenant,
            "--type=merge",
            &patch,
            "--field-manager=mallory",
        ];
        let _ = self.cluster.kubectl(&[&words[..], more].concat());
    }

    fn rollback(&self, more: &[&str]) -> Output {
        let words = ["rollback", self.tenant];
        self.sandbox.run(&[&words[..], more].concat())
    }

    fn clear(self) {
        self.cluster.clear(&[self.tenant]);
    }
}

fn config(value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": value}})
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

#[track_caller]
fn assert_no_write(audit: &Audit) {
    let writes = audit.writes();
    assert!(writes.is_empty(), "{writes:?}");
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
    ground.assert_refused(&[
        "kubernetes.manifest/net-web: Service misfit/web: ",
        ".spec.portz",
    ]);
    assert_no_write(&audit);
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
    ground.assert_refused(&["net-fence: NetworkPolicy refused/fence: ", REFUSAL]);
    assert_no_write(&audit);
    cluster.allow("refused", "fence");

    // The server looks for the role of a binding. Where the role comes first, it may be there then.
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": []});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "role"}, "subjects": []});
    ground.write(&[("first", "", config("1")), ("binding", "", binding.clone())]);
    ground.assert_refused(&["RoleBinding refused/binding: ", "\"role\" not found"]);
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
    ground.assert_refused(&["exceeded quota: limit", "raise the quota"]);
    assert_no_write(&audit);
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
    ground.assert_refused(&[
        "net-conf: ConfigMap owned/conf: others own `.data.a` by mallory since 20",
        "--force-conflicts",
    ]);
    assert_no_write(&audit);
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
    assert_no_write(&audit);
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
    ground.assert_refused(&[
        "net-web: Service web does not fit the server's schema of v1 Service: `spec.ports.0.port` must be integer and is string",
    ]);
    assert_no_write(&audit);

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
    assert_no_write(&audit);
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
