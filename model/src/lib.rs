//! The words of matih: what a resource, a snapshot, a change and a plan are.
//!
//! Everything else in the workspace speaks in these types, and this crate speaks of nothing else:
//! it does no I/O, reads no clock and no environment, and names no runtime. Where it does
//! compute, it computes a digest or checks that a value may exist at all (a constructor named
//! `new` returns a `Result`; a value of the type is then valid for good).
//!
//! Read in this order: [`address`] (how a thing is named), [`value`] (what is set on it) and
//! [`amount`] (how much of it), [`schema`] (what a kind allows), [`resource`] and [`graph`] (what
//! should be), [`snapshot`] (what was last applied), [`change`], [`action`] and [`plan`] (the way
//! from one to the other), [`provider`] (who carries it out), and [`rehearsal`] (what they would
//! answer).

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod action;
pub mod address;
pub mod amount;
pub mod change;
pub mod digest;
pub mod graph;
pub mod path;
pub mod phase;
pub mod plan;
pub mod provider;
pub mod reading;
pub mod rehearsal;
pub mod resource;
pub mod revision;
pub mod schema;
pub mod secret;
pub mod snapshot;
pub mod value;

pub use action::{Action, ActionIndex, Edit, Op};
pub use address::{Address, AddressError, Kind, Name, RemoteId, ResourceName, TenantId};
pub use amount::Amount;
pub use change::{AttributeChange, Change, ChangeKind, ChangeSet, Reason};
pub use digest::Digest;
pub use graph::{GraphError, ResourceGraph};
pub use path::AttributePath;
pub use phase::{Phase, StepNumber, Sweep, Tenancy};
pub use plan::{Note, Plan, PlanDraft, PlanError, Wave};
pub use provider::{
    Abandoned, Applied, Call, CheckFinding, CheckReport, Crossing, ErrorKind, Marked, Point,
    Provider, ProviderError, ProviderFuture, ReadRequest, Registry, RegistryError, Telling,
    Unmarked,
};
pub use reading::{Observation, Observed, Reading, Touch, Version};
pub use rehearsal::{Answer, Filled, ObjectChange, Rehearsal, Rehearse};
pub use resource::{Lifecycle, OwnerMark, Recorded, Resource, RetryPolicy};
pub use revision::Revision;
pub use schema::{
    AttributeSchema, Catalog, CatalogError, KindRole, KindSchema, OutputSchema, UndoClass,
    UndoRule, ValueType,
};
pub use secret::{SecretError, SecretRef, SecretSource, SecretUse, SecretValue};
pub use snapshot::{Origin, RunId, Snapshot, SnapshotId, Verb};
pub use value::{Attributes, OutputRef, Text, Value};
