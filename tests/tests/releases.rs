//! A tenant's releases from nothing to nothing, by the real Helm on a real cluster: installed,
//! unchanged, upgraded, healed of killed helms, taken away. Everything else is simulated or made by
//! the `kubernetes` provider.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use matih_tests::acme::example;
use matih_tests::cluster::Cluster;
use matih_tests::helm::helm;
use matih_tests::{Output, Sandbox};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;

/// Long enough for a busy machine, short enough for a test that hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Brings the tenant to its spec.
const APPLY: &[&str] = &["apply", "tenant.toml", "--auto-approve"];

/// A tenant of its own in a sandbox.
struct Tenant {
    sandbox: Sandbox,
    slug: String,
    helm: PathBuf,
    cluster: Cluster,
}

impl Tenant {
    /// A STARTER tenant.
    fn new(test: &str) -> Option<Self> {
        let tenant = Self::of(test, "rel", "starter")?;
        tenant.of_version("2.0.0");
        Some(tenant)
    }

    fn of(test: &str, word: &str, tier: &str) -> Option<Self> {
        let cluster = Cluster::find(test)?;
        let helm = helm(test)?;
        let mut sandbox = cluster.sandbox();
        sandbox.set_env("MATIH_HELM", helm.to_str().unwrap());
        let slug = format!("{word}-{}", std::process::id());
        let spec = example(tier).replace("slug = \"finch\"", &format!("slug = \"{slug}\""));
        let spec = spec.replace("slug = \"sparrow\"", &format!("slug = \"{slug}\""));
        let spec = spec.replace("data_platform = true", "data_platform = true\nml = true");
        sandbox.write("tenant.toml", &spec);
        Some(Self {
            sandbox,
            slug,
            helm,
            cluster,
        })
    }

    /// Sets the version of every service's image.
    fn of_version(&self, version: &str) {
        let tables = format!("[charts]\napp_version = \"{version}\"\n");
        self.sandbox.write("names/tables.toml", &tables);
    }

    fn apply(&self) -> Output {
        self.sandbox.run(APPLY)
    }

    /// Somebody else's helm, which must succeed.
    fn helm(&self, words: &[&str]) -> Vec<u8> {
        let namespace = format!("tenant-{}", self.slug);
        let output = Command::new(&self.helm)
            .args(words)
            .args(["--namespace", &namespace, "--kubeconfig"])
            .arg(self.cluster.kubeconfig())
            .env_clear()
            .env("HOME", self.sandbox.folder())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        output.stdout
    }

    /// The releases as Helm itself tells them.
    fn releases(&self, filter: &[&str]) -> Vec<Json> {
        let list = ["list", "--output", "json"];
        serde_json::from_slice(&self.helm(&[&list, filter].concat())).unwrap()
    }

    /// `matih release …` about one of them.
    fn release(&self, verb: &str, words: &[&str]) -> Output {
        self.sandbox.run(&[&["release", verb], words].concat())
    }

    /// Number, whether it is ours, the snapshots that recorded it, and what is said of it.
    fn history(&self, release: &str) -> Vec<(u64, bool, bool, String)> {
        let told = self
            .release("history", &[&self.slug, release, "-o", "json"])
            .exits(0);
        let told: Json = serde_json::from_str(&told.stdout).unwrap();
        let row = |it: &Json| {
            let said = it["description"].as_str().unwrap().to_owned();
            let (ours, kept) = (it["ours"] == true, it["snapshots"].is_array());
            (it["revision"].as_u64().unwrap(), ours, kept, said)
        };
        told["revisions"]
            .as_array()
            .unwrap()
            .iter()
            .map(row)
            .collect()
    }

    /// The helms of this tenant that are at work.
    fn helms(&self) -> Vec<Pid> {
        let prefix = format!("{}-", self.slug);
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let ours = processes.filter_map(|process| {
            let id = process.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read(process.path().join("cmdline")).ok()?;
            let mut words = line.split(|byte| *byte == 0);
            let program = Path::new(std::str::from_utf8(words.next()?).ok()?).to_owned();
            let ours = words.any(|word| word.starts_with(prefix.as_bytes()));
            (program == self.helm && ours)
                .then(|| Pid::from_raw(id))
                .flatten()
        });
        ours.collect()
    }
}

impl Drop for Tenant {
    /// Leaves the cluster clean, whatever the test came to.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _gone = self.destroy();
        }
    }
}

impl Tenant {
    fn destroy(&self) -> Output {
        let slug = self.slug.as_str();
        let destroy = [
            "destroy",
            slug,
            "--auto-approve",
            "--allow-data-loss",
            "all",
        ];
        self.sandbox.run(&destroy)
    }
}

fn revisions(releases: &[Json]) -> Vec<&str> {
    releases
        .iter()
        .filter_map(|it| it["revision"].as_str())
        .collect()
}

#[test]
fn releases_live_from_nothing_to_nothing() {
    let Some(tenant) = Tenant::new("releases_live") else {
        return;
    };
    let _ = tenant.apply().exits(0);
    let installed = tenant.releases(&[]);
    assert_eq!(installed.len(), 14, "{installed:#?}");
    assert!(
        installed.iter().all(|it| it["status"] == "deployed"),
        "{installed:#?}"
    );

    let again = tenant.apply().exits(0);
    assert!(again.stdout.contains("No changes"), "{again}");
    assert_eq!(
        tenant.releases(&[]),
        installed,
        "an apply without changes touched a release"
    );

    tenant.of_version("2.0.1");
    let _ = tenant.apply().exits(0);
    let upgraded = tenant.releases(&[]);
    let (changed, kept): (Vec<Json>, Vec<Json>) =
        upgraded.into_iter().partition(|it| it["revision"] == "2");
    assert_eq!((changed.len(), kept.len()), (13, 1));
    assert_eq!(kept[0]["name"], format!("{}-ingress", tenant.slug));

    // Pods that take their time, and in the middle of it matih and its helms are killed.
    tenant.of_version("slow");
    let mut run = tenant
        .sandbox
        .command(&["apply", "tenant.toml", "--auto-approve"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while tenant.releases(&["--pending"]).is_empty() {
        assert!(began.elapsed() < PATIENCE, "nothing ever was pending");
    }
    run.kill().unwrap();
    run.wait().unwrap();
    let helms = tenant.helms();
    assert!(!helms.is_empty(), "no helm outlived its matih");
    for helm in helms {
        // One may have ended in this moment.
        let _gone = kill_process(helm, Signal::KILL);
    }
    let pending = tenant.releases(&["--pending"]);
    assert!(!pending.is_empty());

    tenant.of_version("2.0.2");
    let healed = tenant.apply().exits(0);
    let settled = healed
        .stderr
        .matches("an earlier helm was killed and left")
        .count();
    assert_eq!(settled, pending.len(), "{healed}");
    let there = tenant.releases(&[]);
    assert!(
        there.iter().all(|it| it["status"] == "deployed"),
        "{:?}",
        revisions(&there)
    );
    let again = tenant.apply().exits(0);
    assert!(again.stdout.contains("No changes"), "{again}");

    let _ = tenant.destroy().exits(0);
    assert!(tenant.releases(&[]).is_empty());
}

#[test]
fn a_release_is_upgraded_told_and_rolled_back_and_what_others_made_is_not_ours_to_go_back_to() {
    let Some(tenant) = Tenant::of("release_operations", "ops", "free") else {
        return;
    };
    let slug = tenant.slug.as_str();
    let _ = tenant.apply().exits(0);

    // The plan knows what the chart would say.
    let none = ["render-service", "--version", "9.9.9", slug, "--dry-run"];
    let none = tenant.release("upgrade", &none).exits(7);
    assert!(none.stderr.contains("and 9.9.9 is wanted"), "{none}");

    let words = [
        "render-service",
        "--set",
        "probes.readiness.periodSeconds=11",
    ];
    let said = ["--description", "less often", slug, "--auto-approve"];
    let upgraded = tenant.release("upgrade", &[&words[..], &said].concat());
    let upgraded = upgraded.exits(0);
    // What would become of its objects stands in the plan.
    assert!(
        upgraded.stdout.contains("~ Deployment render-service"),
        "{upgraded}"
    );
    let changes = upgraded.stdout.matches("periodSeconds: 11").count();
    assert_eq!(changes, 2, "{upgraded}");
    let row = |number, ours, said: &str| (number, ours, ours, said.to_owned());
    let mut rows = vec![row(1, true, ""), row(2, true, "less often")];
    assert_eq!(tenant.history("render-service"), rows);

    let back = [slug, "render-service", "--to", "1", "--auto-approve"];
    let _ = tenant.release("rollback", &back).exits(0);
    rows.push(row(3, true, "Rollback to 1"));
    assert_eq!(tenant.history("render-service"), rows);

    let name = format!("{slug}-render-service");
    tenant.helm(&["rollback", &name, "2"]);
    rows.push(row(4, false, "Rollback to 2"));
    assert_eq!(tenant.history("render-service"), rows);
    let list = tenant.release("list", &[slug, "-o", "json"]).exits(0);
    let list: Json = serde_json::from_str(&list.stdout).unwrap();
    let mut all = list["releases"].as_array().unwrap().iter();
    let found = all.find(|it| it["release"] == name.as_str()).unwrap();
    assert_eq!(
        (&found["revision"], &found["status"]),
        (&Json::from(4), &Json::from("deployed"))
    );
    let refused = tenant.release(
        "rollback",
        &[slug, "render-service", "--to", "4", "--auto-approve"],
    );
    let refused = refused.exits(1);
    assert!(
        refused
            .stderr
            .contains("was made by somebody else (Rollback to 2)"),
        "{refused}"
    );
    assert!(refused.stderr.contains("--to 3"), "{refused}");
    assert_eq!(tenant.history("render-service").len(), 4);

    let ours = [slug, "render-service", "--to", "3", "--auto-approve"];
    let _ = tenant.release("rollback", &ours).exits(0);
    assert_eq!(tenant.history("render-service").last().unwrap().0, 5);
    // The record stands for no spec any more; the spec says the same, but for what was said.
    let _ = tenant.apply().exits(0);
    let again = tenant.apply().exits(0);
    assert!(again.stdout.contains("No changes"), "{again}");
    assert_eq!(tenant.history("render-service").last().unwrap().0, 5);
    let _ = tenant.destroy().exits(0);
}
