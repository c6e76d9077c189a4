//! A resource as it should be ([`Resource`]) and as it was last applied ([`Recorded`]).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::address::{Address, RemoteId, TenantId};
use crate::digest::Digest;
use crate::path::AttributePath;
use crate::phase::{Phase, StepNumber};
use crate::reading::Version;
use crate::snapshot::RunId;
use crate::value::{Attributes, OutputRef, Value};

/// How long an action on a resource may take and how often it is tried (domain.md section 3.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicy {
    /// Seconds that one try may take.
    pub timeout_seconds: u32,
    /// Seconds to wait before try 2, 3, …: its length is the number of retries.
    pub backoff_seconds: Vec<u32>,
}

impl Default for RetryPolicy {
    /// 60 seconds, and 2, 4 and 8 seconds between tries: domain.md section 3.4, steps 43 to 48.
    fn default() -> Self {
        Self {
            timeout_seconds: 60,
            backoff_seconds: vec![2, 4, 8],
        }
    }
}

/// What a person said about the life of a resource, apart from what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    /// Never delete or replace it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protect: bool,
    /// Differences at these paths are nobody's business.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore_changes: Vec<AttributePath>,
}

/// A thing that should be: what a spec and the blueprint compile to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Its name for good.
    pub address: Address,
    /// The phase that it is shown in.
    pub phase: Phase,
    /// The steps that it reports, ascending, at least one unless a spec added the resource.
    pub steps: Vec<StepNumber>,
    /// What must be there before it, beside what its attributes refer to.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub depends_on: BTreeSet<Address>,
    /// What we set on it, references unresolved.
    pub attributes: Attributes,
    /// Protection and ignored differences.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// Time limits and retries.
    #[serde(default)]
    pub retry: RetryPolicy,
}

impl Resource {
    /// All that must be there before it: `depends_on` and the resources that it refers to.
    pub fn dependencies(&self) -> BTreeSet<&Address> {
        let refs = self
            .attributes
            .refs()
            .into_iter()
            .map(|reference| &reference.address);
        self.depends_on.iter().chain(refs).collect()
    }
}

/// The mark that every object in the world bears, so that it can be found without our record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OwnerMark {
    /// The installation of matih; two of them never touch each other's objects.
    pub installation: String,
    /// Whose it is and what we call it.
    pub address: Address,
    /// Counts the lives of an address: 1 for the first create, one more for each later one.
    pub generation: u64,
    /// The run that created it.
    pub run: RunId,
}

impl OwnerMark {
    /// The tenant of the address.
    pub fn tenant(&self) -> &TenantId {
        &self.address.tenant
    }

    /// Whether another mark stands for the same life of the same address. The run tells where it
    /// came from, no more.
    pub fn is_of_one_life_with(&self, other: &Self) -> bool {
        self.installation == other.installation
            && self.address == other.address
            && self.generation == other.generation
    }

    /// This mark as it is to be written on an object that bears `there`: in one life, also under
    /// another name, the run stays the one that created it.
    #[must_use]
    pub fn onto(&self, there: Option<&Self>) -> Self {
        let began = there.filter(|it| it.generation == self.generation);
        Self {
            run: began.map_or_else(|| self.run.clone(), |it| it.run.clone()),
            ..self.clone()
        }
    }
}

/// A resource as it was last applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// As desired at that time, references unresolved, so that it can be planned again.
    pub resource: Resource,
    /// The provider's name for it.
    pub remote_id: RemoteId,
    /// What the provider told back.
    pub outputs: Attributes,
    /// Which life of the address this is.
    pub generation: u64,
    /// What each reference stood for when it was applied.
    #[serde(
        default,
        with = "resolved_pairs",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub resolved: BTreeMap<OutputRef, Value>,
    /// The provider's token for "nothing of ours has changed since".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// An update was sent and its outcome is not known: the next plan must send it again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsettled: bool,
}

impl Recorded {
    /// Its attributes with each reference replaced by what it stood for when applied.
    pub fn applied(&self) -> Attributes {
        self.resource.attributes.map_refs(&mut |reference| {
            self.resolved
                .get(reference)
                .cloned()
                .unwrap_or(Value::Unknown)
        })
    }

    /// The digest of the record.
    pub fn digest(&self) -> Digest {
        Digest::of("matih recorded v1", self)
    }
}

/// JSON has no maps with structured keys: the pairs are written as a list.
mod resolved_pairs {
    use super::{BTreeMap, OutputRef, Value};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        map: &BTreeMap<OutputRef, Value>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<OutputRef, Value>, D::Error> {
        Ok(Vec::<(OutputRef, Value)>::deserialize(deserializer)?
            .into_iter()
            .collect())
    }
}
