//! A real cluster, seen and touched from outside: by `kubectl` as its administrator, and by the
//! audit log of its API server.
//!
//! It promises that a test without a cluster says so in one line and passes, and fails where
//! `MATIH_TEST_CLUSTER_REQUIRED` is `1`; that the tests of one program take turns, so that none
//! counts what another one did; and that nothing here goes through matih. It refuses to know which
//! provider serves a kind: an object is ours by the mark that it bears.
//!
//! `MATIH_TEST_CLUSTER` names the run folder of a cluster that `tests/cluster/cluster up` started.

mod audit;
pub mod deeds;
pub mod ground;
pub mod life;
mod listing;
pub mod pod;
pub mod proxy;
pub mod registry;
pub mod small;
pub mod tunnels;
pub mod way;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use audit::{Audit, ObjectRef, Request};
pub use listing::Listing;

use crate::world::Facts;
use crate::{Output, Sandbox, fail, workspace_root};

/// Names the run folder of the cluster.
const FOLDER: &str = "MATIH_TEST_CLUSTER";
/// With `1`, a test without a cluster fails.
const REQUIRED: &str = "MATIH_TEST_CLUSTER_REQUIRED";
/// The target of the platform file that stands for every cluster of a tenant.
pub const TARGET: &str = "real";

/// A dedicated tenant has a cluster of its own, and all of them call their namespace the same.
/// Here they share one cluster, so each of them names its own.
const NAMES: &str = "[names]\nnamespace = \"{{ 'own-' ~ tenant.slug if dedicated else 'tenant-' ~ tenant.slug }}\"\n";

/// What the policy of [`Cluster::refuse`] says.
pub const REFUSAL: &str = "not today";

fn policy(namespace: &str, name: &str) -> String {
    format!(
        r#"apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{ name: refuse-{namespace}-{name} }}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - {{ apiGroups: [networking.k8s.io], apiVersions: [v1], operations: [CREATE], resources: [networkpolicies] }}
  validations:
  - expression: "object.metadata.name != '{name}' || !(object.metadata.namespace == '{namespace}' || (has(object.metadata.labels) && 'probe' in object.metadata.labels && object.metadata.labels['probe'] == '{namespace}'))"
    message: {REFUSAL}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{ name: refuse-{namespace}-{name} }}
spec: {{ policyName: refuse-{namespace}-{name}, validationActions: [Deny] }}
"#
    )
}

/// A running test cluster.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl Cluster {
    /// The cluster that the environment names, for this test alone until it is dropped; `None`: there
    /// is none, and that has been said.
    #[must_use]
    #[track_caller]
    pub fn find(test: &str) -> Option<Self> {
        let Some(folder) = std::env::var_os(FOLDER).filter(|it| !it.is_empty()) else {
            if std::env::var(REQUIRED).is_ok_and(|it| it == "1") {
                fail(&format!(
                    "{test}: a cluster is required, and {FOLDER} names none"
                ));
            }
            println!("skipped: {test} needs a cluster, and {FOLDER} names none");
            return None;
        };
        Some(Self::at(Path::new(&folder)))
    }

    /// The cluster of a run folder, for the caller alone until it is dropped.
    #[must_use]
    #[track_caller]
    pub fn at(folder: &Path) -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        // A test that failed has left the cluster usable.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut cluster = Self {
            folder: folder.to_owned(),
            programs: PathBuf::new(),
            _turn: turn,
        };
        cluster.programs = cluster.script(&["bin"]).stdout.trim_end().into();
        let _ = cluster.script(&["status"]);
        cluster.sweep();
        cluster
    }

    /// Takes away what a test that failed has left, and waits for its end.
    #[track_caller]
    fn sweep(&self) {
        let words = [
            "get",
            "namespaces",
            "--selector=matih.ai/installation",
            "-o",
            "jsonpath={range .items[?(@.status.phase==\"Active\")]}{.metadata.name}{\"\\n\"}{end}",
        ];
        let left = self.kubectl(&words).stdout;
        let left: Vec<&str> = left.lines().collect();
        if !left.is_empty() {
            let words = ["delete", "namespace", "--ignore-not-found"];
            let _ = self.kubectl(&[&words[..], &left].concat());
        }
    }

    /// The kubeconfig of the account that has matih's role and nothing more.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("matih.kubeconfig")
    }

    /// Host and port of the API server.
    #[must_use]
    #[track_caller]
    pub fn authority(&self) -> String {
        let told = self.kubectl(&[
            "config",
            "view",
            "--output",
            "jsonpath={.clusters[0].cluster.server}",
        ]);
        told.stdout.trim_start_matches("https://").to_owned()
    }

    /// A program of the cluster's own versions: `kubectl`, `helm`.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// The cluster's run folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where this cluster's certificates are made.
    #[must_use]
    pub fn pki(&self) -> PathBuf {
        self.folder.join("pki")
    }

    /// Runs a command of `tests/cluster/cluster`, which must succeed.
    #[track_caller]
    pub fn script(&self, words: &[&str]) -> Output {
        let mut command = Command::new(workspace_root().join("tests/cluster/cluster"));
        command.args(words).env("MATIH_CLUSTER_DIR", &self.folder);
        finish(command, "").exits(0)
    }

    /// Runs `kubectl` as the administrator, whatever comes of it.
    #[track_caller]
    pub fn try_kubectl(&self, words: &[&str], input: &str) -> Output {
        let mut command = Command::new(self.program("kubectl"));
        command
            .arg("--kubeconfig")
            .arg(self.folder.join("admin.kubeconfig"))
            .arg("--cache-dir")
            .arg(self.folder.join("kubectl-cache"))
            .args(words);
        finish(command, input)
    }

    /// Runs `kubectl` as the administrator; it must succeed.
    #[track_caller]
    pub fn kubectl(&self, words: &[&str]) -> Output {
        self.try_kubectl(words, "").exits(0)
    }

    /// Makes or alters objects as the administrator.
    #[track_caller]
    pub fn make(&self, manifests: &str) {
        let _ = self
            .try_kubectl(&["apply", "--filename", "-"], manifests)
            .exits(0);
    }

    /// A sandbox whose clusters are all this one.
    #[must_use]
    #[track_caller]
    pub fn sandbox(&self) -> Sandbox {
        self.sandbox_through(&self.kubeconfig())
    }

    /// The same, by this kubeconfig.
    #[must_use]
    #[track_caller]
    pub fn sandbox_through(&self, kubeconfig: &Path) -> Sandbox {
        self.sandbox_by(&format!("kubeconfig = \"{}\"", kubeconfig.display()))
    }

    /// The same, with this line about how the cluster is reached.
    #[must_use]
    #[track_caller]
    pub fn sandbox_by(&self, access: &str) -> Sandbox {
        let mut sandbox = Sandbox::new();
        let mut platform = String::from(
            "[platform]\nblueprint = \"names\"\n\n[providers.simulated]\nlatency = \"none\"\n",
        );
        let _ = write!(
            platform,
            "\n[targets.{TARGET}]\nprovider = \"kubernetes\"\n{access}\ndefault = true\n"
        );
        sandbox.write("matih.toml", &platform);
        sandbox.write("names/tables.toml", NAMES);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = [self.programs.clone()].into_iter();
        match std::env::join_paths(folders.chain(std::env::split_paths(&path))) {
            Ok(path) => sandbox.set_env("PATH", &path.to_string_lossy()),
            Err(error) => fail(&format!("PATH: {error}")),
        }
        sandbox
    }

    /// Takes namespaces away and does not wait; those that are not there are no matter.
    #[track_caller]
    pub fn clear(&self, namespaces: &[&str]) {
        let words = ["delete", "namespace", "--ignore-not-found", "--wait=false"];
        let _ = self.kubectl(&[&words[..], namespaces].concat());
    }

    /// Waits until no namespace is on its way out any more.
    #[track_caller]
    pub fn wait_until_quiet(&self) {
        let words = [
            "get",
            "namespaces",
            "-o",
            "jsonpath={range .items[?(@.status.phase==\"Terminating\")]}{.metadata.name}{\"\\n\"}{end}",
        ];
        let going = self.kubectl(&words).stdout;
        for name in going.lines() {
            let _ = self.try_kubectl(
                &["wait", "--for=delete", "--timeout=60s", "namespace", name],
                "",
            );
        }
    }

    /// Makes a policy under which the API server refuses to create a network policy of this name
    /// in a namespace, and waits until it does.
    #[track_caller]
    pub fn refuse(&self, namespace: &str, name: &str) {
        self.make(&policy(namespace, name));
        self.wait_for_refusal(namespace, name, true);
    }

    /// Takes that policy away, and waits until the server lets it pass.
    #[track_caller]
    pub fn allow(&self, namespace: &str, name: &str) {
        let input = policy(namespace, name);
        let _ = self
            .try_kubectl(&["delete", "--filename", "-"], &input)
            .exits(0);
        self.wait_for_refusal(namespace, name, false);
    }

    #[track_caller]
    fn wait_for_refusal(&self, namespace: &str, name: &str, refused: bool) {
        // A namespace that is not there yet is said before the policy speaks, so the question is
        // asked in one that always is; the policy looks at the object's own words.
        let probe = format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{ name: {name}, namespace: default, labels: {{ probe: {namespace} }} }}\nspec: {{ podSelector: {{}} }}\n"
        );
        for _ in 0..200 {
            let words = ["create", "--dry-run=server", "--filename", "-"];
            let asked = self.try_kubectl(&words, &probe);
            if asked.stderr.contains(REFUSAL) == refused {
                return;
            }
        }
        fail(&format!("the policy about {name} does not take effect"));
    }

    /// The audit log from here on.
    #[must_use]
    #[track_caller]
    pub fn audit(&self) -> Audit {
        Audit::from_here(&self.folder.join("logs/audit.log"))
    }

    /// What a run left behind, in the simulated world and in this cluster.
    #[must_use]
    #[track_caller]
    pub fn facts(&self, sandbox: &Sandbox, tenant: &str, settled: &[&str]) -> Facts {
        Facts::look(sandbox, tenant, settled).with(self.marked(None))
    }

    /// All objects of the cluster but leases and events.
    #[must_use]
    #[track_caller]
    pub fn everything(&self) -> Listing {
        Listing::of(self, &[])
    }
}

/// Runs a program to its end.
#[track_caller]
fn finish(mut command: Command, input: &str) -> Output {
    let run = || -> std::io::Result<Output> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            std::io::Write::write_all(&mut stdin, input.as_bytes())?;
        }
        Ok(child.wait_with_output()?.into())
    };
    let mut run = run;
    match run() {
        Ok(output) => output,
        Err(error) => fail(&format!("{}: {error}", command_name(&command))),
    }
}

fn command_name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}
