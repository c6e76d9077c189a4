//! Faults by chance: whatever strikes, some rounds later everything is as wanted.

use std::collections::BTreeMap;

use matih_executor::OnFailure;
use matih_providers::simulated::{FaultPlan, Rates, SimulatedOptions};

use crate::bench::{Bench, Recorder};
use crate::tenant::{first, second};

/// How many worlds; the workspace's tests go through many more.
const SEEDS: u64 = 40;

/// Rounds with faults, before the weather clears.
const ROUNDS: usize = 3;

fn stormy(seed: u64) -> FaultPlan {
    let rates = Rates {
        unavailable: 60_000,
        denied: 30_000,
        throttle: 60_000,
        lose_reply: 80_000,
        hang: 40_000,
        partial: 80_000,
    };
    FaultPlan::seeded(seed, rates)
}

/// One seed's whole story: what was told, and which faults struck.
async fn story(seed: u64) -> (Vec<String>, BTreeMap<String, u64>) {
    let bench = Bench::with(SimulatedOptions {
        seed,
        lag: u32::try_from(seed % 3).unwrap(),
        ..SimulatedOptions::default()
    });
    let seen = Recorder::new();
    for desired in [first(), second()] {
        bench.world.set_faults(stormy(seed));
        for round in 0..ROUNDS {
            // A round may end anyhow, but never without a report, and never with a lost object.
            let report = bench.try_apply(&desired, &seen, |options| {
                options.on_failure = match round % 2 {
                    0 => OnFailure::Continue,
                    _ => OnFailure::Stop,
                };
            });
            report.await;
        }
        bench.world.set_faults(FaultPlan::default());
        bench.apply(&desired, &seen).await.unwrap();
        bench.assert_sound(&desired, &format!("seed {seed}")).await;
    }
    let struck = bench.world.sandbox().struck().unwrap();
    let mut faults = BTreeMap::new();
    for count in struck {
        *faults.entry(count.fault).or_default() += count.count;
    }
    (seen.lines(), faults)
}

#[tokio::test(start_paused = true)]
async fn whatever_strikes_everything_is_as_wanted_in_the_end() {
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..SEEDS {
        let (_, faults) = story(seed).await;
        for (fault, count) in faults {
            *all.entry(fault).or_default() += count;
        }
    }
    println!("{SEEDS} seeds, faults that struck: {all:?}");
    assert_eq!(all.len(), 5, "each kind of fault struck");
}

#[tokio::test(start_paused = true)]
async fn a_stormy_seed_is_one_trace_too() {
    let (one, other) = (story(11).await, story(11).await);
    assert!(one.0.iter().any(|line| line.contains("step_retry")));
    assert_eq!(one, other);
}
