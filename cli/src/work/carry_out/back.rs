//! `--on-failure rollback`: a failed run is taken back.

use matih_executor::{Ending, OnFailure, Report, World};
use matih_model::Snapshot;
use matih_state::LockedStore;

use crate::args::Look;
use crate::clock;
use crate::failure::Failure;
use crate::render::report::Ended;
use crate::work::Workshop;
use crate::work::agree::against_going_back;
use crate::work::carry_out::{Goal, options, order, plan_now, run_plan};

/// Whether a failed run is to be taken back.
pub(super) fn is_wanted(work: &Workshop) -> impl Fn(&Report) -> bool {
    let asked = work.settings.on_failure == OnFailure::Rollback && work.interrupt.exit().is_none();
    move |report| {
        asked
            && matches!(
                report.ending(),
                Ending::Partial | Ending::FailedBeforeEffect
            )
    }
}

/// Brings the tenant back to the snapshot before the run. Nobody is asked again, since the policy
/// was chosen with the yes; what the guard refuses, or the outside would, is told and stays.
///
/// # Errors
/// The way back cannot be planned, or its run cannot be started.
pub(super) async fn go(
    work: &Workshop,
    store: &mut LockedStore,
    world: &World<'_>,
    before: Option<&Snapshot>,
    ended: &mut Ended,
) -> Result<(), Failure> {
    let goal = Goal::undo(store.tenant().clone(), before);
    // Something failed, so the world is looked at even with `--refresh=false`.
    let look = Look {
        refresh: true,
        ..work.settings.look
    };
    work.context
        .screen
        .say(&format!("Taking it back: {}.", goal.command(look)));
    let order = order(work, store, &goal, look)?;
    let back = plan_now(work, store, &order).await?;
    if let Some(failure) = against_going_back(&back, before) {
        work.context.screen.complain(&failure);
        return Ok(());
    }
    let options = options(work, &back.plan, clock::run_id());
    let report = run_plan(work, store, world, &back.plan, &options).await?;
    ended.taken_back(report, before);
    Ok(())
}
