//! The cluster that is measured: one of this run's own, or one that is there.

use std::path::PathBuf;
use std::process::Command;

use matih_tests::cluster::Cluster;

use crate::Failed;

/// A cluster, and the folder of one that is this run's own.
pub(crate) struct Started {
    pub(crate) folder: PathBuf,
    own: Option<tempfile::TempDir>,
}

impl Started {
    pub(crate) fn new() -> Result<Self, Failed> {
        if let Some(folder) = std::env::var_os("MATIH_TEST_CLUSTER") {
            return Ok(Self {
                folder: folder.into(),
                own: None,
            });
        }
        let own = tempfile::tempdir()?;
        let started = Self {
            folder: own.path().to_owned(),
            own: Some(own),
        };
        if started.script("up")? {
            return Ok(started);
        }
        Err("the cluster does not start".into())
    }

    fn script(&self, word: &str) -> std::io::Result<bool> {
        let mut script = Command::new(matih_tests::workspace_root().join("tests/cluster/cluster"));
        script.arg(word).env("MATIH_CLUSTER_DIR", &self.folder);
        Ok(script.status()?.success())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if self.own.is_some() && !matches!(self.script("down"), Ok(true)) {
            eprintln!("the cluster in {} still runs", self.folder.display());
        }
    }
}

/// The processor time of the API server so far, in seconds.
pub(crate) fn server(cluster: &Cluster) -> f64 {
    // Ticks of a hundredth of a second, on every Linux.
    const TICKS: f64 = 100.0;
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let pid = read(cluster.folder().join("pids/kube-apiserver"));
    let pid = pid.split_whitespace().next().unwrap_or_default();
    let stat = read(PathBuf::from(format!("/proc/{pid}/stat")));
    // After the name, which stands in brackets: the 12th and the 13th word.
    let words = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = words.split(' ').skip(11).take(2);
    ticks.filter_map(|it| it.parse::<f64>().ok()).sum::<f64>() / TICKS
}
