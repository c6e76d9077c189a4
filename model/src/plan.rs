//! A plan: everything that an apply will do, in order, with nothing left to choose.
//!
//! The only way to a [`Plan`] is [`Plan::new`], which checks it, also when it is read back from a
//! file. Its id is the digest of all of it, so a plan that was edited is another plan.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

use crate::action::{Action, ActionIndex, Edit, Op};
use crate::address::{Address, TenantId};
use crate::digest::Digest;
use crate::phase::{Phase, Sweep, Tenancy};
use crate::reading::Version;
use crate::snapshot::{SnapshotId, Verb};

/// Actions that may run together, as far as their `waits_for` lets them: a maximal run of one
/// sweep and one phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wave {
    /// Building up or taking down.
    pub sweep: Sweep,
    /// The phase of all its actions.
    pub phase: Phase,
    /// Its actions, as a range of [`Plan::actions`].
    pub actions: Range<usize>,
}

/// Something that a person should know of a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Note {
    /// What it is about, if one resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// In plain words.
    pub text: String,
}

/// A plan before it is checked: what a planner fills in, and what a plan file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanDraft {
    /// Whose plan.
    pub tenant: TenantId,
    /// The tenancy that is applied: it becomes the snapshot's.
    pub tenancy: Tenancy,
    /// To what end.
    pub verb: Verb,
    /// The head that it starts from; `None`: the tenant has no snapshot.
    pub base: Option<SnapshotId>,
    /// The digest of all that was compiled (spec, platform, blueprint, catalog, secrets).
    pub inputs: Digest,
    /// In order.
    pub actions: Vec<Action>,
    /// Done in one transaction before the first action.
    pub edits: Vec<Edit>,
    /// For people.
    pub notes: Vec<Note>,
    /// The tokens of all objects that were read for this plan and found: its read set.
    pub reads: BTreeMap<Address, Version>,
}

/// Why a draft is not a plan.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    /// An action's index is not its place.
    #[error("action {0:?} does not stand at its own place")]
    Misplaced(ActionIndex),
    /// An action waits for itself or a later one.
    #[error("action {0:?} waits for {1:?}, which does not come before it")]
    Order(ActionIndex, ActionIndex),
    /// Something is built up after the teardown has begun.
    #[error("action {0:?} builds up after the teardown has begun")]
    Wave(ActionIndex),
    /// Something of another tenant.
    #[error("{0} does not belong to the tenant of this plan")]
    Foreign(Address),
    /// An address is acted on twice, other than by the two halves of a replacement.
    #[error("{0} is acted on twice")]
    Repeated(Address),
    /// The digest of the content is not the id that the plan bears.
    #[error("the plan says that it is {claimed} but its content is {computed}")]
    Edited {
        /// The id in the file.
        claimed: Digest,
        /// The id of what the file holds.
        computed: Digest,
    },
}

/// A checked plan.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "PlanFile")]
pub struct Plan {
    id: Digest,
    draft: PlanDraft,
    waves: Vec<Wave>,
}

#[derive(Serialize, Deserialize)]
struct PlanFile<Draft = PlanDraft> {
    id: Digest,
    #[serde(flatten)]
    draft: Draft,
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (id, draft) = (self.id, &self.draft);
        PlanFile { id, draft }.serialize(serializer)
    }
}

impl TryFrom<PlanFile> for Plan {
    type Error = PlanError;
    fn try_from(file: PlanFile) -> Result<Self, PlanError> {
        let plan = Self::new(file.draft)?;
        if plan.id == file.id {
            Ok(plan)
        } else {
            Err(PlanError::Edited {
                claimed: file.id,
                computed: plan.id,
            })
        }
    }
}

impl Plan {
    /// Checks a draft.
    ///
    /// # Errors
    /// The first fault in action order; see [`PlanError`].
    pub fn new(draft: PlanDraft) -> Result<Self, PlanError> {
        check_actions(&draft)?;
        for edit in &draft.edits {
            if edit.address().tenant != draft.tenant {
                return Err(PlanError::Foreign(edit.address().clone()));
            }
        }
        let waves = waves(&draft.actions)?;
        let id = Digest::of("matih plan v1", &draft);
        Ok(Self { id, draft, waves })
    }

    /// The digest of all of it.
    pub fn id(&self) -> Digest {
        self.id
    }

    /// Whose plan.
    pub fn tenant(&self) -> &TenantId {
        &self.draft.tenant
    }

    /// The tenancy that is applied.
    pub fn tenancy(&self) -> Tenancy {
        self.draft.tenancy
    }

    /// To what end.
    pub fn verb(&self) -> &Verb {
        &self.draft.verb
    }

    /// The head that it starts from.
    pub fn base(&self) -> Option<SnapshotId> {
        self.draft.base
    }

    /// The digest of all that was compiled for it.
    pub fn inputs(&self) -> Digest {
        self.draft.inputs
    }

    /// All actions in order.
    pub fn actions(&self) -> &[Action] {
        &self.draft.actions
    }

    /// One action.
    pub fn action(&self, index: ActionIndex) -> Option<&Action> {
        self.draft.actions.get(index.as_usize())
    }

    /// Changes to the record alone.
    pub fn edits(&self) -> &[Edit] {
        &self.draft.edits
    }

    /// What a person should know.
    pub fn notes(&self) -> &[Note] {
        &self.draft.notes
    }

    /// The tokens of the objects that were read.
    pub fn reads(&self) -> &BTreeMap<Address, Version> {
        &self.draft.reads
    }

    /// The waves in order.
    pub fn waves(&self) -> &[Wave] {
        &self.waves
    }

    /// The addresses that this plan acts on, in order of address.
    pub fn addresses(&self) -> BTreeSet<&Address> {
        self.draft.actions.iter().map(Action::address).collect()
    }

    /// Whether nothing is to be done: no action and no edit.
    pub fn is_empty(&self) -> bool {
        self.draft.actions.is_empty() && self.draft.edits.is_empty()
    }
}

fn check_actions(draft: &PlanDraft) -> Result<(), PlanError> {
    let mut seen: BTreeMap<&Address, &Action> = BTreeMap::new();
    for (place, action) in draft.actions.iter().enumerate() {
        if action.index.as_usize() != place {
            return Err(PlanError::Misplaced(action.index));
        }
        if let Some(late) = action
            .waits_for
            .iter()
            .find(|other| **other >= action.index)
        {
            return Err(PlanError::Order(action.index, *late));
        }
        let address = action.address();
        if address.tenant != draft.tenant {
            return Err(PlanError::Foreign(address.clone()));
        }
        if let Some(first) = seen.insert(address, action) {
            let replacement = matches!(first.op, Op::Delete { .. })
                && matches!(action.op, Op::Create { .. })
                && action.waits_for.contains(&first.index);
            if !replacement {
                return Err(PlanError::Repeated(address.clone()));
            }
        }
    }
    Ok(())
}

fn waves(actions: &[Action]) -> Result<Vec<Wave>, PlanError> {
    let mut waves: Vec<Wave> = Vec::new();
    for (place, action) in actions.iter().enumerate() {
        match waves.last_mut() {
            Some(wave) if (wave.sweep, wave.phase) == (action.sweep, action.phase()) => {
                wave.actions.end = place + 1;
            }
            Some(wave) if wave.sweep > action.sweep => return Err(PlanError::Wave(action.index)),
            _ => waves.push(Wave {
                sweep: action.sweep,
                phase: action.phase(),
                actions: place..place + 1,
            }),
        }
    }
    Ok(waves)
}
