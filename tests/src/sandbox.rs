//! A folder of its own with `matih` in it.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::{fail, matih_binary};

/// A temporary folder in which `matih` runs as on a machine that has nothing else.
///
/// The folder is removed when the sandbox is dropped.
#[derive(Debug)]
pub struct Sandbox {
    folder: TempDir,
    environment: Vec<(String, String)>,
    starter: Vec<String>,
}

/// What a finished `matih` left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit code; `None` when a signal ended the process.
    pub status: Option<i32>,
    /// Standard output, as text.
    pub stdout: String,
    /// Standard error, as text.
    pub stderr: String,
}

impl Sandbox {
    /// An empty sandbox.
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        match tempfile::Builder::new().prefix("matih-").tempdir() {
            Ok(folder) => Self {
                folder,
                environment: Vec::new(),
                starter: Vec::new(),
            },
            Err(error) => fail(&format!("a sandbox folder: {error}")),
        }
    }

    /// A sandbox of its own with the same files and the same variables.
    ///
    /// Nothing may be running in this one: a file that changes meanwhile is copied torn.
    #[must_use]
    #[track_caller]
    pub fn fork(&self) -> Self {
        let mut fork = Self::new();
        fork.environment.clone_from(&self.environment);
        fork.starter.clone_from(&self.starter);
        if let Err(error) = copy_folder(self.folder(), fork.folder()) {
            fail(&format!("a copy of {}: {error}", self.folder().display()));
        }
        fork
    }

    /// Sets a variable for every later run in this sandbox.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Has every later `matih` started by another program, which finds it and its arguments after
    /// its own.
    pub fn start_by(&mut self, words: &[&str]) {
        self.starter = words.iter().map(|word| (*word).to_owned()).collect();
    }

    /// The sandbox's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path in the sandbox.
    #[must_use]
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder().join(relative)
    }

    /// The text of a file in the sandbox.
    #[must_use]
    #[track_caller]
    pub fn read(&self, relative: &str) -> String {
        match std::fs::read_to_string(self.path(relative)) {
            Ok(text) => text,
            Err(error) => fail(&format!("{relative}: {error}")),
        }
    }

    /// Writes a file in the sandbox, and the folders above it.
    #[track_caller]
    pub fn write(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, text));
        if let Err(error) = written {
            fail(&format!("{relative}: {error}"));
        }
    }

    /// A `matih` command that has not been started: for tests that kill it or watch it.
    ///
    /// The environment is empty but for what a process needs to run at all, so no setting of the
    /// machine or of the person who runs the tests reaches it.
    #[must_use]
    pub fn command<A: AsRef<str>>(&self, arguments: &[A]) -> Command {
        let mut command = match self.starter.split_first() {
            None => self.clean(matih_binary()),
            Some((starter, words)) => {
                let mut command = self.clean(Path::new(starter));
                command.args(words).arg(matih_binary());
                command
            }
        };
        command.args(arguments.iter().map(AsRef::as_ref));
        command
    }

    fn clean(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder())
            .env_clear()
            .env("HOME", self.folder())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("NO_COLOR", "1")
            .env("TERM", "dumb")
            .env("USER", "tester")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs `matih` to its end, with nothing on its standard input.
    #[track_caller]
    pub fn run<A: AsRef<str>>(&self, arguments: &[A]) -> Output {
        self.run_with_input(arguments, "")
    }

    /// Runs `matih` to its end with this text on its standard input.
    #[track_caller]
    pub fn run_with_input<A: AsRef<str>>(&self, arguments: &[A], input: &str) -> Output {
        match finish(self.command(arguments), input) {
            Ok(output) => output,
            Err(error) => fail(&format!("{}: {error}", matih_binary().display())),
        }
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir_all(&target)?;
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn finish(mut command: Command, input: &str) -> std::io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A process that ends without reading its input closes the pipe; that is its right.
        match stdin.write_all(input.as_bytes()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(error),
            _ => {}
        }
    }
    Ok(child.wait_with_output()?.into())
}

impl From<std::process::Output> for Output {
    fn from(output: std::process::Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Output {
    /// Asserts the exit code and gives the output back; shows all of it when the code differs.
    #[must_use]
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.status, Some(code), "{self}");
        self
    }
}

impl fmt::Display for Output {
    /// As in a transcript: standard output, then standard error with a mark before each line,
    /// then the exit code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.stdout.lines() {
            writeln!(f, "{line}")?;
        }
        for line in self.stderr.lines() {
            writeln!(f, "! {line}")?;
        }
        match self.status {
            Some(code) => writeln!(f, "? exit {code}"),
            None => writeln!(f, "? killed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_gets_its_input_and_no_setting_of_the_machine() {
        let mut sandbox = Sandbox::new();
        sandbox.set_env("MATIH_PROBE", "set");
        let mut shell = sandbox.clean(Path::new("sh"));
        shell.args(["-c", "cat; env >&2; exit 3"]);

        let output = finish(shell, "yes\n").unwrap().exits(3);
        assert_eq!(output.stdout, "yes\n");
        assert!(output.stderr.contains("MATIH_PROBE=set\n"), "{output}");
        assert!(output.stderr.contains("NO_COLOR=1\n"), "{output}");
        assert!(!output.stderr.contains("CARGO"), "{output}");
    }

    #[test]
    fn a_fork_has_the_same_files_and_goes_its_own_way() {
        let sandbox = Sandbox::new();
        sandbox.write("a/b.toml", "1");
        let fork = sandbox.fork();
        fork.write("a/b.toml", "2");
        assert_eq!(
            (sandbox.read("a/b.toml"), fork.read("a/b.toml")),
            ("1".into(), "2".into())
        );
    }

    #[test]
    fn an_output_reads_as_a_transcript() {
        let output = Output {
            status: Some(1),
            stdout: "plan\n".to_owned(),
            stderr: "stale".to_owned(),
        };
        assert_eq!(output.to_string(), "plan\n! stale\n? exit 1\n");
    }
}
