//! What the command line does in a round, by hand: lock, recover, look, plan, apply, release.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use matih_executor::{
    Answer, ApplyOptions, Clock, ExecutorError, ObserveOptions, RecoverOptions, Report, RunPoint,
    World, apply, keep_lock, observe, recover,
};
use matih_model::{
    Digest, Observation, Plan, Registry, ResourceGraph, RunId, Snapshot, TenantId, Verb,
};
use matih_planner::{PlanInput, PlanOptions, moves_between, plan};
use matih_providers::simulated::Simulated;
use matih_state::{
    Holder, LockRequest, LockedStore, NewInstallation, OpenOptions, StateError, Store,
};

use super::eye::{Eye, run_point};
use super::vault::Vault;

/// The moment at which every story begins.
pub(super) const START_MS: u64 = 1_800_000_000_000;
/// How long a lock is kept without renewal.
pub(super) const LEASE_MS: u64 = 30_000;
/// The name of every simulated installation.
pub(super) const INSTALLATION: &str = "simulated";

/// Somebody on another host: nobody can tell whether the process lives.
pub(super) fn holder() -> Holder {
    Holder {
        who: "ada".to_owned(),
        host: "elsewhere".to_owned(),
        pid: 7,
        started: None,
        boot_id: String::new(),
        operation: "apply".to_owned(),
    }
}

/// What one round is to do.
pub(super) struct Order {
    pub(super) verb: Verb,
    pub(super) desired: ResourceGraph,
    pub(super) options: PlanOptions,
    pub(super) apply: ApplyOptions,
    /// The snapshot that is rolled back to: names that have changed since follow it.
    pub(super) back_to: Option<Arc<Snapshot>>,
    /// A plan that was saved before.
    pub(super) saved: Option<Plan>,
}

/// How a round ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The process died.
    Crashed,
    /// Ctrl-C came before there was a plan.
    Stopped,
    /// The state refused a write: the lock was somebody else's.
    LockLost,
    /// What a crash left could not be looked up.
    Unclear,
    /// The plan does not fit the state any more.
    Stale,
    /// There was nothing to do.
    Idle,
    /// The plan was carried out, as far as the report says.
    Ran(Box<Plan>, Box<Report>),
}

impl Ended {
    /// One word for the tally.
    pub(super) fn word(&self) -> String {
        match self {
            Self::Ran(_, report) => format!("{:?}", report.ending()).to_lowercase(),
            other => {
                let text = format!("{other:?}").to_lowercase();
                text.split('(').next().unwrap_or_default().to_owned()
            }
        }
    }
}

/// Why a round did not get to its end.
enum Cut {
    Crashed,
    Stopped,
    Failed(String),
}

/// One process after another, on one state and one world.
pub(super) struct Client {
    pub(super) state: PathBuf,
    pub(super) store: Store,
    pub(super) provider: Arc<Simulated>,
    pub(super) registry: Registry,
    pub(super) vault: Vault,
    pub(super) clock: Clock,
    pub(super) tenant: TenantId,
    pub(super) seed: u64,
    pub(super) runs: usize,
}

/// Opens a state, or makes it.
pub(super) fn open(state: &std::path::Path) -> Result<Store, String> {
    let options = OpenOptions {
        create: Some(NewInstallation {
            id: INSTALLATION.to_owned(),
            who: "ada".to_owned(),
            host: "elsewhere".to_owned(),
            now_ms: START_MS,
        }),
    };
    Store::open(state, &options).map_err(|error| format!("the state does not open: {error}"))
}

impl Client {
    /// The name of the next run.
    pub(super) fn next_run(&mut self) -> RunId {
        self.runs += 1;
        RunId::new(format!("run-{}", self.runs))
    }

    pub(super) fn head(&self) -> Result<Option<Arc<Snapshot>>, String> {
        self.store
            .head(&self.tenant)
            .map_err(|error| error.to_string())
    }

    /// Plans without a lock and without carrying it out.
    pub(super) async fn plan(
        &self,
        verb: Verb,
        desired: &ResourceGraph,
        options: &PlanOptions,
    ) -> Result<Plan, String> {
        let head = self.head()?;
        let observation = self.observe(head.as_ref()).await;
        self.plan_from(head.as_deref(), &observation, verb, desired, options)
    }

    async fn observe(&self, head: Option<&Arc<Snapshot>>) -> Observation {
        let heads: Vec<_> = head.into_iter().cloned().collect();
        let mut seen = observe(&self.registry, &heads, &ObserveOptions::default()).await;
        seen.remove(&self.tenant).unwrap_or_default()
    }

    pub(super) fn plan_from(
        &self,
        head: Option<&Snapshot>,
        observation: &Observation,
        verb: Verb,
        desired: &ResourceGraph,
        options: &PlanOptions,
    ) -> Result<Plan, String> {
        plan(&PlanInput {
            tenant: &self.tenant,
            base: head,
            desired,
            observation,
            catalog: self.registry.catalog(),
            options,
            verb,
            inputs: Digest::of("simulation", &desired.digest()),
        })
        .map_err(|error| format!("no plan: {error}"))
    }

    /// One process, from its start to its end, which may be its death.
    ///
    /// # Errors
    /// Something failed that no story excuses.
    pub(super) async fn round(&mut self, eye: &Eye, order: &Order) -> Result<Ended, String> {
        let ended = match self.locked_round(eye, order).await {
            Ok(ended) => ended,
            Err(Cut::Crashed) => Ended::Crashed,
            Err(Cut::Stopped) => Ended::Stopped,
            Err(Cut::Failed(why)) => return Err(why),
        };
        if matches!(ended, Ended::Crashed | Ended::LockLost) {
            // The next process knows nothing but what is in the file.
            self.store = open(&self.state)?;
            eye.look_into(self.store.clone());
        }
        Ok(ended)
    }

    async fn locked_round(&mut self, eye: &Eye, order: &Order) -> Result<Ended, Cut> {
        let mut locked = self.lock(eye, &order.apply.run).await?;
        cross(eye, RunPoint::LockGranted)?;
        let ended = match self.work(&mut locked, eye, order).await {
            Ok(ended) => ended,
            Err(ExecutorError::Abandoned) => return Err(Cut::Crashed),
            Err(ExecutorError::Stale { .. }) => Some(Ok(Ended::Stale)),
            Err(ExecutorError::State(error)) if is_lost(&error) => return Ok(Ended::LockLost),
            Err(error) => return Err(Cut::Failed(format!("the run failed: {error}"))),
        };
        let ended = match ended {
            Some(Ok(ended)) => ended,
            Some(Err(cut)) => return Err(cut),
            None => Ended::Stopped,
        };
        if run_point(eye, RunPoint::BeforeRelease) == Answer::Abandon {
            return Err(Cut::Crashed);
        }
        match locked.release(self.clock.now_ms()) {
            Ok(()) => {}
            Err(error) if is_lost(&error) => return Ok(Ended::LockLost),
            Err(error) => return Err(Cut::Failed(format!("the release failed: {error}"))),
        }
        if run_point(eye, RunPoint::AfterRelease) == Answer::Abandon {
            return Err(Cut::Crashed);
        }
        Ok(ended)
    }

    async fn lock(&self, eye: &Eye, run: &RunId) -> Result<LockedStore, Cut> {
        loop {
            cross(eye, RunPoint::LockRequested)?;
            let asked = LockRequest {
                tenant: self.tenant.clone(),
                holder: holder(),
                run: run.clone(),
                now_ms: self.clock.now_ms(),
                lease_ms: LEASE_MS,
            };
            match self.store.lock(&asked) {
                Ok(locked) => return Ok(locked),
                Err(StateError::Locked { lock, .. }) => {
                    let wait = lock.free_from_ms().saturating_sub(self.clock.now_ms());
                    eye.say(format!("locked for {wait} ms by fence {}", lock.fence));
                    tokio::time::sleep(Duration::from_millis(wait)).await;
                }
                Err(error) => return Err(Cut::Failed(format!("the lock failed: {error}"))),
            }
        }
    }

    /// What is done under the lock.
    async fn work(
        &self,
        locked: &mut LockedStore,
        eye: &Eye,
        order: &Order,
    ) -> Result<Option<Result<Ended, Cut>>, ExecutorError> {
        let world = World {
            registry: &self.registry,
            secrets: &self.vault,
            installation: INSTALLATION,
            clock: self.clock,
            seed: self.seed,
        };
        let recovery = recover(locked, &world, &RecoverOptions::default(), eye).await?;
        eye.say(format!(
            "recovered: {:?}, unclear: {:?}",
            recovery.settled, recovery.unclear
        ));
        if !recovery.unclear.is_empty() {
            return Ok(Some(Ok(Ended::Unclear)));
        }
        let plan = match &order.saved {
            Some(plan) => plan.clone(),
            None => {
                let head = locked.head().cloned();
                let looking = self.observe(head.as_ref());
                let observation = keep_lock(locked, &self.clock, eye, looking).await?;
                let mut options = order.options.clone();
                if let (Some(head), Some(back)) = (&head, &order.back_to) {
                    options.moved.extend(moves_between(head, back));
                }
                let (verb, head) = (order.verb.clone(), head.as_deref());
                match self.plan_from(head, &observation, verb, &order.desired, &options) {
                    Ok(plan) => plan,
                    Err(why) => return Ok(Some(Err(Cut::Failed(why)))),
                }
            }
        };
        for action in plan.actions() {
            let (verb, at) = (action.op.verb(), action.address());
            eye.say(format!("plan {verb} {at}: {}", action.reason));
        }
        for edit in plan.edits() {
            eye.say(format!("plan {edit:?}"));
        }
        if plan.is_empty() {
            return Ok(Some(Ok(Ended::Idle)));
        }
        if let Some(super::eye::Trouble::Drain) = eye.seen().struck {
            return Ok(None);
        }
        let report = apply(locked, &plan, &world, &order.apply, eye).await?;
        for action in &report.actions {
            eye.say(format!(
                "fate {} {}: {:?}",
                action.verb, action.address, action.fate
            ));
        }
        eye.say(format!("ending {:?}", report.ending()));
        Ok(Some(Ok(Ended::Ran(Box::new(plan), Box::new(report)))))
    }
}

fn cross(eye: &Eye, point: RunPoint) -> Result<(), Cut> {
    match run_point(eye, point) {
        Answer::Continue => Ok(()),
        Answer::Drain => Err(Cut::Stopped),
        Answer::Abandon => Err(Cut::Crashed),
    }
}

fn is_lost(error: &StateError) -> bool {
    matches!(
        error,
        StateError::LockLost { .. } | StateError::LeaseOver { .. }
    )
}
