//! Edits by somebody else between plan and apply: seeded patches, labels and deletions by
//! `kubectl` after a plan was saved and before it is applied. Each is refused, reported or
//! repaired, and nothing that another manager owns is overwritten without a word.
//!
//! `MATIH_EDITS` says how many; `tests/run cluster-crash-all` makes 200. Without a cluster the test
//! says so and passes.

use std::collections::BTreeMap;

use matih_tests::Sandbox;
use matih_tests::cluster::Cluster;
use matih_tests::cluster::small::{Small, TARGET};
use matih_tests::seed::Seed;
use matih_tests::world::Facts;
use serde_json::{Value, json};

const EDITS: usize = 24;

/// Objects that are there in both shapes, with a patch of a field that is ours in each.
fn owned() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        (
            "settings",
            "configmap/settings",
            json!({"data": {"a": "theirs"}}),
        ),
        ("fixed", "configmap/fixed", json!({"data": {"a": "theirs"}})),
        (
            "web",
            "service/web",
            json!({"spec": {"selector": {"app": "theirs"}}}),
        ),
        (
            "quota",
            "resourcequota/quota",
            json!({"spec": {"hard": {"pods": "77"}}}),
        ),
        (
            "role",
            "role/role",
            json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
        ),
        (
            "deny",
            "networkpolicy/deny",
            json!({"spec": {"podSelector": {"matchLabels": {"app": "theirs"}}}}),
        ),
    ]
}

/// One edit: what is done to which object, and what must be true of it afterwards.
struct Edit {
    name: &'static str,
    object: &'static str,
    patch: Option<Value>,
    kind: &'static str,
}

fn draw(seed: &mut Seed) -> Edit {
    let all = owned();
    let (name, object, patch) = all[seed.below(all.len())].clone();
    let (kind, patch) = match seed.below(6) {
        0 | 1 => ("a field of ours", Some(patch)),
        2 => (
            "a label of theirs",
            Some(json!({"metadata": {"labels": {"stranger": "here"}}})),
        ),
        3 => (
            "an annotation of theirs",
            Some(json!({"metadata": {"annotations": {"stranger": "here"}}})),
        ),
        4 => (
            "our mark",
            Some(
                json!({"metadata": {"labels": {"matih.ai/installation": null},
                "annotations": {"matih.ai/address": null}}}),
            ),
        ),
        _ => ("a deletion", None),
    };
    Edit {
        name,
        object,
        patch,
        kind,
    }
}

struct Ground<'a> {
    cluster: &'a Cluster,
    sandbox: Sandbox,
    small: Small,
}

impl Ground<'_> {
    #[track_caller]
    fn carry_out(&self, edit: &Edit) {
        let namespace = &*self.small.tenant;
        let _ = match &edit.patch {
            Some(patch) => {
                let patch = format!("--patch={patch}");
                self.cluster.kubectl(&[
                    "patch",
                    edit.object,
                    "--namespace",
                    namespace,
                    "--type=merge",
                    &patch,
                    "--field-manager=stranger",
                ])
            }
            None => self
                .cluster
                .kubectl(&["delete", edit.object, "--namespace", namespace]),
        };
    }

    /// The object as it is; null if it is not there.
    #[track_caller]
    fn there(&self, object: &str) -> Value {
        let words = [
            "get",
            object,
            "--namespace",
            &self.small.tenant,
            "--ignore-not-found",
            "--output=json",
        ];
        serde_json::from_str(&self.cluster.kubectl(&words).stdout).unwrap_or_default()
    }

    fn plan(&self, more: &[&str]) -> matih_tests::Output {
        self.sandbox
            .run(&[&["plan", "spec.toml", "--target", TARGET], more].concat())
    }

    /// Brings all to the spec, whoever owns it.
    #[track_caller]
    fn repair(&self) {
        let words = [
            "apply",
            "spec.toml",
            "--target",
            TARGET,
            "--auto-approve",
            "--platform",
            "force.toml",
        ];
        let _ = self.sandbox.run(&words).exits(0);
        let settled = ["plan", "spec.toml", "--target", TARGET];
        let facts = Facts::look(&self.sandbox, &self.small.tenant, &settled);
        let findings = facts
            .with(self.cluster.marked_in(&self.small.tenant))
            .findings();
        assert!(findings.is_empty(), "{findings}");
    }
}

#[test]
fn an_edit_between_plan_and_apply_is_never_overwritten_in_silence() {
    let test = "an_edit_between_plan_and_apply_is_never_overwritten_in_silence";
    let Some(cluster) = Cluster::find(test) else {
        return;
    };
    let edits = std::env::var("MATIH_EDITS").map_or(EDITS, |text| text.parse().unwrap());
    let sandbox = cluster.sandbox();
    let platform = sandbox.read("matih.toml");
    sandbox.write(
        "force.toml",
        &format!("{platform}\n[providers.kubernetes]\nforce_conflicts = true\n"),
    );
    let small = Small {
        tenant: "edited".to_owned(),
        owns_namespace: true,
    };
    let ground = Ground {
        cluster: &cluster,
        sandbox,
        small,
    };
    ground.small.write(&ground.sandbox, 1);
    ground.repair();
    let mut seed = Seed::new(200);
    let mut tally = BTreeMap::<String, usize>::new();
    for round in 0..edits {
        ground
            .small
            .write(&ground.sandbox, 2 - u32::try_from(round % 2).unwrap());
        let _ = ground.plan(&["--out", "next.plan"]).exits(0);
        let edit = draw(&mut seed);
        ground.carry_out(&edit);
        let edited = ground.there(edit.object);
        let output = ground
            .sandbox
            .run(&["apply", "next.plan", "--auto-approve"]);
        let after = ground.there(edit.object);
        let told = ground.plan(&["--detailed-exitcode"]);
        // 7: it differs, and the server would refuse to put it back.
        let reported = matches!(told.status, Some(2 | 7))
            && told.stdout.contains(&format!("net-{}", edit.name));
        let fate = judge(&edit, &edited, &after, output.status != Some(0), reported);
        let fate = fate.unwrap_or_else(|wrong| {
            panic!("round {round}, {} {}: {wrong}\nedited: {edited:#}\nafter: {after:#}\n{output}\n{told}", edit.kind, edit.name)
        });
        *tally.entry(format!("{}: {fate}", edit.kind)).or_default() += 1;
        ground.repair();
    }
    cluster.clear(&["edited"]);
    println!("{edits} edits between plan and apply");
    for (fate, count) in &tally {
        println!("  {count:>4} {fate}");
    }
}

/// What became of an edit, or what is wrong with that.
fn judge(
    edit: &Edit,
    edited: &Value,
    after: &Value,
    refused: bool,
    reported: bool,
) -> Result<&'static str, &'static str> {
    let Some(patch) = &edit.patch else {
        return match (refused, reported, after.is_null()) {
            (true, true, true) => Ok("refused, and reported as gone"),
            (_, true, true) => Ok("reported as gone"),
            (_, _, false) => Ok("made again"),
            (_, false, true) => Err("it is gone, and no plan says so"),
        };
    };
    if after.is_null() {
        return Err("it is gone, and nobody wanted that");
    }
    let is_theirs = matih_tests::cluster::small::holds(patch, after);
    match (edit.kind, is_theirs, refused, reported) {
        ("a field of ours", true, true, true) => Ok("refused and reported"),
        ("a field of ours", true, false, true) => Ok("left and reported"),
        ("a field of ours", true, _, false) => Err("it differs, and no plan says so"),
        ("a field of ours", false, ..) => Err("another manager's field was overwritten"),
        ("our mark", true, _, true) => Ok("reported as missing"),
        ("our mark", true, _, false) => Err("it is nobody's, and no plan says so"),
        ("our mark", false, ..) => Ok("put back"),
        (_, false, ..) => Err("what others added was taken away"),
        (_, true, true, _) if edited == after => Ok("refused"),
        (_, true, true, _) => Err("it said no, and changed it"),
        (_, true, false, _) => Ok("left where it is"),
    }
}
