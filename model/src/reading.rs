//! What is there now, as a provider read it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::address::{Address, RemoteId};
use crate::path::AttributePath;
use crate::resource::OwnerMark;
use crate::value::{Attributes, Text};

/// A provider's token for the state of the parts of an object that are ours. Equal tokens mean
/// that nothing of ours has changed; matih compares them and knows nothing more of them.
///
/// A provider may add its token for the state of the *whole* object. If that is the same, so is all
/// that is ours, and nobody has to look closer; if it is another, nothing is said. So it is left out
/// where tokens are compared.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Tokens", into = "Tokens")]
pub struct Version {
    ours: Text,
    whole: Option<Text>,
}

/// How a version is written down.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Tokens {
    Ours(Text),
    Both(Text, Text),
}

impl Version {
    /// The token of what is ours.
    pub fn new(ours: impl Into<Text>) -> Self {
        Self {
            ours: ours.into(),
            whole: None,
        }
    }

    /// The same, with the token of the whole object.
    #[must_use]
    pub fn with_whole(self, whole: impl Into<Text>) -> Self {
        let whole = Some(whole.into()).filter(|whole| !whole.is_empty());
        Self { whole, ..self }
    }

    /// The same without it: what a plan is bound to, which a change of others leaves as it is.
    #[must_use]
    pub fn of_ours(&self) -> Self {
        Self::new(self.ours.clone())
    }

    /// The token of what is ours.
    pub fn ours(&self) -> &str {
        &self.ours
    }

    /// The token of the whole object, where it was given.
    pub fn whole(&self) -> Option<&str> {
        self.whole.as_deref()
    }

    /// Whether the whole object is as it was, by its token now.
    pub fn is_whole(&self, now: &str) -> bool {
        self.whole.as_deref() == Some(now)
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.ours == other.ours
    }
}

impl Eq for Version {}

impl From<Tokens> for Version {
    fn from(tokens: Tokens) -> Self {
        match tokens {
            Tokens::Ours(ours) => Self::new(ours),
            Tokens::Both(ours, whole) => Self::new(ours).with_whole(whole),
        }
    }
}

impl From<Version> for Tokens {
    fn from(version: Version) -> Self {
        match version.whole {
            None => Self::Ours(version.ours),
            Some(whole) => Self::Both(version.ours, whole),
        }
    }
}

/// An object as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// The provider's name for it.
    pub remote_id: RemoteId,
    /// What is set on it, also what the server filled in. What cannot be seen on it may be told
    /// back as it was asked; a reference in it stands for what was applied.
    pub attributes: Attributes,
    /// What it tells of itself.
    pub outputs: Attributes,
    /// Its token now.
    pub version: Version,
    /// The mark that it bears, if it bears one of matih.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<OwnerMark>,
    /// Who set what is ours otherwise, where the provider can tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touches: Vec<Touch>,
}

/// Somebody else's hand on a part of an object that is ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Touch {
    /// The part.
    pub path: AttributePath,
    /// Whose hand, as the provider names it.
    pub by: Text,
    /// In which way, as the provider names it.
    pub how: Text,
    /// When, in RFC 3339, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Text>,
}

impl fmt::Display for Touch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by {} ({})", self.by, self.how)?;
        match &self.when {
            Some(when) => write!(f, " at {when}"),
            None => Ok(()),
        }
    }
}

impl Observed {
    /// The hand that is on the part at `path`, or on a part of it.
    pub fn touch(&self, path: &AttributePath) -> Option<&Touch> {
        let meets = |touch: &&Touch| touch.path.covers(path) || path.covers(&touch.path);
        self.touches.iter().find(meets)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_told_by_what_is_ours_and_written_with_both() {
        let ours = Version::new("a");
        let both = ours.clone().with_whole("7");
        assert_eq!(ours, both);
        assert_ne!(both, Version::new("b").with_whole("7"));
        assert!(both.is_whole("7") && !both.is_whole("8") && !ours.is_whole("7"));
        assert!(!both.of_ours().is_whole("7") && !both.clone().with_whole("").is_whole(""));
        for (version, text) in [(&ours, r#""a""#), (&both, r#"["a","7"]"#)] {
            assert_eq!(serde_json::to_string(version).unwrap(), text);
            let back: Version = serde_json::from_str(text).unwrap();
            assert_eq!((back.ours(), &back.whole), ("a", &version.whole));
        }
    }
}
