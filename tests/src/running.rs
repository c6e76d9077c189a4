//! A `matih` that is still at work: to be stopped, woken or killed from outside.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::{Output, Sandbox, fail};

/// A process whose output goes to files, so that a full pipe never holds it up.
///
/// It is killed when it is dropped before its end: a test that fails leaves nothing behind.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    /// Starts a command of this sandbox; `name` tells its output apart from that of others.
    #[track_caller]
    pub fn start(sandbox: &Sandbox, mut command: Command, name: &str) -> Self {
        let file = |end: &str| {
            let path = sandbox.path(&format!("{name}.{end}"));
            match File::create(&path) {
                Ok(file) => (path, file),
                Err(error) => fail(&format!("{}: {error}", path.display())),
            }
        };
        let ((stdout, out), (stderr, err)) = (file("stdout"), file("stderr"));
        match command.stdout(out).stderr(err).spawn() {
            Ok(child) => Self {
                child,
                stdout,
                stderr,
            },
            Err(error) => fail(&format!("matih: {error}")),
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    #[track_caller]
    pub fn is_running(&mut self) -> bool {
        match self.child.try_wait() {
            Ok(status) => status.is_none(),
            Err(error) => fail(&format!("process {}: {error}", self.pid())),
        }
    }

    /// Waits until it sleeps: it has sent itself SIGSTOP.
    #[track_caller]
    pub fn wait_until_stopped(&mut self) {
        let stat = format!("/proc/{}/stat", self.pid());
        loop {
            // The state is the letter after the name, which stands in parentheses.
            let text = std::fs::read_to_string(&stat).unwrap_or_default();
            if text
                .rsplit_once(") ")
                .is_some_and(|(_, rest)| rest.starts_with('T'))
            {
                return;
            }
            if !self.is_running() {
                fail(&format!("it ended and did not stop:\n{}", self.stderr()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Lets it go on.
    pub fn wake(&mut self) {
        self.signal(Signal::CONT);
    }

    /// Ends it with no chance to tidy up.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
    }

    /// Sends a signal, unless the process has ended: its id may be another's by now.
    #[track_caller]
    fn signal(&mut self, signal: Signal) {
        if self.is_running()
            && let Err(error) = kill_process(Pid::from_child(&self.child), signal)
        {
            fail(&format!("a signal to {}: {error}", self.pid()));
        }
    }

    /// What it has written to standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn finish(mut self) -> Output {
        let status = match self.child.wait() {
            Ok(status) => status.code(),
            Err(error) => fail(&format!("process {}: {error}", self.pid())),
        };
        let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap_or_default();
        Output {
            status,
            stdout: read(&self.stdout),
            stderr: read(&self.stderr),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A process that has ended already cannot be killed; that is what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
