//! Settling what a crash left.
//!
//! An intent without an outcome means *unknown*. Recovery looks at the world, by the provider's
//! name for the object or by its owner mark, and writes down what it finds: nothing in the world
//! is changed. It may itself be killed at any point and run again, and finds the same.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use matih_model::{
    ActionIndex, Address, Op, Origin, Plan, ProviderError, RunId, Snapshot, Tenancy, Verb,
};
use matih_state::{CommitRequest, Finish, LockedStore, Pending, RunOutcome};

use crate::boundary::{ActionPoint, Onlooker, RunPoint};
use crate::error::ExecutorError;
use crate::event::{Step, What};
use crate::job::Job;
use crate::lease::keep;
use crate::look::Sight;
use crate::observe::patiently;
use crate::settle::{Settled, settle};
use crate::strays::{Search, Unmanaged, unmanaged};
use crate::watch::Watch;
use crate::world::World;

/// How to go about a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoverOptions {
    /// Also look for objects that bear the tenant's mark and stand in no record: after state was
    /// put back from a backup, or was lost in part.
    pub sweep: bool,
    /// The time that one look may take.
    pub timeout: Duration,
}

impl Default for RecoverOptions {
    /// No sweep, 60 seconds.
    fn default() -> Self {
        Self {
            sweep: false,
            timeout: Duration::from_secs(60),
        }
    }
}

/// An action whose outcome was found by looking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledAction {
    /// Its place in the plan of the run that was interrupted.
    pub index: ActionIndex,
    /// What it acted on.
    pub address: Address,
    /// `create`, `update`, `delete` or `check`.
    pub verb: &'static str,
    /// Whether it had done all that it was to do.
    pub done: bool,
    /// What was found, in words.
    pub found: &'static str,
}

/// What a recovery came to.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    /// The run that had been left open, if there was one.
    pub run: Option<RunId>,
    /// Actions that are settled now, in plan order.
    pub settled: Vec<SettledAction>,
    /// Actions that could not be looked up, with why: they stay pending, and so does the run.
    pub unclear: Vec<(Address, String)>,
    /// The run had done all of its plan: only its end was missing.
    pub complete: bool,
    /// What a sweep found, if one was asked for.
    pub unmanaged: Unmanaged,
    /// The head now.
    pub head: Option<Arc<Snapshot>>,
}

/// Settles the run that a crash left open, if there is one, and commits what it had done.
///
/// Afterwards the caller plans afresh. Objects that a sweep finds are reported, not touched: the
/// create of an address whose object is there with our mark adopts it.
///
/// # Errors
/// The state refused a write, or the onlooker abandoned the recovery. A provider that cannot look
/// is no error: see [`Recovery::unclear`].
pub async fn recover(
    store: &mut LockedStore,
    world: &World<'_>,
    options: &RecoverOptions,
    onlooker: &dyn Onlooker,
) -> Result<Recovery, ExecutorError> {
    let open = store.open_run_summary().map(|run| run.run.clone());
    let mut recovery = Recovery {
        run: open.clone(),
        ..Recovery::default()
    };
    let name = open.clone().unwrap_or_else(|| store.lock().run.clone());
    let watch = Watch::new(onlooker, world.clock, name);
    watch.cross_run(RunPoint::RecoveryBegun)?;
    if let Some(run) = open {
        let pending = store.pending()?;
        let seen = look_at(store, &pending, world, options, &watch).await?;
        write(store, &pending, seen, world, &watch, &mut recovery)?;
        if recovery.unclear.is_empty() {
            close(store, run, world, &watch, &mut recovery)?;
        }
    }
    if options.sweep {
        let (head, tenant) = (store.head().cloned(), store.tenant().clone());
        let search = Search {
            installation: world.installation,
            unmarked: false,
            timeout: options.timeout,
        };
        let of = [(&tenant, head.as_deref())];
        let sweep = unmanaged(world.registry, &search, of);
        let mut found = keep(store, &world.clock, &watch, sweep).await?;
        recovery.unmanaged = found.remove(&tenant).unwrap_or_default();
    }
    recovery.head = store.head().cloned();
    watch.cross_run(RunPoint::RecoveryDone)?;
    Ok(recovery)
}

/// What was found out about each pending action, in their order.
async fn look_at(
    store: &mut LockedStore,
    pending: &[Pending],
    world: &World<'_>,
    options: &RecoverOptions,
    watch: &Watch<'_>,
) -> Result<Vec<Result<Settled, ProviderError>>, ExecutorError> {
    let recorded = store.recorded();
    let recorded: BTreeMap<_, _> = recorded.map(|(at, it)| (at.clone(), it.clone())).collect();
    let looks = pending.iter().map(|pending| {
        let recorded = &recorded;
        async move {
            let op = &pending.action.op;
            if matches!(op, Op::Check { .. }) {
                return Ok(settle(op, Sight::Absent, &BTreeMap::new()));
            }
            let job = Job::new(&pending.action, world, &pending.run, recorded)?;
            let sight = patiently(options.timeout, || job.look()).await?;
            let sight = sight.of_action(op, recorded);
            Ok(settle(op, sight, &job.wanted.references))
        }
    });
    keep(store, &world.clock, watch, join_all(looks)).await
}

/// Writes what was found out, in one transaction.
fn write(
    store: &mut LockedStore,
    pending: &[Pending],
    seen: Vec<Result<Settled, ProviderError>>,
    world: &World<'_>,
    watch: &Watch<'_>,
    recovery: &mut Recovery,
) -> Result<(), ExecutorError> {
    let mut finishes = Vec::new();
    let mut told = Vec::new();
    for (pending, seen) in pending.iter().zip(seen) {
        let (action, attempt) = (&pending.action, pending.entry.attempt);
        let settled = match seen {
            Ok(settled) => settled,
            Err(error) => {
                let unclear = (action.address().clone(), error.message);
                recovery.unclear.push(unclear);
                continue;
            }
        };
        watch.cross_action(action, attempt, ActionPoint::BeforeOutcome)?;
        recovery.settled.push(SettledAction {
            index: action.index,
            address: action.address().clone(),
            verb: action.op.verb(),
            done: settled.done,
            found: settled.found,
        });
        finishes.push(Finish {
            index: action.index,
            outcome: settled.outcome,
            now_ms: world.clock.now_ms(),
        });
        told.push((action, attempt, settled.found));
    }
    store.finish(&finishes)?;
    for (action, attempt, found) in told {
        watch.cross_action(action, attempt, ActionPoint::OutcomeCommitted)?;
        watch.tell(What::StepSettled {
            step: Step::of(action),
            found: found.to_owned(),
        });
    }
    Ok(())
}

/// Commits what the interrupted run had done, and closes it.
fn close(
    store: &mut LockedStore,
    run: RunId,
    world: &World<'_>,
    watch: &Watch<'_>,
    recovery: &mut Recovery,
) -> Result<(), ExecutorError> {
    let journal = store.store().journal(store.tenant(), &run)?;
    let summary = store.open_run_summary();
    let verb = summary.map_or(Verb::Recover, |summary| summary.verb.clone());
    let plan = store.plan();
    let planned = plan.map_or(0, |plan| plan.actions().len());
    let tenancy = plan.map(Plan::tenancy);
    let tenancy = tenancy.or_else(|| store.head().map(|head| head.tenancy()));
    let all = journal.iter().all(|entry| entry.state.is_success());
    recovery.complete = all && journal.len() == planned;
    watch.cross_run(RunPoint::BeforeSnapshot)?;
    store.commit(&CommitRequest {
        origin: Origin {
            run,
            verb: if recovery.complete {
                verb
            } else {
                Verb::Recover
            },
        },
        tenancy: tenancy.unwrap_or(Tenancy::Shared),
        inputs: None,
        outcome: if recovery.complete {
            RunOutcome::Succeeded
        } else {
            RunOutcome::Stopped
        },
        now_ms: world.clock.now_ms(),
    })?;
    watch.cross_run(RunPoint::AfterSnapshot)?;
    Ok(())
}
