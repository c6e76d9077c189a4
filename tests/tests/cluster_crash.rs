//! Crashes on a real cluster: matih killed at boundaries of a tenant's whole life, and the API server
//! and its storage killed under a running apply. Nothing is lost, nothing orphaned.
//!
//! Lives whose deeds are killed once each, with many actions under way: at every
//! `MATIH_CLUSTER_CRASH_STRIDE`th boundary, by so many `MATIH_CLUSTER_CRASH_WORKERS`.
//!
//! And lives with a chain of kills: a deed is killed at all boundaries of some points, one after
//! another, and repeated until it lives; its end is that of an undisturbed life. A kill may hide a
//! boundary: what else was under way is done by the server, and its reply is never read. So there are
//! lives until one has nothing new to be killed at; then each boundary that such a life crosses was a
//! kill. The plans of the repetitions ask nobody (`--offline`): the recoveries do, and the last plan,
//! which must be empty. That is `tests/run cluster-crash-all`; without it there is one life, killed at
//! one boundary in `MATIH_CLUSTER_CRASH_CHAIN`.
//!
//! Without a cluster the tests say so and pass.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use matih_tests::Running;
use matih_tests::cluster::Cluster;
use matih_tests::cluster::deeds::{DEEDS, Good, Life};
use matih_tests::crash::{FAILPOINT, verdict};

/// Boundaries between two visits of lives that are killed once a deed; prime, so that all six points
/// of an action have their turn.
const STRIDE: usize = 149;
/// Lives side by side: most of a life is waiting for a namespace to go.
const WORKERS: usize = 3;
/// Of a chain of kills, one boundary in so many; prime.
const CHAIN: usize = 7;
/// How often a command is repeated at most after the cluster was killed under it.
const TRIES: usize = 8;

/// The points of the lives of one tenant, where all boundaries are visited: a kill at one of them does
/// not hide another of the same action. After one at `Sent` the object may be there, and the next
/// points are not crossed.
const POINTS: [&str; 4] = [
    "run+BeforeIntent+IntentCommitted+Sent",
    "Acted",
    "BeforeOutcome",
    "OutcomeCommitted",
];

/// Boundaries that only a slow run crosses: those of the renewals of its lease.
const RENEWALS: usize = 10;
/// More words in each command.
const MORE: &[&str] = &["--parallelism", "4", "--offline"];

/// What one deed came to.
#[derive(Clone, Copy, Default)]
struct Tally {
    counted: usize,
    killed: usize,
    recovered: usize,
    lives: usize,
    orphans: usize,
    lost: usize,
}

/// Where the lives of a tenant are killed.
struct Kills<'a> {
    points: &'a str,
    stride: usize,
    /// A folder of files, one for each deed, which name the boundaries that were kills.
    names: &'a Path,
}

/// A life in which each deed is killed at all boundaries that were no kills yet; gives how many they
/// were.
fn doomed(
    life: &Life<'_>,
    kills: &Kills<'_>,
    good: &[Good],
    tally: &Mutex<[Tally; 4]>,
) -> Result<usize, String> {
    let Kills {
        points,
        stride,
        names,
    } = kills;
    let mut all = 0;
    for ((name, good), index) in DEEDS.into_iter().zip(good).zip(0..) {
        let mut deed = life.prepare(name);
        deed.words.extend(MORE.iter().map(|it| (*it).to_owned()));
        let struck = names.join(name);
        let named = || std::fs::read_to_string(&struck).map_or(0, |it| it.lines().count());
        let failpoint = format!("each:{points}:{stride}:{}=kill", struck.display());
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
        all += killed;
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
    Ok(all)
}

/// Lives of one tenant: one, or with a stride of 1 until there is nothing new to be killed at.
fn lives(
    cluster: &Cluster,
    tenant: &str,
    points: &str,
    stride: usize,
    tally: &Mutex<[Tally; 4]>,
) -> Result<(), String> {
    let good = Life::new(cluster, tenant).undisturbed(MORE);
    let names = tempfile::tempdir().unwrap();
    let kills = Kills {
        points,
        stride,
        names: names.path(),
    };
    loop {
        let life = Life::new(cluster, tenant);
        if doomed(&life, &kills, &good, tally)? == 0 || stride > 1 {
            return Ok(());
        }
    }
}

/// A whole life in which each deed is killed once, at this share of its boundaries.
fn disturb(
    life: &Life<'_>,
    at: usize,
    good: &[Good],
    tally: &Mutex<[Tally; 4]>,
) -> Result<(), String> {
    let most = good.iter().map(|it| it.boundaries).max().unwrap_or(1);
    for ((name, good), index) in DEEDS.into_iter().zip(good).zip(0..) {
        let deed = life.prepare(name);
        let boundary = (at * good.boundaries).div_ceil(most);
        let place = format!("{name} killed at {boundary} of {}", good.boundaries);
        let failpoint = format!("boundary:{boundary}=kill");
        let crashed = life.carry_out(&deed, (FAILPOINT, &failpoint));
        if crashed.status.is_some() {
            return Err(format!("{place}: it lived\n{crashed}"));
        }
        let output = life.sandbox.run(&deed.words);
        let (findings, wrong) = life.judge(&deed, good, &output);
        let mut tally = tally.lock().unwrap();
        tally[index].killed += 1;
        tally[index].orphans += findings.orphaned.len();
        tally[index].lost += findings.lost.len();
        if !wrong.is_empty() {
            return Err(format!("{place}:\n{wrong}"));
        }
        tally[index].recovered += 1;
    }
    Ok(())
}

/// A number from the environment.
fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn a_kill_of_matih_at_any_boundary_loses_nothing() {
    let Some(cluster) = Cluster::find("a_kill_of_matih_at_any_boundary_loses_nothing") else {
        return;
    };
    let began = Instant::now();
    let stride = number("MATIH_CLUSTER_CRASH_STRIDE", STRIDE);
    let workers = number("MATIH_CLUSTER_CRASH_WORKERS", WORKERS);
    let tally = Mutex::new([Tally::default(); 4]);
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let counted = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (cluster, tally, next) = (&cluster, &tally, &next);
            let (failures, counted) = (&failures, &counted);
            scope.spawn(move || {
                // Names of things are made of the slug, so each worker has an end of its own.
                let tenant = format!("crash-{worker}");
                let good = Life::new(cluster, &tenant).undisturbed(&[]);
                let counts: Vec<usize> = good.iter().map(|it| it.boundaries).collect();
                let most = counts.iter().copied().max().unwrap_or_default();
                *counted.lock().unwrap() = counts;
                loop {
                    let at = stride.div_ceil(2) + stride * next.fetch_add(1, Ordering::Relaxed);
                    if at > most {
                        return;
                    }
                    let life = Life::new(cluster, &tenant);
                    if let Err(wrong) = disturb(&life, at, &good, tally) {
                        failures.lock().unwrap().push(wrong);
                        // What it left would be in the way of the next life.
                        let namespace = format!("own-{tenant}");
                        let words = ["delete", "namespace", "--ignore-not-found", &namespace];
                        let _ = cluster.kubectl(&words);
                    }
                }
            });
        }
    });
    let (tally, counted) = (tally.into_inner().unwrap(), counted.into_inner().unwrap());
    for ((deed, it), counted) in DEEDS.iter().zip(&tally).zip(&counted) {
        println!(
            "{deed} on a real cluster: {counted} boundaries counted, {} kills, {} recovered, {} orphans, {} lost",
            it.killed, it.recovered, it.orphans, it.lost
        );
    }
    println!("  in {:.0} s", began.elapsed().as_secs_f64());
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    for it in &tally {
        assert!(it.killed > 0 && it.recovered == it.killed);
        assert_eq!((it.orphans, it.lost), (0, 0));
    }
}

#[test]
fn a_kill_at_one_boundary_after_another_loses_nothing() {
    let Some(cluster) = Cluster::find("a_kill_at_one_boundary_after_another_loses_nothing") else {
        return;
    };
    let began = Instant::now();
    let stride = number("MATIH_CLUSTER_CRASH_CHAIN", CHAIN);
    let groups = if stride == 1 {
        POINTS.map(str::to_owned).to_vec()
    } else {
        vec![POINTS.join("+")]
    };
    let (tally, failures) = (Mutex::new([Tally::default(); 4]), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for (points, number) in groups.iter().zip(0..) {
            let (cluster, tally, failures) = (&cluster, &tally, &failures);
            scope.spawn(move || {
                // Names of things are made of the slug, so each tenant has an end of its own.
                let tenant = format!("chain-{number}");
                if let Err(wrong) = lives(cluster, &tenant, points, stride, tally) {
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
        let least = match stride {
            1 => it.counted.saturating_sub(RENEWALS),
            // Some of those that were chosen are hidden by others.
            _ => it.counted / stride / 2,
        };
        assert!(it.killed >= least.max(1), "boundaries were not visited");
        assert_eq!((it.orphans, it.lost), (0, 0));
    }
}

#[test]
fn a_kill_of_the_api_server_or_of_etcd_under_an_apply_loses_nothing() {
    let test = "a_kill_of_the_api_server_or_of_etcd_under_an_apply_loses_nothing";
    let Some(cluster) = Cluster::find(test) else {
        return;
    };
    let began = Instant::now();
    let mut repeated = 0;
    let places = [("kube-apiserver", 500), ("etcd", 700)];
    for (program, boundary) in places {
        let tenant = format!("under-{program}");
        let life = Life::new(&cluster, &tenant);
        let deed = life.prepare("create");
        let mut command = life.sandbox.command(&deed.words);
        command.env(FAILPOINT, format!("boundary:{boundary}=stop"));
        let mut apply = Running::start(&life.sandbox, command, "apply");
        // It sleeps in the midst of its requests, the server dies, and it goes on without one.
        apply.wait_until_stopped();
        let _ = cluster.script(&["kill", program]);
        apply.wake();
        let _ = cluster.script(&["start", program]);
        let mut last = apply.finish();
        for _ in 0..TRIES {
            if last.status == Some(0) {
                break;
            }
            repeated += 1;
            last = life.sandbox.run(&deed.words);
        }
        let last = last.exits(0);
        let settled = ["plan", "acme.toml"];
        let findings = cluster.facts(&life.sandbox, &tenant, &settled).findings();
        let wrong = verdict(&findings, &last);
        assert!(wrong.is_empty(), "{program} killed at {boundary}:\n{wrong}");
        cluster.clear(&[&format!("own-{tenant}")]);
    }
    println!(
        "{} kills of the API server and of etcd under an apply, {repeated} repetitions, nothing lost, {:.0} s",
        places.len(),
        began.elapsed().as_secs_f64()
    );
}
