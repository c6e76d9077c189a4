//! What happens in a run, told while it happens: for a terminal, a log, or another program.

use matih_model::{
    Action, Address, Digest, ErrorKind, Phase, RunId, SnapshotId, StepNumber, TenantId,
};
use serde::{Deserialize, Serialize};

use crate::report::{ActionReport, Counts, Ending, Failure, Fate};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, in milliseconds since the Unix epoch.
    pub ts: u64,
    /// In which run.
    pub run: RunId,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

impl Event {
    /// The event as one line of NDJSON, without its newline (dependencies.md section 2.2).
    ///
    /// `seq` counts the lines of one stream from 1: whoever writes the stream counts.
    pub fn line(&self, seq: u64) -> String {
        let line = Line {
            v: 1,
            seq,
            event: self,
        };
        // An event is strings and numbers: it always encodes.
        serde_json::to_string(&line).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Line<'a> {
    v: u8,
    seq: u64,
    #[serde(flatten)]
    event: &'a Event,
}

/// What happened. The names of the variants are the `type` of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum What {
    /// The run is in the journal.
    RunStarted {
        /// Whose run.
        tenant: TenantId,
        /// The plan that it carries out.
        plan: Digest,
        /// To what end, in words.
        verb: String,
        /// How many actions the plan has.
        actions: usize,
    },
    /// The intent of an action is committed and its call begins.
    StepStarted {
        /// Which one.
        #[serde(flatten)]
        step: Step,
    },
    /// A try failed and another follows.
    StepRetry {
        /// Which one.
        #[serde(flatten)]
        step: Step,
        /// The number of the try that failed, from 1.
        attempt: u32,
        /// The kind of the error, as in [`error_word`].
        error: String,
        /// What went wrong.
        cause: String,
        /// Milliseconds until the next try.
        after_ms: u64,
        /// Whether it was done is not known: the next try looks first.
        look_first: bool,
    },
    /// The call of an action says how far it is; the next such event takes the place of this one.
    StepWaiting {
        /// Which one.
        #[serde(flatten)]
        step: Step,
        /// What it waits for.
        note: String,
    },
    /// The call of an action did something beside what it was asked for.
    StepNoted {
        /// Which one.
        #[serde(flatten)]
        step: Step,
        /// What.
        note: String,
    },
    /// An action succeeded and its outcome is committed.
    StepFinished {
        /// Which one.
        #[serde(flatten)]
        step: Step,
        /// Milliseconds since it started, waits included.
        ms: u64,
        /// The object was there already and bore our mark.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        adopted: bool,
    },
    /// An action failed for good and its outcome is committed.
    StepFailed {
        /// Which one.
        #[serde(flatten)]
        step: Step,
        /// Milliseconds since it started, waits included.
        ms: u64,
        /// The kind of the error, as in [`error_word`].
        error: String,
        /// What went wrong.
        cause: String,
        /// What a person can do about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
        /// Whether it was done is not known.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unsettled: bool,
        /// It was best effort: it fails nothing else.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        warning: bool,
    },
    /// An action will not start, since one that it waits for failed.
    StepBlocked {
        /// Which one.
        #[serde(flatten)]
        step: Step,
        /// Which one failed.
        by: Address,
    },
    /// An action whose outcome was not known was looked up in the world.
    StepSettled {
        /// Which one.
        #[serde(flatten)]
        step: Step,
        /// What was found, in words.
        found: String,
    },
    /// The run is over and its snapshot committed.
    RunFinished {
        /// How it ended.
        ending: Ending,
        /// How many actions came to what.
        #[serde(flatten)]
        counts: Counts,
        /// The head now.
        snapshot: Option<SnapshotId>,
        /// Milliseconds since it started.
        ms: u64,
    },
}

/// The action that an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What it acts on.
    pub addr: Address,
    /// The phase that it is shown in.
    pub phase: Phase,
    /// The steps that it reports.
    pub steps: Vec<StepNumber>,
    /// `create`, `update`, `delete` or `check`.
    pub action: String,
}

impl Step {
    pub(crate) fn of(action: &Action) -> Self {
        Self {
            addr: action.address().clone(),
            phase: action.phase(),
            steps: action.steps().to_vec(),
            action: action.op.verb().to_owned(),
        }
    }
}

impl What {
    /// What there is to tell of an action that came to its fate.
    pub(crate) fn of_fate(report: &ActionReport) -> Option<Self> {
        let step = Step {
            addr: report.address.clone(),
            phase: report.phase,
            steps: report.steps.clone(),
            action: report.verb.to_owned(),
        };
        let failed = |failure: &Failure| Self::StepFailed {
            step: step.clone(),
            ms: report.ms,
            error: error_word(failure.kind).to_owned(),
            cause: failure.message.clone(),
            hint: failure.hint.clone(),
            unsettled: matches!(report.fate, Fate::Unsettled(_)),
            warning: matches!(report.fate, Fate::Warned(_)),
        };
        Some(match &report.fate {
            Fate::Done { adopted } => Self::StepFinished {
                ms: report.ms,
                adopted: *adopted,
                step,
            },
            Fate::Failed(failure) | Fate::Unsettled(failure) | Fate::Warned(failure) => {
                failed(failure)
            }
            Fate::Blocked { by } => Self::StepBlocked {
                by: by.clone(),
                step,
            },
            Fate::NotStarted => return None,
        })
    }
}

/// The one word for a kind of error: `not_found`, `conflict`, `invalid`, `denied`, `throttled`,
/// `unavailable` or `unknown`.
pub fn error_word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "not_found",
        ErrorKind::Conflict => "conflict",
        ErrorKind::Invalid => "invalid",
        ErrorKind::Denied => "denied",
        ErrorKind::Throttled(_) => "throttled",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Unknown => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_flat_json_and_reads_back() {
        let event = Event {
            ts: 1_700_000_000_000,
            run: RunId::new("run-1"),
            what: What::StepFinished {
                step: Step {
                    addr: "acme/dns.record/app".parse().unwrap(),
                    phase: Phase::new(5).unwrap(),
                    steps: vec![StepNumber::new(41).unwrap()],
                    action: "create".to_owned(),
                },
                ms: 4100,
                adopted: false,
            },
        };
        let line = event.line(41);
        assert_eq!(
            line,
            r#"{"v":1,"seq":41,"ts":1700000000000,"run":"run-1","type":"step_finished","addr":"acme/dns.record/app","phase":5,"steps":[41],"action":"create","ms":4100}"#
        );
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }
}
