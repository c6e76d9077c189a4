//! The outside world, as matih sees it: the kinds that there are and who serves them.
//!
//! Promises that every kind of the tables in `providers/kinds` is served by exactly one provider
//! of the [`registry`], and that each provider keeps the contract of [`matih_model::provider`],
//! which one suite proves (`contract`). Refuses to know of plans, of state, and of what a tenant
//! is. A new provider is a folder here and a line in the registry.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod kinds;
pub mod simulated;

use std::path::PathBuf;

use matih_model::{Registry, RegistryError};
use simulated::{Simulated, SimulatedOptions, WorldError};
use thiserror::Error;

/// Where the systems are that the providers speak to: from the platform file.
#[derive(Clone, Debug)]
pub struct Targets {
    /// The file of the simulated world.
    pub world: PathBuf,
    /// How that world behaves.
    pub simulated: SimulatedOptions,
}

/// A provider cannot be set up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The simulated world does not open.
    #[error(transparent)]
    World(#[from] WorldError),
    /// Two providers serve one kind.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// Every provider, ready to be called.
///
/// # Errors
/// One of them cannot reach its system, or two serve one kind.
pub fn registry(targets: Targets) -> Result<Registry, SetupError> {
    Ok(Registry::new(vec![Simulated::open(
        &targets.world,
        targets.simulated,
    )?])?)
}
