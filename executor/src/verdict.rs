//! From a try's result to what happens next: pure.

use std::sync::Arc;
use std::time::Duration;

use matih_model::{CheckReport, ErrorKind, Op, ProviderError};
use matih_state::Outcome;

use crate::job::{Job, Reply, record};
use crate::report::{Failure, Fate};
use crate::retry::{Limits, backoff};

/// What happens after a try.
pub(crate) enum Verdict {
    /// The action is over.
    Over(Closed),
    /// It is tried again.
    Again {
        /// After this long.
        after: Duration,
        /// What went wrong.
        error: ProviderError,
    },
}

/// An action that is over: for the journal, and for people.
pub(crate) struct Closed {
    pub(crate) outcome: Outcome,
    pub(crate) fate: Fate,
}

/// Decides after a try.
pub(crate) fn judge(
    job: &Job<'_>,
    result: Result<Reply, ProviderError>,
    limits: Limits,
    best_effort: bool,
) -> Verdict {
    let error = match result {
        Ok(reply) => return Verdict::Over(succeeded(job, reply)),
        Err(error) => error,
    };
    let policy = &job.action.op.resource().retry;
    match backoff(error.kind, job.attempt, policy, limits) {
        Some(after) => Verdict::Again { after, error },
        None => Verdict::Over(give_up(job, error, best_effort)),
    }
}

fn succeeded(job: &Job<'_>, reply: Reply) -> Closed {
    let done = Fate::Done { adopted: false };
    match reply {
        Reply::Applied(applied) => {
            let fate = match applied.unready.clone() {
                Some(error) => Fate::Failed(error.into()),
                None => Fate::Done {
                    adopted: applied.adopted,
                },
            };
            let recorded = record(&job.action.op, applied, &job.wanted.references);
            let outcome = recorded.map_or(Outcome::NotDone, |it| Outcome::Applied(Arc::new(it)));
            Closed { outcome, fate }
        }
        Reply::Deleted => Closed {
            outcome: Outcome::Deleted,
            fate: done,
        },
        Reply::Checked(report) => {
            let fate = not_passed(&report).map_or(done, Fate::Failed);
            let outcome = Outcome::Checked(report.failures);
            Closed { outcome, fate }
        }
    }
}

fn not_passed(report: &CheckReport) -> Option<Failure> {
    let first = report.failures.first()?;
    let messages: Vec<&str> = report
        .failures
        .iter()
        .map(|it| it.message.as_str())
        .collect();
    Some(Failure {
        kind: ErrorKind::Invalid,
        message: messages.join("; "),
        hint: first.hint.clone(),
    })
}

/// The end of an action whose last try failed.
pub(crate) fn give_up(job: &Job<'_>, error: ProviderError, best_effort: bool) -> Closed {
    let failure = explain(job, error);
    let outcome = Outcome::Failed {
        kind: failure.kind,
        message: failure.message.clone(),
        unknown: job.in_doubt,
    };
    let fate = if job.in_doubt {
        Fate::Unsettled(failure)
    } else if best_effort {
        Fate::Warned(failure)
    } else {
        Fate::Failed(failure)
    };
    Closed { outcome, fate }
}

/// The provider's word, with what the plan knows beside it.
fn explain(job: &Job<'_>, error: ProviderError) -> Failure {
    const PLAN: &str = "run `matih plan` to see what is there now, and apply that";
    let update = matches!(job.action.op, Op::Update { .. });
    let (message, hint) = match error.kind {
        // Who says what to do about it speaks of something else than a plan that is out of date.
        ErrorKind::Conflict if job.expects_token() && error.hint.is_none() => {
            let message = format!("changed since it was planned: {}", error.message);
            (message, Some(PLAN.to_owned()))
        }
        ErrorKind::NotFound if update => {
            let message = format!("deleted since it was planned: {}", error.message);
            (message, Some(PLAN.to_owned()))
        }
        _ => (error.message, error.hint),
    };
    Failure {
        kind: error.kind,
        message,
        hint,
    }
}
