//! The `helm` program: where it is, which version it has, and what its flags are called there.
//!
//! Looked for when it is first needed, so that a plan needs none. Helm 4 renamed flags that Helm 3
//! has; nobody else knows of that.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use matih_model::{ErrorKind, ProviderError};
use tokio::process::Command;

/// The oldest version that matih works with: the first whose upgrades keep labels.
const OLDEST: Version = Version(3, 14, 0);

/// How long the program may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(20);

const INSTALL: &str = "install Helm 4 (`brew install helm`, or `go install \
    helm.sh/helm/v4/cmd/helm@latest`), or name the program in `providers.helm.binary` of the \
    platform file or in MATIH_HELM";

/// A version of Helm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u32, pub(super) u32, pub(super) u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl Version {
    /// Reads `v4.3.1`, with or without what a build adds (`v3.14.0-rc.1+g3fc9f4b`); who builds Helm
    /// 3 alone gets `v3.18`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('v');
        let end = text.find(['-', '+', ' ']).unwrap_or(text.len());
        let mut parts = text.get(..end)?.split('.');
        let mut next = || parts.next()?.parse().ok();
        let version = Self(next()?, next()?, next().unwrap_or(0));
        parts.next().is_none().then_some(version)
    }

    /// To wait until the workloads are ready, or until what was deleted is gone.
    pub(super) fn wait(self) -> &'static str {
        // Helm 4 has several ways to wait and takes the watching one for a bare flag; it is named
        // here since a bare `--wait` would swallow an argument that follows.
        if self.0 >= 4 {
            "--wait=watcher"
        } else {
            "--wait"
        }
    }

    /// To undo what failed.
    pub(super) fn undo(self) -> &'static str {
        if self.0 >= 4 {
            "--rollback-on-failure"
        } else {
            "--atomic"
        }
    }
}

/// The program, found and new enough.
#[derive(Clone, Debug)]
pub(super) struct Binary {
    /// Where it is.
    pub(super) path: PathBuf,
    /// What it said.
    pub(super) version: Version,
}

impl Binary {
    /// Finds the program and asks for its version. `named` is what the environment or the platform
    /// file says; without it the folders of PATH are searched.
    ///
    /// # Errors
    /// There is none, it does not run, or it is too old.
    pub(super) async fn find(named: Option<&Path>) -> Result<Self, ProviderError> {
        let folders = std::env::var_os("PATH");
        let path = match named {
            Some(path) => path.to_owned(),
            None => in_path(folders.as_ref()).ok_or_else(|| missing("no folder of PATH has it"))?,
        };
        let mut command = Command::new(&path);
        command
            .args(["version", "--template", "{{.Version}}"])
            .env_clear()
            .envs(folders.map(|folders| ("PATH", folders)))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let shown = path.display();
        let output = tokio::time::timeout(PATIENCE, command.output())
            .await
            .map_err(|_| missing(&format!("{shown} does not tell its version")))?
            .map_err(|error| missing(&format!("{shown} does not run: {error}")))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let version = Version::parse(&said)
            .ok_or_else(|| missing(&format!("{shown} is not Helm: it says `{}`", said.trim())))?;
        if version < OLDEST {
            let text = format!("{shown} is Helm {version}, and matih needs {OLDEST} or newer");
            return Err(ProviderError::new(ErrorKind::Invalid, text).with_hint(INSTALL));
        }
        Ok(Self { path, version })
    }
}

fn missing(cause: &str) -> ProviderError {
    let text = format!("Helm cannot be used: {cause}");
    ProviderError::new(ErrorKind::Invalid, text).with_hint(INSTALL)
}

/// The first `helm` of the folders of PATH.
fn in_path(folders: Option<&OsString>) -> Option<PathBuf> {
    std::env::split_paths(folders?)
        .map(|folder| folder.join("helm"))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared() {
        for (text, version) in [
            ("v4.3.1", Some(Version(4, 3, 1))),
            ("v3.14.0-rc.1+g3fc9f4b\n", Some(Version(3, 14, 0))),
            ("3.9.4", Some(Version(3, 9, 4))),
            ("v3.18", Some(Version(3, 18, 0))),
            ("v4", None),
            ("v4.3.1.2", None),
            ("", None),
            ("kubectl", None),
        ] {
            assert_eq!(Version::parse(text), version, "{text}");
        }
        assert!(Version(3, 9, 4) < OLDEST && Version(3, 14, 0) >= OLDEST);
        assert!(Version(4, 0, 0) >= OLDEST);
    }

    #[test]
    fn helm_4_has_other_names_for_flags() {
        let (three, four) = (Version(3, 18, 0), Version(4, 3, 1));
        assert_eq!((three.wait(), four.wait()), ("--wait", "--wait=watcher"));
        assert_eq!(
            (three.undo(), four.undo()),
            ("--atomic", "--rollback-on-failure")
        );
    }

    fn script(folder: &Path, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.join("helm");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[tokio::test]
    async fn what_is_missing_too_old_or_no_helm_is_refused_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("helm");
        let refused = async |says: &str| {
            let error = Binary::find(Some(&path)).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Invalid);
            assert!(error.message.contains(says), "{error}");
            assert!(error.hint.unwrap().contains("MATIH_HELM"));
        };
        refused("does not run").await;
        script(folder.path(), "echo v3.13.9");
        refused("is Helm 3.13.9, and matih needs 3.14.0").await;
        script(folder.path(), "echo kubectl");
        refused("is not Helm").await;
        script(folder.path(), "echo v3.14.0+g1");
        let found = Binary::find(Some(&path)).await.unwrap();
        assert_eq!(found.version, Version(3, 14, 0));
    }

    #[test]
    fn the_first_of_path_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = script(folder.path(), "");
        let folders = std::env::join_paths([Path::new("nowhere"), folder.path()]).unwrap();
        assert_eq!(in_path(Some(&folders)), Some(path));
        assert_eq!(in_path(None), None);
    }
}
