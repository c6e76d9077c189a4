//! One run of one tenant, from the lock to the report.
//!
//! The order is the law: lock, settle what a crash left, plan from what is recorded now, show it,
//! ask, apply, report, unlock. The lease is renewed while a person thinks.

mod back;
mod goal;

use matih_executor::{
    ApplyOptions, ExecutorError, RecoverOptions, Recovery, Report, World, apply, recover, run_limit,
};
use matih_model::{Digest, Plan, RunId, Verb};
use matih_state::LockedStore;
use serde_json::json;

pub(crate) use goal::{Back, Goal};

use crate::args::Look;
use crate::clock;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::installation::of_state;
use crate::render;
use crate::render::report::Ended;
use crate::work::agree::{ask_under_lock, refuse, would_be_refused};
use crate::work::planning::{Order, Planned, explain, plan};
use crate::work::{RunOnlooker, Workshop, locked, release, saved};

/// How a run is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Plan, question and report.
    Alone,
    /// One of many: nothing but its end. A plan that was shown before is carried out only if it
    /// still is the same.
    Fleet(Option<Digest>),
}

/// Brings one tenant to its goal.
///
/// # Errors
/// What keeps the run from starting. Actions that fail are no error: see [`Ended`].
pub(crate) async fn carry_out(
    work: &Workshop,
    goal: &Goal,
    manner: Manner,
) -> Result<Ended, Failure> {
    let run = clock::run_id();
    let mut store = locked(work, goal.tenant(), &run, goal.verb()).await?;
    let ended = under_lock(work, &mut store, goal, manner, run).await;
    release(work, store);
    ended
}

/// Settles what a crash left of a tenant whose record is about to be changed by hand.
///
/// # Errors
/// Something cannot be looked up.
pub(crate) async fn settle_first(
    work: &Workshop,
    store: &mut LockedStore,
) -> Result<Recovery, Failure> {
    let world = work.world()?;
    settle(work, store, &world).await
}

async fn under_lock(
    work: &Workshop,
    store: &mut LockedStore,
    goal: &Goal,
    manner: Manner,
    run: RunId,
) -> Result<Ended, Failure> {
    let world = work.world()?;
    let settled = settle(work, store, &world).await?;
    RunOnlooker(work).go_on()?;
    let (mut planned, order) = match goal {
        Goal::Saved(saved) => (saved::check(work, store, saved).await?, None),
        _ => {
            let order = order(work, store, goal, work.settings.look)?;
            let planned = plan_now(work, store, &order).await?;
            (planned, Some(order))
        }
    };
    let whole = match (goal, &order) {
        (Goal::Saved(saved), _) => saved.whole,
        (_, order) => order.as_ref().is_some_and(Order::is_whole),
    };
    if is_done(store, &planned.plan, whole) {
        if let Some(unknown) = planned.unknown() {
            return Err(unknown);
        }
        return Ok(Ended::unchanged(
            goal.tenant(),
            planned.base.as_deref(),
            settled,
        ));
    }
    // Whoever saved a plan has seen it.
    if manner == Manner::Alone && !matches!(goal, Goal::Saved(_)) {
        show(work, &mut planned)?;
    }
    still_the_one_shown(&planned, goal, manner)?;
    refuse(&planned, goal.tenant())?;
    would_be_refused(&planned)?;
    // Of many tenants, all plans were agreed to at once, before the first lock.
    if manner == Manner::Alone && planned.has_news() {
        ask_under_lock(work, store, goal.question()).await?;
    }
    RunOnlooker(work).go_on()?;
    work.installation.secrets.check(&planned.plan)?;
    let options = ApplyOptions {
        whole,
        command: goal.only_command(work.settings.look),
        ..options(work, &planned.plan, run)
    };
    let report = run_plan(work, store, &world, &planned.plan, &options).await?;
    let mut ended = Ended::of(
        &planned.plan,
        report,
        goal.command(work.settings.look),
        work.interrupt.exit(),
    );
    if ended.report.as_ref().is_some_and(back::is_wanted(work)) {
        back::go(work, store, &world, planned.base.as_deref(), &mut ended).await?;
    }
    if let (Exit::Ok, Some(unknown)) = (ended.exit, planned.unknown()) {
        work.context.screen.complain(&unknown);
        ended.exit = Exit::Partial;
    }
    Ok(ended)
}

/// What the planner gets, from what is recorded now.
fn order(work: &Workshop, store: &LockedStore, goal: &Goal, look: Look) -> Result<Order, Failure> {
    let catalog = &work.installation.platform.catalog;
    goal.order(&work.store, store.head(), catalog, look)
}

/// The plan from what is recorded now.
async fn plan_now(work: &Workshop, store: &LockedStore, order: &Order) -> Result<Planned, Failure> {
    let head = store.head().cloned();
    let approvals = &work.settings.approvals;
    plan(
        &work.installation,
        Some(&work.store),
        head,
        order,
        approvals,
    )
    .await
}

/// Settles what a crash left, and says so.
async fn settle(
    work: &Workshop,
    store: &mut LockedStore,
    world: &World<'_>,
) -> Result<Recovery, Failure> {
    let options = RecoverOptions::default();
    let recovery = recover(store, world, &options, &RunOnlooker(work)).await;
    let recovery = recovery.map_err(|error| of_executor(&error))?;
    let tenant = store.tenant();
    if let Some(run) = &recovery.run {
        work.context
            .screen
            .say(&render::report::recovery(tenant, run, &recovery));
    }
    match recovery.unclear.as_slice() {
        [] => Ok(recovery),
        [(address, why), ..] => Err(Failure::new(
            Exit::Partial,
            format!(
                "{} actions of {tenant} that a crash left cannot be looked up, the first {address}: {why}. Nothing was changed.",
                recovery.unclear.len()
            ),
        )
        .hint("try again when the provider answers")),
    }
}

/// Whether nothing is left to do, also not to the record.
fn is_done(store: &LockedStore, plan: &Plan, whole: bool) -> bool {
    let summary = store.summary();
    let stands = match plan.verb() {
        Verb::Apply if whole => summary.inputs == Some(plan.inputs()),
        _ => true,
    };
    let at_rest = match plan.verb() {
        Verb::Destroy => {
            let empty = store.head().is_none_or(|head| head.resources().is_empty());
            !empty || summary.status == matih_state::TenantStatus::Deleted
        }
        Verb::Edit => true,
        _ => summary.status == matih_state::TenantStatus::Active,
    };
    plan.is_empty() && stands && at_rest
}

/// Shows the plan.
fn show(work: &Workshop, planned: &mut Planned) -> Result<(), Failure> {
    if !planned.has_news() {
        return Ok(());
    }
    let timings = work.store.timings().map_err(|error| of_state(&error))?;
    let settings = &work.settings;
    explain(
        &work.installation,
        planned,
        &timings,
        settings.parallelism.get(),
    )?;
    let catalog = &work.installation.platform.catalog;
    let view = planned.view(catalog, settings.detail || work.context.screen.is_verbose());
    work.print(&render::plan::text(&view));
    work.progress
        .tell("plan_ready", json!({ "plan": render::plan::json(&view) }));
    Ok(())
}

/// Of many tenants, a plan that a person has seen is carried out only as they have seen it.
fn still_the_one_shown(planned: &Planned, goal: &Goal, manner: Manner) -> Result<(), Failure> {
    match manner {
        Manner::Fleet(Some(seen)) if seen != planned.plan.id() => {
            let tenant = goal.tenant();
            let message = format!(
                "The plan of {tenant} is no longer the one that was shown. Nothing was changed."
            );
            Err(Failure::new(Exit::Stale, message).hint("plan again"))
        }
        _ => Ok(()),
    }
}

/// How to go about a plan that stands for no inputs in full.
fn options(work: &Workshop, plan: &Plan, run: RunId) -> ApplyOptions {
    let settings = &work.settings;
    ApplyOptions {
        parallelism: settings.parallelism,
        on_failure: settings.on_failure,
        max_retries: Some(settings.max_retries),
        limit: settings.limit.unwrap_or_else(|| run_limit(plan.tenancy())),
        whole: false,
        ..ApplyOptions::new(run, plan.tenancy())
    }
}

async fn run_plan(
    work: &Workshop,
    store: &mut LockedStore,
    world: &World<'_>,
    plan: &Plan,
    options: &ApplyOptions,
) -> Result<Report, Failure> {
    let report = apply(store, plan, world, options, &RunOnlooker(work)).await;
    work.progress.end();
    report.map_err(|error| of_executor(&error))
}

/// Why a run could not be carried out, as people see it.
pub(crate) fn of_executor(error: &ExecutorError) -> Failure {
    let exit = match error {
        ExecutorError::State(error) => return of_state(error),
        ExecutorError::Stale { .. } => Exit::Stale,
        ExecutorError::Pending { .. } | ExecutorError::Abandoned => Exit::Partial,
        _ => Exit::Error,
    };
    let failure = Failure::new(exit, format!("{error}."));
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
