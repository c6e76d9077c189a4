//! Secrets: references to them travel, their values do not.
//!
//! A [`SecretRef`] says where a value is kept and may be stored, shown and compared. A
//! [`SecretValue`] holds the bytes; it has no `Debug`, `Display`, `Clone` or `Serialize`, so it
//! cannot reach state, a plan, a log or a message by accident. Providers ask a [`SecretSource`]
//! for it at the wire, and drop it there.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::digest::Digest;

/// Where a secret's value is kept.
///
/// In a spec: `{ env = "NAME" }`, `{ file = "path" }` or `{ secret = "store/name" }`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SecretRef {
    /// An environment variable of the process that applies.
    #[serde(rename = "env")]
    Env(String),
    /// A file, read whole, one trailing newline dropped.
    #[serde(rename = "file")]
    File(String),
    /// A name in the platform's secret store.
    #[serde(rename = "secret")]
    Store(String),
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Store(name) => write!(f, "secret:{name}"),
        }
    }
}

/// A reference as it stands in a resource: with the keyed digest that its value had when the
/// graph was compiled, so that a changed value shows as a change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SecretUse {
    /// Where the value is kept.
    pub reference: SecretRef,
    /// [`Digest::keyed`] of the value; `None` where it could not be read at compile time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// The value of a secret. Deliberately bare: see the module's promise.
pub struct SecretValue(String);

impl SecretValue {
    /// Takes the value over.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value, for the wire and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for SecretValue {
    fn drop(&mut self) {
        // Best effort without unsafe code: the buffer is overwritten before it is freed.
        let length = self.0.len();
        self.0.clear();
        self.0.extend(std::iter::repeat_n('\0', length));
        std::hint::black_box(&self.0);
    }
}

/// Why a secret could not be read. Never quotes a value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("secret {reference} cannot be read: {cause}")]
pub struct SecretError {
    /// Which one.
    pub reference: SecretRef,
    /// In plain words: the variable is not set, the file is not there.
    pub cause: String,
}

/// Who can read secrets at the time of an effect.
pub trait SecretSource: Send + Sync {
    /// Reads one value.
    ///
    /// # Errors
    /// The place does not exist or cannot be read.
    fn reveal(&self, reference: &SecretRef) -> Result<SecretValue, SecretError>;
}
