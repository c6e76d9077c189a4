//! What a run came to.

use std::sync::Arc;

use matih_model::{
    Action, ActionIndex, Address, Digest, ErrorKind, Phase, ProviderError, RunId, Snapshot,
    StepNumber,
};
use serde::{Deserialize, Serialize};

/// What one action came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It succeeded.
    Done {
        /// The object was there already and bore our mark.
        adopted: bool,
    },
    /// It failed, and what is in the world is known.
    Failed(Failure),
    /// It failed, and whether it was done is not known even now.
    Unsettled(Failure),
    /// It failed, and its kind is best effort.
    Warned(Failure),
    /// One that it waits for failed.
    Blocked {
        /// Which one.
        by: Address,
    },
    /// The run ended before it.
    NotStarted,
}

/// Why an action failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind of error.
    pub kind: ErrorKind,
    /// What went wrong, in a sentence.
    pub message: String,
    /// What a person can do about it.
    pub hint: Option<String>,
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        Self {
            kind: error.kind,
            message: error.message,
            hint: error.hint,
        }
    }
}

/// One action and what it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionReport {
    /// Its place in the plan.
    pub index: ActionIndex,
    /// What it acted on.
    pub address: Address,
    /// `create`, `update`, `delete` or `check`.
    pub verb: &'static str,
    /// The phase that it is shown in.
    pub phase: Phase,
    /// The steps that it reports.
    pub steps: Vec<StepNumber>,
    /// What it came to.
    pub fate: Fate,
    /// It failed, and it or a part of it is there.
    pub half_done: bool,
    /// How often it was tried.
    pub tries: u32,
    /// Milliseconds from its start to its end, waits included; 0 if it never started.
    pub ms: u64,
}

/// How a run ended: what an exit code is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Every action succeeded, but for warnings.
    Complete,
    /// Some failed or did not start; what succeeded is recorded, and the rest can be resumed.
    Partial,
    /// Something failed before anything in the world was changed.
    FailedBeforeEffect,
    /// It was asked to stop; what succeeded is recorded, and the rest can be resumed.
    Drained,
    /// The outcome of an action is not known: it must be recovered before the next plan.
    Unsettled,
}

/// Why a run started nothing more, though it could have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// An action failed.
    Failure,
    /// The onlooker asked for it.
    Drained,
    /// The run's time was up.
    OutOfTime,
}

/// How many actions came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Objects created.
    pub created: usize,
    /// Objects altered.
    pub updated: usize,
    /// Objects taken away.
    pub deleted: usize,
    /// Checks passed.
    pub checked: usize,
    /// Actions that failed, unsettled ones included.
    pub failed: usize,
    /// Failures of best effort.
    pub warned: usize,
    /// Actions behind a failure.
    pub blocked: usize,
    /// Actions that the run did not come to.
    pub not_started: usize,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// The run.
    pub run: RunId,
    /// The plan that it carried out.
    pub plan: Digest,
    /// Every action of the plan, in its order.
    pub actions: Vec<ActionReport>,
    /// Why it stopped early, if it did.
    pub stopped: Option<Stop>,
    /// The head before it.
    pub before: Option<Arc<Snapshot>>,
    /// The head after it.
    pub after: Option<Arc<Snapshot>>,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

impl ActionReport {
    /// An action that has not started.
    pub(crate) fn of(action: &Action) -> Self {
        Self {
            index: action.index,
            address: action.address().clone(),
            verb: action.op.verb(),
            phase: action.phase(),
            steps: action.steps().to_vec(),
            fate: Fate::NotStarted,
            half_done: false,
            tries: 0,
            ms: 0,
        }
    }
}

impl Report {
    /// How many actions came to what.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for action in &self.actions {
            let field = match (&action.fate, action.verb) {
                (Fate::Done { .. }, "create") => &mut counts.created,
                (Fate::Done { .. }, "update") => &mut counts.updated,
                (Fate::Done { .. }, "delete") => &mut counts.deleted,
                (Fate::Done { .. }, _) => &mut counts.checked,
                (Fate::Failed(_) | Fate::Unsettled(_), _) => &mut counts.failed,
                (Fate::Warned(_), _) => &mut counts.warned,
                (Fate::Blocked { .. }, _) => &mut counts.blocked,
                (Fate::NotStarted, _) => &mut counts.not_started,
            };
            *field += 1;
        }
        counts
    }

    /// How it ended.
    pub fn ending(&self) -> Ending {
        let counts = self.counts();
        let has = |wanted: fn(&Fate) -> bool| self.actions.iter().any(|it| wanted(&it.fate));
        let half_done = self.actions.iter().any(|it| it.half_done);
        if has(|fate| matches!(fate, Fate::Unsettled(_))) {
            Ending::Unsettled
        } else if counts.failed + counts.blocked + counts.not_started == 0 {
            Ending::Complete
        } else if self.stopped == Some(Stop::Drained) {
            Ending::Drained
        } else if counts.created + counts.updated + counts.deleted == 0 && !half_done {
            Ending::FailedBeforeEffect
        } else {
            Ending::Partial
        }
    }

    /// The actions that failed, with why, in plan order; warnings are not among them.
    pub fn failures(&self) -> impl Iterator<Item = (&ActionReport, &Failure)> {
        self.actions.iter().filter_map(|action| match &action.fate {
            Fate::Failed(failure) | Fate::Unsettled(failure) => Some((action, failure)),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(fates: &[(&'static str, Fate)], stopped: Option<Stop>) -> Report {
        let action = |(place, (verb, fate)): (usize, &(&'static str, Fate))| ActionReport {
            index: ActionIndex(u32::try_from(place).unwrap()),
            address: format!("acme/dns.record/r{place}").parse().unwrap(),
            verb,
            phase: Phase::new(1).unwrap(),
            steps: Vec::new(),
            fate: fate.clone(),
            half_done: false,
            tries: 1,
            ms: 0,
        };
        Report {
            run: RunId::new("run-1"),
            plan: Digest::of("test", &0),
            actions: fates.iter().enumerate().map(action).collect(),
            stopped,
            before: None,
            after: None,
            ms: 0,
        }
    }

    #[test]
    fn the_ending_follows_from_the_fates() {
        let failure = Failure {
            kind: ErrorKind::Invalid,
            message: "no".to_owned(),
            hint: None,
        };
        let done = Fate::Done { adopted: false };
        let failed = Fate::Failed(failure.clone());
        let blocked = Fate::Blocked {
            by: "acme/dns.record/r0".parse().unwrap(),
        };
        let stop = Some(Stop::Failure);
        let drained = Some(Stop::Drained);
        for (fates, stopped, ending) in [
            (vec![("create", done.clone())], None, Ending::Complete),
            (vec![("create", done.clone())], drained, Ending::Complete),
            (
                vec![
                    ("create", done.clone()),
                    ("create", Fate::Warned(failure.clone())),
                ],
                None,
                Ending::Complete,
            ),
            (
                vec![("check", done.clone()), ("create", failed.clone())],
                stop,
                Ending::FailedBeforeEffect,
            ),
            (
                vec![
                    ("create", done.clone()),
                    ("create", failed),
                    ("create", blocked),
                ],
                stop,
                Ending::Partial,
            ),
            (
                vec![("create", done.clone()), ("create", Fate::NotStarted)],
                drained,
                Ending::Drained,
            ),
            (
                vec![("create", done), ("create", Fate::Unsettled(failure))],
                drained,
                Ending::Unsettled,
            ),
        ] {
            let report = report(&fates, stopped);
            assert_eq!(report.ending(), ending, "{fates:?}");
        }
    }

    #[test]
    fn what_is_half_done_was_an_effect() {
        let failed = Fate::Failed(Failure {
            kind: ErrorKind::Unknown,
            message: "no reply".to_owned(),
            hint: None,
        });
        let mut report = report(&[("create", failed)], Some(Stop::Failure));
        assert_eq!(report.ending(), Ending::FailedBeforeEffect);
        report.actions[0].half_done = true;
        assert_eq!(report.ending(), Ending::Partial);
    }
}
