//! Crashes on a real cluster: matih killed at counted boundaries of a tenant's whole life, and the
//! API server and its storage killed under a running apply. Nothing is lost, nothing orphaned.
//!
//! `MATIH_CLUSTER_CRASH_STRIDE` is the step from a boundary to the next one that is visited; with
//! 1 all of them are (`tests/run cluster-crash-all`), by so many `MATIH_CLUSTER_CRASH_WORKERS`.
//! Without a cluster the tests say so and pass.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use matih_tests::Running;
use matih_tests::cluster::Cluster;
use matih_tests::cluster::deeds::{DEEDS, Good, Life};
use matih_tests::crash::{FAILPOINT, verdict};

/// Boundaries between two visits; prime, so that all six points of an action have their turn.
const STRIDE: usize = 149;
/// Lives side by side: most of a life is waiting for a namespace to go.
const WORKERS: usize = 3;
/// How often a command is repeated at most after the cluster was killed under it.
const TRIES: usize = 8;

/// What all lives came to, by deed.
#[derive(Default)]
struct Tally {
    killed: usize,
    recovered: usize,
    orphans: usize,
    lost: usize,
}

/// A whole life in which each deed is killed once, at this share of its boundaries.
fn disturb(
    life: &Life<'_>,
    at: usize,
    good: &[Good],
    tally: &Mutex<Vec<Tally>>,
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
    let tally = Mutex::new(DEEDS.map(|_| Tally::default()).into_iter().collect());
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
