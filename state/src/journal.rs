//! The life of one action in the journal: which step may follow which. Pure.
//!
//! *Started* is written and synced before the request goes out and means *unknown*, never *done*.
//! It stays so until somebody has read a reply or looked at the world.

use std::sync::Arc;

use matih_model::{
    Action, ActionIndex, Address, CheckFinding, Digest, ErrorKind, Op, Phase, Recorded, RunId,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An intent: what is about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Begin<'a> {
    /// The action, as the run's plan has it.
    pub action: &'a Action,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// Milliseconds since the epoch.
    pub now_ms: u64,
}

/// An outcome: what is known now.
#[derive(Clone, Debug)]
pub struct Finish {
    /// Which action.
    pub index: ActionIndex,
    /// What came of it.
    pub outcome: Outcome,
    /// Milliseconds since the epoch.
    pub now_ms: u64,
}

/// What came of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A create or update was carried out: what is recorded from now on.
    Applied(Arc<Recorded>),
    /// A delete was carried out, or the object was not there.
    Deleted,
    /// A check could look: it passed if it found nothing.
    Checked(Vec<CheckFinding>),
    /// The call failed.
    Failed {
        /// What kind of failure.
        kind: ErrorKind,
        /// What happened, in a sentence, with no secret in it.
        message: String,
        /// Nobody knows whether it was carried out: it stays pending until somebody looks.
        unknown: bool,
    },
    /// It was not carried out: it was never sent, or a look at the world says so.
    NotDone,
    /// A look at the world cannot tell whether an update was carried out: the record stays, and
    /// says that the update must be sent again.
    Unsettled,
}

/// What the journal knows of an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
#[non_exhaustive]
pub enum JournalState {
    /// Sent or about to be sent; nothing more is known.
    Started,
    /// The call failed in a way that does not tell whether it was carried out.
    Unknown {
        /// What kind of failure.
        error: ErrorKind,
        /// What happened.
        message: String,
    },
    /// Carried out; this is the digest of the record.
    Applied {
        /// The digest of the record.
        record: Digest,
    },
    /// The object is gone.
    Deleted,
    /// Looked at.
    Checked {
        /// What is wrong.
        findings: Vec<CheckFinding>,
    },
    /// Failed, and nothing was done.
    Failed {
        /// What kind of failure.
        error: ErrorKind,
        /// What happened.
        message: String,
    },
    /// Not carried out.
    NotDone,
    /// Nobody can tell; the record says that it must be sent again.
    Unsettled,
}

impl JournalState {
    /// Whether the world must be looked at before anything else is done.
    pub fn is_pending(&self) -> bool {
        matches!(self, Self::Started | Self::Unknown { .. })
    }

    /// Whether what waits for the action may start.
    pub fn is_success(&self) -> bool {
        match self {
            Self::Applied { .. } | Self::Deleted => true,
            Self::Checked { findings } => findings.is_empty(),
            _ => false,
        }
    }
}

/// One row of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// The place of the action in the run's plan.
    pub index: ActionIndex,
    /// What it acts on.
    pub address: Address,
    /// `create`, `update`, `delete` or `check`.
    pub op: String,
    /// The phase that it is shown in.
    pub phase: Phase,
    /// The fence of the holder that wrote last.
    pub fence: u64,
    /// The last try, from 1.
    pub attempt: u32,
    /// When the first try began, milliseconds since the epoch.
    pub started_ms: u64,
    /// When the outcome was known.
    pub finished_ms: Option<u64>,
    /// What is known.
    #[serde(flatten)]
    pub state: JournalState,
    /// Counts the changes to the record in this run; 0 until there is an outcome.
    pub ordinal: u64,
}

/// An action whose outcome must be found by looking at the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The run that it belongs to.
    pub run: RunId,
    /// The intent.
    pub action: Action,
    /// What the journal knows.
    pub entry: JournalEntry,
}

/// A step that the journal does not allow. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// It was begun before and is not known to have failed.
    #[error("{address} was begun already and cannot be begun again")]
    Begun {
        /// The action's address.
        address: Address,
    },
    /// Something that it waits for has not succeeded.
    #[error("{address} cannot be begun: action {} has not succeeded", waits_for.0)]
    TooEarly {
        /// The action's address.
        address: Address,
        /// What it waits for.
        waits_for: ActionIndex,
    },
    /// It was never begun.
    #[error("action {} was never begun, so it has no outcome", index.0)]
    NotBegun {
        /// Its place.
        index: ActionIndex,
    },
    /// It has an outcome already.
    #[error("{address} has its outcome already")]
    Settled {
        /// The action's address.
        address: Address,
    },
    /// The outcome does not fit the action.
    #[error("the outcome of {address} does not fit a {op}")]
    Misfit {
        /// The action's address.
        address: Address,
        /// The verb of the action.
        op: String,
    },
    /// The record was to be edited after the first action began.
    #[error("the record cannot be edited after the first action of a run has begun")]
    EditTooLate,
}

/// The row that a begin writes, if it is legal. `find` knows the rows that are there.
///
/// # Errors
/// [`JournalError::Begun`] or [`JournalError::TooEarly`].
pub(crate) fn begin<'j>(
    begin: &Begin<'_>,
    find: impl Fn(&ActionIndex) -> Option<&'j JournalEntry>,
    fence: u64,
) -> Result<JournalEntry, JournalError> {
    let action = begin.action;
    let address = action.address().clone();
    let succeeded = |index| find(index).is_some_and(|row| row.state.is_success());
    if let Some(waits_for) = action.waits_for.iter().find(|index| !succeeded(index)) {
        let waits_for = *waits_for;
        return Err(JournalError::TooEarly { address, waits_for });
    }
    let before = find(&action.index);
    if let Some(row) = before {
        // A try that failed, or that is to be sent again with the same content, may be repeated.
        let again = match row.state {
            JournalState::Started | JournalState::Unknown { .. } => begin.attempt > row.attempt,
            JournalState::Failed { .. } | JournalState::NotDone => true,
            _ => false,
        };
        if !again {
            return Err(JournalError::Begun { address });
        }
    }
    Ok(JournalEntry {
        index: action.index,
        address,
        op: action.op.verb().to_owned(),
        phase: action.phase(),
        fence,
        attempt: begin.attempt,
        started_ms: before.map_or(begin.now_ms, |row| row.started_ms),
        finished_ms: None,
        state: JournalState::Started,
        ordinal: 0,
    })
}

/// The row that an outcome writes, if it is legal. `record` is the digest of the record of
/// [`Outcome::Applied`].
///
/// # Errors
/// [`JournalError::Settled`] or [`JournalError::Misfit`].
pub(crate) fn finish(
    row: &JournalEntry,
    op: &Op,
    finish: &Finish,
    record: Option<Digest>,
) -> Result<JournalEntry, JournalError> {
    let address = row.address.clone();
    if !row.state.is_pending() {
        return Err(JournalError::Settled { address });
    }
    let state = match (&finish.outcome, op) {
        (Outcome::Applied(it), Op::Create { .. } | Op::Update { .. })
            if it.resource.address == address =>
        {
            record.map(|record| JournalState::Applied { record })
        }
        (Outcome::Deleted, Op::Delete { .. }) => Some(JournalState::Deleted),
        (Outcome::Checked(findings), Op::Check { .. }) => Some(JournalState::Checked {
            findings: findings.clone(),
        }),
        (Outcome::Unsettled, Op::Update { .. }) => Some(JournalState::Unsettled),
        (Outcome::NotDone, _) => Some(JournalState::NotDone),
        (outcome @ Outcome::Failed { .. }, _) => Some(failed(outcome)),
        _ => None,
    };
    let Some(state) = state else {
        let op = row.op.clone();
        return Err(JournalError::Misfit { address, op });
    };
    let finished_ms = (!state.is_pending()).then_some(finish.now_ms);
    Ok(JournalEntry {
        state,
        finished_ms,
        ..row.clone()
    })
}

fn failed(outcome: &Outcome) -> JournalState {
    match outcome {
        Outcome::Failed {
            kind,
            message,
            unknown,
        } if *unknown => JournalState::Unknown {
            error: *kind,
            message: message.clone(),
        },
        Outcome::Failed { kind, message, .. } => JournalState::Failed {
            error: *kind,
            message: message.clone(),
        },
        _ => JournalState::NotDone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use matih_model::{
        Attributes, Lifecycle, Reason, RemoteId, Resource, RetryPolicy, Sweep, UndoClass,
    };

    fn resource(name: &str) -> Resource {
        Resource {
            address: format!("acme/helm.release/{name}").parse().unwrap(),
            phase: Phase::new(5).unwrap(),
            steps: Vec::new(),
            depends_on: Default::default(),
            attributes: Attributes::new(),
            lifecycle: Lifecycle::default(),
            retry: RetryPolicy::default(),
        }
    }

    fn record(name: &str) -> Arc<Recorded> {
        Arc::new(Recorded {
            resource: resource(name),
            remote_id: RemoteId::new("uid"),
            outputs: Attributes::new(),
            generation: 1,
            resolved: Default::default(),
            version: None,
            unsettled: false,
        })
    }

    fn ops() -> [Op; 4] {
        let resource = || Arc::new(resource("a"));
        [
            Op::Create {
                resource: resource(),
                generation: 1,
            },
            Op::Update {
                recorded: record("a"),
                resource: resource(),
                changes: Vec::new(),
                expects: None,
            },
            Op::Delete {
                recorded: record("a"),
                expects: None,
            },
            Op::Check {
                resource: resource(),
            },
        ]
    }

    fn action(op: Op, waits_for: &[u32]) -> Action {
        Action {
            index: ActionIndex(7),
            op,
            reason: Reason::New,
            sweep: Sweep::Build,
            waits_for: waits_for.iter().copied().map(ActionIndex).collect(),
            undo: UndoClass::Reversible,
        }
    }

    fn try_begin(
        action: &Action,
        attempt: u32,
        before: Option<&JournalEntry>,
    ) -> Result<JournalEntry, JournalError> {
        let begin = Begin {
            action,
            attempt,
            now_ms: 10,
        };
        super::begin(&begin, |_| before, 3)
    }

    fn outcomes() -> [Outcome; 7] {
        let failed = |unknown| Outcome::Failed {
            kind: ErrorKind::Invalid,
            message: "no".into(),
            unknown,
        };
        [
            Outcome::Applied(record("a")),
            Outcome::Deleted,
            Outcome::Checked(Vec::new()),
            failed(false),
            failed(true),
            Outcome::NotDone,
            Outcome::Unsettled,
        ]
    }

    fn close(row: &JournalEntry, op: &Op, outcome: Outcome) -> Result<JournalEntry, JournalError> {
        let it = Finish {
            index: row.index,
            outcome,
            now_ms: 30,
        };
        finish(row, op, &it, Some(Digest::of_bytes("test", b"")))
    }

    #[test]
    fn each_verb_has_its_outcomes_and_no_others() {
        let table = ops().map(|op| {
            let row = try_begin(&action(op.clone(), &[]), 1, None).unwrap();
            outcomes().map(|outcome| u8::from(close(&row, &op, outcome).is_ok()))
        });
        // Applied, deleted, checked, failed, unknown, not done, unsettled.
        assert_eq!(
            table,
            [
                [1, 0, 0, 1, 1, 1, 0],
                [1, 0, 0, 1, 1, 1, 1],
                [0, 1, 0, 1, 1, 1, 0],
                [0, 0, 1, 1, 1, 1, 0],
            ]
        );
    }

    #[test]
    fn started_means_unknown_and_only_a_failure_may_be_begun_again() {
        let [create, ..] = ops();
        let action = action(create.clone(), &[]);
        let row = try_begin(&action, 1, None).unwrap();
        assert!(row.state.is_pending() && !row.state.is_success());
        assert_eq!((row.fence, row.finished_ms), (3, None));
        assert!(try_begin(&action, 1, Some(&row)).is_err(), "under way");
        let again = outcomes().map(|outcome| {
            let Ok(row) = close(&row, &create, outcome) else {
                return None;
            };
            let settled = close(&row, &create, Outcome::NotDone).is_err();
            assert_eq!(settled, !row.state.is_pending());
            assert_eq!(row.finished_ms.is_some(), settled);
            Some(
                (1..=2)
                    .map(|attempt| try_begin(&action, attempt, Some(&row)).is_ok())
                    .collect(),
            )
        });
        let both = Some(vec![true, true]);
        let never = Some(vec![false, false]);
        let later = Some(vec![false, true]);
        assert_eq!(again, [never, None, None, both.clone(), later, both, None]);
    }

    #[test]
    fn nothing_begins_before_what_it_waits_for_has_succeeded() {
        let [create, .., check] = ops();
        let action = action(create, &[2]);
        let row = try_begin(&self::action(check.clone(), &[]), 1, None).unwrap();
        let with = |outcome| {
            let row = close(&row, &check, outcome).unwrap();
            // The look-up answers for the awaited place only.
            let begin = Begin {
                action: &action,
                attempt: 1,
                now_ms: 10,
            };
            super::begin(&begin, |index| (index.0 == 2).then_some(&row), 3)
        };
        assert!(with(Outcome::Checked(Vec::new())).is_ok());
        let finding = CheckFinding {
            message: "too small".into(),
            hint: None,
        };
        for outcome in [Outcome::Checked(vec![finding]), Outcome::NotDone] {
            assert_eq!(
                with(outcome),
                Err(JournalError::TooEarly {
                    address: action.address().clone(),
                    waits_for: ActionIndex(2),
                })
            );
        }
    }

    #[test]
    fn an_outcome_of_another_resource_does_not_fit() {
        let [create, ..] = ops();
        let row = try_begin(&action(create.clone(), &[]), 1, None).unwrap();
        let other = close(&row, &create, Outcome::Applied(record("b")));
        assert!(matches!(other, Err(JournalError::Misfit { .. })));
    }
}
