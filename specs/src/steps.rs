//! The table of the 56 steps for one tenant: which run, which do not, and why.

use std::collections::BTreeMap;

use matih_model::{Address, Phase, Resource, StepNumber};
use serde::Serialize;

use crate::blueprint::{Blueprint, Step};

/// Whether a step runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "status", content = "why")]
pub enum StepStatus {
    /// It runs.
    Run,
    /// It does not, for the reason given.
    Skipped(String),
}

/// One step of one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepRow {
    /// 1 to 56.
    pub number: StepNumber,
    /// Its name, such as `CREATE_NAMESPACE`.
    pub name: String,
    /// The phase that it belongs to.
    pub phase: Phase,
    /// The resources that report it, by address; none if it is skipped.
    pub resources: Vec<Address>,
    /// Whether it runs.
    #[serde(flatten)]
    pub status: StepStatus,
}

impl StepRow {
    /// Whether it runs.
    pub fn runs(&self) -> bool {
        self.status == StepStatus::Run
    }
}

/// The table of a tenant.
pub(crate) fn table(
    blueprint: &Blueprint,
    skipped: &BTreeMap<StepNumber, Option<String>>,
    resources: &[Resource],
) -> Vec<StepRow> {
    let row = |step: &Step| {
        let reports = |resource: &&Resource| resource.steps.contains(&step.number);
        let resources: Vec<_> = resources
            .iter()
            .filter(reports)
            .map(|resource| resource.address.clone())
            .collect();
        let status = match skipped.get(&step.number) {
            Some(Some(why)) => StepStatus::Skipped(why.clone()),
            _ if resources.is_empty() => {
                StepStatus::Skipped("there is nothing to do for this tenant".to_owned())
            }
            _ => StepStatus::Run,
        };
        let (number, name, phase) = (step.number, step.name.clone(), step.phase);
        StepRow {
            number,
            name,
            phase,
            resources,
            status,
        }
    };
    blueprint.steps.values().map(row).collect()
}
