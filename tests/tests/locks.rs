//! Many processes, one tenant: one of them works, the others say who it is, and one that slept
//! through its lease writes nothing.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use matih_tests::acme::{self, ACME, APPLY, PLAN};
use matih_tests::crash::FAILPOINT;
use matih_tests::world::Facts;
use matih_tests::{Output, Running, Sandbox};
use regex::Regex;
use serde_json::Value;

/// As many processes as the issue of two people and a cron job could ever be.
const PROCESSES: usize = 8;
const ROUNDS: usize = 10;
/// A lease that a test can wait for.
const SHORT_LEASE: &str = "\n[apply]\nlease = \"15s\"\n";
/// The boundaries at which holders fall asleep, all at once: before the first action, and in the
/// midst of the run at each of the six points of an action.
const SLEEPERS: &[usize] = &[5, 300, 601, 702, 803, 904, 1005];

/// An apply of acme with more words behind it.
fn start(sandbox: &Sandbox, name: &str, more: &[&str]) -> Running {
    let words = [APPLY, more].concat();
    Running::start(sandbox, sandbox.command(&words), name)
}

fn start_all(sandbox: &Sandbox, count: usize, more: &[&str]) -> Vec<Running> {
    (0..count)
        .map(|at| start(sandbox, &format!("apply-{at}"), more))
        .collect()
}

/// Fails unless world and state agree, and acme is as its spec says.
#[track_caller]
fn assert_sound(sandbox: &Sandbox) {
    let findings = Facts::look(sandbox, ACME, PLAN).findings();
    assert!(findings.is_empty(), "{findings}");
}

/// The ids of the tenant's runs that changed something.
#[track_caller]
fn snapshots(sandbox: &Sandbox) -> usize {
    let output = sandbox.run(&["history", ACME, "-o", "json"]).exits(0);
    let history: Value = serde_json::from_str(&output.stdout).unwrap();
    history
        .as_array()
        .unwrap_or_else(|| panic!("{output}"))
        .len()
}

/// Who a refused process says that the holder is, and that it says since when.
#[track_caller]
fn named_holder(output: &Output) -> u32 {
    let holder = Regex::new(r"acme is locked by .* \(pid (\d+)\).* since \S+").unwrap();
    let found = holder
        .captures(&output.stderr)
        .unwrap_or_else(|| panic!("{output}"));
    found[1].parse().unwrap()
}

#[test]
fn eight_at_once_have_one_holder_and_the_others_say_who() {
    let written = acme::written();
    let mut refused = 0;
    for round in 0..ROUNDS {
        let sandbox = written.fork();
        let all = start_all(&sandbox, PROCESSES, &[]);
        let pids: BTreeSet<u32> = all.iter().map(Running::pid).collect();
        for running in all {
            let output = running.finish();
            match output.status {
                Some(0) => {}
                Some(4) => {
                    refused += 1;
                    assert!(
                        pids.contains(&named_holder(&output)),
                        "round {round}: {output}"
                    );
                }
                _ => panic!("round {round}: {output}"),
            }
        }
        assert_eq!(
            snapshots(&sandbox),
            1,
            "round {round}: more than one of them applied"
        );
        assert_sound(&sandbox);
    }
    println!("{ROUNDS} rounds of {PROCESSES}: {refused} refused");
    assert!(
        refused >= ROUNDS,
        "only {refused} of them ever met a holder"
    );
}

#[test]
fn seven_meet_one_that_holds() {
    let sandbox = acme::written();
    let mut holder = stopped_holder(&sandbox, 100);
    for running in start_all(&sandbox, PROCESSES - 1, &[]) {
        let output = running.finish().exits(4);
        assert_eq!(named_holder(&output), holder.pid(), "{output}");
    }
    holder.wake();
    let _ = holder.finish().exits(0);
    assert_sound(&sandbox);
}

#[test]
fn eight_that_wait_have_their_turn() {
    let sandbox = acme::written();
    let mut idle = 0;
    for running in start_all(&sandbox, PROCESSES, &["--lock-timeout", "60s"]) {
        let output = running.finish().exits(0);
        idle += usize::from(output.stdout.to_lowercase().contains("no changes"));
    }
    assert_eq!((idle, snapshots(&sandbox)), (PROCESSES - 1, 1));
    assert_sound(&sandbox);
}

/// An apply that stops itself at this boundary, and is seen to hold the lock.
#[track_caller]
fn stopped_holder(sandbox: &Sandbox, boundary: usize) -> Running {
    let mut command = sandbox.command(APPLY);
    command.env(FAILPOINT, format!("boundary:{boundary}=stop"));
    let mut holder = Running::start(sandbox, command, "holder");
    holder.wait_until_stopped();
    let held = format!("\"pid\":{}", holder.pid());
    let lock = lock(sandbox).to_string();
    assert!(lock.contains(&held), "boundary {boundary}, {held}: {lock}");
    holder
}

fn lock(sandbox: &Sandbox) -> Value {
    let output = sandbox.run(&["lock", "status", ACME, "-o", "json"]);
    serde_json::from_str(&output.stdout).unwrap_or(Value::Null)
}

/// All that is recorded: what a process that lost its lock may not touch.
#[track_caller]
fn recorded(sandbox: &Sandbox) -> Vec<String> {
    let outputs = [
        &["--tenant", ACME, "state", "list", "-o", "json"][..],
        &["history", ACME, "-o", "json"],
        &["state", "verify", "-o", "json"],
        &["lock", "status", ACME, "-o", "json"],
    ];
    outputs
        .into_iter()
        .map(|words| sandbox.run(words).exits(0).stdout)
        .collect()
}

/// One holder that sleeps through its lease at a boundary of its run.
fn sleep_through_the_lease(boundary: usize) {
    let sandbox = acme::written();
    sandbox.write("matih.toml", &(sandbox.read("matih.toml") + SHORT_LEASE));
    let mut sleeper = stopped_holder(&sandbox, boundary);

    let began = Instant::now();
    let next = start(&sandbox, "next", &["--lock-timeout", "60s"])
        .finish()
        .exits(0);
    let waited = began.elapsed();
    assert!(
        waited > Duration::from_secs(10),
        "taken over after {waited:?}, in the lease\n{next}"
    );
    assert!(
        waited < Duration::from_secs(60),
        "taken over only after {waited:?}\n{next}"
    );
    let settled = recorded(&sandbox);
    let world = Facts::look(&sandbox, ACME, PLAN);

    sleeper.wake();
    let woken = sleeper.finish();
    assert!(
        !matches!(woken.status, None | Some(0)),
        "sleeper at {boundary}: {woken}"
    );
    let says = woken.stderr.to_lowercase();
    assert!(
        says.contains("lock") || says.contains("lease"),
        "sleeper at {boundary}: {woken}"
    );
    assert_eq!(
        recorded(&sandbox),
        settled,
        "sleeper at {boundary} wrote: {woken}"
    );
    let after = Facts::look(&sandbox, ACME, PLAN);
    assert!(
        after.findings().is_empty(),
        "sleeper at {boundary}: {}",
        after.findings()
    );
    assert_eq!(
        after.end_state(),
        world.end_state(),
        "sleeper at {boundary}"
    );
}

#[test]
fn a_holder_that_slept_through_its_lease_writes_nothing() {
    std::thread::scope(|scope| {
        for boundary in SLEEPERS {
            scope.spawn(move || sleep_through_the_lease(*boundary));
        }
    });
}
