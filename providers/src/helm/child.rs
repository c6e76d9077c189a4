//! One run of the helm program: alone in its process group, with folders of its own and little
//! else of our environment.
//!
//! Values go in by standard input and nothing secret stands on the command line. A helm that
//! changes something outlives a matih that is killed, since half an upgrade is worse than a whole
//! one; so all that it reads is there before it starts. Where only the call is given up, helm is
//! asked to stop, and leaves its release marked as failed.

use std::ffi::OsString;
#[cfg(target_os = "linux")]
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures_util::future::join;
use matih_model::{ErrorKind, ProviderError};
#[cfg(target_os = "linux")]
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::binary::Binary;
use super::fault;
use super::turn::Turn;

/// What of our environment helm sees: what it, and the login programs that a kubeconfig may name,
/// cannot do without.
const ENVIRONMENT: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "TMPDIR",
    "LANG",
    "KUBECONFIG",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GOGC",
    "GOMEMLIMIT",
];

/// A helm lives for a second, so its runtime may let garbage lie until its heap has grown to five
/// times what is in use; by itself it clears at twice. That spares a sixth of its processor time
/// (a chart of ours installed by Helm 4.3.1: 0.26 in place of 0.31 s) and takes 35 MiB more.
const GARBAGE: (&str, &str) = ("GOGC", "400");

/// How long helm has to end after it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// How to reach the cluster, for helm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Access {
    /// The kubeconfig; without one, that of the environment.
    pub(super) kubeconfig: Option<PathBuf>,
    /// Its context; without one, the current one.
    pub(super) context: Option<String>,
    /// By the account of the pod that this process runs in.
    pub(super) in_cluster: bool,
}

/// The program, and what each run of it has in common.
#[derive(Clone, Debug)]
pub(super) struct Helm {
    pub(super) binary: Binary,
    /// The folder that its caches are kept in.
    pub(super) folder: PathBuf,
    /// More names of our environment that it may see.
    pub(super) environment: Vec<String>,
    /// A file with the logins of registries.
    pub(super) registries: Option<PathBuf>,
}

/// One run that changes a release.
pub(super) struct Run<'a> {
    /// What it does, for people.
    pub(super) what: &'a str,
    pub(super) access: &'a Access,
    pub(super) arguments: &'a [OsString],
    pub(super) input: Option<Vec<u8>>,
    /// How long it may take.
    pub(super) patience: Duration,
}

impl Helm {
    fn command(&self, access: Option<&Access>) -> Command {
        let mut command = Command::new(&self.binary.path);
        let (garbage, percent) = GARBAGE;
        command.env_clear().process_group(0).env(garbage, percent);
        let own = self.environment.iter().map(String::as_str);
        for name in ENVIRONMENT.iter().copied().chain(own) {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("HELM_CACHE_HOME", self.folder.join("cache"))
            .env("HELM_CONFIG_HOME", self.folder.join("config"))
            .env("HELM_DATA_HOME", self.folder.join("data"))
            .env("KUBECACHEDIR", self.folder.join("cache/kube"))
            .env("HELM_DRIVER", "secret");
        if let Some(file) = &self.registries {
            command.env("HELM_REGISTRY_CONFIG", file);
        }
        for (name, value) in access.map(Access::arguments).into_iter().flatten() {
            command.arg(name).arg(value);
        }
        if access.is_some_and(|access| access.in_cluster) {
            // An empty kubeconfig makes helm take the pod's own account.
            command.env("KUBECONFIG", "/dev/null");
        }
        command
    }

    /// Runs what only looks and tells: a chart's description, a download, a rendering. It reaches
    /// no cluster.
    ///
    /// # Errors
    /// It fails, or takes longer than `patience`.
    pub(super) async fn ask(
        &self,
        what: &str,
        arguments: &[OsString],
        input: Option<Vec<u8>>,
        patience: Duration,
    ) -> Result<String, ProviderError> {
        let mut command = self.command(None);
        command
            .args(arguments)
            .stdin(input.as_ref().map_or_else(Stdio::null, |_| Stdio::piped()))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let run = async {
            let mut child = command.spawn()?;
            let stdin = child.stdin.take();
            let feed = async {
                if let (Some(mut stdin), Some(input)) = (stdin, input) {
                    // Who ends before it has read all has more to say in its own words.
                    let _all_read = stdin.write_all(&input).await;
                    let _closed = stdin.shutdown().await;
                }
            };
            let ((), output) = join(feed, child.wait_with_output()).await;
            output
        };
        let output = tokio::time::timeout(patience, run).await;
        let output = output.map_err(|_| late(what, patience))?;
        let output = output.map_err(|error| unstartable(&self.binary.path, &error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(fault::of(what, &String::from_utf8_lossy(&output.stderr)))
    }

    /// Runs what changes a release. Where `in_vain` comes to an end first, helm is stopped for that
    /// reason.
    ///
    /// # Errors
    /// It fails, is in vain, cannot be started, or takes longer than `patience`.
    pub(super) async fn act(
        &self,
        run: Run<'_>,
        turn: &Turn,
        in_vain: impl Future<Output = ProviderError>,
    ) -> Result<(), ProviderError> {
        let Run {
            what,
            access,
            arguments,
            input,
            patience,
        } = run;
        let (out, err) = turn.streams()?;
        let fails = |error| unstartable(&self.binary.path, &error);
        let input = input.as_deref().map_or(Ok(Stdio::null()), whole);
        let mut command = self.command(Some(access));
        command.args(arguments).stdout(out).stderr(err);
        command.stdin(input.map_err(fails)?);
        let child = command.spawn();
        // Drops our copies of the streams: from here on the lock is the child's and the turn's.
        drop(command);
        let child = child.map_err(fails)?;
        let mut running = Running(Some(child));
        let ended = tokio::select! {
            status = running.wait() => Ok(status),
            why = in_vain => Err(why),
            () = tokio::time::sleep(patience) => Err(late(what, patience)),
        };
        let status = match ended {
            Ok(status) => status,
            Err(why) => {
                running.stop().await;
                turn.forget();
                return Err(why);
            }
        };
        let status = status.map_err(|error| {
            let text = format!("{what} cannot be followed to its end: {error}");
            ProviderError::new(ErrorKind::Unknown, text)
        })?;
        let result = if status.success() {
            Ok(())
        } else {
            Err(told(what, status, &turn.complaint()))
        };
        turn.forget();
        result
    }
}

impl Access {
    fn arguments(&self) -> Vec<(&'static str, OsString)> {
        let file = self.kubeconfig.as_ref();
        let file = file.map(|path| ("--kubeconfig", path.clone().into_os_string()));
        let context = self.context.as_ref();
        let context = context.map(|context| ("--kube-context", OsString::from(context)));
        file.into_iter().chain(context).collect()
    }
}

/// All of an input, before anybody reads it: a helm that is fed by a matih which is killed reads a
/// part of its values, or none, and upgrades to that. It has no name, and goes with its last reader.
fn whole(input: &[u8]) -> std::io::Result<Stdio> {
    #[cfg(target_os = "linux")]
    let mut file = File::from(memfd_create("values", MemfdFlags::CLOEXEC)?);
    #[cfg(not(target_os = "linux"))]
    let mut file = tempfile::tempfile()?;
    file.write_all(input)?;
    file.rewind()?;
    Ok(file.into())
}

/// A helm at work. Dropped before its end, it is asked to stop and not waited for.
struct Running(Option<Child>);

impl Running {
    async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        let Some(child) = &mut self.0 else {
            return Err(std::io::ErrorKind::NotFound.into());
        };
        let status = child.wait().await?;
        self.0 = None;
        Ok(status)
    }

    /// Asks it to stop, and makes it stop.
    async fn stop(mut self) {
        self.signal(Signal::TERM);
        if let Some(child) = &mut self.0
            && tokio::time::timeout(GRACE, child.wait()).await.is_err()
        {
            self.signal(Signal::KILL);
        }
        self.0 = None;
    }

    fn signal(&self, signal: Signal) {
        let id = self.0.as_ref().and_then(Child::id);
        let id = id.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(id) = id {
            // It may have ended in this moment: then there is nobody to ask.
            let _asked = kill_process_group(id, signal);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
    }
}

fn late(what: &str, patience: Duration) -> ProviderError {
    let text = format!("{what} did not end within {} s", patience.as_secs());
    ProviderError::new(ErrorKind::Unknown, text)
}

fn unstartable(path: &Path, error: &std::io::Error) -> ProviderError {
    let text = format!("{} does not start: {error}", path.display());
    ProviderError::new(ErrorKind::Invalid, text)
}

fn told(what: &str, status: ExitStatus, complaint: &str) -> ProviderError {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        Some(signal) => {
            let text = format!("{what} was ended by signal {signal}");
            ProviderError::new(ErrorKind::Unknown, text)
        }
        None => fault::of(what, complaint),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::Instant;

    use super::super::binary::Version;
    use super::*;

    #[tokio::test]
    async fn what_helm_reads_is_there_before_it_starts() {
        let folder = tempfile::tempdir().unwrap();
        let helm = Helm {
            binary: Binary {
                path: "/bin/sh".into(),
                version: Version(4, 0, 0),
            },
            folder: folder.path().to_owned(),
            environment: Vec::new(),
            registries: None,
        };
        let patience = Duration::from_secs(10);
        let until = Instant::now() + patience;
        let turn = Turn::take(folder.path(), "a", until).await.unwrap();
        let read = folder.path().join("read");
        // More than a pipe holds; and a pipe is fed while its reader is under way.
        let input = vec![b'x'; 200_000];
        let run = Run {
            what: "reading",
            access: &Access::default(),
            arguments: &["-c", "[ -f /dev/stdin ] && cat > \"$0\""]
                .map(OsString::from)
                .into_iter()
                .chain([read.clone().into_os_string()])
                .collect::<Vec<_>>(),
            input: Some(input.clone()),
            patience,
        };
        helm.act(run, &turn, pending()).await.unwrap();
        assert!(std::fs::read(&read).unwrap() == input, "it read otherwise");
    }
}
