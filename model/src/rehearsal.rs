//! A rehearsal: what the outside would answer to a create or update, asked while planning.
//!
//! # Contract
//!
//! - A rehearsal changes nothing, ever, and reveals no secret: where one stands, something else is
//!   sent in its place, or nothing.
//! - Requests are answered in order, one answer each. A provider sees all requests of a plan at
//!   once, so that it knows what else the plan brings.
//! - A failure to ask is [`Answer::NotYet`] with the reason, and never "accepted". An error of the
//!   call as a whole means the same for each request.
//! - [`Answer::Refused`] and [`Answer::Immutable`] are the words of the one who will be asked in
//!   the apply, about the very change that it will be asked for; a guess is neither. What comes
//!   first in the plan may cure a refusal, but never an [`Answer::Misfit`].
//! - An answer is of the moment. It binds nobody, and the apply may be answered otherwise.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::address::RemoteId;
use crate::change::ChangeKind;
use crate::path::AttributePath;
use crate::provider::ProviderError;
use crate::resource::OwnerMark;
use crate::value::{Attributes, Text, Value};

/// One create or update, as the plan means to send it.
#[derive(Clone, Copy, Debug)]
pub struct Rehearse<'a> {
    /// The mark that the object bears or will bear.
    pub owner: &'a OwnerMark,
    /// What it is to do; never a delete. Of a replacement it is the second half, while what it
    /// replaces is still there.
    pub kind: ChangeKind,
    /// What is wanted. Secrets stand by reference; what is known only after other actions of the
    /// plan stands as a reference or as [`Value::Unknown`].
    pub attributes: &'a Attributes,
    /// What was applied before; `None` for a create.
    pub before: Option<&'a Attributes>,
    /// The provider's name for the object, where it has one.
    pub remote_id: Option<&'a RemoteId>,
}

/// What came of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// What was answered.
    pub answer: Answer,
    /// What would become of objects inside of the resource, where it stands for many.
    pub objects: Vec<ObjectChange>,
    /// What the outside said beside its answer.
    pub warnings: Vec<Text>,
}

impl From<Answer> for Rehearsal {
    /// An answer and nothing beside it.
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            ..Self::default()
        }
    }
}

/// The answer to one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// There is nobody to ask.
    #[default]
    Silent,
    /// It would be done.
    Accepted {
        /// What the outside would set beside what we say.
        filled: Vec<Filled>,
    },
    /// It cannot be asked yet.
    NotYet {
        /// Why, such as: its namespace is in this plan.
        why: Text,
        /// Whether it was held against a schema instead, and fits.
        checked: bool,
    },
    /// It would be refused, as things are now.
    Refused(ProviderError),
    /// It does not fit the schema of its kind, and nothing else in the plan can alter that.
    Misfit(ProviderError),
    /// What is there cannot be altered in this way; it would have to be made anew.
    Immutable {
        /// What cannot be altered.
        paths: Vec<AttributePath>,
        /// The outside's own words, with no secret in them.
        told: Text,
    },
}

impl Answer {
    /// It could not be asked, and nothing was checked.
    pub fn not_yet(why: impl Into<Text>) -> Self {
        Self::NotYet {
            why: why.into(),
            checked: false,
        }
    }
}

/// Something that the outside would set beside what we say. Never a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filled {
    /// Where.
    pub path: AttributePath,
    /// What.
    pub value: Value,
}

/// What would become of one object inside of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectChange {
    /// Which object, for people.
    pub name: Text,
    /// Its manifest now, masked; `None`: it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Text>,
    /// Its manifest afterwards, masked; `None`: it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Text>,
}

/// The line of a plan: `asked: accepted`.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("not asked"),
            Self::Accepted { .. } => f.write_str("asked: accepted"),
            Self::NotYet { why, checked: true } => {
                write!(f, "not asked: {why}; fits the server's schema")
            }
            Self::NotYet { why, .. } => write!(f, "not asked: {why}; not checked"),
            Self::Refused(error) | Self::Misfit(error) => {
                write!(f, "the server would refuse: {error}")
            }
            Self::Immutable { told, .. } => write!(f, "the server would not alter it: {told}"),
        }
    }
}
