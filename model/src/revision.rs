//! What a provider itself remembers of an object's earlier states.

use serde::{Deserialize, Serialize};

use crate::resource::OwnerMark;
use crate::value::Text;

/// One state that an object had, or has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Its number; a later one has a higher one.
    pub number: u64,
    /// When it was made, in RFC 3339, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Text>,
    /// The provider's word for how it is.
    pub status: Text,
    /// What it was made of, such as a chart and its version.
    pub made_of: Text,
    /// The version of what that brings; empty where there is none.
    pub app_version: Text,
    /// What was said of it when it was made.
    pub description: Text,
    /// The mark that we made it under; none: somebody else made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maker: Option<OwnerMark>,
}
