//! matih, bare calls and kubectl on one real API server, in one run, as ratios.
//!
//! ```text
//! cargo run --release -p matih-tests --example cluster_fleet              # 50 tenants
//! cargo run --release -p matih-tests --example cluster_fleet -- --thousand
//! cargo run --release -p matih-tests --example cluster_fleet -- --releases
//! ```
//!
//! Starts a cluster of its own (`tests/cluster/cluster`) and takes it away again, or takes the one
//! whose run folder MATIH_TEST_CLUSTER names. Everybody makes
//! the same twelve objects for each tenant, with the same account: bare parallel server-side
//! applies, `matih apply` of one spec a tenant, `kubectl apply --server-side`. Then the unchanged
//! fleet is looked at: by bare lists in pages, `matih plan` and `matih drift`, `kubectl diff`.
//! Requests are counted by the server's audit log. Times are whole processes by the wall clock,
//! the shortest and the median of their runs; memory is the peak of the process. The processor time
//! of the API server says what the same work costs it on a machine where others are busy too.

mod bare;
mod kubectl;
mod objects;
mod releases;
mod started;

use std::process::Command;
use std::time::Duration;

use bare::{Bare, WORKERS};
use kubectl::Kubectl;
use matih_tests::Sandbox;
use matih_tests::cluster::{Audit, Cluster};
use matih_tests::cost::Cost;
use objects::{EACH, blueprint, spec};
use started::{Started, server};

pub(crate) type Failed = Box<dyn std::error::Error>;

/// Runs of each look.
const LOOKS: usize = 5;
/// Runs of each apply, from nothing each time.
const APPLIES: usize = 3;

fn main() -> Result<(), Failed> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|it| it == word);
    let started = Started::new()?;
    let cluster = Cluster::at(&started.folder);
    println!("load of the machine before: {}", load());
    if has("--thousand") {
        thousand(&cluster)?;
    } else if has("--releases") {
        releases::measure(&cluster)?;
    } else {
        fifty(&cluster)?;
    }
    println!("load of the machine after: {}", load());
    Ok(())
}

/// The machine's load, which says how much of a time is somebody else's.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Several runs of one thing.
pub(crate) struct Runs(Vec<Cost>);

impl Runs {
    pub(crate) fn times(
        count: usize,
        mut run: impl FnMut() -> Result<Cost, Failed>,
    ) -> Result<Self, Failed> {
        (0..count)
            .map(|_| run())
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn sorted(&self) -> Vec<Duration> {
        let mut walls: Vec<Duration> = self.0.iter().map(|it| it.wall).collect();
        walls.sort();
        walls
    }

    pub(crate) fn median(&self) -> f64 {
        let walls = self.sorted();
        walls[walls.len() / 2].as_secs_f64()
    }

    pub(crate) fn shortest(&self) -> f64 {
        self.sorted()[0].as_secs_f64()
    }

    fn peak(&self) -> u64 {
        self.0.iter().map(|it| it.peak_mib).max().unwrap_or(0)
    }

    /// A line of the table, with the memory where a process has its own.
    pub(crate) fn tell(&self, what: &str) {
        let memory = match self.peak() {
            0 => String::new(),
            mib => format!("{mib:>5} MiB"),
        };
        println!(
            "{what:<34} median {:>8.3} s, shortest {:>8.3} s {memory}",
            self.median(),
            self.shortest()
        );
    }
}

/// What a process of this one costs, which is only time.
fn only(wall: Duration) -> Cost {
    Cost { wall, peak_mib: 0 }
}

/// A ratio and its goal.
pub(crate) fn goal(what: &str, ratio: f64, sense: &str, bound: f64) {
    let met = if sense == "at most" {
        ratio <= bound
    } else {
        ratio >= bound
    };
    let met = if met { "met" } else { "MISSED" };
    println!("  {what}: {ratio:.2}; goal {sense} {bound}: {met}");
}

/// The names of tenants.
fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|it| format!("{prefix}-{it:04}")).collect()
}

/// A sandbox with the specs of a fleet.
fn fleet(cluster: &Cluster, tenants: &[String]) -> Sandbox {
    let sandbox = cluster.sandbox();
    sandbox.write("names/only.toml", &blueprint());
    for tenant in tenants {
        sandbox.write(&format!("tenants/{tenant}.toml"), &spec(tenant));
    }
    sandbox
}

pub(crate) fn matih(sandbox: &Sandbox, words: &[&str]) -> Result<Cost, Failed> {
    Ok(Cost::of(&mut sandbox.command(words))?)
}

const APPLY: &[&str] = &["apply", "tenants", "--auto-approve"];

/// Requests by what they are: lists, writes, and all others, which are what kinds there are.
fn count(
    audit: &Audit,
    run: impl FnOnce() -> Result<Cost, Failed>,
) -> Result<(usize, usize, usize), Failed> {
    run()?;
    let all = audit.requests();
    let writes = all.iter().filter(|it| it.is_write()).count();
    let lists = all.iter().filter(|it| it.verb == "list").count();
    Ok((lists, writes, all.len() - lists - writes))
}

/// Tools that would be measured too.
fn tell_who_is_absent() {
    for (program, word) in [
        (
            "terraform with its kubernetes provider",
            "terraform-provider-kubernetes",
        ),
        ("kapp", "kapp"),
    ] {
        if Command::new(word).arg("version").output().is_err() {
            println!("{program}: not present");
        }
    }
}

/// Fifty tenants, by everybody.
fn fifty(cluster: &Cluster) -> Result<(), Failed> {
    const TENANTS: usize = 50;
    println!(
        "{TENANTS} tenants, {} objects, {WORKERS} requests at once",
        TENANTS * EACH
    );
    tell_who_is_absent();
    let bare = Bare::new(&cluster.kubeconfig())?;
    let (mut by_hand, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    let kubectl = Kubectl::new(cluster)?;
    let (mut diff, mut sandbox) = (Runs(Vec::new()), cluster.sandbox());
    let mut spent = [0.0; 3];
    let mut watched = |who: usize, run: &mut dyn FnMut() -> Result<Cost, Failed>| {
        let before = server(cluster);
        let cost = run()?;
        spent[who] += (server(cluster) - before) / APPLIES as f64;
        Ok::<_, Failed>(cost)
    };
    // In turns, so that a busy moment of the machine strikes everybody.
    for turn in 0..APPLIES {
        let tenants = names(&format!("bare{turn}"), TENANTS);
        by_hand.push(watched(0, &mut || Ok(only(bare.apply(&tenants)?)))?);
        clear(cluster, &tenants);
        let tenants = names(&format!("kube{turn}"), TENANTS);
        theirs.push(watched(1, &mut || kubectl.apply(&tenants))?);
        if turn + 1 == APPLIES {
            diff = Runs::times(2, || kubectl.diff())?;
        }
        clear(cluster, &tenants);
        let tenants = names(&format!("matih{turn}"), TENANTS);
        sandbox = fleet(cluster, &tenants);
        ours.push(watched(2, &mut || matih(&sandbox, APPLY))?);
        if turn + 1 < APPLIES {
            clear(cluster, &tenants);
        }
    }
    let (by_hand, ours, theirs) = (Runs(by_hand), Runs(ours), Runs(theirs));
    by_hand.tell("bare parallel applies");
    ours.tell("matih apply");
    theirs.tell("kubectl apply --server-side");
    goal(
        "matih apply over bare",
        ours.median() / by_hand.median(),
        "at most",
        1.5,
    );
    goal(
        "kubectl over matih apply",
        theirs.median() / ours.median(),
        "at least",
        6.0,
    );
    let [hand, kubectl, own] = spent;
    println!(
        "  processor of the API server: bare {hand:.2} s, matih {own:.2} s, kubectl {kubectl:.2} s"
    );
    let plan = look(cluster, &bare, &sandbox)?;
    diff.tell("kubectl diff --server-side");
    goal(
        "kubectl diff over matih plan",
        diff.median() / plan.median(),
        "at least",
        20.0,
    );
    Ok(())
}

/// The unchanged fleet, looked at; gives the costs of a plan.
fn look(cluster: &Cluster, bare: &Bare, sandbox: &Sandbox) -> Result<Runs, Failed> {
    let (mut lists, mut plan, mut drift) = (Vec::new(), Vec::new(), Vec::new());
    let (mut pages, mut seen) = (0, 0);
    for _ in 0..LOOKS {
        let bare = bare.lists()?;
        (pages, seen) = (bare.pages, bare.seen);
        lists.push(only(bare.wall));
        plan.push(matih(sandbox, &["plan", "tenants", "--detailed-exitcode"])?);
        drift.push(matih(sandbox, &["drift", "--detailed-exitcode"])?);
    }
    let (lists, plan, drift) = (Runs(lists), Runs(plan), Runs(drift));
    lists.tell(&format!("bare lists, {seen} objects"));
    plan.tell("matih plan");
    drift.tell("matih drift");
    goal(
        "matih drift over bare lists",
        drift.median() / lists.median(),
        "at most",
        2.0,
    );
    println!(
        "requests: {pages} pages of {} kinds are the least",
        objects::KINDS.len()
    );
    for (what, words) in [
        ("matih plan", &["plan", "tenants"][..]),
        ("matih drift", &["drift"]),
        ("matih apply", APPLY),
    ] {
        let (lists, writes, others) = count(&cluster.audit(), || matih(sandbox, words))?;
        println!("  {what}: {lists} lists, {others} to know the kinds, {writes} writes");
        // A drift looks for what bears our mark and is not recorded, in every kind.
        if (words[0] != "drift" && lists != pages) || writes != 0 {
            return Err(format!("{what} of the unchanged fleet asks for more than it must").into());
        }
    }
    Ok(plan)
}

/// A thousand tenants: drift over all of them beside the bare lists.
fn thousand(cluster: &Cluster) -> Result<(), Failed> {
    const TENANTS: usize = 1000;
    println!("{TENANTS} tenants, {} objects", TENANTS * EACH);
    let bare = Bare::new(&cluster.kubeconfig())?;
    let sandbox = fleet(cluster, &names("matih", TENANTS));
    Runs::times(1, || matih(&sandbox, APPLY))?.tell("matih apply");
    look(cluster, &bare, &sandbox)?;
    Ok(())
}

/// Takes tenants away and waits for their end.
fn clear(cluster: &Cluster, tenants: &[String]) {
    let names: Vec<&str> = tenants.iter().map(String::as_str).collect();
    cluster.clear(&names);
    cluster.wait_until_quiet();
}
