//! `matih status`: how far a tenant's provisioning is, as the wizard's progress page has it.

use std::collections::BTreeSet;

use matih_model::{ActionIndex, TenantId};
use matih_state::{
    JournalEntry, JournalState, LockStatus, RunOutcome, RunSummary, Store, TenantStatus,
};
use serde::Serialize;
use serde_json::json;

use crate::args::StatusArgs;
use crate::clock::now_ms;
use crate::context::Context;
use crate::estimate::progress;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::installation::{Installation, of_state};
use crate::render::table::Table;
use crate::render::time::{moment, rfc3339};
use crate::tenants;

/// The progress object (domain.md section 10), snake_case (C25).
#[derive(Debug, Serialize)]
struct ProvisioningStatus {
    tenant_id: TenantId,
    current_phase: u8,
    total_phases: u8,
    phase_name: String,
    /// `pending`, `in_progress`, `completed` or `failed`.
    status: &'static str,
    /// The share of the last run that is done: of its expected time while it is open, of its
    /// actions when it has ended.
    progress_percentage: u64,
    /// The last lines of the run's journal.
    logs: Vec<String>,
    started_at: Option<String>,
    estimated_completion: Option<String>,
    run_id: Option<String>,
    current_step: Option<u8>,
    total_steps: u8,
    error: Option<String>,
    /// The tenant's own status (domain.md section 3.1).
    tenant_status: TenantStatus,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &StatusArgs) -> Outcome {
    let store = Installation::open(context)?.existing_store()?;
    let one = args.tenants.len() == 1 || context.global.tenant.is_some();
    let mut all = Vec::new();
    for tenant in tenants::all(context, &store, &args.tenants)? {
        all.push(status(&store, &tenant)?);
    }
    let document = || match all.as_slice() {
        [only] if one => json!(only),
        all => json!(all),
    };
    context.print(args.output, || text(&all, one), document);
    Ok(Exit::Ok)
}

fn status(store: &Store, tenant: &TenantId) -> Result<ProvisioningStatus, Failure> {
    let summary = store.tenant(tenant).map_err(|error| of_state(&error))?;
    let summary = summary.ok_or_else(|| {
        Failure::error(format!("{tenant} is not in the state.")).hint("matih apply SPEC")
    })?;
    let runs = store.runs(tenant).map_err(|error| of_state(&error))?;
    let run = runs.iter().find(|run| run.actions > 0);
    let journal = match run {
        Some(run) => store
            .journal(tenant, &run.run)
            .map_err(|error| of_state(&error))?,
        None => Vec::new(),
    };
    let held = matches!(store.lock_status(tenant), Ok(LockStatus::Held(_)));
    let word = word(summary.status, run);
    let phase = run.and_then(|run| run.phase);
    let head = store.head(tenant).map_err(|error| of_state(&error))?;
    let step = journal.last().and_then(|entry| {
        let recorded = head.as_ref()?.get(&entry.address)?;
        recorded.resource.steps.last().map(|step| step.number())
    });
    let interrupted = run.is_some_and(|run| run.open) && !held;
    let cut_short = || {
        format!(
            "{} was cut short: matih resume",
            run.map_or("a run", |run| run.run.as_str())
        )
    };
    Ok(ProvisioningStatus {
        tenant_id: tenant.clone(),
        current_phase: phase.map_or(0, matih_model::Phase::number),
        total_phases: matih_model::phase::PHASES,
        phase_name: phase.map_or("", matih_model::Phase::title).to_owned(),
        status: word,
        progress_percentage: percentage(store, tenant, word, run, &journal)?,
        logs: logs(&journal),
        started_at: run.map(|run| rfc3339(run.opened_ms)),
        estimated_completion: run.filter(|_| held).and_then(estimated).map(rfc3339),
        run_id: run.map(|run| run.run.to_string()),
        current_step: step,
        total_steps: matih_model::phase::STEPS,
        error: summary.error.or_else(|| interrupted.then(cut_short)),
        tenant_status: summary.status,
    })
}

fn word(status: TenantStatus, run: Option<&RunSummary>) -> &'static str {
    match (status, run) {
        (_, Some(run)) if run.open => "in_progress",
        (TenantStatus::Failed, _) => "failed",
        (_, Some(run)) if matches!(run.outcome, Some(RunOutcome::Failed { .. })) => "failed",
        (TenantStatus::Pending, _) | (_, None) => "pending",
        (TenantStatus::Provisioning | TenantStatus::Upgrading, _) => "in_progress",
        _ => "completed",
    }
}

fn percentage(
    store: &Store,
    tenant: &TenantId,
    word: &str,
    run: Option<&RunSummary>,
    journal: &[JournalEntry],
) -> Result<u64, Failure> {
    let run = match (word, run) {
        ("completed", _) => return Ok(100),
        (_, None) => return Ok(0),
        (_, Some(run)) => run,
    };
    let plan = match run.open {
        true => store.open_plan(tenant).map_err(|error| of_state(&error))?,
        false => None,
    };
    let Some(plan) = plan else {
        let done = run.settled.saturating_sub(run.failed);
        return Ok((done * 100).checked_div(run.actions).unwrap_or_default());
    };
    let timings = store.timings().map_err(|error| of_state(&error))?;
    let done = journal.iter().filter(|entry| entry.state.is_success());
    let done: BTreeSet<ActionIndex> = done.map(|entry| entry.index).collect();
    Ok(progress(&plan, &timings, |index| done.contains(&index)))
}

/// When the run ends if it goes on as fast as so far, in milliseconds since 1970.
fn estimated(run: &RunSummary) -> Option<u64> {
    let left = run.actions.saturating_sub(run.settled);
    let took = now_ms().saturating_sub(run.opened_ms);
    (run.settled > 0).then(|| now_ms() + took * left / run.settled)
}

fn logs(journal: &[JournalEntry]) -> Vec<String> {
    const LAST: usize = 20;
    let skip = journal.len().saturating_sub(LAST);
    journal.iter().skip(skip).map(log).collect()
}

fn log(entry: &JournalEntry) -> String {
    let what = match &entry.state {
        JournalState::Started => "under way".to_owned(),
        JournalState::Unknown { message, .. } => format!("not known: {message}"),
        JournalState::Applied { .. } => "done".to_owned(),
        JournalState::Deleted => "gone".to_owned(),
        JournalState::Checked { findings } => match findings.first() {
            None => "passed".to_owned(),
            Some(finding) => finding.message.clone(),
        },
        JournalState::Failed { message, .. } => format!("failed: {message}"),
        JournalState::NotDone => "not done".to_owned(),
        _ => "nobody can tell: it is sent again".to_owned(),
    };
    let at = moment(entry.finished_ms.unwrap_or(entry.started_ms));
    format!("{at} {} {}: {what}", entry.op, entry.address)
}

fn text(all: &[ProvisioningStatus], one: bool) -> String {
    let mut table = Table::new(&[
        "TENANT",
        "STATUS",
        "PROVISIONING",
        "PROGRESS",
        "PHASE",
        "STARTED",
        "ERROR",
    ]);
    for status in all {
        table.row([
            status.tenant_id.to_string(),
            status.tenant_status.to_string(),
            status.status.to_owned(),
            format!("{} %", status.progress_percentage),
            format!("{} {}", status.current_phase, status.phase_name),
            status.started_at.clone().unwrap_or_default(),
            status.error.clone().unwrap_or_default(),
        ]);
    }
    let mut text = table.render();
    if let ([only], true) = (all, one) {
        text.push('\n');
        only.logs
            .iter()
            .for_each(|line| text += &format!("{line}\n"));
    }
    text
}
