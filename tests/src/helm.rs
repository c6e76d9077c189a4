//! The real `helm`, for the tests that need it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{fail, workspace_root};

/// Fails instead of passing over what a test needs: set where everything is there, as in CI.
const REQUIRED: &str = "MATIH_TEST_CLUSTER_REQUIRED";

/// The program: what MATIH_HELM names, or the one of the test cluster, or that of PATH. Where there
/// is none, says that the test is skipped, or fails if it may not be.
#[must_use]
#[track_caller]
pub fn helm(test: &str) -> Option<PathBuf> {
    let named = std::env::var_os("MATIH_HELM").map(PathBuf::from);
    let found = named.or_else(of_the_cluster).or_else(of_path);
    if found.is_none() {
        if std::env::var(REQUIRED).is_ok_and(|value| value == "1") {
            fail(&format!("{test} needs helm: set MATIH_HELM"));
        }
        println!("skipped: {test} needs helm, and there is none");
    }
    found
}

fn of_the_cluster() -> Option<PathBuf> {
    let script = workspace_root().join("tests/cluster/cluster");
    let told = Command::new(script).arg("bin").output().ok()?;
    let folder = String::from_utf8(told.stdout).ok()?;
    let helm = Path::new(folder.trim()).join("helm");
    (told.status.success() && helm.is_file()).then_some(helm)
}

fn of_path() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| folder.join("helm"))
        .find(|path| path.is_file())
}
