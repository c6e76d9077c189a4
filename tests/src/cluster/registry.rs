//! A registry for charts: the real one of the project Distribution, on loopback, with TLS by the
//! cluster's own authority and with a login.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::Cluster;
use super::way::CHART;
use crate::{Output, fail};

/// Who may log in, and with what.
pub const LOGIN: (&str, &str) = ("me", "pass-word");
/// The same, as the registry knows it: by bcrypt.
const KNOWN: &str = "me:$2b$04$r5oz7IIwZmKTrj8msQVt5O.iiHi11F0oXBIKjG0yAvBZ8at4Kfg6u\n";

/// A registry that runs until it is dropped; what it holds goes with it.
#[derive(Debug)]
pub struct Registry {
    process: Child,
    folder: tempfile::TempDir,
    helm: PathBuf,
    authority: PathBuf,
    host: String,
}

impl Registry {
    /// Starts one that is empty, and waits until it listens.
    #[must_use]
    #[track_caller]
    pub fn start(cluster: &Cluster) -> Self {
        let program = cluster.script(&["registry"]).stdout;
        match Self::try_start(cluster, Path::new(program.trim_end())) {
            Ok(registry) => registry,
            Err(error) => fail(&format!("the registry: {error}")),
        }
    }

    fn try_start(cluster: &Cluster, program: &Path) -> std::io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("matih-registry-")
            .tempdir()?;
        let logins = folder.path().join("logins");
        std::fs::write(&logins, KNOWN)?;
        let (pki, logins) = (cluster.pki(), logins.display());
        let settings = format!(
            "version: 0.1\nlog: {{ level: info }}\nstorage: {{ inmemory: {{}} }}\n\
             auth: {{ htpasswd: {{ realm: tests, path: '{logins}' }} }}\n\
             http:\n  addr: 127.0.0.1:0\n  tls: {{ certificate: '{0}/server.crt', key: '{0}/server.key' }}\n",
            pki.display()
        );
        let file = folder.path().join("settings.yaml");
        std::fs::write(&file, settings)?;
        let mut process = Command::new(program)
            .arg("serve")
            .arg(&file)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let told = BufReader::new(process.stderr.take().ok_or(std::io::ErrorKind::NotFound)?);
        let host = listening(told).inspect_err(|_| drop(process.kill()))?;
        Ok(Self {
            process,
            folder,
            helm: cluster.program("helm"),
            authority: pki.join("ca.crt"),
            host,
        })
    }

    /// The repository of the charts, as a spec says it.
    #[must_use]
    pub fn repository(&self) -> String {
        format!("oci://{}/charts", self.host)
    }

    /// Logs in as a person does; the file that holds it then.
    #[must_use]
    #[track_caller]
    pub fn log_in(&self) -> PathBuf {
        let (name, word) = LOGIN;
        let words = [
            "registry",
            "login",
            &self.host,
            "--username",
            name,
            "--password-stdin",
        ];
        let _ = self.helm(&words, word).exits(0);
        self.logins()
    }

    /// Pushes the chart of [`Traveller`](super::way::Traveller), whose objects are all with this
    /// note; the digest that the registry gives it.
    #[track_caller]
    pub fn push(&self, note: &str) -> String {
        let chart = self.folder.path().join("way");
        let write = |(path, text): &(&str, &str)| -> std::io::Result<()> {
            let path = chart.join(path);
            std::fs::create_dir_all(path.parent().unwrap_or(&chart))?;
            let noted = text.replace(
                "name: by-helm",
                &format!("name: by-helm, annotations: {{ note: {note} }}"),
            );
            std::fs::write(path, noted)
        };
        if let Err(error) = CHART.iter().try_for_each(write) {
            fail(&format!("the chart: {error}"));
        }
        let _ = self.helm(&["package", "way"], "").exits(0);
        let pushed = self.helm(&["push", "way-1.0.0.tgz", &self.repository()], "");
        let pushed = pushed.exits(0);
        let told = format!("{}{}", pushed.stdout, pushed.stderr);
        match told.split("Digest: ").nth(1) {
            Some(digest) => digest.trim().to_owned(),
            None => fail(&format!("no digest: {pushed}")),
        }
    }

    fn logins(&self) -> PathBuf {
        self.folder.path().join("registries.json")
    }

    /// Somebody's helm, in the folder of the registry.
    #[track_caller]
    fn helm(&self, words: &[&str], input: &str) -> Output {
        let run = || -> std::io::Result<Output> {
            let mut child = Command::new(&self.helm)
                .args(words)
                .current_dir(self.folder.path())
                .env_clear()
                .env("HOME", self.folder.path())
                .env("SSL_CERT_FILE", &self.authority)
                .env("HELM_REGISTRY_CONFIG", self.logins())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(input.as_bytes())?;
            }
            Ok(child.wait_with_output()?.into())
        };
        match run() {
            Ok(output) => output,
            Err(error) => fail(&format!("{}: {error}", self.helm.display())),
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where the registry listens, by its own words; reads on beside, so that it never waits for a
/// reader.
fn listening(mut told: BufReader<std::process::ChildStderr>) -> std::io::Result<String> {
    let mut all = String::new();
    while told.read_line(&mut all)? > 0 {
        if let Some((_, rest)) = all.split_once("listening on ") {
            let host = rest.split([',', '"']).next().unwrap_or_default().to_owned();
            std::thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
            return Ok(host);
        }
    }
    Err(std::io::Error::other(all))
}
