//! A bad way to the API server: seeded runs of a small tenant's life through a proxy that delays,
//! breaks, refuses, truncates and lies, each command repeated until it says 0; then everything is
//! looked at over a clean way.
//!
//! `MATIH_NETWORK_RUNS` says how many runs, `MATIH_NETWORK_FIRST` the seed of the first of them;
//! `tests/run network-all` makes 500. Without a cluster the test says so and passes.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use matih_tests::Sandbox;
use matih_tests::cluster::Cluster;
use matih_tests::cluster::proxy::{Fault, Proxy, Tally};
use matih_tests::cluster::small::{Small, TARGET, holds};
use matih_tests::world::{Facts, Object};

const RUNS: usize = 20;
/// Runs side by side: nearly all of their time is waiting.
const WORKERS: usize = 6;
/// Of a thousand requests, so many meet a fault.
const FAULTS: usize = 90;
/// How often a command is repeated at most until it says 0.
const TRIES: usize = 15;
/// Every so many runs the namespace itself is the tenant's.
const WITH_NAMESPACE: usize = 10;

/// What all runs came to.
#[derive(Default)]
struct Sum {
    faults: Tally,
    commands: usize,
    /// Exit codes by how often.
    ended: BTreeMap<i32, usize>,
    orphans: usize,
    lost: usize,
    false_calms: usize,
    failures: Vec<String>,
}

/// One run: a tenant behind a proxy of its own.
struct Life<'a> {
    cluster: &'a Cluster,
    sandbox: Sandbox,
    proxy: Proxy,
    small: Small,
    sum: Sum,
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn slug(seed: usize) -> String {
    format!("net-{seed}")
}

impl<'a> Life<'a> {
    fn new(cluster: &'a Cluster, seed: usize) -> Self {
        let proxy = Proxy::start(cluster, seed as u64, FAULTS);
        let sandbox = cluster.sandbox_through(&proxy.kubeconfig());
        let impatient = "\n[providers.kubernetes]\ntimeout_seconds = 2\n";
        let platform = sandbox.read("matih.toml");
        sandbox.write("matih.toml", &format!("{platform}{impatient}"));
        let clean = cluster.sandbox().read("matih.toml");
        sandbox.write("clean.toml", &clean);
        Self {
            cluster,
            sandbox,
            proxy,
            small: Small {
                tenant: slug(seed),
                owns_namespace: seed.is_multiple_of(WITH_NAMESPACE),
            },
            sum: Sum::default(),
        }
    }

    /// Repeats a command until it says 0; false: it never did.
    fn until_done(&mut self, words: &[&str]) -> bool {
        let mut last = None;
        for _ in 0..TRIES {
            let output = self.sandbox.run(words);
            self.sum.commands += 1;
            *self
                .sum
                .ended
                .entry(output.status.unwrap_or(-1))
                .or_default() += 1;
            if output.status == Some(0) {
                return true;
            }
            last = Some(output);
        }
        if let Some(last) = last {
            self.wrong(&format!("{} never said 0:\n{last}", words.join(" ")));
        }
        false
    }

    fn wrong(&mut self, what: &str) {
        let dealt = self.proxy.tally();
        self.sum
            .failures
            .push(format!("{}: {what}{dealt}", self.small.tenant));
    }

    /// What is there with our mark, by the server's own word.
    fn there(&self) -> Vec<Object> {
        self.cluster.marked_in(&self.small.tenant)
    }

    /// Looks at everything over the clean way; nothing is wanted in shape 0.
    fn look(&mut self, when: &str, shape: u32) {
        let plan = [
            "plan",
            "spec.toml",
            "--target",
            TARGET,
            "--platform",
            "clean.toml",
        ];
        let plan_destroy = ["plan", "spec.toml", "--destroy", "--platform", "clean.toml"];
        let settled: &[&str] = if shape == 0 { &plan_destroy } else { &plan };
        let there = self.there();
        let wanted = if shape == 0 {
            Vec::new()
        } else {
            self.small.objects(shape)
        };
        let facts = Facts::look(&self.sandbox, &self.small.tenant, settled);
        let facts = facts.with(there.clone());
        let findings = facts.findings();
        self.sum.orphans += findings.orphaned.len();
        self.sum.lost += findings.lost.len();
        if !findings.is_empty() {
            self.wrong(&format!("after {when}:\n{findings}"));
        }
        let mut differ = Vec::new();
        for (name, manifest) in &wanted {
            let address = self.small.address(name);
            let is = |it: &&Object| {
                it.owner
                    .as_ref()
                    .is_some_and(|owner| owner.address == address)
            };
            if !there
                .iter()
                .find(is)
                .is_some_and(|it| holds(manifest, &it.attributes))
            {
                differ.push(address);
            }
        }
        if there.len() != wanted.len() || !differ.is_empty() {
            let calm = usize::from(facts.plan.status == Some(0));
            self.sum.false_calms += calm;
            self.wrong(&format!(
                "after {when} {} objects, not as they should be: {differ:?}\n",
                there.len()
            ));
        }
    }

    /// Takes an object away behind matih's back: no plan may say that there is nothing to do,
    /// unless it was shown what was true once.
    fn deceive(&mut self) {
        let words = [
            "delete",
            "configmap",
            "fixed",
            "--namespace",
            &self.small.tenant,
        ];
        let _ = self.cluster.kubectl(&words);
        let stale = self.proxy.tally().of(Fault::Stale);
        let words = [
            "plan",
            "spec.toml",
            "--target",
            TARGET,
            "--detailed-exitcode",
        ];
        let output = self.sandbox.run(&words);
        let lied_to = self.proxy.tally().of(Fault::Stale) > stale;
        if output.status == Some(0) && !lied_to {
            self.sum.false_calms += 1;
            self.wrong(&format!("a plan over a missing object:\n{output}"));
        }
    }

    fn live(mut self) -> Sum {
        let apply = [
            "apply",
            "spec.toml",
            "--target",
            TARGET,
            "--auto-approve",
            "--allow-mass-delete",
        ];
        let destroy = [
            "destroy",
            &self.small.tenant.clone(),
            "--auto-approve",
            "--allow-data-loss",
            "all",
        ];
        self.small.write(&self.sandbox, 1);
        if self.until_done(&apply) {
            self.look("create", 1);
            self.deceive();
            self.small.write(&self.sandbox, 2);
            if self.until_done(&apply) {
                self.look("update", 2);
            }
        }
        if self.until_done(&destroy) {
            self.look("destroy", 0);
        }
        self.sum.faults = self.proxy.tally();
        self.sum
    }
}

#[test]
fn a_bad_network_loses_nothing_and_hides_nothing() {
    let test = "a_bad_network_loses_nothing_and_hides_nothing";
    let Some(cluster) = Cluster::find(test) else {
        return;
    };
    let began = Instant::now();
    let runs = number("MATIH_NETWORK_RUNS", RUNS);
    let first = number("MATIH_NETWORK_FIRST", 1);
    let seeds: Vec<usize> = (first..first + runs).collect();
    let given: Vec<String> = seeds
        .iter()
        .filter(|seed| !seed.is_multiple_of(WITH_NAMESPACE))
        .map(|seed| {
            format!(
                "apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {} }}\n",
                slug(*seed)
            )
        })
        .collect();
    cluster.make(&given.join("---\n"));
    let (next, sum) = (AtomicUsize::new(0), Mutex::new(Sum::default()));
    std::thread::scope(|scope| {
        for _ in 0..number("MATIH_NETWORK_WORKERS", WORKERS) {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let one = Life::new(&cluster, *seed).live();
                    sum.lock().unwrap().add(one);
                }
            });
        }
    });
    let names: Vec<String> = seeds.iter().map(|seed| slug(*seed)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    cluster.clear(&names);
    let sum = sum.into_inner().unwrap();
    println!(
        "{runs} runs over a bad network in {:.0} s: {} commands, exit codes {:?}\n{}\n{} orphans, {} lost, {} false \"no changes\"",
        began.elapsed().as_secs_f64(),
        sum.commands,
        sum.ended,
        sum.faults,
        sum.orphans,
        sum.lost,
        sum.false_calms
    );
    assert!(sum.failures.is_empty(), "{}", sum.failures.join("\n\n"));
    assert_eq!((sum.orphans, sum.lost, sum.false_calms), (0, 0, 0));
    let never = sum.faults.never();
    assert!(runs < RUNS || never.is_empty(), "never dealt: {never:?}");
}

impl Sum {
    fn add(&mut self, one: Self) {
        self.faults.add(&one.faults);
        self.commands += one.commands;
        for (code, count) in one.ended {
            *self.ended.entry(code).or_default() += count;
        }
        self.orphans += one.orphans;
        self.lost += one.lost;
        self.false_calms += one.false_calms;
        self.failures.extend(one.failures);
    }
}
