//! What a pod has and a machine has not: the files of its service account where the kubelet mounts
//! them, in a mount namespace of each process, so that nobody else on the machine sees them.

use std::process::Command;

use super::Cluster;
use crate::Sandbox;

/// Starts a program in a mount namespace of its own.
const UNSHARE: [&str; 3] = ["unshare", "--mount", "--map-root-user"];

/// Gives the process the files of the folder `$0`, and becomes what follows.
const MOUNT: &str = "mount -t tmpfs tmpfs /var/run && cd /var/run && \
    mkdir -p secrets/kubernetes.io/serviceaccount && \
    cp \"$0\"/* secrets/kubernetes.io/serviceaccount && cd \"$OLDPWD\" && exec \"$@\"";

/// The account that matih has in a pod, as the head of `providers/kubernetes/role.yaml` says.
const ACCOUNTS: &str = r"apiVersion: v1
kind: Namespace
metadata: { name: matih-system }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: matih, namespace: matih-system }
";

/// The role for that account.
const ROLE: &str = r"apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: matih-in-a-pod }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: matih }
subjects:
- { kind: ServiceAccount, name: matih, namespace: matih-system }
";

/// The account by its name as a user.
pub const USER: &str = "system:serviceaccount:matih-system:matih";

/// The service account of a pod that matih runs in; it goes when this is dropped.
#[derive(Debug)]
pub struct Pod<'a> {
    cluster: &'a Cluster,
}

impl<'a> Pod<'a> {
    /// An account without any right. `None`: this machine allows no mount namespace, which has
    /// been said.
    #[must_use]
    #[track_caller]
    pub fn start(cluster: &'a Cluster, test: &str) -> Option<Self> {
        let probe = ["sh", "-c", "mount -t tmpfs tmpfs /var/run"];
        let mut tried = Command::new(UNSHARE[0]);
        tried.args(&UNSHARE[1..]).args(probe);
        let why = match tried.output() {
            Ok(output) if output.status.success() => {
                cluster.make(ACCOUNTS);
                return Some(Self { cluster });
            }
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        println!("SKIPPED {test}: it needs a mount namespace of its own: {why}");
        None
    }

    /// Gives the account matih's role, and waits until the server knows.
    #[track_caller]
    pub fn allow(&self) {
        self.cluster.make(ROLE);
        for _ in 0..200 {
            let words = ["auth", "can-i", "list", "namespaces", "--as", USER];
            if self.cluster.try_kubectl(&words, "").status == Some(0) {
                return;
            }
        }
        crate::fail("the account never gets its role");
    }

    /// A sandbox in the pod: matih has the account and no kubeconfig.
    #[must_use]
    #[track_caller]
    pub fn sandbox(&self) -> Sandbox {
        let mut sandbox = self.cluster.sandbox_by("in_cluster = true");
        let token = ["create", "token", "matih", "--namespace", "matih-system"];
        let token = self.cluster.kubectl(&token).stdout;
        let authority = std::fs::read_to_string(self.cluster.pki().join("ca.crt"));
        sandbox.write("account/token", token.trim_end());
        sandbox.write("account/ca.crt", &authority.unwrap_or_default());
        sandbox.write("account/namespace", "matih-system");
        let server = self.cluster.authority();
        let (host, port) = server.split_once(':').unwrap_or_default();
        sandbox.set_env("KUBERNETES_SERVICE_HOST", host);
        sandbox.set_env("KUBERNETES_SERVICE_PORT", port);
        let folder = sandbox.path("account");
        let folder = folder.to_string_lossy();
        sandbox.start_by(&[&UNSHARE[..], &["sh", "-c", MOUNT, &folder]].concat());
        sandbox
    }
}

impl Drop for Pod<'_> {
    fn drop(&mut self) {
        let words = ["delete", "--ignore-not-found", "--wait=false"];
        let all = [
            "clusterrolebinding/matih-in-a-pod",
            "namespace/matih-system",
        ];
        // Not `kubectl`, which would panic in a panic.
        let _ = self.cluster.try_kubectl(&[&words[..], &all].concat(), "");
    }
}
