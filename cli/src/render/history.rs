//! The snapshots of a tenant, as helm shows revisions.

use matih_model::{RunId, Verb};
use matih_state::{RunOutcome, RunSummary, SnapshotSummary};
use serde_json::{Value, json};

use super::table::Table;
use super::time::{moment, rfc3339};

/// For people, oldest first. Both lists come newest first.
pub(crate) fn text(snapshots: &[SnapshotSummary], runs: &[RunSummary]) -> String {
    let heading = [
        "REVISION",
        "UPDATED",
        "STATUS",
        "ACTION",
        "WHO",
        "INPUTS",
        "RESOURCES",
        "SNAPSHOT",
        "DESCRIPTION",
    ];
    let mut table = Table::new(&heading);
    for (place, snapshot) in snapshots.iter().enumerate().rev() {
        let run = run_of(runs, &snapshot.origin.run);
        table.row([
            snapshot.serial.to_string(),
            moment(snapshot.created_ms),
            status(place == 0, run).to_owned(),
            action(&snapshot.origin.verb, snapshots),
            run.map(|run| run.who.clone()).unwrap_or_default(),
            snapshot
                .inputs
                .map(|it| it.short())
                .unwrap_or_else(|| "-".to_owned()),
            snapshot.resources.to_string(),
            snapshot.id.0.short(),
            description(run),
        ]);
    }
    table.render()
}

/// For programs, oldest first: `[{revision, updated, status, action, who, run, inputs, resources,
/// snapshot, parent, description}]`.
pub(crate) fn json(snapshots: &[SnapshotSummary], runs: &[RunSummary]) -> Value {
    let row = |(place, snapshot): (usize, &SnapshotSummary)| {
        let run = run_of(runs, &snapshot.origin.run);
        json!({
            "revision": snapshot.serial,
            "updated": rfc3339(snapshot.created_ms),
            "status": status(place == 0, run),
            "action": action(&snapshot.origin.verb, snapshots),
            "who": run.map(|run| &run.who),
            "run": snapshot.origin.run,
            "inputs": snapshot.inputs,
            "resources": snapshot.resources,
            "snapshot": snapshot.id,
            "parent": snapshot.parent,
            "description": description(run),
        })
    };
    snapshots.iter().enumerate().rev().map(row).collect()
}

fn run_of<'a>(runs: &'a [RunSummary], wanted: &RunId) -> Option<&'a RunSummary> {
    runs.iter().find(|run| run.run == *wanted)
}

fn status(is_head: bool, run: Option<&RunSummary>) -> &'static str {
    match run.map(|run| &run.outcome) {
        Some(Some(RunOutcome::Failed { .. })) => "partial",
        Some(Some(RunOutcome::Stopped) | None) => "interrupted",
        _ if is_head => "current",
        _ => "superseded",
    }
}

fn action(verb: &Verb, snapshots: &[SnapshotSummary]) -> String {
    match verb {
        Verb::Rollback(to) => match snapshots.iter().find(|it| it.id == *to) {
            Some(target) => format!("rollback to {}", target.serial),
            None => verb.to_string(),
        },
        other => other.to_string(),
    }
}

fn description(run: Option<&RunSummary>) -> String {
    match run.map(|run| (&run.outcome, run)) {
        Some((Some(RunOutcome::Failed { error }), _)) => error.clone(),
        Some((_, run)) if run.actions > 0 => {
            let done = run.settled.saturating_sub(run.failed);
            format!("{done} of {} actions done", run.actions)
        }
        _ => String::new(),
    }
}
