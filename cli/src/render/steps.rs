//! The table of the 56 steps.

use matih_model::Address;
use matih_specs::{StepRow, StepStatus};
use serde_json::{Value, json};

use super::style::{FAINT, paint};
use super::table::Table;

/// For people: number, name, phase, what it makes, or why it is skipped. Of many resources the
/// first few are named, with `all` every one.
pub(crate) fn text(steps: &[StepRow], all: bool) -> String {
    let mut table = Table::new(&["STEP", "NAME", "PHASE", "STATUS", "RESOURCES"]);
    for step in steps {
        let (status, last) = match &step.status {
            StepStatus::Run => ("run", names(&step.resources, all)),
            StepStatus::Skipped(why) => ("skip", paint(FAINT, why).to_string()),
        };
        table.row([
            step.number.to_string(),
            step.name.clone(),
            step.phase.to_string(),
            status.to_owned(),
            last,
        ]);
    }
    let runs = steps.iter().filter(|step| step.runs()).count();
    format!("{}\n{runs} of {} steps run.\n", table.render(), steps.len())
}

fn names(resources: &[Address], all: bool) -> String {
    const FEW: usize = 3;
    let shown = if all { resources.len() } else { FEW };
    let names: Vec<_> = resources
        .iter()
        .take(shown)
        .map(|it| it.resource_name().to_string())
        .collect();
    match resources.len().saturating_sub(shown) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// For programs: `[{number, name, phase, phase_name, status, why, resources}]`.
pub(crate) fn json(steps: &[StepRow]) -> Value {
    let row = |step: &StepRow| {
        let (status, why) = match &step.status {
            StepStatus::Run => ("run", None),
            StepStatus::Skipped(why) => ("skipped", Some(why)),
        };
        json!({
            "number": step.number,
            "name": step.name,
            "phase": step.phase,
            "phase_name": step.phase.title(),
            "status": status,
            "why": why,
            "resources": step.resources,
        })
    };
    steps.iter().map(row).collect()
}
