//! What the platform file says of clusters.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
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

/// How to reach one cluster, or each of a family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterSettings {
    /// The kubeconfig; without one, that of the environment. With `{cluster}` in its name the target
    /// is a family: it stands for every cluster that no target is named after, each with a file of
    /// its own.
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

/// What stands for the last part of a cluster's id in the name of a kubeconfig.
const CLUSTER: &str = "{cluster}";

impl ClusterSettings {
    /// Whether it stands for clusters that no target is named after.
    fn stands_for_others(&self) -> bool {
        self.default || self.around().is_some()
    }

    /// What stands before and after the id of a cluster in the names of a family's files.
    fn around(&self) -> Option<(&str, &str)> {
        let name = self.kubeconfig.as_ref()?.file_name()?;
        name.to_str()?.split_once(CLUSTER)
    }

    /// The clusters whose files are there now.
    fn members(&self) -> Vec<String> {
        let folder = self.kubeconfig.as_deref().and_then(Path::parent);
        let (Some((before, after)), Some(folder)) = (self.around(), folder) else {
            return Vec::new();
        };
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut members: Vec<String> = files
            .filter_map(|file| {
                let name = file.file_name().into_string().ok()?;
                let id = name.strip_prefix(before)?.strip_suffix(after)?;
                Some(id.to_owned()).filter(|id| is_safe(id))
            })
            .collect();
        members.sort();
        members
    }

    /// The settings of one of a family.
    fn member(&self, id: &str) -> Option<Self> {
        let (before, after) = self.around()?;
        let file = format!("{before}{id}{after}");
        let kubeconfig = self.kubeconfig.as_ref()?.with_file_name(file);
        Some(Self {
            kubeconfig: Some(kubeconfig),
            ..self.clone()
        })
    }
}

/// Whether an id can be a part of the name of a file and of a remote id.
fn is_safe(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !id.is_empty() && !id.starts_with('.') && id.chars().all(plain)
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
            if cluster.stands_for_others()
                && clusters.values().any(ClusterSettings::stands_for_others)
            {
                let message = "another target stands for all other clusters already".to_owned();
                let hint = "only one may have `default = true` or `{cluster}` in its kubeconfig";
                let key = if cluster.default {
                    "default"
                } else {
                    "kubeconfig"
                };
                reader.refuse(key, message, hint);
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

    /// The target that stands for a cluster, by the name or id that a resource gives; of a family,
    /// `FAMILY@ID` with the last part of the id.
    pub fn target(&self, cluster: &str) -> Option<String> {
        let is_one = |it: &ClusterSettings| it.around().is_none();
        if self.clusters.get(cluster).is_some_and(is_one) || self.of_family(cluster).is_some() {
            return Some(cluster.to_owned());
        }
        let (name, others) = self
            .clusters
            .iter()
            .find(|(_, it)| it.stands_for_others())?;
        if is_one(others) {
            return Some(name.clone());
        }
        let id = cluster.rsplit('/').next().filter(|id| is_safe(id))?;
        Some(format!("{name}@{id}"))
    }

    /// All targets, each of a family by itself.
    pub fn targets(&self) -> Vec<String> {
        let targets = self.clusters.iter().flat_map(|(name, cluster)| {
            if cluster.around().is_none() {
                return vec![name.clone()];
            }
            let members = cluster.members().into_iter();
            members.map(|id| format!("{name}@{id}")).collect()
        });
        targets.collect()
    }

    /// How a target is reached.
    pub fn cluster(&self, target: &str) -> Option<ClusterSettings> {
        let named = self.clusters.get(target);
        let named = named.filter(|it| it.around().is_none()).cloned();
        named.or_else(|| self.of_family(target))
    }

    fn of_family(&self, target: &str) -> Option<ClusterSettings> {
        let (name, id) = target.split_once('@')?;
        self.clusters
            .get(name)?
            .member(Some(id).filter(|id| is_safe(id))?)
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
        assert_eq!(read.target("west").as_deref(), Some("west"));
        assert_eq!(read.target("some-cluster-id").as_deref(), Some("all"));
        assert_eq!(read.clusters.len(), 2);
        let read = KubernetesSettings::read(&settings("{}", &targets[..1]))
            .unwrap()
            .unwrap();
        assert_eq!(read.target("some-cluster-id"), None);
    }

    #[test]
    fn a_family_has_a_file_for_each_cluster() {
        let folder = tempfile::tempdir().unwrap();
        let targets = [
            ("main", NAME, r#"{"kubeconfig":"main.yaml"}"#),
            (
                "own",
                NAME,
                r#"{"kubeconfig":"clusters/of-{cluster}.yaml","context":"c"}"#,
            ),
        ];
        let mut settings = settings("{}", &targets);
        settings.folder = folder.path().to_owned();
        let read = KubernetesSettings::read(&settings).unwrap().unwrap();
        assert_eq!(read.target("main").as_deref(), Some("main"));
        let id = "/subscriptions/1/managedClusters/acme-prod";
        assert_eq!(read.target(id).as_deref(), Some("own@acme-prod"));
        assert_eq!(
            read.target("own@acme-prod").as_deref(),
            Some("own@acme-prod")
        );
        for unsafe_id in ["", "a/..", "a/.hidden", "own@x y"] {
            assert_eq!(read.target(unsafe_id), None, "{unsafe_id}");
        }
        let own = read.cluster("own@acme-prod").unwrap();
        let file = folder.path().join("clusters/of-acme-prod.yaml");
        assert_eq!(
            (own.kubeconfig, own.context.as_deref()),
            (Some(file.clone()), Some("c"))
        );
        assert_eq!((read.cluster("own"), read.cluster("main@x")), (None, None));
        assert_eq!(read.targets(), ["main"], "no file is there yet");
        std::fs::create_dir(folder.path().join("clusters")).unwrap();
        for name in ["of-acme-prod.yaml", "of-.yaml", "else.yaml"] {
            std::fs::write(folder.path().join("clusters").join(name), "").unwrap();
        }
        assert_eq!(read.targets(), ["main", "own@acme-prod"]);
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
            ("d", NAME, r#"{"kubeconfig":"{cluster}"}"#),
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
                "targets.d.kubeconfig",
            ]
        );
    }
}
