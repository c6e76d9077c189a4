//! The table of a run, a row for each phase.

use std::collections::BTreeMap;

use matih_executor::{ActionReport, Fate, Report};
use matih_model::Phase;

use crate::render::style::{FAINT, paint};
use crate::render::table::Table;
use crate::render::time::duration;

/// Phases in the order in which the run came to them.
pub(super) fn table(report: &Report) -> String {
    let mut order: Vec<Phase> = Vec::new();
    let mut by_phase: BTreeMap<Phase, Vec<&ActionReport>> = BTreeMap::new();
    for action in &report.actions {
        if !order.contains(&action.phase) {
            order.push(action.phase);
        }
        by_phase.entry(action.phase).or_default().push(action);
    }
    let mut table = Table::new(&[
        "PHASE",
        "ADDED",
        "CHANGED",
        "DESTROYED",
        "CHECKED",
        "FAILED",
        "LEFT",
        "TIME",
    ]);
    for phase in order {
        let actions = by_phase.remove(&phase).unwrap_or_default();
        let count = |wanted: &dyn Fn(&ActionReport) -> bool| match actions
            .iter()
            .filter(|it| wanted(it))
            .count()
        {
            0 => paint(FAINT, "-").to_string(),
            count => count.to_string(),
        };
        let done = |verb: &'static str| {
            move |it: &ActionReport| it.verb == verb && matches!(it.fate, Fate::Done { .. })
        };
        let failed = |it: &ActionReport| {
            matches!(
                it.fate,
                Fate::Failed(_) | Fate::Unsettled(_) | Fate::Warned(_)
            )
        };
        let left = |it: &ActionReport| matches!(it.fate, Fate::Blocked { .. } | Fate::NotStarted);
        let longest = actions.iter().map(|it| it.ms).max().unwrap_or(0);
        table.row([
            phase.to_string(),
            count(&done("create")),
            count(&done("update")),
            count(&done("delete")),
            count(&done("check")),
            count(&failed),
            count(&left),
            duration(longest),
        ]);
    }
    table.render()
}
