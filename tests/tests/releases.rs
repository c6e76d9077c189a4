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

/// A STARTER tenant of its own in a sandbox.
struct Tenant {
    sandbox: Sandbox,
    slug: String,
    helm: PathBuf,
    cluster: Cluster,
}

impl Tenant {
    fn new(test: &str) -> Option<Self> {
        let cluster = Cluster::find(test)?;
        let helm = helm(test)?;
        let mut sandbox = cluster.sandbox();
        sandbox.set_env("MATIH_HELM", helm.to_str().unwrap());
        let slug = format!("rel-{}", std::process::id());
        let spec = example("starter").replace("slug = \"finch\"", &format!("slug = \"{slug}\""));
        let spec = spec.replace("data_platform = true", "data_platform = true\nml = true");
        sandbox.write("tenant.toml", &spec);
        let tenant = Self {
            sandbox,
            slug,
            helm,
            cluster,
        };
        tenant.of_version("2.0.0");
        Some(tenant)
    }

    /// Sets the version of every service's image.
    fn of_version(&self, version: &str) {
        let tables = format!("[charts]\napp_version = \"{version}\"\n");
        self.sandbox.write("names/tables.toml", &tables);
    }

    fn apply(&self) -> Output {
        self.sandbox.run(APPLY)
    }

    /// The releases as Helm itself tells them.
    fn releases(&self, filter: &[&str]) -> Vec<Json> {
        let namespace = format!("tenant-{}", self.slug);
        let output = Command::new(&self.helm)
            .args(["list", "--output", "json", "--namespace", &namespace])
            .arg("--kubeconfig")
            .arg(self.cluster.kubeconfig())
            .args(filter)
            .env_clear()
            .env("HOME", self.sandbox.folder())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        serde_json::from_slice(&output.stdout).unwrap()
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
