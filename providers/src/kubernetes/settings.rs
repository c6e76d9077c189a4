//! What the platform file says of clusters.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Map;

use crate::settings::{Reader, SettingError, Settings};

/// The name of this provider in the platform file.
pub const NAME: &str = "kubernetes";

/// How clusters are spoken to, and which there are.
#[derive(Clone, Debug)]
pub struct KubernetesSettings {
    /// The most requests to one cluster at once.
    pub concurrency: usize,
    /// Take over fields that another manager owns, instead of telling it as a conflict.
    pub force_conflicts: bool,
    /// The time that one request may take.
    pub timeout: Duration,
    /// The clusters by name.
    pub clusters: BTreeMap<String, ClusterSettings>,
}

/// How to reach one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterSettings {
    /// The kubeconfig; without one, that of the environment.
    pub kubeconfig: Option<PathBuf>,
    /// Its context; without one, the current one.
    pub context: Option<String>,
    /// By the account of the pod that this process runs in, without a kubeconfig.
    pub in_cluster: bool,
    /// Accept a kubeconfig that does not verify the server.
    pub insecure: bool,
    /// Stands for every cluster that no target is named after.
    pub default: bool,
}

impl KubernetesSettings {
    /// Reads the settings; `None` if no target is a cluster.
    ///
    /// # Errors
    /// All that cannot be used.
    pub fn read(settings: &Settings) -> Result<Option<Self>, Vec<SettingError>> {
        let mut errors = Vec::new();
        let nothing = Map::new();
        let own = settings.providers.get(NAME).unwrap_or(&nothing);
        let mut reader = Reader::new(format!("providers.{NAME}"), own);
        let concurrency = reader.number("concurrency", 1..=256).unwrap_or(16);
        let force_conflicts = reader.truth("force_conflicts");
        let seconds = reader.number("timeout_seconds", 1..=600).unwrap_or(30);
        errors.extend(reader.finish());
        let mut clusters = BTreeMap::new();
        let targets = settings.targets.iter();
        for (name, target) in targets.filter(|(_, target)| target.provider == NAME) {
            let path = format!("targets.{name}");
            let mut reader = Reader::new(path, &target.options);
            let cluster = ClusterSettings {
                kubeconfig: reader
                    .text("kubeconfig")
                    .map(|path| settings.folder.join(path)),
                context: reader.text("context"),
                in_cluster: reader.truth("in_cluster"),
                insecure: reader.truth("insecure"),
                default: reader.truth("default"),
            };
            if cluster.in_cluster && (cluster.kubeconfig.is_some() || cluster.context.is_some()) {
                let message = "a kubeconfig is named too, and only one can count".to_owned();
                reader.refuse("in_cluster", message, "leave out the one or the other");
            }
            if cluster.default && clusters.values().any(|it: &ClusterSettings| it.default) {
                let message = "another target is the default already".to_owned();
                reader.refuse("default", message, "leave it out but for one target");
            }
            errors.extend(reader.finish());
            clusters.insert(name.clone(), cluster);
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok((!clusters.is_empty()).then_some(Self {
            concurrency: usize::try_from(concurrency).unwrap_or(16),
            force_conflicts,
            timeout: Duration::from_secs(seconds),
            clusters,
        }))
    }

    /// The target that stands for a cluster, by the name or id that a resource gives.
    pub fn target(&self, cluster: &str) -> Option<&str> {
        let named = self.clusters.get_key_value(cluster);
        let default = || self.clusters.iter().find(|(_, it)| it.default);
        named.or_else(default).map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::TargetSettings;
    use crate::simulated::SimulatedOptions;

    fn settings(own: &str, targets: &[(&str, &str, &str)]) -> Settings {
        let map = |json: &str| serde_json::from_str(json).unwrap();
        Settings {
            world: PathBuf::new(),
            simulated: SimulatedOptions::default(),
            folder: PathBuf::from("platform"),
            scratch: PathBuf::new(),
            charts: Vec::new(),
            targets: targets
                .iter()
                .map(|(name, provider, options)| {
                    let provider = (*provider).to_owned();
                    let options = map(options);
                    ((*name).to_owned(), TargetSettings { provider, options })
                })
                .collect(),
            providers: [(NAME.to_owned(), map(own))].into(),
        }
    }

    #[test]
    fn defaults_and_paths() {
        assert!(
            KubernetesSettings::read(&settings("{}", &[]))
                .unwrap()
                .is_none()
        );
        let targets = [
            ("west", NAME, r#"{"kubeconfig":"west.yaml","context":"w"}"#),
            ("all", NAME, r#"{"default":true}"#),
            ("cloud", "azure", r#"{"whatever":1}"#),
        ];
        let read = KubernetesSettings::read(&settings("{}", &targets))
            .unwrap()
            .unwrap();
        assert_eq!((read.concurrency, read.force_conflicts), (16, false));
        let west = &read.clusters["west"];
        assert_eq!(
            west.kubeconfig.as_deref(),
            Some("platform/west.yaml".as_ref())
        );
        assert_eq!(read.target("west"), Some("west"));
        assert_eq!(read.target("some-cluster-id"), Some("all"));
        assert_eq!(read.clusters.len(), 2);
        let read = KubernetesSettings::read(&settings("{}", &targets[..1]))
            .unwrap()
            .unwrap();
        assert_eq!(read.target("some-cluster-id"), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let targets = [
            (
                "a",
                NAME,
                r#"{"kubeconfg":"x","in_cluster":true,"context":"y"}"#,
            ),
            ("b", NAME, r#"{"default":true}"#),
            ("c", NAME, r#"{"default":true,"insecure":"yes"}"#),
        ];
        let own = r#"{"concurrency":0,"parallel":1}"#;
        let errors = KubernetesSettings::read(&settings(own, &targets)).unwrap_err();
        let paths: Vec<&str> = errors.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "providers.kubernetes.concurrency",
                "providers.kubernetes.parallel",
                "targets.a.in_cluster",
                "targets.a.kubeconfg",
                "targets.c.insecure",
                "targets.c.default",
            ]
        );
    }
}
