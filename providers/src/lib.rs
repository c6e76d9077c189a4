//! The outside world, as matih sees it: the kinds that there are and who serves them.
//!
//! Promises that every kind of the tables in `providers/kinds` is served by exactly one provider
//! of the [`registry`], and that each provider keeps the contract of [`matih_model::provider`],
//! which one suite proves (`contract`). Refuses to know of plans, of state, and of what a tenant
//! is. A new provider is a folder here, and in [`check`] and [`registry`] a line each.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod gate;
pub mod helm;
pub mod isolation;
pub mod kinds;
pub mod kubernetes;
mod settings;
pub mod simulated;

use std::sync::Arc;

use gate::Gate;
use helm::{HelmProvider, HelmSettings};
use kubernetes::{Kubernetes, KubernetesSettings};
use matih_model::{Kind, Provider, Registry, RegistryError};
use simulated::{Simulated, WorldError};
use thiserror::Error;

pub use settings::{SettingError, Settings, TargetSettings};

use kinds::KindsError;

/// A provider cannot be set up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SetupError {
    /// Settings that cannot be used.
    #[error("the platform file says what cannot be used")]
    Settings(Vec<SettingError>),
    /// The simulated world does not open.
    #[error(transparent)]
    World(#[from] WorldError),
    /// A table of kinds is broken.
    #[error(transparent)]
    Kinds(#[from] KindsError),
    /// Two providers serve one kind.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// What cannot be used of what a platform file says. Asks nobody and opens nothing.
pub fn check(settings: &Settings) -> Vec<SettingError> {
    let clusters = KubernetesSettings::read(settings).err();
    let helm = HelmSettings::read(settings).err();
    clusters.into_iter().chain(helm).flatten().collect()
}

/// Every provider, ready to be called: the real ones for the kinds that a target is there for,
/// the simulated cloud for all other kinds. None of them speaks to anybody yet.
///
/// # Errors
/// The settings cannot be used, the simulated world does not open, or two providers serve one
/// kind.
pub fn registry(settings: &Settings) -> Result<Registry, SetupError> {
    let mut providers: Vec<Arc<dyn Provider>> = Vec::new();
    let mut options = settings.simulated.clone();
    let mut gate = None;
    if let Some(clusters) = KubernetesSettings::read(settings).map_err(SetupError::Settings)? {
        let clusters = Kubernetes::new(clusters)?;
        providers.push(clusters.clone());
        let helm = HelmSettings::read(settings).map_err(SetupError::Settings)?;
        providers.push(HelmProvider::new(helm, clusters.clone())?);
        gate = Some(clusters);
    }
    let real = providers.iter().flat_map(|provider| provider.kinds());
    let real: Vec<Kind> = real.map(|schema| schema.kind).collect();
    options.without.extend(real);
    if gate.is_some() {
        let kinds = Gate::schemas()?.into_iter();
        options.without.extend(kinds.map(|schema| schema.kind));
    }
    let world = Simulated::open(&settings.world, options)?;
    if let Some(clusters) = gate {
        providers.push(Gate::new(clusters, world.clone())?);
    }
    providers.push(world);
    Ok(Registry::new(providers)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use matih_model::Catalog;

    use super::*;

    fn settings(folder: &std::path::Path, targets: &[(&str, &str)]) -> Settings {
        let target = |(name, options): &(&str, &str)| {
            let options = serde_json::from_str(options).unwrap();
            let provider = "kubernetes".to_owned();
            ((*name).to_owned(), TargetSettings { provider, options })
        };
        Settings {
            world: folder.join("world.db"),
            simulated: simulated::SimulatedOptions::default(),
            folder: folder.to_owned(),
            scratch: folder.to_owned(),
            charts: Vec::new(),
            targets: targets.iter().map(target).collect(),
            providers: BTreeMap::new(),
        }
    }

    #[test]
    fn every_kind_has_one_provider_and_a_target_brings_the_real_one() {
        let folder = tempfile::tempdir().unwrap();
        let all = Catalog::new(kinds::all().unwrap()).unwrap();
        for (targets, name) in [
            (&[][..], "simulated"),
            (&[("west", "{}")][..], "kubernetes"),
        ] {
            let registry = registry(&settings(folder.path(), targets)).unwrap();
            assert_eq!(**registry.catalog(), all);
            let of = |kind: &str| registry.provider(&Kind::new(kind).unwrap()).unwrap().name();
            assert_eq!(of("kubernetes.manifest"), name);
            let helm = if name == "simulated" { name } else { "helm" };
            assert_eq!(of("helm.release"), helm);
            let gate = if name == "simulated" { name } else { "gate" };
            assert_eq!(of("check.connectivity"), gate);
            assert_eq!(of("dns.zone"), "simulated");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_before_anything_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(folder.path(), &[("west", r#"{"kubeconfg":"x"}"#)]);
        let helm = serde_json::from_str(r#"{"paralel":2}"#).unwrap();
        settings.providers.insert("helm".to_owned(), helm);
        let paths: Vec<String> = check(&settings).into_iter().map(|it| it.path).collect();
        assert_eq!(paths, ["targets.west.kubeconfg", "providers.helm.paralel"]);
        let refused = registry(&settings).err().unwrap();
        assert!(matches!(refused, SetupError::Settings(_)), "{refused}");
        assert!(!settings.world.exists());
    }
}
