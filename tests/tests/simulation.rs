//! Seeded stories: the invariants hold in each, one seed is one trace, and every kind of trouble
//! was met.
//!
//! `MATIH_SEED=123` tells one story and prints its trace; `MATIH_SEEDS=100000` tells so many, from
//! `MATIH_FIRST_SEED` on, on `MATIH_THREADS` threads, so that a long telling can be done in parts.
//! A plain `cargo test` tells a few; `tests/run simulation` tells a thousand and `tests/run
//! simulation-all` a hundred thousand, and both demand that no cell of the tables is empty. A story
//! that goes wrong is said at once. A seed that ever failed stands in `simulation-seeds.txt` and is
//! told each time.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use matih_tests::simulation::{Deed, Tally, tell};

/// Stories of a plain `cargo test`, where a story takes a third of a second.
const FEW: u64 = 60;
/// How often a long telling says how far it is.
const TOLD_EACH: usize = 5000;
/// From so many stories on, every kind of trouble must have been met.
const MANY: u64 = 1000;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is not a number")),
    )
}

/// Seeds that failed once.
fn remembered() -> Vec<u64> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("simulation-seeds.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap().trim());
    let seeds = lines.filter(|line| !line.is_empty());
    seeds.map(|line| line.parse().unwrap()).collect()
}

/// Tells all of them on two threads and fails with those that went wrong.
fn tell_all(seeds: &[u64], threads: u64) -> Tally {
    let next = AtomicU64::new(0);
    let tally = Mutex::new(Tally::default());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let place = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap();
                    let Some(seed) = seeds.get(place) else { return };
                    if place > 0 && place % TOLD_EACH == 0 {
                        println!("{place} of {} stories begun", seeds.len());
                    }
                    let told = tell(*seed);
                    tally.lock().unwrap().merge(&told.tally);
                    if let Some(why) = told.wrong {
                        println!("seed {seed}: {why}");
                        failed.lock().unwrap().push((*seed, why));
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    let many = failed.len();
    let told: Vec<String> = failed
        .into_iter()
        .take(10)
        .map(|(seed, why)| {
            format!(
                "seed {seed}: {why}\n  alone, with its trace: {}",
                replay(seed)
            )
        })
        .collect();
    assert!(many == 0, "{many} seeds failed\n{}", told.join("\n"));
    tally.into_inner().unwrap()
}

fn replay(seed: u64) -> String {
    format!("MATIH_SEED={seed} cargo test -p matih-tests --test simulation stories -- --nocapture")
}

/// Fails where a table has an empty cell: what was never met proves nothing.
fn assert_all_met(tally: &Tally) {
    const OPS: [&str; 6] = ["create", "update", "delete", "check", "read", "list"];
    const FAULTS: [&str; 8] = [
        "all refusals",
        "conflict",
        "denied",
        "hang",
        "invalid",
        "lose_reply",
        "partial",
        "throttle",
    ];
    const CHANGES: [&str; 3] = ["create", "update", "delete"];
    const POINTS: [&str; 6] = [
        "BeforeIntent",
        "IntentCommitted",
        "Sent",
        "Acted",
        "BeforeOutcome",
        "OutcomeCommitted",
    ];
    const RUN_POINTS: [&str; 10] = [
        "LockRequested",
        "LockGranted",
        "RecoveryBegun",
        "RecoveryDone",
        "PlanVerified",
        "RunOpened",
        "BeforeSnapshot",
        "AfterSnapshot",
        "BeforeRelease",
        "AfterRelease",
    ];
    let deeds = Deed::ALL.map(|deed| deed.to_string());
    let deeds: Vec<&str> = deeds.iter().map(String::as_str).collect();
    let mut empty = tally.faults.empty_cells(&FAULTS, &OPS);
    empty.extend(tally.crashes.empty_cells(&POINTS, &CHANGES));
    empty.extend(tally.crashes.empty_cells(&RUN_POINTS, &["run"]));
    empty.extend(
        tally
            .deeds
            .empty_cells(&deeds, &["between runs", "in a run"]),
    );
    empty.extend(tally.deeds.empty_cells(&["ctrl-c", "steal"], &["in a run"]));
    assert!(empty.is_empty(), "never met: {}", empty.join(", "));
}

#[test]
fn stories() {
    if let Some(seed) = number("MATIH_SEED") {
        let told = tell(seed);
        println!("{}", told.trace);
        assert_eq!(told.wrong, None, "seed {seed}");
        return;
    }
    let many = number("MATIH_SEEDS").unwrap_or(FEW);
    let first = number("MATIH_FIRST_SEED").unwrap_or(0);
    let seeds = remembered().into_iter().chain(first..first + many);
    let seeds: Vec<u64> = seeds.collect();
    let tally = tell_all(&seeds, number("MATIH_THREADS").unwrap_or(2));
    println!("{tally}");
    if many >= MANY {
        assert_all_met(&tally);
    }
}

#[test]
fn one_seed_is_one_trace() {
    // The real tenants take longest: one of them is enough here.
    for seed in (0..(number("MATIH_SEEDS").unwrap_or(FEW) / 5).min(200)).chain([49]) {
        let (first, second) = (tell(seed).trace, tell(seed).trace);
        let differs = first
            .lines()
            .zip(second.lines())
            .find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first, second, "seed {seed}");
    }
}
