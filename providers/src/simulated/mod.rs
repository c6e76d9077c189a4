//! The embedded platform: a whole cloud in one SQLite file, served as an ordinary provider.
//!
//! It serves every kind, so that the main job of matih runs on a machine with nothing else
//! installed, and it is what all tests of plans and crashes run against. It promises to be as
//! unhelpful as real clouds are: it assigns ids, fills in defaults, forgets to list what was just
//! made, limits calls, takes time, and fails when a script or a seed says so. It also promises to
//! keep the contract of [`matih_model::provider`] in all of that, to be deterministic (no clock,
//! no chance but by seed), and to lose nothing that it answered when a process is killed.
//! It refuses to know what a plan or a state is.
//!
//! [`Simulated`] is the provider; [`Sandbox`] looks into its world from outside and changes it by
//! hand. SQLite is called on the task that polls: a call takes microseconds, and longer only while
//! another process writes.

mod acts;
mod chance;
mod change;
mod checks;
mod faults;
mod pace;
mod provider;
mod reading;
mod sandbox;
mod server;
mod session;
mod tree;
mod trouble;
mod wire;
mod world;

#[cfg(test)]
mod tests;

pub use chance::{FaultPlan, Rates};
pub use faults::{CallOp, Fault, FaultError, FaultRule, When};
pub use pace::{Latency, RateLimit};
pub use provider::{Simulated, SimulatedOptions};
pub use sandbox::{FaultCount, FaultState, Sandbox, SandboxObject, SandboxOwner};
pub use world::WorldError;
