//! One provider call ([`Action`]), and one change to the record alone ([`Edit`]).
//!
//! Both carry all the data that they need, so that whoever carries them out has nothing to decide.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::change::{AttributeChange, Reason};
use crate::phase::{Phase, StepNumber, Sweep};
use crate::reading::Version;
use crate::resource::{Recorded, Resource};
use crate::schema::UndoClass;
use crate::value::Attributes;

/// The place of an action in its plan, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionIndex(pub u32);

impl ActionIndex {
    /// As an index into [`crate::Plan::actions`].
    pub fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// The verb of an action, with all the data that it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "op")]
pub enum Op {
    /// Make it.
    Create {
        /// As it should be.
        resource: Arc<Resource>,
        /// Which life of the address this will be.
        generation: u64,
    },
    /// Alter it.
    Update {
        /// As it was applied.
        recorded: Arc<Recorded>,
        /// As it should be.
        resource: Arc<Resource>,
        /// What differs: for people, and for providers that send differences.
        changes: Vec<AttributeChange>,
        /// The token that the object must still have; `None`: whatever it has.
        expects: Option<Version>,
    },
    /// Take it away.
    Delete {
        /// As it was applied.
        recorded: Arc<Recorded>,
        /// The token that the object must still have; `None`: whatever it has.
        expects: Option<Version>,
    },
    /// Look, and touch nothing.
    Check {
        /// What to look at.
        resource: Arc<Resource>,
    },
}

impl Op {
    /// The resource that the operation is about, as desired or as recorded.
    pub fn resource(&self) -> &Resource {
        match self {
            Self::Create { resource, .. }
            | Self::Update { resource, .. }
            | Self::Check { resource } => resource,
            Self::Delete { recorded, .. } => &recorded.resource,
        }
    }

    /// `create`, `update`, `delete` or `check`.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Update { .. } => "update",
            Self::Delete { .. } => "delete",
            Self::Check { .. } => "check",
        }
    }
}

/// One provider call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Its place in the plan.
    pub index: ActionIndex,
    /// What to do.
    #[serde(flatten)]
    pub op: Op,
    /// Why, for people.
    pub reason: Reason,
    /// Whether it builds up or takes down.
    pub sweep: Sweep,
    /// The actions that must have succeeded before it, ascending, all before its own place.
    pub waits_for: Vec<ActionIndex>,
    /// What it costs to undo it.
    pub undo: UndoClass,
}

impl Action {
    /// The address that it acts on.
    pub fn address(&self) -> &Address {
        &self.op.resource().address
    }

    /// The phase that it is shown in.
    pub fn phase(&self) -> Phase {
        self.op.resource().phase
    }

    /// The steps that it reports.
    pub fn steps(&self) -> &[StepNumber] {
        &self.op.resource().steps
    }
}

/// A change to the record alone: no provider is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "edit")]
pub enum Edit {
    /// What is applied stays; what we know beside it (dependencies, steps, protection) changes.
    Rewrite {
        /// As it is desired now.
        resource: Arc<Resource>,
    },
    /// Take it out of the record and leave the object alone.
    Forget {
        /// Which one.
        address: Address,
    },
    /// Call it something else.
    Move {
        /// The name in the record.
        from: Address,
        /// The name from now on.
        to: Address,
    },
    /// Take over what the provider tells of it now.
    Refresh {
        /// Which one.
        address: Address,
        /// Its outputs now.
        outputs: Attributes,
        /// Its token now.
        version: Version,
    },
}

impl Edit {
    /// The recorded address that it edits.
    pub fn address(&self) -> &Address {
        match self {
            Self::Rewrite { resource } => &resource.address,
            Self::Forget { address } | Self::Refresh { address, .. } => address,
            Self::Move { from, .. } => from,
        }
    }
}
