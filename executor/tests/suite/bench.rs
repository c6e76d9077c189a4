//! A state file, a world, and one hand that plans and applies.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use matih_executor::{
    Answer, ApplyOptions, Boundary, Clock, Event, ExecutorError, ObserveOptions, Onlooker,
    RecoverOptions, Report, Search, World, apply, keep_lock, observe, recover, unmanaged,
};
use matih_model::{
    Address, Attributes, Digest, Plan, Provider, Registry, ResourceGraph, RunId, SecretError,
    SecretRef, SecretSource, SecretValue, Snapshot, Verb,
};
use matih_planner::{PlanInput, PlanOptions, plan};
use matih_providers::simulated::{Simulated, SimulatedOptions};
use matih_state::{
    Holder, LockRequest, LockedStore, NewInstallation, OpenOptions, Store, TenantStatus,
};
use tempfile::TempDir;

use crate::tenant::acme;

const INSTALLATION: &str = "test-installation";
const LEASE_MS: u64 = 30_000;

/// No secrets at all.
struct NoSecrets;

impl SecretSource for NoSecrets {
    fn reveal(&self, reference: &SecretRef) -> Result<SecretValue, SecretError> {
        Err(SecretError {
            reference: reference.clone(),
            cause: "there are none here".to_owned(),
        })
    }
}

/// Keeps all events and boundaries, and answers by a script.
pub(crate) struct Recorder<'a> {
    pub(crate) events: Mutex<Vec<Event>>,
    pub(crate) boundaries: Mutex<Vec<String>>,
    answer: Box<dyn Fn(&Boundary) -> Answer + Send + Sync + 'a>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new() -> Self {
        Self::answering(|_| Answer::Continue)
    }

    pub(crate) fn answering(answer: impl Fn(&Boundary) -> Answer + Send + Sync + 'a) -> Self {
        Self {
            events: Mutex::default(),
            boundaries: Mutex::default(),
            answer: Box::new(answer),
        }
    }

    /// All events as lines, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        let events = self.events.lock().unwrap();
        let numbered = events.iter().zip(1..);
        numbered.map(|(event, seq)| event.line(seq)).collect()
    }

    /// The values of one key in the events of one type.
    pub(crate) fn told(&self, what: &str, key: &str) -> Vec<String> {
        let lines = self.lines();
        let values = lines
            .iter()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let of_type = values.filter(|value| value["type"] == what);
        of_type
            .map(|value| {
                value[key]
                    .as_str()
                    .map_or_else(|| value[key].to_string(), str::to_owned)
            })
            .collect()
    }
}

impl Onlooker for Recorder<'_> {
    fn cross(&self, boundary: &Boundary) -> Answer {
        self.boundaries.lock().unwrap().push(boundary.to_string());
        (self.answer)(boundary)
    }

    fn event(&self, event: &Event) {
        self.events.lock().unwrap().push(event.clone());
    }
}

/// What a world or a record holds, by address: attributes and generation.
pub(crate) type Picture = BTreeMap<Address, (Attributes, u64)>;

pub(crate) struct Bench {
    pub(crate) world: Arc<Simulated>,
    pub(crate) store: Store,
    registry: Registry,
    now_ms: Cell<u64>,
    runs: Cell<u32>,
    _folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(SimulatedOptions::default())
    }

    pub(crate) fn with(options: SimulatedOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now_ms = 1_700_000_000_000;
        let create = Some(NewInstallation {
            id: INSTALLATION.to_owned(),
            who: "ada".to_owned(),
            host: "here".to_owned(),
            now_ms,
        });
        let store = Store::open(&folder.path().join("state.db"), &OpenOptions { create }).unwrap();
        let world = Simulated::in_memory(options).unwrap();
        Self {
            registry: Registry::new(vec![world.clone()]).unwrap(),
            world,
            store,
            now_ms: Cell::new(now_ms),
            runs: Cell::new(0),
            _folder: folder,
        }
    }

    /// A world that is reached through another provider.
    pub(crate) fn served_by(provider: impl FnOnce(Arc<Simulated>) -> Arc<dyn Provider>) -> Self {
        let bench = Self::new();
        let provider = provider(bench.world.clone());
        Self {
            registry: Registry::new(vec![provider]).unwrap(),
            ..bench
        }
    }

    /// A new state over the world of another.
    pub(crate) fn over(other: &Bench) -> Self {
        Self {
            registry: other.registry.clone(),
            world: other.world.clone(),
            ..Self::new()
        }
    }

    pub(crate) fn surroundings(&self) -> World<'_> {
        World {
            registry: &self.registry,
            secrets: &NoSecrets,
            installation: INSTALLATION,
            clock: Clock::starting_at(self.now_ms.get()),
            seed: 7,
        }
    }

    /// Takes the lock, long after whoever held it last.
    pub(crate) fn lock(&self) -> LockedStore {
        self.now_ms.set(self.now_ms.get() + 24 * 3_600_000);
        let request = LockRequest {
            tenant: acme(),
            holder: Holder::of_this_process("ada", "apply"),
            run: self.run_id(),
            now_ms: self.now_ms.get(),
            lease_ms: LEASE_MS,
        };
        self.store.lock(&request).unwrap()
    }

    fn run_id(&self) -> RunId {
        self.runs.set(self.runs.get() + 1);
        RunId::new(format!("run-{}", self.runs.get()))
    }

    pub(crate) fn options(&self) -> ApplyOptions {
        ApplyOptions::new(self.run_id(), matih_model::Tenancy::Shared)
    }

    /// Reads the world and plans.
    pub(crate) async fn plan(&self, desired: &ResourceGraph, verb: Verb) -> Plan {
        let base = self.store.head(&acme()).unwrap();
        let heads: Vec<Arc<Snapshot>> = base.iter().cloned().collect();
        let options = ObserveOptions::default();
        let mut observations = observe(&self.registry, &heads, &options).await;
        let observation = observations.remove(&acme()).unwrap_or_default();
        plan(&PlanInput {
            tenant: &acme(),
            base: base.as_deref(),
            desired,
            observation: &observation,
            catalog: self.registry.catalog(),
            options: &PlanOptions::default(),
            verb,
            inputs: Digest::of("test inputs", &desired.digest()),
        })
        .unwrap()
    }

    /// Lock, recover, plan, apply, release, as the command does.
    pub(crate) async fn apply(
        &self,
        desired: &ResourceGraph,
        onlooker: &dyn Onlooker,
    ) -> Result<Report, ExecutorError> {
        self.apply_with(desired, onlooker, |_| {}).await
    }

    pub(crate) async fn apply_with(
        &self,
        desired: &ResourceGraph,
        onlooker: &dyn Onlooker,
        change: impl FnOnce(&mut ApplyOptions),
    ) -> Result<Report, ExecutorError> {
        let mut store = self.lock();
        let world = self.surroundings();
        let options = RecoverOptions::default();
        let recovery = recover(&mut store, &world, &options, onlooker).await?;
        assert_eq!(recovery.unclear, [], "the world can be read");
        let verb = match desired.resources().is_empty() {
            true => Verb::Destroy,
            false => Verb::Apply,
        };
        let planning = self.plan(desired, verb);
        let plan = keep_lock(&mut store, &world.clock, onlooker, planning).await?;
        let mut options = self.options();
        change(&mut options);
        let report = apply(&mut store, &plan, &world, &options, onlooker).await?;
        store.release(world.clock.now_ms()).unwrap();
        Ok(report)
    }

    /// As [`Bench::apply_with`] in a world that may not even let itself be looked at: then
    /// nothing is planned, and nothing applied.
    pub(crate) async fn try_apply(
        &self,
        desired: &ResourceGraph,
        onlooker: &dyn Onlooker,
        change: impl FnOnce(&mut ApplyOptions),
    ) -> Option<Report> {
        let mut store = self.lock();
        let world = self.surroundings();
        let options = RecoverOptions::default();
        let recovery = recover(&mut store, &world, &options, onlooker);
        if recovery.await.unwrap().unclear.is_empty() {
            let planning = self.plan(desired, Verb::Apply);
            let plan = keep_lock(&mut store, &world.clock, onlooker, planning).await;
            let plan = plan.unwrap();
            let mut options = self.options();
            change(&mut options);
            let report = apply(&mut store, &plan, &world, &options, onlooker).await;
            Some(report.unwrap())
        } else {
            None
        }
    }

    /// What matih believes.
    pub(crate) fn recorded(&self) -> Picture {
        let head = self.store.head(&acme()).unwrap();
        let resources = head.iter().flat_map(|head| head.resources());
        resources
            .map(|(address, it)| (address.clone(), (it.applied(), it.generation)))
            .collect()
    }

    /// What is there.
    pub(crate) fn present(&self) -> Picture {
        let objects = self.world.sandbox().list(Some(&acme())).unwrap();
        let owned = objects
            .into_iter()
            .filter_map(|it| Some((it.owner?, it.attributes)));
        owned
            .map(|(owner, attributes)| (owner.address, (attributes, owner.generation)))
            .collect()
    }

    pub(crate) fn status(&self) -> TenantStatus {
        self.store.tenant(&acme()).unwrap().unwrap().status
    }

    /// The invariants of reliability.md section 2.1: nothing lost, nothing orphaned, stable, told.
    pub(crate) async fn assert_sound(&self, desired: &ResourceGraph, when: &str) {
        let objects = self.world.sandbox().list(Some(&acme())).unwrap();
        let head = self.store.head(&acme()).unwrap().unwrap();
        for (address, recorded) in head.resources() {
            let there = objects.iter().any(|it| it.remote_id == recorded.remote_id);
            assert!(there, "{when}: {address} is lost");
        }
        assert_eq!(objects.len(), head.resources().len(), "{when}: orphans");
        let world = self.surroundings();
        let (tenant, timeout) = (acme(), RecoverOptions::default().timeout);
        let search = Search {
            installation: world.installation,
            unmarked: false,
            timeout,
        };
        let of = [(&tenant, Some(&*head))];
        let strays = unmanaged(&self.registry, &search, of).await;
        assert_eq!(strays[&tenant], Default::default(), "{when}: strays");
        let next = self.plan(desired, Verb::Apply).await;
        assert_eq!(next.actions().len(), 0, "{when}: {:?}", next.actions());
        assert_eq!(self.store.pending(&acme()).unwrap(), [], "{when}");
    }
}
