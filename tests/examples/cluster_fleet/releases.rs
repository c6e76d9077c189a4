//! The fourteen releases of one PROFESSIONAL tenant: by matih, and by the same helm, one command
//! after the other, with the same charts and values.

use std::path::{Path, PathBuf};
use std::process::Command;

use matih_tests::acme::{ACME, example};
use matih_tests::cluster::Cluster;
use matih_tests::cost::Cost;
use serde_json::Value;

use crate::{Failed, Runs, goal, matih};

/// The namespace of a dedicated tenant.
const NAMESPACE: &str = "matih";

/// Runs of each.
const TURNS: usize = 3;

pub(crate) fn measure(cluster: &Cluster) -> Result<(), Failed> {
    let sandbox = cluster.sandbox();
    sandbox.write("names/tables.toml", "");
    sandbox.write("acme.toml", &example(ACME));
    let apply = ["apply", "acme.toml", "--auto-approve", "--quiet"];
    matih(&sandbox, &apply)?;
    let helm = Helm::new(cluster)?;
    let releases = helm.releases()?;
    println!(
        "{} releases of one tenant, until their pods are Ready",
        releases.len()
    );
    let (mut ours, mut theirs, mut same, mut plan) = (vec![], vec![], vec![], vec![]);
    for _ in 0..TURNS {
        helm.clear(cluster, &releases)?;
        theirs.push(helm.install(&releases)?);
        same.push(helm.install(&releases)?);
        helm.clear(cluster, &releases)?;
        ours.push(matih(&sandbox, &apply)?);
        plan.push(matih(
            &sandbox,
            &["plan", "acme.toml", "--detailed-exitcode", "--quiet"],
        )?);
    }
    let (ours, theirs, same, plan) = (Runs(ours), Runs(theirs), Runs(same), Runs(plan));
    theirs.tell("helm install, one by one");
    ours.tell("matih apply");
    goal(
        "matih over helm one by one",
        ours.median() / theirs.median(),
        "at most",
        0.6,
    );
    same.tell("helm upgrade without a change");
    plan.tell("matih plan of the whole tenant");
    println!("  helm over matih: {:.0}", same.median() / plan.median());
    Ok(())
}

/// A release as helm knows it.
struct Release {
    name: String,
    chart: PathBuf,
    values: PathBuf,
}

/// helm, with the account of matih.
struct Helm {
    program: PathBuf,
    kubeconfig: PathBuf,
    folder: tempfile::TempDir,
}

impl Helm {
    /// Writes the charts out.
    fn new(cluster: &Cluster) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        for chart in matih_specs::charts::all() {
            for (path, text) in chart.files {
                let path = folder.path().join(chart.name).join(path);
                std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
                std::fs::write(path, text)?;
            }
        }
        Ok(Self {
            program: cluster.program("helm"),
            kubeconfig: cluster.kubeconfig(),
            folder,
        })
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).args(["--namespace", NAMESPACE]);
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        command.env("HOME", self.folder.path());
        command
    }

    fn ask(&self, words: &[&str]) -> Result<Value, Failed> {
        let output = self.command(words).args(["--output", "json"]).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// The releases that are there, in the order of their names, and the values of each in a file.
    fn releases(&self) -> Result<Vec<Release>, Failed> {
        let mut releases = Vec::new();
        let list = self.ask(&["list"])?;
        for it in list.as_array().into_iter().flatten() {
            let text = |key: &str| it[key].as_str().unwrap_or_default();
            let (name, chart) = (text("name").to_owned(), text("chart"));
            let values = self.folder.path().join(format!("{name}.json"));
            std::fs::write(&values, self.ask(&["get", "values", &name])?.to_string())?;
            let chart = chart.rsplit_once('-').map_or(chart, |(name, _)| name);
            releases.push(Release {
                name,
                chart: self.folder.path().join(chart),
                values,
            });
        }
        Ok(releases)
    }

    /// Installs or upgrades all, one after the other, each until it is ready: the time of all.
    fn install(&self, releases: &[Release]) -> Result<Cost, Failed> {
        let mut sum = Cost {
            wall: std::time::Duration::ZERO,
            peak_mib: 0,
        };
        for release in releases {
            let mut command = self.command(&["upgrade", "--install", "--wait", &release.name]);
            command
                .arg(&release.chart)
                .arg("--values")
                .arg(&release.values);
            let cost = Cost::of(&mut command)?;
            sum = Cost {
                wall: sum.wall + cost.wall,
                peak_mib: sum.peak_mib.max(cost.peak_mib),
            };
        }
        Ok(sum)
    }

    /// Takes all away, and waits until their pods are gone.
    fn clear(&self, cluster: &Cluster, releases: &[Release]) -> Result<(), Failed> {
        let names = releases.iter().map(|it| it.name.as_str());
        Cost::of(self.command(&["uninstall", "--wait"]).args(names))?;
        let words = [
            "wait",
            "pods",
            "--all",
            "--for=delete",
            "--timeout=120s",
            "--namespace",
            NAMESPACE,
        ];
        let _ = cluster.try_kubectl(&words, "");
        Ok(())
    }
}
