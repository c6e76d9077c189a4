//! Kills at every boundary: a deed is carried out once to count its boundaries, then once for
//! each of them, killed there, carried out again, and looked at from outside.
//!
//! It promises that a kill which did not happen is a failure, never a pass: the harness is the
//! first thing that a crash test has to distrust. It refuses to know how recovery works; the
//! world of an undisturbed run is all that it compares with.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::{Facts, Findings};
use crate::{Output, Sandbox, fail};

/// Where a run is to be killed: `boundary:N=kill`.
pub const FAILPOINT: &str = "MATIH_FAILPOINT";
/// The file into which a run writes how many boundaries it has crossed.
pub const COUNT: &str = "MATIH_BOUNDARY_COUNT";

/// Kills run side by side: one for each of the two cores that the tests are made for.
const WORKERS: usize = 2;
/// The number of SIGKILL, the same on every Unix.
pub const SIGKILL: i32 = 9;

/// One thing that a person does to a tenant, from a state that is prepared to an end that is
/// known.
pub struct Deed<'a> {
    /// What it is called in the report: `create`, `update`, …
    pub verb: &'a str,
    /// The tenant's slug.
    pub tenant: &'a str,
    /// Files and state from which it starts.
    pub prepared: &'a Sandbox,
    /// The words after `matih`; typed again after a kill.
    pub command: &'a [&'a str],
    /// The words of the plan that is empty when it is done.
    pub settled: &'a [&'a str],
}

/// How many of a deed's boundaries are visited.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The first boundary, from 1.
    pub first: usize,
    /// From each boundary to the next one that is visited.
    pub stride: usize,
    /// At how many boundaries the recovery is killed too; 0: it is not.
    pub second: usize,
}

/// What came of all the kills of one deed.
#[derive(Debug, Default)]
pub struct Tally {
    /// The deed.
    pub verb: String,
    /// The boundaries that an undisturbed run crosses.
    pub counted: usize,
    /// The boundaries at which a run was to be killed.
    pub chosen: usize,
    /// The boundaries at which one was.
    pub visited: usize,
    /// The recoveries that were killed in their turn.
    pub killed_again: usize,
    /// The ends that were right: all invariants hold, the world is that of the undisturbed run.
    pub recovered: usize,
    /// Objects that no record knows.
    pub orphans: usize,
    /// Records whose object is not there.
    pub lost: usize,
    /// What went wrong, each with the boundary that shows it.
    pub failures: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// Where the deed leads when nobody disturbs it.
struct Undisturbed {
    boundaries: usize,
    end: BTreeMap<String, Value>,
}

impl Deed<'_> {
    /// Kills the deed at each chosen boundary and looks at what its repetition makes of it.
    #[must_use]
    #[track_caller]
    pub fn kill_at_boundaries(&self, pace: Pace) -> Tally {
        let began = Instant::now();
        let undisturbed = self.undisturbed();
        let chosen: Vec<usize> = (pace.first..=undisturbed.boundaries)
            .step_by(pace.stride)
            .collect();
        let tally = Mutex::new(Tally {
            verb: self.verb.to_owned(),
            counted: undisturbed.boundaries,
            chosen: chosen.len(),
            ..Tally::default()
        });
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    while let Some(at) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                        self.kill_once(*at, pace.second, &undisturbed, &tally);
                    }
                });
            }
        });
        let mut tally = tally
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        tally.took = began.elapsed();
        tally
    }

    /// Counts the boundaries, and shows that the count is complete: a run that is to be killed
    /// one boundary later lives.
    #[track_caller]
    fn undisturbed(&self) -> Undisturbed {
        let sandbox = self.prepared.fork();
        let mut command = sandbox.command(self.command);
        command.env(COUNT, sandbox.path("boundaries"));
        let output = run(command).exits(0);
        let boundaries = match sandbox.read("boundaries").trim().parse() {
            Ok(number) => number,
            Err(error) => fail(&format!("the count of boundaries: {error}\n{output}")),
        };
        let facts = Facts::look(&sandbox, self.tenant, self.settled);
        let findings = facts.findings();
        assert!(
            findings.is_empty(),
            "{} undisturbed:\n{findings}{output}",
            self.verb
        );

        let beyond = self.prepared.fork();
        let survived = self.disturbed(&beyond, boundaries + 1);
        assert_eq!(
            survived.status,
            Some(0),
            "{} has more boundaries than it says",
            self.verb
        );
        Undisturbed {
            boundaries,
            end: facts.end_state(),
        }
    }

    /// One kill, and everything that follows from it.
    fn kill_once(&self, at: usize, second: usize, good: &Undisturbed, tally: &Mutex<Tally>) {
        let sandbox = self.prepared.fork();
        let place = format!("{} killed at {at}", self.verb);
        let crashed = self.disturbed(&sandbox, at);
        if crashed.status.is_some() {
            note(tally, |tally| {
                tally.failures.push(format!("{place}: it lived\n{crashed}"))
            });
            return;
        }
        note(tally, |tally| tally.visited += 1);
        for again in 1..=second {
            let fork = sandbox.fork();
            let output = self.disturbed(&fork, again);
            if output.status.is_none() {
                note(tally, |tally| tally.killed_again += 1);
            }
            self.recover(&fork, &format!("{place}, then at {again}"), good, tally);
            if output.status.is_some() {
                // The recovery has fewer boundaries than that: it ran to its end.
                break;
            }
        }
        if second == 0 {
            self.recover(&sandbox, &place, good, tally);
        }
    }

    /// The same command again, and the invariants.
    fn recover(&self, sandbox: &Sandbox, place: &str, good: &Undisturbed, tally: &Mutex<Tally>) {
        let output = sandbox.run(self.command);
        let facts = Facts::look(sandbox, self.tenant, self.settled);
        let findings = facts.findings();
        let mut wrong = verdict(&findings, &output);
        let end = facts.end_state();
        if end != good.end {
            wrong += &difference(&good.end, &end);
        }
        note(tally, |tally| {
            tally.orphans += findings.orphaned.len();
            tally.lost += findings.lost.len();
            if wrong.is_empty() {
                tally.recovered += 1;
            } else {
                tally.failures.push(format!("{place}:\n{wrong}{output}"));
            }
        });
    }

    /// Runs the deed, to be killed at a boundary.
    fn disturbed(&self, sandbox: &Sandbox, at: usize) -> Output {
        let mut command = sandbox.command(self.command);
        command.env(FAILPOINT, format!("boundary:{at}=kill"));
        run(command)
    }
}

impl Tally {
    /// Whether every chosen boundary was visited, some were chosen, and all ends are right.
    #[must_use]
    pub fn passed(&self) -> bool {
        let visited = self.chosen > 0 && self.visited == self.chosen;
        visited && self.failures.is_empty() && self.recovered >= self.chosen
    }
}

impl fmt::Display for Tally {
    /// One line of numbers, then the failures.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            verb,
            counted,
            chosen,
            visited,
            killed_again,
            recovered,
            ..
        } = self;
        let (orphans, lost, seconds) = (self.orphans, self.lost, self.took.as_secs_f64());
        writeln!(
            f,
            "{verb}: {counted} boundaries counted, {chosen} chosen, {visited} visited, \
             {killed_again} recoveries killed too, {recovered} recovered, {orphans} orphans, \
             {lost} lost, {seconds:.1} s"
        )?;
        for failure in &self.failures {
            writeln!(f, "{}", failure.trim_end())?;
        }
        Ok(())
    }
}

/// What the invariants found in a run that is over, with what its exit code says of it: an exit 0
/// over a broken world is the worst.
#[must_use]
pub fn verdict(findings: &Findings, output: &Output) -> String {
    let mut wrong = findings.to_string();
    match (output.status, findings.is_empty()) {
        (Some(0), true) => {}
        (Some(0), false) => wrong += "I4 it said 0 and it was not true\n",
        (status, _) => wrong += &format!("I4 the repetition ended with {status:?}\n"),
    }
    wrong
}

/// What differs between the world of the undisturbed run and another one.
#[must_use]
pub fn difference(good: &BTreeMap<String, Value>, end: &BTreeMap<String, Value>) -> String {
    let mut text = String::new();
    for address in good
        .keys()
        .chain(end.keys().filter(|key| !good.contains_key(*key)))
    {
        let (wanted, found) = (good.get(address), end.get(address));
        if wanted != found {
            text += &format!("{address} differs from the undisturbed run\n");
            let shown = |value: Option<&Value>| {
                value
                    .and_then(|value| serde_json::to_string_pretty(value).ok())
                    .unwrap_or_default()
            };
            let (wanted, found) = (shown(wanted), shown(found));
            let lines = similar::TextDiff::from_lines(&wanted, &found);
            text += &lines.unified_diff().context_radius(1).to_string();
        }
    }
    text
}

/// Runs to the end; asserts that only SIGKILL ever ends it without a code.
#[track_caller]
fn run(mut command: std::process::Command) -> Output {
    match command.output() {
        Ok(output) => {
            let signal = output.status.signal();
            assert!(
                matches!(signal, None | Some(SIGKILL)),
                "ended by signal {signal:?}"
            );
            output.into()
        }
        Err(error) => fail(&format!("matih: {error}")),
    }
}

fn note(tally: &Mutex<Tally>, change: impl FnOnce(&mut Tally)) {
    change(
        &mut tally
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner),
    );
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_exit_code_that_lies_is_found() {
        let ended = |status| Output {
            status,
            stdout: String::new(),
            stderr: String::new(),
        };
        let broken = Findings {
            lost: vec!["a".to_owned()],
            ..Findings::default()
        };
        assert_eq!(verdict(&Findings::default(), &ended(Some(0))), "");
        assert_eq!(
            verdict(&broken, &ended(Some(0))),
            "I1 lost: a\nI4 it said 0 and it was not true\n"
        );
        assert_ne!(verdict(&Findings::default(), &ended(Some(3))), "");
        assert_ne!(verdict(&Findings::default(), &ended(None)), "");
    }

    #[test]
    fn a_visit_that_did_not_happen_is_a_failure() {
        let mut tally = Tally {
            chosen: 2,
            visited: 2,
            recovered: 2,
            ..Tally::default()
        };
        assert!(tally.passed());
        tally.visited = 1;
        assert!(!tally.passed());
        tally.visited = 2;
        tally
            .failures
            .push("create killed at 1: it lived".to_owned());
        assert!(!tally.passed());
    }

    #[test]
    fn worlds_differ_in_both_directions() {
        let world = |pairs: &[(&str, i32)]| {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect()
        };
        let (good, end) = (world(&[("a", 1), ("b", 1)]), world(&[("b", 2), ("c", 1)]));
        let text = difference(&good, &end);
        for address in ["a", "b", "c"] {
            assert!(text.contains(&format!("{address} differs")), "{text}");
        }
        assert_eq!(difference(&good, &good), "");
    }
}
