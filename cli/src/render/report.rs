//! What a run came to: a table by phase, one line of numbers, and the command to type next.

mod phases;

use std::fmt::Write;

use matih_executor::{Counts, Ending, Fate, Recovery, Report, Stop};
use matih_model::{Address, Plan, RunId, Snapshot, SnapshotId, TenantId, Verb};
use serde_json::{Value, json};

use super::style::{BAD, STRONG, WARN, paint};
use super::time::duration;
use crate::exit::Exit;

/// The end of a run of one tenant.
pub(crate) struct Ended {
    /// Whose run.
    pub(crate) tenant: TenantId,
    /// The code that it stands for.
    pub(crate) exit: Exit,
    /// What came of the plan; none if there was nothing to do.
    pub(crate) report: Option<Report>,
    verb: Option<Verb>,
    before: Option<u64>,
    head: Option<(u64, SnapshotId)>,
    resume: String,
    taken_back: Option<(Report, Option<u64>)>,
}

impl Ended {
    /// There was nothing to do.
    pub(crate) fn unchanged(
        tenant: &TenantId,
        head: Option<&Snapshot>,
        recovery: Recovery,
    ) -> Self {
        let head = head.or(recovery.head.as_deref());
        Self {
            tenant: tenant.clone(),
            exit: Exit::Ok,
            report: None,
            verb: None,
            before: None,
            head: head.map(named),
            resume: String::new(),
            taken_back: None,
        }
    }

    /// A plan was carried out, or a part of it.
    pub(crate) fn of(plan: &Plan, report: Report, resume: String, signal: Option<Exit>) -> Self {
        let exit = match report.ending() {
            Ending::Complete => Exit::Ok,
            Ending::Drained => signal.unwrap_or(Exit::Partial),
            Ending::FailedBeforeEffect if only_checks_failed(&report) => Exit::Preflight,
            Ending::FailedBeforeEffect => Exit::Error,
            Ending::Partial | Ending::Unsettled => Exit::Partial,
        };
        Self {
            tenant: plan.tenant().clone(),
            exit,
            verb: Some(plan.verb().clone()),
            before: report.before.as_ref().map(|before| before.serial()),
            head: report.after.as_deref().map(named),
            report: Some(report),
            resume,
            taken_back: None,
        }
    }

    /// What failed was taken back.
    pub(crate) fn taken_back(&mut self, report: Report, to: Option<&Snapshot>) {
        self.exit = match report.ending() {
            Ending::Complete => Exit::Error,
            _ => Exit::Partial,
        };
        self.head = report.after.as_deref().map(named);
        self.taken_back = Some((report, to.map(Snapshot::serial)));
    }

    /// For a run that was alone: the table and all that follows.
    pub(crate) fn text(&self) -> String {
        let Some(report) = &self.report else {
            return format!("{} {}\n", paint(STRONG, "No changes."), self.at_head());
        };
        if report.actions.is_empty() {
            let words = paint(STRONG, "No changes.");
            return format!("{words} The record is up to date. {}\n", self.at_head());
        }
        let mut text = format!("\n{}", phases::table(report));
        text += &warnings(report);
        text += &match self.exit {
            Exit::Ok => self.success(report),
            _ => self.failure(report),
        };
        text
    }

    /// For one of many: one line.
    pub(crate) fn line(&self) -> String {
        let what = match &self.report {
            None => "no changes".to_owned(),
            Some(report) if self.exit == Exit::Ok => done(report),
            Some(report) => match report.failures().next() {
                Some((action, failure)) => {
                    format!(
                        "{} failed: {}: {}",
                        done(report),
                        action.address,
                        cause(&action.address, &failure.message)
                    )
                }
                None => format!("{}, not all was done", done(report)),
            },
        };
        format!(
            "{}: {what}. {}",
            paint(STRONG, &self.tenant),
            self.at_head()
        )
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let counts = self.report.as_ref().map(Report::counts).unwrap_or_default();
        json!({
            "tenant": self.tenant,
            "exit": self.exit.code(),
            "run": self.report.as_ref().map(|report| &report.run),
            "ending": self.report.as_ref().map(Report::ending),
            "added": counts.created,
            "changed": counts.updated,
            "destroyed": counts.deleted,
            "failed": counts.failed,
            "snapshot": self.head.as_ref().map(|(serial, id)| json!({ "serial": serial, "id": id })),
            "taken_back": self.taken_back.is_some(),
            "ms": self.report.as_ref().map(|report| report.ms),
        })
    }

    fn at_head(&self) -> String {
        match &self.head {
            Some((serial, id)) => format!("Snapshot #{serial} ({}).", id.0.short()),
            None => "There is no snapshot.".to_owned(),
        }
    }

    fn success(&self, report: &Report) -> String {
        let word = match &self.verb {
            Some(Verb::Rollback(_)) => "Rollback",
            Some(Verb::Destroy) => "Destroy",
            _ => "Apply",
        };
        let mut text = format!(
            "\n{} {}. {}",
            paint(STRONG, format!("{word} complete!")),
            done(report),
            self.at_head()
        );
        let new = self.head.as_ref().map(|(serial, _)| *serial) != self.before;
        match self.before {
            Some(before) if new => {
                let _ = write!(text, " Undo: matih rollback {} --to {before}", self.tenant);
            }
            None if new => {
                let _ = write!(text, " Undo: matih destroy {}", self.tenant);
            }
            _ => {}
        }
        text + "\n"
    }

    fn failure(&self, report: &Report) -> String {
        let mut text = String::new();
        for (action, failure) in report.failures() {
            let steps = match super::plan::steps(&action.steps) {
                steps if steps.is_empty() => String::new(),
                steps => format!(", step {steps}"),
            };
            let _ = writeln!(
                text,
                "\n{} {} ({}{steps}): {}{}",
                paint(BAD, "failed:"),
                action.address,
                action.verb,
                cause(&action.address, &failure.message),
                if action.half_done {
                    "; a part of it is there"
                } else {
                    ""
                }
            );
            if let Some(hint) = &failure.hint {
                let _ = writeln!(text, "hint: {hint}");
            }
        }
        let counts = report.counts();
        let left = counts.blocked + counts.not_started;
        let why = match report.stopped {
            Some(Stop::Drained) => "It was interrupted.",
            Some(Stop::OutOfTime) => "Its time was up.",
            Some(Stop::Failure) | None => "Not all was done.",
        };
        let _ = writeln!(
            text,
            "\n{} {}; {} failed, {left} not started. {}",
            paint(STRONG, why),
            done(report),
            counts.failed,
            self.at_head()
        );
        match &self.taken_back {
            Some((back, to)) => text += &taken_back(back, *to),
            None => {
                let _ = writeln!(
                    text,
                    "What is done is recorded; to repeat it is safe. Go on: {}",
                    self.resume
                );
                if let Some(before) = self.before {
                    let _ = writeln!(
                        text,
                        "Or go back: matih rollback {} --to {before}",
                        self.tenant
                    );
                }
            }
        }
        text
    }
}

fn taken_back(back: &Report, to: Option<u64>) -> String {
    let end = match to {
        Some(serial) => format!("snapshot #{serial}"),
        None => "nothing".to_owned(),
    };
    match back.ending() {
        Ending::Complete => format!("It was taken back: the tenant is at {end} again.\n"),
        _ => {
            let failed = back.failures().map(|(action, failure)| {
                format!(
                    "  {}: {}\n",
                    action.address,
                    cause(&action.address, &failure.message)
                )
            });
            format!(
                "Taking it back to {end} did not succeed:\n{}",
                failed.collect::<String>()
            )
        }
    }
}

fn named(snapshot: &Snapshot) -> (u64, SnapshotId) {
    (snapshot.serial(), snapshot.id())
}

/// Why something failed, without its address if the provider says it again.
pub(crate) fn cause<'a>(address: &Address, message: &'a str) -> &'a str {
    let said = message.strip_prefix(&*address.to_string());
    said.and_then(|rest| rest.strip_prefix(": "))
        .unwrap_or(message)
}

/// `12 added, 3 changed, 1 destroyed in 1.4s`.
fn done(report: &Report) -> String {
    let Counts {
        created,
        updated,
        deleted,
        ..
    } = report.counts();
    format!(
        "{created} added, {updated} changed, {deleted} destroyed in {}",
        duration(report.ms)
    )
}

fn only_checks_failed(report: &Report) -> bool {
    report.failures().all(|(action, _)| action.verb == "check")
}

fn warnings(report: &Report) -> String {
    let mut text = String::new();
    for action in &report.actions {
        if let Fate::Warned(failure) = &action.fate {
            let _ = writeln!(
                text,
                "{} {}: {}",
                paint(WARN, "warning:"),
                action.address,
                cause(&action.address, &failure.message)
            );
        }
    }
    text
}

/// What a recovery settled, in a sentence.
pub(crate) fn recovery(tenant: &TenantId, run: &RunId, recovery: &Recovery) -> String {
    let settled = recovery.settled.len();
    let done = recovery.settled.iter().filter(|it| it.done).count();
    format!(
        "{tenant}: {run} was cut short. {settled} actions were looked up: {done} had been done, {} had not.",
        settled - done
    )
}

#[cfg(test)]
mod tests;
