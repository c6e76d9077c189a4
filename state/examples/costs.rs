//! What the store costs: `cargo run --release -p matih-state --example costs [TENANTS]`.
//!
//! Applies 30 tenants of 90 resources (about 2 KB each) at once, in 12 groups of actions for each
//! tenant, and prints what each call took; then fills a store with TENANTS tenants of 80 resources
//! (1,000 by default), opens it anew and reads what a plan without changes needs.

#![expect(
    clippy::disallowed_methods,
    reason = "a measurement reads the clock and its argument; the store itself does neither"
)]

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use matih_model::{
    Action, ActionIndex, Address, Attributes, Digest, Kind, Name, Op, Origin, Phase, Plan,
    PlanDraft, Reason, Recorded, RemoteId, Resource, RunId, Sweep, Tenancy, TenantId, UndoClass,
    Verb, Version,
};
use matih_state::{
    Begin, CommitRequest, Finish, Holder, LockRequest, NewInstallation, OpenOptions, Outcome,
    RunOutcome, RunStart, Store,
};

type Failure = Box<dyn Error + Send + Sync>;

const NOW: u64 = 1_800_000_000_000;

fn main() -> Result<(), Failure> {
    let tenants = std::env::args().nth(1).map_or(Ok(1000), |it| it.parse())?;
    let folder = std::env::temp_dir().join(format!("matih-state-costs-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let done = at_once(&folder).and_then(|()| at_rest(&folder, tenants));
    std::fs::remove_dir_all(&folder)?;
    done
}

fn at_once(folder: &std::path::Path) -> Result<(), Failure> {
    let store = Store::open(&folder.join("at-once.db"), &create())?;
    let calls = Mutex::new(Vec::new());
    let began = Instant::now();
    thread::scope(|scope| {
        let calls = &calls;
        let store = &store;
        let tasks: Vec<_> = (0..30)
            .map(|number| scope.spawn(move || apply(store, number, 90, 12, calls)))
            .collect();
        tasks
            .into_iter()
            .try_for_each(|task: thread::ScopedJoinHandle<'_, Result<(), Failure>>| {
                task.join().map_err(|_| "a thread broke down")?
            })
    })?;
    println!("30 tenants of 90 resources at once: {:?}", began.elapsed());
    report(&calls);
    calls.lock().map_err(|_| "poisoned")?.clear();
    let began = Instant::now();
    apply(&store, 99, 90, 12, &calls)?;
    println!("1 tenant of 90 resources alone: {:?}", began.elapsed());
    report(&calls);
    Ok(())
}

fn at_rest(folder: &std::path::Path, tenants: u32) -> Result<(), Failure> {
    let path = folder.join("at-rest.db");
    let store = Store::open(&path, &create())?;
    let calls = Mutex::new(Vec::new());
    for number in 0..tenants {
        apply(&store, number, 80, 1, &calls)?;
    }
    drop(store);
    println!(
        "file of {tenants} tenants: {} MB",
        std::fs::metadata(&path)?.len() >> 20
    );
    let before = resident_kb();
    let began = Instant::now();
    let store = Store::open(&path, &OpenOptions::default())?;
    let opened = began.elapsed();
    let summaries = store.tenants()?;
    let listed = began.elapsed();
    let tokens = store.tokens(&summaries)?;
    let count: usize = tokens.values().map(|it| it.len()).sum();
    println!(
        "open {opened:?}, list {:?}, {count} tokens {:?}, all {:?}, {} MB more",
        listed - opened,
        began.elapsed() - listed,
        began.elapsed(),
        (resident_kb() - before) >> 10
    );
    let began = Instant::now();
    let head = store.head(&summaries[0].tenant)?;
    println!(
        "head of {} resources: {:?}",
        head.map_or(0, |it| it.resources().len()),
        began.elapsed()
    );
    let began = Instant::now();
    store.timings()?;
    println!("timings: {:?}", began.elapsed());
    Ok(())
}

type Calls = Mutex<Vec<(&'static str, Duration)>>;

fn report(calls: &Calls) {
    let Ok(calls) = calls.lock() else { return };
    for name in ["lock", "open_run", "begin", "finish", "commit", "release"] {
        let mut all: Vec<Duration> = calls
            .iter()
            .filter(|it| it.0 == name)
            .map(|it| it.1)
            .collect();
        all.sort();
        let (Some(median), Some(worst)) = (all.get(all.len() / 2), all.last()) else {
            continue;
        };
        println!(
            "  {name:9} {:4} calls, median {median:?}, worst {worst:?}",
            all.len()
        );
    }
}

/// Applies one tenant in `groups` groups of actions that begin and finish together.
fn apply(
    store: &Store,
    number: u32,
    resources: u32,
    groups: u32,
    calls: &Calls,
) -> Result<(), Failure> {
    let timed = |name, began: Instant| {
        if let Ok(mut calls) = calls.lock() {
            calls.push((name, began.elapsed()));
        }
    };
    let tenant = TenantId::new(format!("tenant-{number}"))?;
    let run = RunId::new(format!("run-{number}"));
    let plan = plan(&tenant, resources)?;
    let began = Instant::now();
    let mut locked = store.lock(&LockRequest {
        tenant,
        holder: Holder::of_this_process("costs", "apply"),
        run: run.clone(),
        now_ms: NOW,
        lease_ms: 30_000,
    })?;
    timed("lock", began);
    let began = Instant::now();
    let verb = Verb::Apply;
    locked.open_run(&RunStart {
        run: &run,
        verb: &verb,
        plan: Some(&plan),
        command: None,
        now_ms: NOW,
    })?;
    timed("open_run", began);
    for group in plan.actions().chunks(resources.div_ceil(groups) as usize) {
        let begins: Vec<Begin<'_>> = group
            .iter()
            .map(|action| Begin {
                action,
                attempt: 1,
                now_ms: NOW,
            })
            .collect();
        let began = Instant::now();
        locked.begin(&begins)?;
        timed("begin", began);
        let finishes: Vec<Finish> = group
            .iter()
            .map(|action| Finish {
                index: action.index,
                outcome: outcome(action),
                now_ms: NOW,
            })
            .collect();
        let began = Instant::now();
        locked.finish(&finishes)?;
        timed("finish", began);
    }
    let began = Instant::now();
    locked.commit(&CommitRequest {
        origin: Origin { run, verb },
        tenancy: Tenancy::Shared,
        inputs: Some(plan.inputs()),
        outcome: RunOutcome::Succeeded,
        now_ms: NOW,
    })?;
    timed("commit", began);
    let began = Instant::now();
    locked.release(NOW)?;
    timed("release", began);
    Ok(())
}

fn plan(tenant: &TenantId, resources: u32) -> Result<Plan, Failure> {
    let mut actions = Vec::new();
    for place in 0..resources {
        let mut attributes = Attributes::new();
        for line in 0..20 {
            attributes.insert(
                format!("key-{line}"),
                format!("{tenant} {place} {:0>70}", line),
            );
        }
        let resource = Resource {
            address: Address::new(
                tenant.clone(),
                Kind::new("kubernetes.manifest")?,
                Name::new(format!("thing-{place}"))?,
            ),
            phase: Phase::new(2)?,
            steps: Vec::new(),
            depends_on: BTreeSet::new(),
            attributes,
            lifecycle: Default::default(),
            retry: Default::default(),
        };
        actions.push(Action {
            index: ActionIndex(place),
            op: Op::Create {
                resource: Arc::new(resource),
                generation: 1,
            },
            reason: Reason::New,
            sweep: Sweep::Build,
            waits_for: Vec::new(),
            undo: UndoClass::Reversible,
        });
    }
    Ok(Plan::new(PlanDraft {
        tenant: tenant.clone(),
        tenancy: Tenancy::Shared,
        verb: Verb::Apply,
        base: None,
        inputs: Digest::of_bytes("costs", b""),
        actions,
        edits: Vec::new(),
        notes: Vec::new(),
        reads: Default::default(),
    })?)
}

fn outcome(action: &Action) -> Outcome {
    let resource = action.op.resource().clone();
    Outcome::Applied(Arc::new(Recorded {
        remote_id: RemoteId::new(format!("uid-{}", resource.address)),
        outputs: Attributes::new(),
        generation: 1,
        resolved: Default::default(),
        version: Some(Version::new(format!("{}", action.index.0 * 7919))),
        unsettled: false,
        resource,
    }))
}

fn create() -> OpenOptions {
    OpenOptions {
        create: Some(NewInstallation {
            id: "costs".to_owned(),
            who: "costs".to_owned(),
            host: "here".to_owned(),
            now_ms: NOW,
        }),
    }
}

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|it| it.trim().split(' ').next()?.parse().ok())
        .unwrap_or(0)
}
