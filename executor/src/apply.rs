//! Carrying out a plan under the lock of its tenant.

use std::sync::Arc;

use futures_util::future::join_all;
use matih_model::{Op, Origin, Plan, Snapshot, Verb};
use matih_state::{
    CommitRequest, Finish, LockedStore, Outcome, RunOutcome, RunStart, TenantStatus,
};
use tokio::time::Instant;

use crate::boundary::{ActionPoint, Onlooker, RunPoint};
use crate::error::ExecutorError;
use crate::event::{Step, What};
use crate::job::Job;
use crate::lease::{keep, renew_if_due};
use crate::observe::within;
use crate::report::{Ending, Fate, Report};
use crate::run::{Run, milliseconds};
use crate::settle::{Settled, settle};
use crate::watch::Watch;
use crate::world::{ApplyOptions, World};

/// Carries out a plan: nothing that it does not say, nothing twice, and nothing unrecorded.
///
/// Edits are made first, in one transaction. Then actions start as waves, `waits_for` and
/// parallelism allow; each has its intent committed before its call and its outcome after. In the
/// end, also after failures, what was done is committed as a snapshot, and the report says what
/// was not. An empty plan is a run as well: it brings the tenant's status up to date.
///
/// # Errors
/// The plan does not fit the state (nothing was changed then), the state refused a write, or the
/// onlooker abandoned the run. Actions that fail are no error of the run: see [`Report`].
pub async fn apply(
    store: &mut LockedStore,
    plan: &Plan,
    world: &World<'_>,
    options: &ApplyOptions,
    onlooker: &dyn Onlooker,
) -> Result<Report, ExecutorError> {
    let watch = Watch::new(onlooker, world.clock, options.run.clone());
    let began = Instant::now();
    verify(store, plan, world)?;
    watch.cross_run(RunPoint::PlanVerified)?;
    store.open_run(&RunStart {
        run: &options.run,
        verb: plan.verb(),
        plan: Some(plan),
        command: options.command.as_deref(),
        now_ms: world.clock.now_ms(),
    })?;
    watch.cross_run(RunPoint::RunOpened)?;
    watch.tell(What::RunStarted {
        tenant: plan.tenant().clone(),
        plan: plan.id(),
        verb: plan.verb().to_string(),
        actions: plan.actions().len(),
    });
    if !plan.edits().is_empty() {
        watch.cross_run(RunPoint::BeforeEdits)?;
        store.edit(plan.edits(), world.clock.now_ms())?;
        watch.cross_run(RunPoint::AfterEdits)?;
    }
    let before = store.head().cloned();
    let mut run = Run::new(store, plan, world, options, &watch, began + options.limit);
    run.work().await?;
    run.settle_doubts().await?;
    let mut report = Report {
        run: options.run.clone(),
        plan: plan.id(),
        actions: std::mem::take(&mut run.actions),
        stopped: run.stopped,
        before,
        after: None,
        ms: 0,
    };
    let after = run.commit(&report)?;
    report.ms = milliseconds(began.elapsed());
    watch.tell(What::RunFinished {
        ending: report.ending(),
        counts: report.counts(),
        snapshot: Some(after.id()),
        ms: report.ms,
    });
    report.after = Some(after);
    Ok(report)
}

/// Refuses a plan that cannot be carried out on this state, by these providers.
fn verify(store: &LockedStore, plan: &Plan, world: &World<'_>) -> Result<(), ExecutorError> {
    if plan.tenant() != store.tenant() {
        return Err(ExecutorError::OtherTenant {
            plan: plan.tenant().clone(),
            locked: store.tenant().clone(),
        });
    }
    let pending = store.pending()?;
    if let Some(first) = pending.first() {
        return Err(ExecutorError::Pending {
            first: first.entry.address.clone(),
            more: pending.len() - 1,
        });
    }
    let head = store.head().map(|head| head.id());
    if plan.base() != head {
        return Err(ExecutorError::Stale {
            tenant: plan.tenant().clone(),
            base: plan.base(),
            head,
        });
    }
    let addresses = plan.actions().iter().map(|action| action.address());
    for address in addresses {
        if world.registry.provider(&address.kind).is_none() {
            return Err(ExecutorError::NoProvider {
                address: address.clone(),
                kind: address.kind.clone(),
            });
        }
    }
    Ok(())
}

impl Run<'_> {
    /// Looks what became of actions that were given up in doubt. What cannot be told even now
    /// stays pending.
    async fn settle_doubts(&mut self) -> Result<(), ExecutorError> {
        let looks = std::mem::take(&mut self.doubtful)
            .into_iter()
            .map(|job| async {
                let sight = within(job.timeout(), job.look()).await;
                (job, sight)
            });
        let seen = keep(self.store, &self.world.clock, self.watch, join_all(looks)).await?;
        let mut settled = Vec::new();
        for (job, sight) in seen {
            let Ok(sight) = sight else { continue };
            let sight = sight.of_action(&job.action.op, &self.recorded);
            self.watch
                .cross_action(job.action, job.attempt, ActionPoint::BeforeOutcome)?;
            settled.push((settle(&job.action.op, sight, &job.wanted.references), job));
        }
        let now_ms = self.world.clock.now_ms();
        let finishes: Vec<Finish> = settled
            .iter()
            .map(|(settled, job): &(Settled, Job<'_>)| Finish {
                index: job.action.index,
                outcome: settled.outcome.clone(),
                now_ms,
            })
            .collect();
        self.store.finish(&finishes)?;
        for (settled, job) in settled {
            self.watch
                .cross_action(job.action, job.attempt, ActionPoint::OutcomeCommitted)?;
            self.watch.tell(What::StepSettled {
                step: Step::of(job.action),
                found: settled.found.to_owned(),
            });
            let best_effort = self.is_best_effort(job.action);
            if let Some(report) = self.actions.get_mut(job.action.index.as_usize()) {
                report.half_done = !settled.done
                    && matches!(settled.outcome, Outcome::Applied(_) | Outcome::Unsettled);
                report.fate = match std::mem::replace(&mut report.fate, Fate::NotStarted) {
                    _ if settled.done => Fate::Done {
                        adopted: matches!(job.action.op, Op::Create { .. }),
                    },
                    Fate::Unsettled(failure) if best_effort => Fate::Warned(failure),
                    Fate::Unsettled(failure) => Fate::Failed(failure),
                    fate => fate,
                };
            }
        }
        Ok(())
    }

    /// Commits what was done.
    fn commit(&mut self, report: &Report) -> Result<Arc<Snapshot>, ExecutorError> {
        renew_if_due(self.store, &self.world.clock, self.watch)?;
        self.watch.cross_run(RunPoint::BeforeSnapshot)?;
        let ending = report.ending();
        // A tenant that is being brought up is not up with a part of its plan.
        let is_up = self.options.whole || self.store.summary().status != TenantStatus::Provisioning;
        let outcome = match (ending, report.failures().next()) {
            (Ending::Complete, _) if is_up => RunOutcome::Succeeded,
            (Ending::Complete | Ending::Drained, _) | (_, None) => RunOutcome::Stopped,
            (_, Some((action, failure))) => RunOutcome::Failed {
                error: format!("{}: {}", action.address, failure.message),
            },
        };
        // Only a whole apply without a flaw lets the head stand for what was asked for.
        let whole = self.options.whole && *self.plan.verb() == Verb::Apply;
        let flawless = ending == Ending::Complete && report.counts().warned == 0;
        let after = self.store.commit(&CommitRequest {
            origin: Origin {
                run: self.options.run.clone(),
                verb: self.plan.verb().clone(),
            },
            tenancy: self.plan.tenancy(),
            inputs: (whole && flawless).then(|| self.plan.inputs()),
            outcome,
            now_ms: self.world.clock.now_ms(),
        })?;
        self.watch.cross_run(RunPoint::AfterSnapshot)?;
        Ok(after)
    }
}
