//! The right to act on one release: one helm at a time, of any process on this machine.
//!
//! The right is a lock on a file, and that file is also the helm's standard output. So the lock
//! lasts as long as the helm does, also where matih was killed and its helm was not: whoever comes
//! next waits for the helm's end, and a pending release without a lock has no live helm here.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use matih_model::{Digest, ErrorKind, ProviderError};
use tokio::time::Instant;

/// How long to wait between two looks at a lock that somebody else has.
const PAUSE: Duration = Duration::from_millis(200);

/// The right to act on one release.
#[derive(Debug)]
pub(super) struct Turn {
    out: File,
    out_path: PathBuf,
    err_path: PathBuf,
}

impl Turn {
    /// Waits for the right, until `deadline`. `release` names the release in all the world.
    ///
    /// # Errors
    /// A helm of an earlier call is still at work, or the file cannot be made.
    pub(super) async fn take(
        folder: &Path,
        release: &str,
        deadline: Instant,
    ) -> Result<Self, ProviderError> {
        let mut name = Digest::of_bytes("matih helm turn v1", release.as_bytes()).to_string();
        name.truncate(32);
        let out_path = folder.join(format!("{name}.out"));
        let failed = |error: std::io::Error| unusable(&out_path, &error);
        std::fs::create_dir_all(folder).map_err(failed)?;
        let out = private(&out_path).map_err(failed)?;
        loop {
            match out.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) if Instant::now() + PAUSE < deadline => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(TryLockError::WouldBlock) => {
                    let text = format!(
                        "{release} is busy: the helm of an earlier call is still at work on it"
                    );
                    let hint = "it ends by itself, at the latest when its timeout is over";
                    return Err(ProviderError::new(ErrorKind::Unavailable, text).with_hint(hint));
                }
            }
        }
        let err_path = folder.join(format!("{name}.err"));
        Ok(Self {
            out,
            out_path,
            err_path,
        })
    }

    /// The two streams of the next helm, empty.
    ///
    /// # Errors
    /// A file cannot be made.
    pub(super) fn streams(&self) -> Result<(File, File), ProviderError> {
        let failed = |error: std::io::Error| unusable(&self.out_path, &error);
        self.out.set_len(0).map_err(failed)?;
        let err = private(&self.err_path).map_err(failed)?;
        err.set_len(0).map_err(failed)?;
        Ok((self.out.try_clone().map_err(failed)?, err))
    }

    /// What the last helm complained of.
    pub(super) fn complaint(&self) -> String {
        let bytes = std::fs::read(&self.err_path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Forgets what the last helm, which has ended, said: it may quote values.
    pub(super) fn forget(&self) {
        // Best effort: nothing reads it, and the next helm starts by emptying the files.
        let _emptied = self.out.set_len(0);
        let _gone = std::fs::remove_file(&self.err_path);
    }
}

/// A file that nobody else may read, written at its end.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).read(true).mode(0o600);
    options.open(path)
}

fn unusable(path: &Path, error: &std::io::Error) -> ProviderError {
    let text = format!("{} cannot be used: {error}", path.display());
    ProviderError::new(ErrorKind::Unavailable, text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Command, Stdio};

    use super::*;

    async fn take(folder: &Path, wait: Duration) -> Result<Turn, ProviderError> {
        Turn::take(folder, "c/ns/r", Instant::now() + wait).await
    }

    #[tokio::test]
    async fn one_at_a_time_and_each_release_for_itself() {
        let folder = tempfile::tempdir().unwrap();
        let turn = take(folder.path(), Duration::ZERO).await.unwrap();
        let busy = take(folder.path(), Duration::ZERO).await.unwrap_err();
        assert_eq!(busy.kind, ErrorKind::Unavailable);
        let other = Turn::take(folder.path(), "c/ns/other", Instant::now()).await;
        assert!(other.is_ok());
        drop(turn);
        take(folder.path(), Duration::ZERO).await.unwrap();
    }

    #[tokio::test]
    async fn a_helm_keeps_the_turn_of_a_matih_that_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let turn = take(folder.path(), Duration::ZERO).await.unwrap();
        let (out, err) = turn.streams().unwrap();
        let mut helm = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(err)
            .spawn()
            .unwrap();
        drop(turn);
        take(folder.path(), Duration::ZERO).await.unwrap_err();
        drop(helm.stdin.take());
        helm.wait().unwrap();
        take(folder.path(), Duration::ZERO).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_said_is_private_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let turn = take(folder.path(), Duration::ZERO).await.unwrap();
        let (out, err) = turn.streams().unwrap();
        let mut helm = Command::new("sh")
            .args(["-c", "echo password; echo cause >&2"])
            .stdout(out)
            .stderr(err)
            .spawn()
            .unwrap();
        helm.wait().unwrap();
        assert_eq!(turn.complaint(), "cause\n");
        for path in [&turn.out_path, &turn.err_path] {
            let mode = std::fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        turn.forget();
        assert_eq!(std::fs::read(&turn.out_path).unwrap(), b"");
        assert!(!turn.err_path.exists());
    }
}
