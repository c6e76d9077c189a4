//! The platform: its file or the embedded default, and all that a compile depends on beside the
//! spec.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use matih_model::Catalog;
use matih_providers::helm::EmbeddedChart;
use matih_providers::simulated::{Latency, SimulatedOptions};
use matih_providers::{SettingError, Settings, TargetSettings};
use matih_specs::{PlatformFile, RefusedSetting, Source, charts, load, words};

use crate::context::Context;
use crate::failure::Failure;
use crate::find;

/// A platform file that obeys every rule, and where it stands.
pub(crate) struct Platform {
    /// What it says, defaults filled.
    pub(crate) file: PlatformFile,
    /// Its name and text; an empty text for the embedded default.
    pub(crate) source: Source,
    /// The folder that its relative paths start from.
    pub(crate) folder: PathBuf,
    /// All kinds.
    pub(crate) catalog: Arc<Catalog>,
    /// What the providers are set up from.
    pub(crate) settings: Settings,
}

impl Platform {
    /// The file of `--platform`, else `matih.toml` if it is there, else the default.
    ///
    /// # Errors
    /// The file cannot be read (exit code 1) or breaks a rule (exit code 6).
    pub(crate) fn load(context: &Context) -> Result<Self, Failure> {
        let named = context.global.platform.clone();
        let usual = Path::new(find::PLATFORM);
        let path = named.or_else(|| usual.is_file().then(|| usual.to_owned()));
        let source = match &path {
            Some(path) => load::file(path)
                .map_err(|error| Failure::error(format!("{error}.")).hint(error.hint()))?,
            None => Source::new("the embedded platform file", ""),
        };
        let parsed = matih_specs::parse_platform(&source.name, &source.text)
            .map_err(|findings| context.invalid(&findings))?;
        context.warn(&parsed.warnings);
        let folder = path
            .as_deref()
            .and_then(Path::parent)
            .unwrap_or(Path::new(""));
        let settings = settings(&parsed.file, folder);
        let refused = matih_providers::check(&settings);
        if !refused.is_empty() {
            return Err(context.invalid(&parsed.refused(refused.into_iter().map(refusal))));
        }
        Ok(Self {
            file: parsed.file,
            source,
            folder: folder.to_owned(),
            settings,
            catalog: Arc::new(catalog()?),
        })
    }

    /// The same, taking over fields that other managers own if that is `forced`.
    #[must_use]
    pub(crate) fn forced(mut self, forced: bool) -> Self {
        if forced {
            self.settings.force_conflicts();
        }
        self
    }

    /// A path of the platform file, from where we stand.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.join(relative)
    }
}

/// What the file says to the providers, in their words.
fn settings(file: &PlatformFile, folder: &Path) -> Settings {
    let target = |(name, target): (&String, &matih_specs::Target)| {
        let (provider, options) = (target.provider.clone(), target.options.clone());
        (name.clone(), TargetSettings { provider, options })
    };
    let simulated = &file.providers.simulated;
    Settings {
        world: folder.join(&simulated.world),
        simulated: SimulatedOptions {
            latency: match simulated.latency {
                words::Latency::None => Latency::None,
                words::Latency::Real => Latency::Real,
            },
            ..SimulatedOptions::default()
        },
        folder: folder.to_owned(),
        scratch: folder
            .join(&file.state.path)
            .parent()
            .unwrap_or(folder)
            .to_owned(),
        charts: charts::all().into_iter().map(chart).collect(),
        targets: file.targets.iter().map(target).collect(),
        providers: file.providers.others.clone(),
    }
}

fn chart(chart: charts::Chart) -> EmbeddedChart {
    EmbeddedChart {
        name: chart.name.to_owned(),
        files: chart.files,
    }
}

fn refusal(error: SettingError) -> RefusedSetting {
    let SettingError {
        path,
        message,
        hint,
    } = error;
    RefusedSetting {
        path,
        message,
        hint,
    }
}

/// All kinds that matih knows.
///
/// # Errors
/// The tables in the binary are broken: a defect of matih.
pub(crate) fn catalog() -> Result<Catalog, Failure> {
    let defect = |cause: String| Failure::error(cause).hint("report this with `matih version`");
    let kinds = matih_providers::kinds::all().map_err(|error| defect(error.to_string()))?;
    Catalog::new(kinds).map_err(|error| defect(error.to_string()))
}
