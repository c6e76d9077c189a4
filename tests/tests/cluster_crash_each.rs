//! Crashes on a real cluster at every boundary of a tenant's whole life: a deed is killed at all
//! boundaries of some points, one after another, and repeated until it lives. Nothing is lost,
//! nothing orphaned, and the end is that of an undisturbed life.
//!
//! A kill may hide a boundary: what else was under way is done by the server, and its reply is
//! never read. So there are lives until one has nothing new to be killed at; then each boundary
//! that such a life crosses was a kill. The plans of the repetitions ask nobody (`--offline`): the
//! recoveries do, and the last plan, which must be empty.
//!
//! Without a cluster the test says so and passes.

use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use matih_tests::cluster::Cluster;
use matih_tests::cluster::deeds::{DEEDS, Good, Life};
use matih_tests::crash::FAILPOINT;

/// The points of the lives of one tenant: a kill at one of them does not hide another of the same
/// action. After one at `Sent` the object may be there, and the next points are not crossed.
const POINTS: [&str; 4] = [
    "run+BeforeIntent+IntentCommitted+Sent",
    "Acted",
    "BeforeOutcome",
    "OutcomeCommitted",
];

/// More words in each command.
const MORE: &[&str] = &["--parallelism", "4", "--offline"];

/// What one deed came to.
#[derive(Clone, Copy, Default)]
struct Tally {
    counted: usize,
    killed: usize,
    lives: usize,
    orphans: usize,
    lost: usize,
}

/// A life in which each deed is killed at all boundaries of these points that the files of a folder
/// do not name; gives how many they were.
fn doomed(
    life: &Life<'_>,
    points: &str,
    names: &Path,
    good: &[Good],
    tally: &Mutex<[Tally; 4]>,
) -> Result<usize, String> {
    let mut kills = 0;
    for ((name, good), index) in DEEDS.into_iter().zip(good).zip(0..) {
        let mut deed = life.prepare(name);
        deed.words.extend(MORE.iter().map(|it| (*it).to_owned()));
        let struck = names.join(name);
        let named = || std::fs::read_to_string(&struck).map_or(0, |it| it.lines().count());
        let failpoint = format!("each:{points}:{}=kill", struck.display());
        let before = named();
        let mut killed = 0;
        let last = loop {
            let output = life.carry_out(&deed, (FAILPOINT, &failpoint));
            if output.status.is_some() {
                break output;
            }
            killed += 1;
            if named() != before + killed {
                return Err(format!(
                    "{name}, {points}: kill {killed} has no name of its own"
                ));
            }
        };
        kills += killed;
        let (findings, wrong) = life.judge(&deed, good, &last);
        let mut tally = tally.lock().unwrap();
        let tally = &mut tally[index];
        tally.counted = good.boundaries;
        tally.killed += killed;
        tally.lives += 1;
        tally.orphans += findings.orphaned.len();
        tally.lost += findings.lost.len();
        if !wrong.is_empty() {
            return Err(format!(
                "{name}, after {killed} kills at {points}:\n{wrong}"
            ));
        }
    }
    Ok(kills)
}

/// Lives of one tenant, until one has nothing new to be killed at.
fn lives(
    cluster: &Cluster,
    tenant: &str,
    points: &str,
    tally: &Mutex<[Tally; 4]>,
) -> Result<(), String> {
    let good = Life::new(cluster, tenant).undisturbed(MORE);
    let names = tempfile::tempdir().unwrap();
    loop {
        let life = Life::new(cluster, tenant);
        if doomed(&life, points, names.path(), &good, tally)? == 0 {
            return Ok(());
        }
    }
}

#[test]
fn a_kill_at_each_boundary_loses_nothing() {
    let Some(cluster) = Cluster::find("a_kill_at_each_boundary_loses_nothing") else {
        return;
    };
    let began = Instant::now();
    let (tally, failures) = (Mutex::new([Tally::default(); 4]), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for (points, number) in POINTS.into_iter().zip(0..) {
            let (cluster, tally, failures) = (&cluster, &tally, &failures);
            scope.spawn(move || {
                // Names of things are made of the slug, so each tenant has an end of its own.
                let tenant = format!("each-{number}");
                if let Err(wrong) = lives(cluster, &tenant, points, tally) {
                    failures.lock().unwrap().push(wrong);
                    // What it left would be in the way of other tests.
                    cluster.clear(&[&format!("own-{tenant}")]);
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    for (deed, it) in DEEDS.iter().zip(&tally) {
        println!(
            "{deed} on a real cluster: {} boundaries counted, {} kills in {} lives, {} orphans, {} lost",
            it.counted, it.killed, it.lives, it.orphans, it.lost
        );
    }
    println!("  in {:.0} s", began.elapsed().as_secs_f64());
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    for it in &tally {
        assert!(it.killed >= it.counted, "a boundary was not visited");
        assert_eq!((it.orphans, it.lost), (0, 0));
    }
}
