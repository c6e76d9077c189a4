//! What is there now against what was applied.

use std::collections::BTreeMap;

use matih_model::{
    Address, AttributeChange, AttributePath, Catalog, KindSchema, Observation, Observed, Reading,
    Recorded, Snapshot,
};
use serde::Serialize;

use crate::attributes::{Comparison, compare};
use crate::resolve::UNKNOWN;

/// How one recorded resource is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "drift")]
pub enum Drift {
    /// As it was applied.
    InSync,
    /// Otherwise; each difference has what is there as `before` and what was applied as `after`.
    Changed {
        /// By path.
        attributes: Vec<AttributeChange>,
    },
    /// As it was applied, and without our mark.
    Unmarked,
    /// Not there any more.
    Missing,
    /// It cannot be said, and why. Never counts as in sync.
    Unknown {
        /// In plain words.
        why: String,
    },
}

/// How the recorded resources of one tenant are now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct DriftReport {
    /// Every recorded resource.
    pub resources: BTreeMap<Address, Drift>,
}

impl DriftReport {
    /// Whether every resource is known to be as it was applied.
    pub fn in_sync(&self) -> bool {
        self.resources.values().all(|drift| *drift == Drift::InSync)
    }

    /// Whether some resource is known to have changed or gone.
    pub fn has_drifted(&self) -> bool {
        let drifted =
            |it: &Drift| matches!(it, Drift::Changed { .. } | Drift::Unmarked | Drift::Missing);
        self.resources.values().any(drifted)
    }
}

/// Compares what was read with what was applied. Differences that the resource was told to ignore
/// do not count. What exists beside the record is not looked for: the caller asks the providers.
pub fn drift(base: &Snapshot, observation: &Observation, catalog: &Catalog) -> DriftReport {
    let one = |(address, recorded): (&Address, &std::sync::Arc<Recorded>)| {
        let drift = match (observation.get(address), catalog.get(&address.kind)) {
            (Some(Reading::Unchanged), _) => Drift::InSync,
            (Some(Reading::Missing), _) => Drift::Missing,
            (Some(Reading::Unknown(why)), _) => Drift::Unknown { why: why.clone() },
            (Some(Reading::Present(observed)), Some(schema)) => {
                let ignore = &recorded.resource.lifecycle.ignore_changes;
                let attributes = differences(schema, recorded, observed, ignore);
                match (attributes.is_empty(), &observed.owner) {
                    (false, _) => Drift::Changed { attributes },
                    (true, None) => Drift::Unmarked,
                    (true, Some(_)) => Drift::InSync,
                }
            }
            (Some(Reading::Present(_)), None) => Drift::Unknown {
                why: "no provider of this platform serves its kind".to_owned(),
            },
            (None, _) => Drift::Unknown {
                why: "it was not read".to_owned(),
            },
        };
        (address.clone(), drift)
    };
    DriftReport {
        resources: base.resources().iter().map(one).collect(),
    }
}

/// Where an object differs from what was applied.
pub(crate) fn differences(
    schema: &KindSchema,
    recorded: &Recorded,
    observed: &Observed,
    ignore: &[AttributePath],
) -> Vec<AttributeChange> {
    let mut changes = compare(&Comparison {
        schema,
        desired: &recorded.resource.attributes,
        resolve: &|reference| recorded.resolved.get(reference).unwrap_or(&UNKNOWN),
        recorded,
        observed: Some(&observed.attributes),
        ignore,
    });
    blame(&mut changes, observed);
    changes
}

/// Puts to each difference whose hand it was.
pub(crate) fn blame(changes: &mut [AttributeChange], observed: &Observed) {
    for change in changes {
        change.cause = observed.touch(&change.path).cloned();
    }
}
