//! What the platform file says of Helm.

use std::path::PathBuf;

use serde_json::Map;

use super::chart::EmbeddedChart;
use crate::settings::{Reader, SettingError, Settings};

/// The name of this provider in the platform file.
pub const NAME: &str = "helm";

/// The variable that names the program, before anything else does.
const PROGRAM: &str = "MATIH_HELM";

/// How Helm is run.
#[derive(Clone, Debug)]
pub struct HelmSettings {
    /// The program; without one, that of PATH.
    pub binary: Option<PathBuf>,
    /// A file with the logins of registries.
    pub registries: Option<PathBuf>,
    /// More variables of our environment that helm may see, for the login programs of a kubeconfig.
    pub environment: Vec<String>,
    /// Take over fields that another manager owns, instead of telling it as a conflict.
    pub force_conflicts: bool,
    /// The most helms at once.
    pub parallel: usize,
    /// How many revisions of a release are kept.
    pub history: u64,
    /// The folder of caches and locks.
    pub folder: PathBuf,
    /// The folder that relative paths of charts start from.
    pub base: PathBuf,
    /// The charts that are part of the program.
    pub embedded: Vec<EmbeddedChart>,
}

impl HelmSettings {
    /// Reads the settings.
    ///
    /// # Errors
    /// All that cannot be used.
    pub fn read(settings: &Settings) -> Result<Self, Vec<SettingError>> {
        let nothing = Map::new();
        let own = settings.providers.get(NAME).unwrap_or(&nothing);
        let mut reader = Reader::new(format!("providers.{NAME}"), own);
        let named = reader.text("binary").map(|path| settings.folder.join(path));
        let registries = reader
            .text("registries")
            .map(|path| settings.folder.join(path));
        let environment = reader.text("environment").unwrap_or_default();
        let parallel = reader.number("parallel", 1..=64).unwrap_or(8);
        let history = reader.number("history", 2..=100).unwrap_or(10);
        let force_conflicts = reader.truth("force_conflicts");
        let errors = reader.finish();
        if !errors.is_empty() {
            return Err(errors);
        }
        let program = std::env::var_os(PROGRAM).filter(|it| !it.is_empty());
        Ok(Self {
            binary: program.map(PathBuf::from).or(named),
            registries,
            environment: environment.split_whitespace().map(str::to_owned).collect(),
            force_conflicts,
            parallel: usize::try_from(parallel).unwrap_or(8),
            history,
            folder: settings.scratch.join(NAME),
            base: settings.folder.clone(),
            embedded: settings.charts.clone(),
        })
    }
}
