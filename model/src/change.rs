//! What differs between two states, resource by resource: the planner's finding, before order.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::path::AttributePath;
use crate::reading::Touch;
use crate::resource::{Recorded, Resource};
use crate::value::{Text, Value};

/// What has to happen to a resource. Absence is the no-op.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is to come.
    Create,
    /// It stays and is altered.
    Update,
    /// It goes and comes back, since what differs cannot be altered.
    Replace,
    /// It is to go.
    Delete,
}

impl ChangeKind {
    /// The sign of this change in plans: `+`, `~`, `-/+`, `-`.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Update => "~",
            Self::Replace => "-/+",
            Self::Delete => "-",
        }
    }
}

/// Why a change is there: for people. No code decides by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The spec has it, the record does not.
    New,
    /// The spec says something else than what was applied.
    SpecChanged,
    /// What is there is not what was applied.
    Drifted,
    /// It is as it was applied, and its owner mark is not on it: nobody could tell whose it is.
    Unmarked,
    /// It was applied and is gone.
    Missing,
    /// What it refers to changes in the same plan.
    DependencyChanged(Address),
    /// An attribute that cannot be altered differs.
    ImmutableChanged(Vec<AttributePath>),
    /// The outside says that what differs cannot be altered.
    Unalterable {
        /// What cannot be altered.
        paths: Vec<AttributePath>,
        /// In the outside's own words.
        told: Text,
    },
    /// Somebody asked for its replacement.
    Requested,
    /// The outcome of the last update is not known.
    Unsettled,
    /// The spec no longer has it.
    NoLongerDesired,
    /// The tenant is being taken down.
    Destroy,
    /// A check, because something in the tenant changes.
    Gate,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("not there yet"),
            Self::SpecChanged => f.write_str("the spec has changed"),
            Self::Drifted => f.write_str("changed outside of matih"),
            Self::Unmarked => f.write_str("it does not bear our mark"),
            Self::Missing => f.write_str("deleted outside of matih"),
            Self::DependencyChanged(address) => write!(f, "{address} changes"),
            Self::ImmutableChanged(paths) => {
                let paths: Vec<_> = paths.iter().map(ToString::to_string).collect();
                write!(f, "{} cannot be changed in place", paths.join(", "))
            }
            Self::Unalterable { told, .. } => write!(f, "the server does not alter {told}"),
            Self::Requested => f.write_str("replacement was asked for"),
            Self::Unsettled => f.write_str("the outcome of its last update is not known"),
            Self::NoLongerDesired => f.write_str("the spec no longer has it"),
            Self::Destroy => f.write_str("the tenant is being destroyed"),
            Self::Gate => f.write_str("looked at whenever something changes"),
        }
    }
}

/// One attribute that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributeChange {
    /// Where.
    pub path: AttributePath,
    /// What is there; `None` where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What should be there; `None` where nothing should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// This difference makes it a replacement.
    #[serde(default)]
    pub forces_replacement: bool,
    /// Neither value may be shown.
    #[serde(default)]
    pub sensitive: bool,
    /// Who made it so, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Touch>,
}

/// One resource that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which one.
    pub address: Address,
    /// What has to happen.
    pub kind: ChangeKind,
    /// Why, for people.
    pub reason: Reason,
    /// What is recorded; `None` for a create.
    pub recorded: Option<Arc<Recorded>>,
    /// What is desired; `None` for a delete.
    pub desired: Option<Arc<Resource>>,
    /// What differs, by path; empty for create and delete.
    pub attributes: Vec<AttributeChange>,
}

/// All that differs, by address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSet(pub BTreeMap<Address, Change>);

impl ChangeSet {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many changes there are of a kind.
    pub fn count(&self, kind: ChangeKind) -> usize {
        self.0.values().filter(|change| change.kind == kind).count()
    }
}
