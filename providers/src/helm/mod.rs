//! Releases by the real `helm` (steps 26 to 38 and 40).
//!
//! Promises that a release is installed, altered and taken away by Helm itself, so that everybody
//! else's Helm sees it too; that two of them are never at work on one release at once on this
//! machine; and that what a killed helm left is settled before anything else is done. What there is
//! now is read from the Secrets that Helm keeps its revisions in, without Helm.

mod acts;
mod binary;
mod chart;
mod child;
mod content;
mod deed;
mod fault;
mod look;
mod manifest;
mod marks;
mod objects;
mod observed;
mod outputs;
mod past;
mod provider;
mod rehearse;
mod release;
mod settings;
mod site;
mod stuck;
mod turn;
mod vain;
mod view;

pub use chart::EmbeddedChart;
pub(crate) use marks::INSTALLATION as RELEASE_MARK;
pub use provider::HelmProvider;
pub use settings::{HelmSettings, NAME};

/// The kind that is served here.
const KIND: &str = "helm.release";

#[cfg(test)]
mod tests;
