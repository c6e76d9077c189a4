//! What the workspace's integration tests share: the built binary in a folder of its own, golden
//! files, and scenarios that read like a terminal session.
//!
//! It promises that a test sees `matih` as a person does: a process with arguments, files and
//! output, in a clean environment, never the machine's own settings. It refuses to know what the
//! commands do; a scenario says that.

pub mod acme;
mod binary;
pub mod canary;
pub mod cluster;
pub mod compiled;
pub mod cost;
pub mod crash;
mod golden;
pub mod helm;
mod normalise;
pub mod readers;
mod running;
mod sandbox;
pub mod scenario;
pub mod seed;
pub mod simulation;
pub mod source;
pub mod world;

pub use binary::{cargo, matih_binary};
pub use golden::assert_golden;
pub use normalise::normalise;
pub use running::Running;
pub use sandbox::{Output, Sandbox};

use std::path::Path;

/// The workspace's root folder.
#[must_use]
pub fn workspace_root() -> &'static Path {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder.parent().unwrap_or(crate_folder)
}

/// Fails the running test with a message: the harness itself could not do its part.
#[track_caller]
fn fail(message: &str) -> ! {
    panic!("{message}")
}
