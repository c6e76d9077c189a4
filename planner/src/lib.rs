//! Two states in, a plan out.
//!
//! This crate compares what should be with what was last applied and with what is there now, and
//! writes down the way from one to the other, complete and in order, so that an apply has nothing
//! left to choose. One comparison serves every verb: an apply compares the record with the spec,
//! a rollback compares it with an older snapshot, a destroy with nothing, drift with the world.
//!
//! It promises that a plan is a function of its input: the same input gives the same bytes, in
//! whatever order it came; a plan of a state with itself is empty; carrying out a plan gives the
//! desired state, and the plan back gives the former one. `tests/laws.rs` holds it to that.
//!
//! It refuses to know the outside: no clock, no environment, no files, no runtime, no provider.
//! It does not know how an action is carried out, nor whether a person agrees to it: [`guard`]
//! says what needs agreement, and somebody else asks.
//!
//! [`plan`] ties the parts together, in the order in which they can be read: `input` (what is
//! asked), `moves` (what the record is called now), `scope` (what the plan may act on), [`diff`]
//! (what differs, with `judge` and `attributes` for one resource and `resolve` for references),
//! `order` (what comes first), and beside them `guard`, `inverse`, `drift` and `after`.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod after;
mod attributes;
mod diff;
mod drift;
mod error;
mod guard;
mod input;
mod inverse;
mod judge;
mod merge;
mod moves;
mod order;
mod refresh;
mod resolve;
mod scope;
mod tasks;
mod trail;

use std::collections::BTreeMap;

use matih_model::{Address, Plan, PlanDraft, Reading, Snapshot, Version};

use crate::order::Links;

pub use after::after;
pub use diff::diff;
pub use drift::{Drift, DriftReport, drift};
pub use error::PlannerError;
pub use guard::{Approvals, Finding, Rule, Verdict, guard};
pub use input::{AddressPattern, PatternError, PlanInput, PlanOptions, Unalterable};
pub use inverse::{Inverse, inverse};
pub use moves::moves_between;

/// Plans the way from what is recorded to what is desired.
///
/// # Errors
/// The input contradicts itself or names what is not there; see [`PlannerError`]. Whether the plan
/// may be carried out is not decided here but by [`guard`].
pub fn plan(input: &PlanInput<'_>) -> Result<Plan, PlannerError> {
    let desired = input.wanted();
    let records = moves::records(input)?;
    let scope = scope::Scope::new(input, &desired, &records)?;
    let mut found = diff::difference(input, &desired, &records, &scope)?;
    let (tasks, mut notes) = tasks::tasks(input, &desired, &records, &scope, &found.changes)?;
    let actions = if tasks.is_empty() {
        Vec::new()
    } else {
        let depends = Links::of_desired(&desired);
        let depended = Links::of_recorded(records.all());
        order::order(tasks, desired.tenancy(), &depends, &depended)
    };
    notes.append(&mut found.notes);
    notes.sort();
    let draft = PlanDraft {
        tenant: input.tenant.clone(),
        tenancy: desired.tenancy(),
        verb: input.verb.clone(),
        base: input.base.map(Snapshot::id),
        inputs: input.inputs,
        actions,
        edits: moves::edits(&records, found),
        notes,
        reads: reads(input),
    };
    Plan::new(draft).map_err(PlannerError::Invalid)
}

/// The tokens of all objects that were read and are there: what a saved plan is bound to.
fn reads(input: &PlanInput<'_>) -> BTreeMap<Address, Version> {
    let recorded = |address: &Address| input.base.and_then(|base| base.get(address));
    let readings = input.observation.readings.iter();
    readings
        .filter_map(|(address, reading)| {
            let version = match reading {
                Reading::Present(observed) => Some(observed.version.of_ours()),
                Reading::Unchanged => Some(recorded(address)?.version.as_ref()?.of_ours()),
                Reading::Missing | Reading::Unknown(_) => None,
            };
            version.map(|version| (address.clone(), version))
        })
        .collect()
}
