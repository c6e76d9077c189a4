//! The way back on a real cluster: what the server would refuse of it is told before anything is
//! done, by `rollback`, by its dry run, and by a failed apply that is to be taken back.
//!
//! Without a cluster the tests say so and pass.

use matih_tests::cluster::ground::{Ground, config};
use matih_tests::cluster::{Cluster, REFUSAL};
use serde_json::{Value, json};

/// A policy under which config maps of a namespace have to be so, until it is dropped.
struct Rule<'a> {
    cluster: &'a Cluster,
    namespace: &'a str,
    text: String,
}

impl<'a> Rule<'a> {
    /// In force: `conf`, which is there, must not have the value `1` any more.
    #[track_caller]
    fn new(cluster: &'a Cluster, namespace: &'a str, must: &str) -> Self {
        let text = format!(
            r#"apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{ name: back-{namespace} }}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - {{ apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps] }}
  validations:
  - expression: "object.metadata.namespace != '{namespace}' || ({must})"
    message: {REFUSAL}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{ name: back-{namespace} }}
spec: {{ policyName: back-{namespace}, validationActions: [Deny] }}
"#
        );
        cluster.make(&text);
        let rule = Self {
            cluster,
            namespace,
            text,
        };
        rule.wait(true);
        rule
    }

    /// Takes it away, and waits until the server lets everything pass.
    #[track_caller]
    fn lift(self) {
        self.delete();
        self.wait(false);
    }

    fn delete(&self) {
        let words = ["delete", "--ignore-not-found", "--filename", "-"];
        let _ = self.cluster.try_kubectl(&words, &self.text);
    }

    #[track_caller]
    fn wait(&self, refused: bool) {
        let change = json!({"data": {"a": "1", "probe": ""}});
        let change = format!("--patch={change}");
        let mut words = vec!["patch", "configmap/conf", "--namespace", self.namespace];
        words.extend(["--type=merge", &change, "--dry-run=server"]);
        let asked = || self.cluster.try_kubectl(&words, "");
        let as_wanted = (0..200).any(|_| asked().stderr.contains(REFUSAL) == refused);
        assert!(as_wanted, "the policy does not take effect");
    }
}

impl Drop for Rule<'_> {
    fn drop(&mut self) {
        self.delete();
    }
}

/// Two config maps, the second after the first.
fn two(value: &str) -> [(&'static str, &'static str, Value); 2] {
    let needs = "depends_on = [\"kubernetes.manifest/net-conf\"]";
    [("conf", "", config(value)), ("last", needs, config(value))]
}

#[test]
fn a_rollback_that_would_be_refused_ends_with_7_and_changes_nothing() {
    let test = "a_rollback_that_would_be_refused_ends_with_7_and_changes_nothing";
    let Some(cluster) = Cluster::find(test) else {
        return;
    };
    let ground = Ground::in_a_namespace(&cluster, "barred");
    for value in ["1", "2"] {
        ground.write(&[("conf", "", config(value))]);
        let _ = ground.apply(&[]).exits(0);
    }
    let _ = ground.rollback(&["--dry-run"]).exits(0);
    let rule = Rule::new(&cluster, "barred", "object.data.a != '1'");
    let audit = cluster.audit();
    for way in ["--dry-run", "--auto-approve"] {
        let refused = ground.rollback(&[way]).exits(7);
        let told = "1 change of the plan of barred would be refused. Nothing was changed.";
        assert!(refused.stderr.contains(told), "{refused}");
        assert!(refused.stderr.contains(REFUSAL), "{refused}");
        let shown = "# the server would refuse: ";
        assert!(refused.stdout.contains(shown), "{refused}");
    }
    let json = ground.rollback(&["--dry-run", "--json"]).exits(7);
    let plan: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(plan["tenant"], "barred", "{json}");
    // Who asks nobody is told of no refusal.
    let asked = cluster.audit();
    let plan = ground.rollback(&["--dry-run", "--offline"]).exits(0);
    let told = "without a look at the world";
    assert!(plan.stdout.contains(told), "{plan}");
    assert!(asked.requests().is_empty(), "{:?}", asked.requests());
    audit.assert_no_write();
    assert_eq!(ground.field("configmap/conf", ".data.a"), "2");
    rule.lift();
    ground.clear();
}

#[test]
fn a_failed_run_whose_way_back_would_be_refused_stays_as_it_is() {
    let test = "a_failed_run_whose_way_back_would_be_refused_stays_as_it_is";
    let Some(cluster) = Cluster::find(test) else {
        return;
    };
    let ground = Ground::in_a_namespace(&cluster, "stuck");
    ground.write(&two("1"));
    let _ = ground.apply(&[]).exits(0);
    // The dry run of the way there passes, and its second half fails; the way back does not pass.
    let must = "object.data.a != '1' && (object.metadata.name != 'last' || request.dryRun)";
    let rule = Rule::new(&cluster, "stuck", must);
    ground.write(&two("2"));
    let words = ["--on-failure", "rollback", "--force-conflicts"];
    let failed = ground.apply(&words).exits(3);
    for told in [
        "1 change of the plan of stuck would be refused. It is not taken back: what was done stays, and is recorded.",
        "; then matih rollback stuck --to 1",
    ] {
        assert!(failed.stderr.contains(told), "no `{told}` in\n{failed}");
    }
    let told = "Go on: matih resume spec.toml --force-conflicts";
    assert!(failed.stdout.contains(told), "no `{told}` in\n{failed}");
    assert_eq!(ground.field("configmap/conf", ".data.a"), "2");
    assert_eq!(ground.field("configmap/last", ".data.a"), "1");
    let history = ground.sandbox.run(&["history", "stuck", "-o", "json"]);
    assert!(!history.stdout.contains("rollback"), "{history}");

    rule.lift();
    let back = ["--to", "1", "--auto-approve"];
    let _ = ground.rollback(&back).exits(0);
    assert_eq!(ground.field("configmap/conf", ".data.a"), "1");
    ground.clear();
}
