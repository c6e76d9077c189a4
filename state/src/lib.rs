//! What matih believes to exist: one SQLite file for all tenants.
//!
//! This crate promises that
//! - a write is on disk when the call returns, and is made only by the holder of the tenant's
//!   lock, whose fence and lease are checked in the same transaction ([`LockedStore`]);
//! - an intent stands in the journal before its effect, and means *unknown* until somebody knows;
//! - each write leaves an audit row in its own transaction, chained by hashes;
//! - what is read is what was written: every row is sealed and every set of rows is counted;
//! - a state that is missing, empty, cut or older than its anchor says is an error that names the
//!   repair, and never an empty state.
//!
//! It refuses to know what a plan is good for, who a provider is and what time it is: every
//! moment is an argument, in milliseconds since the epoch.
//!
//! Reading order: [`Store`] (open and read), [`LockedStore`] (write), then the rules, which are
//! pure and apart from the SQL: `lock` (who may write), `journal` (what may follow what),
//! `status` (the tenant's life), `fold` (what outcomes make of the record). The SQL is in
//! `table/`, `writer` makes transactions of it, `codec` seals rows, `anchor` and `connect` guard
//! the door.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod anchor;
mod audit;
mod backup;
mod codec;
mod connect;
mod error;
mod fold;
mod holder;
mod journal;
mod lock;
mod locked;
mod migrate;
mod status;
mod store;
mod table;
mod unlock;
mod verify;
mod writer;

pub use audit::{AuditEntry, AuditEvent, AuditFilter};
pub use backup::{Restore, restore};
pub use error::StateError;
pub use holder::Holder;
pub use journal::{Begin, Finish, JournalEntry, JournalError, JournalState, Outcome, Pending};
pub use lock::{LockInfo, LockRequest, LockStatus, margin_ms};
pub use locked::{CommitRequest, LockedStore, RunStart};
pub use status::{OrchestratorState, RunOutcome, StatusError, TenantStatus};
pub use store::{NewInstallation, OpenOptions, SnapshotKey, Store, Timing};
pub use table::runs::RunSummary;
pub use table::snapshots::SnapshotSummary;
pub use table::tenants::{TenantSummary, Token};
pub use unlock::ForceRelease;
pub use verify::{Problem, VerifyReport, verify};
