//! Kills: a real process dies by SIGKILL, the same command runs again, and nothing is lost.
//!
//! `cargo test` visits a fixed stride of the boundaries. `MATIH_CRASH_STRIDE=1` visits all of
//! them, `MATIH_CRASH_TWICE=1` kills each recovery at its next eight boundaries too;
//! `tests/run crash` and `crash-twice` set them, with a release build.
//! `MATIH_CRASH_VERB=update` does that deed alone.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::Duration;

use matih_tests::Sandbox;
use matih_tests::acme::{self, ACME, APPLY, DESTROY, PLAN, PLAN_DESTROY, ROLLBACK};
use matih_tests::crash::{Deed, Pace, SIGKILL, Tally, verdict};
use matih_tests::seed::Seed;
use matih_tests::world::Facts;

/// From a boundary to the next one that is visited; prime, so that all six points of an action
/// have their turn.
const STRIDE: usize = 97;
/// The same for boundaries whose recovery is killed too.
const TWICE_STRIDE: usize = 599;
/// At how many of a recovery's boundaries it is killed (reliability.md section 2.3, C2).
const SECOND: usize = 8;
/// Kills at random times (reliability.md section 0.2 has 55).
const TIMED: usize = 50;
/// Below this many microseconds lies the moment of such a kill, from the line before it: about
/// the time of a synced commit with what it allows to be sent.
const PAUSE: usize = 2000;
/// What the pipe holds, and the reader, in bytes: the least that Linux gives, some ten lines each.
const PIPE: usize = 4096;
/// An apply that tells each event in a line.
const TOLD: &[&str] = &[
    "apply",
    "acme.toml",
    "--auto-approve",
    "--allow-data-loss",
    "all",
    "--json",
];

/// The four deeds, each from the state in which a person would do it.
fn each_deed(visit: impl Fn(&Deed<'_>)) {
    let written = acme::written();
    let applied = acme::applied();
    let edited = applied.fork();
    acme::edit(&edited);
    let updated = edited.fork();
    let _ = updated.run(APPLY).exits(0);
    // A rollback leads to the first snapshot, which is that of the spec before the edit.
    updated.write("acme.toml", &applied.read("acme.toml"));
    for (verb, prepared, command, settled) in [
        ("create", &written, APPLY, PLAN),
        ("update", &edited, APPLY, PLAN),
        ("rollback", &updated, ROLLBACK, PLAN),
        ("destroy", &updated, DESTROY, PLAN_DESTROY),
    ] {
        if std::env::var("MATIH_CRASH_VERB").is_ok_and(|only| only != verb) {
            continue;
        }
        visit(&Deed {
            verb,
            tenant: ACME,
            prepared,
            command,
            settled,
        });
    }
}

/// A number from the environment.
fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn assert_passed(tally: &Tally) {
    print!("{tally}");
    assert!(tally.passed(), "{tally}");
    assert_eq!((tally.orphans, tally.lost), (0, 0), "{tally}");
}

#[test]
fn a_kill_at_any_boundary_loses_nothing() {
    let stride = number("MATIH_CRASH_STRIDE", STRIDE);
    each_deed(|deed| {
        let tally = deed.kill_at_boundaries(Pace {
            first: 1,
            stride,
            second: 0,
        });
        assert_passed(&tally);
    });
}

#[test]
fn a_second_kill_in_the_recovery_loses_nothing() {
    let stride = number("MATIH_CRASH_TWICE", TWICE_STRIDE);
    // The shortest deed has some 200 boundaries, and the first visit is in the midst of it.
    let first = (stride.min(200) / 2).max(1);
    each_deed(|deed| {
        let tally = deed.kill_at_boundaries(Pace {
            first,
            stride,
            second: SECOND,
        });
        assert_passed(&tally);
    });
}

#[test]
fn a_kill_at_any_time_loses_nothing() {
    let written = acme::written();
    let whole = written.fork();
    let lines = whole.run(TOLD).exits(0).stdout.lines().count();
    let good = Facts::look(&whole, ACME, PLAN).end_state();
    let mut seed = Seed::new(50);
    let mut killed = 0;
    for round in 0..TIMED {
        let sandbox = written.fork();
        let (after, pause) = (seed.below(lines), seed.below(PAUSE));
        killed += usize::from(kill_after(&sandbox, after, pause));
        let output = sandbox.run(APPLY);
        let facts = Facts::look(&sandbox, ACME, PLAN);
        let wrong = verdict(&facts.findings(), &output);
        let place = format!("round {round}, killed {pause} us after line {after} of {lines}");
        assert!(wrong.is_empty(), "{place}:\n{wrong}{output}");
        assert_eq!(facts.end_state(), good, "{place}");
    }
    println!("{TIMED} kills at random times, {killed} of a running process");
    assert!(
        killed > TIMED / 2,
        "only {killed} of {TIMED} kills met a running process"
    );
}

/// Starts an apply and kills it this many microseconds after it has told so many lines; whether
/// it was still running.
///
/// The pipe holds a few lines only, so the process cannot run far ahead of the reader, however
/// busy the machine is; between two lines the moment of the kill is chance.
fn kill_after(sandbox: &Sandbox, lines: usize, pause: usize) -> bool {
    let mut command = sandbox.command(TOLD);
    let mut apply = command.stderr(Stdio::null()).spawn().unwrap();
    let pipe = apply.stdout.take().unwrap();
    rustix::pipe::fcntl_setpipe_size(&pipe, PIPE).unwrap();
    let mut told = BufReader::with_capacity(PIPE, pipe).lines();
    let read = told.by_ref().take(lines).count();
    assert_eq!(read, lines, "it told less than it did undisturbed");
    std::thread::sleep(Duration::from_micros(pause as u64));
    apply.kill().unwrap();
    apply.wait().unwrap().signal() == Some(SIGKILL)
}

#[test]
fn damage_on_purpose_is_found() {
    let applied = acme::applied();
    let sound = Facts::look(&applied, ACME, PLAN);
    assert!(sound.findings().is_empty(), "{}", sound.findings());
    let address = sound.rows.last().unwrap().address.clone();
    let damaged = |words: &[&str]| {
        let sandbox = applied.fork();
        let _ = sandbox.run(words).exits(0);
        Facts::look(&sandbox, ACME, PLAN).findings()
    };
    let forgotten = damaged(&["state", "rm", &address, "--auto-approve"]);
    assert_eq!(
        (forgotten.lost.len(), forgotten.orphaned.len()),
        (0, 1),
        "{forgotten}"
    );
    let removed = damaged(&["sandbox", "rm", &address]);
    assert_eq!(
        (removed.lost.len(), removed.restless.len()),
        (1, 1),
        "{removed}"
    );
    let edited = damaged(&[
        "sandbox",
        "edit",
        "acme/tenant.record/tenant",
        "name=drifted",
    ]);
    assert_eq!(
        (edited.lost.len(), edited.restless.len()),
        (0, 1),
        "{edited}"
    );
}
