//! kubectl on the same fleet.

use std::path::PathBuf;
use std::process::Command;

use matih_tests::cluster::Cluster;
use matih_tests::cost::Cost;
use serde_json::{Value, json};

use crate::Failed;
use crate::objects::{PARTS, objects};

/// kubectl, with the account of matih and everything in one file.
pub(crate) struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    folder: tempfile::TempDir,
}

impl Kubectl {
    pub(crate) fn new(cluster: &Cluster) -> Result<Self, Failed> {
        Ok(Self {
            program: cluster.program("kubectl"),
            kubeconfig: cluster.kubeconfig(),
            folder: tempfile::tempdir()?,
        })
    }

    fn run(&self, words: &[&str]) -> Result<Cost, Failed> {
        let mut command = Command::new(&self.program);
        command
            .args(words)
            .arg("--filename")
            .arg(self.folder.path().join("fleet.json"));
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        command
            .arg("--cache-dir")
            .arg(self.folder.path().join("cache"));
        Ok(Cost::of(&mut command)?)
    }

    pub(crate) fn apply(&self, tenants: &[String]) -> Result<Cost, Failed> {
        let all: Vec<Vec<Value>> = tenants.iter().map(|it| objects(it)).collect();
        let parts = PARTS.into_iter();
        let items: Vec<&Value> = parts
            .flat_map(|part| all.iter().flat_map(move |it| &it[part.clone()]))
            .collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        std::fs::write(self.folder.path().join("fleet.json"), list.to_string())?;
        self.run(&["apply", "--server-side"])
    }

    /// What is different: nothing, or this is an error.
    pub(crate) fn diff(&self) -> Result<Cost, Failed> {
        self.run(&["diff", "--server-side"])
    }
}
