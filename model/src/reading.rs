//! What is there now, as a provider read it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::address::{Address, RemoteId};
use crate::value::{Attributes, Text};

/// A provider's token for the state of the parts of an object that are ours. Equal tokens mean
/// that nothing of ours has changed; matih compares them and knows nothing more of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub Text);

/// An object as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// The provider's name for it.
    pub remote_id: RemoteId,
    /// What is set on it, also what the server filled in.
    pub attributes: Attributes,
    /// What it tells of itself.
    pub outputs: Attributes,
    /// Its token now.
    pub version: Version,
}

/// The answer to one question "is it there, and how?".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// There, and its token is the recorded one: as applied.
    Unchanged,
    /// There, and maybe different.
    Present(Box<Observed>),
    /// Not there.
    Missing,
    /// Could not be read, and why. Never counts as unchanged, never as missing.
    Unknown(String),
}

/// What was read for one tenant.
///
/// An address without a reading was not asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Observation {
    /// By address.
    pub readings: BTreeMap<Address, Reading>,
}

impl Observation {
    /// The reading of one address.
    pub fn get(&self, address: &Address) -> Option<&Reading> {
        self.readings.get(address)
    }
}
