//! What is asked of the planner.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use matih_model::{
    Address, AttributePath, Catalog, Digest, Observation, Phase, ResourceGraph, ResourceName,
    Snapshot, TenantId, Text, Verb,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Everything that a plan depends on.
#[derive(Clone, Debug)]
pub struct PlanInput<'a> {
    /// Whose plan.
    pub tenant: &'a TenantId,
    /// The head, what was last applied; `None` for a tenant that has no snapshot.
    pub base: Option<&'a Snapshot>,
    /// What should be.
    pub desired: &'a ResourceGraph,
    /// What was read, by the addresses of `base`; may be empty (a plan without a refresh).
    pub observation: &'a Observation,
    /// All kinds.
    pub catalog: &'a Catalog,
    /// What was asked for beside the two states.
    pub options: &'a PlanOptions,
    /// To what end.
    pub verb: Verb,
    /// The digest of all that `desired` was compiled from.
    pub inputs: Digest,
}

impl PlanOptions {
    /// Whether a resource of this address and phase was asked for: by name, by phase, or because
    /// nothing was asked for by either.
    pub fn asks_for(&self, address: &Address, phase: Phase) -> bool {
        let everything = self.targets.is_empty() && self.phases.is_empty();
        let by_name = || self.targets.iter().any(|it| it.matches(address));
        everything || self.phases.contains(&phase) || by_name()
    }

    /// Whether only a part of the tenant was asked for.
    pub fn is_partial(&self) -> bool {
        let all = [&self.targets, &self.excludes].map(Vec::is_empty);
        !self.phases.is_empty() || all != [true, true]
    }
}

impl<'a> PlanInput<'a> {
    /// What should be there after the plan: nothing, where a destroy was asked for.
    pub(crate) fn wanted(&self) -> Cow<'a, ResourceGraph> {
        if self.options.destroy {
            Cow::Owned(ResourceGraph::empty(
                self.tenant.clone(),
                self.desired.tenancy(),
            ))
        } else {
            Cow::Borrowed(self.desired)
        }
    }
}

/// What the outside says that it cannot alter in place: of a resource, the paths and its words.
pub type Unalterable = BTreeMap<Address, (Vec<AttributePath>, Text)>;

/// What was asked for beside the two states. The default asks for nothing special.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanOptions {
    /// Act only on these and on what must come before them; empty: on everything.
    pub targets: Vec<AddressPattern>,
    /// The same for the resources of these phases, beside `targets`.
    pub phases: Vec<Phase>,
    /// Act neither on these nor on what would have to come after them.
    pub excludes: Vec<AddressPattern>,
    /// Replace these, whether they differ or not.
    pub replace: Vec<Address>,
    /// Replace these where they would be updated.
    pub unalterable: Unalterable,
    /// Take everything down, whatever is desired.
    pub destroy: bool,
    /// Touch nothing; only bring the record up to what was read.
    pub refresh_only: bool,
    /// Old names and new ones: the record follows, the objects stay.
    pub moved: Vec<(ResourceName, ResourceName)>,
    /// Drop these from the record and leave the objects alone.
    pub forget: Vec<ResourceName>,
}

/// A pattern of addresses: `kind/name` or `tenant/kind/name`, each part with `*` for any
/// characters, such as `acme/helm.release/*` or `dns.record/www-*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressPattern {
    tenant: Option<String>,
    kind: String,
    name: String,
}

/// The text is not a pattern of addresses.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not a pattern of addresses: write `kind/name` or `tenant/kind/name`, with `*` for any characters"
)]
pub struct PatternError(pub String);

impl AddressPattern {
    /// Whether an address fits this pattern.
    pub fn matches(&self, address: &Address) -> bool {
        self.speaks_of(&address.tenant)
            && glob(self.kind.as_bytes(), address.kind.as_str().as_bytes())
            && glob(self.name.as_bytes(), address.name.as_str().as_bytes())
    }

    /// Whether this pattern can fit an address of a tenant at all.
    pub fn speaks_of(&self, tenant: &TenantId) -> bool {
        let fits = |pattern: &String| glob(pattern.as_bytes(), tenant.as_str().as_bytes());
        self.tenant.as_ref().is_none_or(fits)
    }
}

impl From<&Address> for AddressPattern {
    fn from(address: &Address) -> Self {
        Self {
            tenant: Some(address.tenant.to_string()),
            kind: address.kind.to_string(),
            name: address.name.to_string(),
        }
    }
}

impl FromStr for AddressPattern {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let parts: Vec<&str> = text.split('/').collect();
        let (tenant, kind, name) = match parts[..] {
            [kind, name] => (None, kind, name),
            [tenant, kind, name] => (Some(tenant), kind, name),
            _ => return Err(PatternError(text.to_owned())),
        };
        let sound = |part: &&str| {
            let allowed =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-*".contains(c);
            !part.is_empty() && part.chars().all(allowed)
        };
        if parts.iter().all(sound) {
            Ok(Self {
                tenant: tenant.map(str::to_owned),
                kind: kind.to_owned(),
                name: name.to_owned(),
            })
        } else {
            Err(PatternError(text.to_owned()))
        }
    }
}

impl fmt::Display for AddressPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tenant) = &self.tenant {
            write!(f, "{tenant}/")?;
        }
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl TryFrom<String> for AddressPattern {
    type Error = PatternError;
    fn try_from(text: String) -> Result<Self, PatternError> {
        text.parse()
    }
}

impl From<AddressPattern> for String {
    fn from(pattern: AddressPattern) -> String {
        pattern.to_string()
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any characters, also none.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut rest, mut left) = (pattern, text);
    // What follows the last star, and the text from which it is tried: only that star ever has to
    // take more, so the time is at most the product of both lengths.
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        match (rest.split_first(), left.split_first()) {
            (Some((b'*', after)), _) => {
                star = Some((after, left));
                rest = after;
            }
            (Some((wanted, after)), Some((letter, tail))) if wanted == letter => {
                (rest, left) = (after, tail);
            }
            (None, None) => return true,
            _ => match star.and_then(|(after, from)| Some((after, from.split_first()?.1))) {
                Some((after, from)) => {
                    star = Some((after, from));
                    (rest, left) = (after, from);
                }
                None => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, address: &str) -> bool {
        let pattern: AddressPattern = pattern.parse().unwrap();
        pattern.matches(&address.parse().unwrap())
    }

    #[test]
    fn a_star_stands_for_any_characters_of_one_part() {
        for (pattern, fits) in [
            ("helm.release/ai", true),
            ("acme/helm.release/ai", true),
            ("*/helm.release/*", true),
            ("helm.*/a*", true),
            ("*/*", true),
            ("*/*a*i*", true),
            ("other/helm.release/ai", false),
            ("helm.release/a", false),
            ("helm.release/*b", false),
        ] {
            assert_eq!(matches(pattern, "acme/helm.release/ai"), fits, "{pattern}");
        }
    }

    #[test]
    fn patterns_print_and_parse_back_and_nonsense_is_refused() {
        for text in ["helm.release/*", "acme/*/ai"] {
            assert_eq!(text.parse::<AddressPattern>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "helm.release",
            "a/b/c/d",
            "helm.release/",
            "helm.release/A",
        ] {
            assert_eq!(
                text.parse::<AddressPattern>(),
                Err(PatternError(text.to_owned()))
            );
        }
    }
}
