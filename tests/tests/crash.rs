//! Kills: a real process dies by SIGKILL, the same command runs again, and nothing is lost.
//!
//! `cargo test` visits a fixed stride of the boundaries. `MATIH_CRASH_STRIDE=1` visits all of
//! them, `MATIH_CRASH_TWICE=1` kills each recovery at its next eight boundaries too;
//! `tests/run crash`, `crash-all` and `crash-twice` set them, with a release build.
//! `MATIH_CRASH_VERB=update` does that deed alone.

use std::time::{Duration, Instant};

use matih_tests::acme::{self, ACME, APPLY, DESTROY, PLAN, PLAN_DESTROY, ROLLBACK};
use matih_tests::crash::{Deed, Pace, Tally, verdict};
use matih_tests::seed::Seed;
use matih_tests::world::Facts;
use matih_tests::{Running, Sandbox};

/// From a boundary to the next one that is visited; prime, so that all six points of an action
/// have their turn.
const STRIDE: usize = 97;
/// The same for boundaries whose recovery is killed too.
const TWICE_STRIDE: usize = 599;
/// At how many of a recovery's boundaries it is killed (reliability.md section 2.3, C2).
const SECOND: usize = 8;
/// Kills at random times (reliability.md section 0.2 has 55).
const TIMED: usize = 50;

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
    let began = Instant::now();
    let whole = written.fork();
    let _ = whole.run(APPLY).exits(0);
    let took = began.elapsed();
    let good = Facts::look(&whole, ACME, PLAN).end_state();
    let mut seed = Seed::new(50);
    let mut killed = 0;
    for round in 0..TIMED {
        let sandbox = written.fork();
        // A twentieth more than the whole, so that the last moments have their turn too.
        let after = took * u32::try_from(seed.below(1050)).unwrap() / 1000;
        killed += usize::from(kill_after(&sandbox, after));
        let output = sandbox.run(APPLY);
        let facts = Facts::look(&sandbox, ACME, PLAN);
        let wrong = verdict(&facts.findings(), &output);
        assert!(
            wrong.is_empty(),
            "round {round}, killed after {after:?}:\n{wrong}{output}"
        );
        assert_eq!(
            facts.end_state(),
            good,
            "round {round}, killed after {after:?}"
        );
    }
    println!("{TIMED} kills at random times within {took:?}, {killed} of a running process");
    assert!(
        killed > TIMED / 2,
        "only {killed} of {TIMED} kills met a running process"
    );
}

/// Starts an apply and kills it after this time; whether it was still running.
fn kill_after(sandbox: &Sandbox, after: Duration) -> bool {
    let mut apply = Running::start(sandbox, sandbox.command(APPLY), "killed");
    std::thread::sleep(after);
    let running = apply.is_running();
    apply.kill();
    let _ = apply.finish();
    running
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
