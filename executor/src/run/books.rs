//! What a run keeps book of: who is over, who may go on, who waits, and when it is to stop.

use std::time::Duration;

use matih_model::{Action, ErrorKind, ProviderError};
use matih_state::Outcome;
use tokio::time::Instant;

use super::{Run, Wait, milliseconds};
use crate::event::{Step, What, error_word};
use crate::job::{Job, Reply};
use crate::look::held_as;
use crate::report::{Fate, Stop};
use crate::retry::{Limits, jitter};
use crate::verdict::{Closed, give_up};
use crate::world::OnFailure;

impl<'a> Run<'a> {
    /// Refuses an object that the record holds as something else: to take it for what was to be
    /// created would give two records one object, and the delete of the one would be the loss of
    /// the other.
    pub(super) fn of_this_record(
        &self,
        job: &mut Job<'a>,
        result: Result<Reply, ProviderError>,
    ) -> Result<Reply, ProviderError> {
        let address = job.action.address();
        match &result {
            Ok(Reply::Applied(applied)) if applied.adopted => {
                let Some(other) = held_as(&self.recorded, address, &applied.remote_id) else {
                    return result;
                };
                // It is known what became of it.
                job.in_doubt = false;
                let message = format!("it is there already, and is recorded as {other}");
                let (from, to) = (other.resource_name(), address.resource_name());
                let hint = format!(
                    "if it was renamed, say so in the spec: [[moved]] from = \"{from}\", to = \"{to}\""
                );
                Err(ProviderError::new(ErrorKind::Conflict, message).with_hint(hint))
            }
            _ => result,
        }
    }

    /// Books an action that is over: what is recorded, who may go on, who is blocked.
    pub(super) fn account(&mut self, job: &Job<'a>, over: &Closed, told: &mut Vec<What>) {
        match &over.outcome {
            Outcome::Applied(recorded) => {
                self.recorded
                    .insert(job.action.address().clone(), recorded.clone());
            }
            Outcome::Deleted => {
                self.recorded.remove(job.action.address());
            }
            _ => {}
        }
        let (since, tries) = (job.since, job.attempt);
        if let Some(report) = self.actions.get_mut(job.action.index.as_usize()) {
            report.ms = milliseconds(since.elapsed());
            report.tries = tries;
            // It was done, and does not work.
            report.half_done = matches!(
                (&over.outcome, &over.fate),
                (Outcome::Applied(_), Fate::Failed(_))
            );
        }
        self.close(job.action, over.fate.clone(), told);
    }

    /// Gives an action its fate, and those behind it theirs.
    pub(super) fn close(&mut self, action: &Action, fate: Fate, told: &mut Vec<What>) {
        let succeeded = matches!(fate, Fate::Done { .. });
        if let Some(report) = self.actions.get_mut(action.index.as_usize()) {
            report.fate = fate;
            told.extend(What::of_fate(report));
        }
        if succeeded {
            self.schedule.succeed(action.index);
            return;
        }
        if self.options.on_failure != OnFailure::Continue && !self.is_best_effort(action) {
            self.stop(Stop::Failure);
        }
        for index in self.schedule.fail(action.index) {
            if let Some(report) = self.actions.get_mut(index.as_usize()) {
                report.fate = Fate::Blocked {
                    by: action.address().clone(),
                };
                told.extend(What::of_fate(report));
            }
        }
    }

    /// Lets an action wait for its next try.
    pub(super) fn put_off(&mut self, job: Job<'a>, after: Duration, error: ProviderError) -> What {
        let told = What::StepRetry {
            step: Step::of(job.action),
            attempt: job.attempt,
            error: error_word(error.kind).to_owned(),
            cause: error.message.clone(),
            after_ms: milliseconds(after),
            look_first: job.in_doubt,
        };
        let until = Instant::now() + after;
        self.waits
            .insert(job.action.index, Wait { until, job, error });
        told
    }

    /// Starts nothing more where the onlooker wants it or the time is up: then nobody waits for
    /// another try either.
    pub(super) fn stop_if_due(&mut self, closed: &mut Vec<(Job<'a>, Closed)>) {
        let why = match (self.watch.is_draining(), self.remaining().is_zero()) {
            (true, _) => Stop::Drained,
            (_, true) => Stop::OutOfTime,
            _ => return,
        };
        self.stop(why);
        for Wait { job, error, .. } in std::mem::take(&mut self.waits).into_values() {
            let over = give_up(&job, error, self.is_best_effort(job.action));
            closed.push((job, over));
        }
    }

    pub(super) fn stop(&mut self, why: Stop) {
        self.schedule.halt();
        self.stopped.get_or_insert(why);
    }

    pub(super) fn limits(&self, job: &Job<'_>) -> Limits {
        // Who drains does not begin to wait for another try.
        let drained = self.watch.is_draining().then_some(0);
        Limits {
            max_retries: drained.or(self.options.max_retries),
            remaining: self.remaining(),
            jitter: jitter(self.world.seed, job.action.address(), job.attempt),
        }
    }

    /// How many calls may start now.
    pub(super) fn room(&self) -> usize {
        let most = self.options.parallelism.get();
        most.saturating_sub(self.calls.len())
    }

    pub(super) fn remaining(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    pub(crate) fn is_best_effort(&self, action: &Action) -> bool {
        let schema = self.world.registry.catalog().get(&action.address().kind);
        schema.is_some_and(|schema| schema.best_effort)
    }
}
