//! What the parts of an apply and of a plan cost, each by itself.
//!
//! `cargo bench -p matih-tests` prints one line a part: the middle of all its runs, and how many
//! there were. The tenant is acme of `specs/examples`, with 192 resources. State and world are
//! files in the folder for temporary files, so that a line of the state has the price of its
//! synced commit in it.

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use matih_executor::{ApplyOptions, Clock, ObserveOptions, World, apply, observe};
use matih_model::{
    Action, ActionIndex, Address, Digest, Observation, Plan, Registry, ResourceGraph, RunId,
    SecretError, SecretRef, SecretSource, SecretValue, Snapshot, TenantId, Value, Verb,
};
use matih_planner::{PlanInput, PlanOptions, plan};
use matih_providers::simulated::{Simulated, SimulatedOptions};
use matih_specs::{Blueprint, PlatformFile, compile, parse_tenant};
use matih_state::{
    Begin, CommitRequest, Finish, Holder, LockRequest, LockedStore, NewInstallation, OpenOptions,
    Outcome, RunOutcome, RunStart, Store,
};
use matih_tests::acme::example;

type Failure = Box<dyn Error>;

const NOW: u64 = 1_800_000_000_000;
/// Tenants that are applied to measure an apply.
const TENANTS: u32 = 20;
/// Runs of a part that changes nothing.
const RUNS: usize = 100;

fn main() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let mut times = Times::default();
    let bench = Bench::new(folder.path())?;
    let mut head = None;
    for number in 0..TENANTS {
        let desired = bench.desired(number)?;
        head = Some((bench.apply(&desired, &mut times)?, desired));
    }
    let (head, desired) = head.ok_or("no tenant was applied")?;
    bench.plans(&head, &desired, &mut times)?;
    bench.readings(&head, &mut times)?;
    digests(&head, &mut times);
    by_hand(folder.path(), &bench, &head, &mut times)?;
    times.print();
    Ok(())
}

/// How long each run of each part took.
#[derive(Default)]
struct Times(Vec<(&'static str, Vec<Duration>)>);

impl Times {
    fn time<T>(&mut self, what: &'static str, run: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = black_box(run());
        let took = began.elapsed();
        match self.0.iter_mut().find(|(known, _)| *known == what) {
            Some((_, all)) => all.push(took),
            None => self.0.push((what, vec![took])),
        }
        done
    }

    fn print(&mut self) {
        for (what, all) in &mut self.0 {
            all.sort();
            let middle = all.get(all.len() / 2).copied().unwrap_or_default();
            println!("{what:<44} {middle:>10.2?}  of {}", all.len());
        }
    }
}

/// Secrets that are always there.
struct Vault;

impl SecretSource for Vault {
    fn reveal(&self, reference: &SecretRef) -> Result<SecretValue, SecretError> {
        Ok(SecretValue::new(reference.to_string()))
    }
}

/// Everything that an apply needs.
struct Bench {
    registry: Registry,
    store: Store,
    blueprint: Blueprint,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn new(folder: &Path) -> Result<Self, Failure> {
        let world = Simulated::open(&folder.join("world.db"), SimulatedOptions::default())?;
        let blueprint = Blueprint::embedded().map_err(|it| format!("{it:?}"))?;
        Ok(Self {
            registry: Registry::new(vec![world])?,
            store: open(&folder.join("state.db"))?,
            blueprint,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
        })
    }

    /// What one of many tenants should have.
    fn desired(&self, number: u32) -> Result<ResourceGraph, Failure> {
        let slug = format!("tenant{number:04}");
        let text = example("acme").replace("slug = \"acme\"", &format!("slug = \"{slug}\""));
        let text = text.replace("acme/", &format!("{slug}/"));
        let text = text.replace("acme.example", &format!("{slug}.example"));
        let text = text.replace("Acme Corporation", &format!("Tenant {number}"));
        let parsed = parse_tenant("acme.toml", &text).map_err(|it| format!("{it:?}"))?;
        let (platform, catalog) = (PlatformFile::default(), self.registry.catalog());
        let compiled = compile(&parsed, &platform, &self.blueprint, catalog, &|_| None);
        Ok(compiled.map_err(|it| format!("{it:?}"))?.graph)
    }

    fn plan(
        &self,
        head: Option<&Snapshot>,
        desired: &ResourceGraph,
        observation: &Observation,
    ) -> Result<Plan, Failure> {
        Ok(plan(&PlanInput {
            tenant: desired.tenant(),
            base: head,
            desired,
            observation,
            catalog: self.registry.catalog(),
            options: &PlanOptions::default(),
            verb: Verb::Apply,
            inputs: Digest::of_bytes("bench", b""),
        })?)
    }

    /// Brings a new tenant to what is desired.
    fn apply(&self, desired: &ResourceGraph, times: &mut Times) -> Result<Arc<Snapshot>, Failure> {
        let nothing = Observation::default();
        let plan = times.time("plan: 192 creates and 4 checks", || {
            self.plan(None, desired, &nothing)
        })?;
        let run = RunId::new(format!("run of {}", desired.tenant()));
        let mut locked = lock(&self.store, desired.tenant(), &run)?;
        let options = ApplyOptions {
            parallelism: NonZeroUsize::MIN.saturating_add(9),
            ..ApplyOptions::new(run, desired.tenancy())
        };
        let report = times.time("apply: state, world and all between", || {
            self.runtime.block_on(async {
                let world = World {
                    registry: &self.registry,
                    secrets: &Vault,
                    installation: self.store.installation(),
                    clock: Clock::starting_at(NOW),
                    seed: 0,
                };
                apply(&mut locked, &plan, &world, &options, &()).await
            })
        })?;
        locked.release(NOW)?;
        if let Some((action, failure)) = report.failures().next() {
            return Err(format!("{}: {}", action.address, failure.message).into());
        }
        Ok(report.after.ok_or("nothing was committed")?)
    }

    /// Plans of a tenant that is there.
    fn plans(
        &self,
        head: &Arc<Snapshot>,
        desired: &ResourceGraph,
        times: &mut Times,
    ) -> Result<(), Failure> {
        let seen = self.observe(head);
        let edited = edited(desired)?;
        for _ in 0..RUNS {
            let same = times.time("plan: nothing to do", || {
                self.plan(Some(head), desired, &seen)
            });
            let other = times.time("plan: one update", || self.plan(Some(head), &edited, &seen));
            if !same?.is_empty() || other?.actions().is_empty() {
                return Err("a plan is not what it should be".into());
            }
        }
        Ok(())
    }

    fn observe(&self, head: &Arc<Snapshot>) -> Observation {
        let heads = [head.clone()];
        let mut seen =
            self.runtime
                .block_on(observe(&self.registry, &heads, &ObserveOptions::default()));
        seen.remove(head.tenant()).unwrap_or_default()
    }

    /// Looks at a tenant that is as applied.
    fn readings(&self, head: &Arc<Snapshot>, times: &mut Times) -> Result<(), Failure> {
        for _ in 0..RUNS {
            let seen = times.time("world: 192 objects as applied", || self.observe(head));
            if seen.readings.len() != head.resources().len() {
                return Err("an object was not read".into());
            }
        }
        for _ in 0..RUNS {
            let tenant = head.tenant();
            let there = times.time("state: head of 192 records", || self.store.head(tenant))?;
            if there.as_ref() != Some(head) {
                return Err("the head is another one".into());
            }
        }
        Ok(())
    }
}

/// The same with another value in the attributes of the first resource that has text in them.
fn edited(desired: &ResourceGraph) -> Result<ResourceGraph, Failure> {
    let at: Address = format!("{}/monitoring.dashboard_folder/tenant", desired.tenant()).parse()?;
    let list = desired.resources().values().map(|resource| {
        let mut resource = resource.as_ref().clone();
        if resource.address == at {
            resource
                .attributes
                .insert("title", Value::string("Another"));
        }
        resource
    });
    let graph = ResourceGraph::new(desired.tenant().clone(), desired.tenancy(), list);
    Ok(graph.map_err(|it| format!("{it:?}"))?)
}

fn digests(head: &Arc<Snapshot>, times: &mut Times) {
    for _ in 0..RUNS {
        times.time("digest: 192 records", || {
            let digests = head.resources().values().map(|it| it.digest());
            digests.collect::<Vec<_>>()
        });
        times.time("digest: a snapshot of 192 records", || {
            Snapshot::new(
                head.tenant().clone(),
                head.serial(),
                head.parent(),
                head.origin().clone(),
                head.tenancy(),
                head.resources().clone(),
            )
        });
    }
}

fn open(path: &Path) -> Result<Store, Failure> {
    let create = NewInstallation {
        id: "bench".to_owned(),
        who: "bench".to_owned(),
        host: "here".to_owned(),
        now_ms: NOW,
    };
    let options = OpenOptions {
        create: Some(create),
    };
    Ok(Store::open(path, &options)?)
}

fn lock(store: &Store, tenant: &TenantId, run: &RunId) -> Result<LockedStore, Failure> {
    Ok(store.lock(&LockRequest {
        tenant: tenant.clone(),
        holder: Holder::of_this_process("bench", "apply"),
        run: run.clone(),
        now_ms: NOW,
        lease_ms: 30_000,
    })?)
}

/// The state's calls of an apply without the world: each outcome is the one that was recorded.
fn by_hand(
    folder: &Path,
    bench: &Bench,
    head: &Arc<Snapshot>,
    times: &mut Times,
) -> Result<(), Failure> {
    for number in 0..TENANTS {
        let store = open(&folder.join(format!("by-hand-{number}.db")))?;
        let plan = bench.plan(None, &head.as_desired(), &Observation::default())?;
        let run = RunId::new(format!("run {number}"));
        let verb = Verb::Apply;
        let mut locked = times.time("state: lock", || lock(&store, head.tenant(), &run))?;
        times.time("state: open a run of 192 actions", || {
            locked.open_run(&RunStart {
                run: &run,
                verb: &verb,
                plan: Some(&plan),
                command: None,
                now_ms: NOW,
            })
        })?;
        turns(&mut locked, &plan, head, times)?;
        let request = CommitRequest {
            origin: head.origin().clone(),
            tenancy: head.tenancy(),
            inputs: Some(plan.inputs()),
            outcome: RunOutcome::Succeeded,
            now_ms: NOW,
        };
        times.time("state: commit of 192 records", || locked.commit(&request))?;
        times.time("state: release", || locked.release(NOW))?;
    }
    Ok(())
}

/// Ten actions at a time, as far as they need not wait.
fn turns(
    locked: &mut LockedStore,
    plan: &Plan,
    head: &Snapshot,
    times: &mut Times,
) -> Result<(), Failure> {
    let mut open: BTreeMap<ActionIndex, &Action> =
        plan.actions().iter().map(|it| (it.index, it)).collect();
    let mut finishes: Vec<Finish> = Vec::new();
    while !open.is_empty() || !finishes.is_empty() {
        let done = |index| !open.contains_key(index);
        let ready = open.values().filter(|it| it.waits_for.iter().all(done));
        let begins: Vec<Begin<'_>> = ready
            .take(10)
            .map(|action| Begin {
                action,
                attempt: 1,
                now_ms: NOW,
            })
            .collect();
        let what = match begins.len() {
            10 => "state: step of ten actions",
            _ => "state: step of fewer",
        };
        times.time(what, || locked.step(&finishes, &begins))?;
        finishes.clear();
        for begin in &begins {
            let address = begin.action.address();
            let recorded = head.get(address).ok_or("an address was never recorded")?;
            finishes.push(Finish {
                index: begin.action.index,
                outcome: Outcome::Applied(recorded.clone()),
                now_ms: NOW,
            });
            open.remove(&begin.action.index);
        }
    }
    Ok(())
}
