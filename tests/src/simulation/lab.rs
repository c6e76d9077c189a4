//! A client, a world and held time in one hand: for tests that tell their own stories.

use std::collections::BTreeMap;

use matih_executor::ApplyOptions;
use matih_model::{Address, AttributePath, Registry, ResourceGraph, SnapshotId, Value, Verb};
use matih_planner::PlanOptions;
use matih_providers::simulated::{Latency, SandboxObject, Simulated, SimulatedOptions};
use matih_state::SnapshotKey;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::client::{Client, Order};
use super::eye::{Eye, Trouble};
use super::{bench, folder};

/// What a run of a [`Lab`] sets out to do.
#[derive(Clone, Debug)]
pub enum Errand {
    /// Bring the tenant to what is desired, all of it or the targets.
    Apply(PlanOptions),
    /// Bring it back to a snapshot.
    Rollback(SnapshotId),
    /// Take everything down.
    Destroy,
    /// Bring the record up to what is there.
    Refresh,
}

/// The bench.
pub struct Lab {
    client: Client,
    eye: Eye,
    runtime: Runtime,
    _folder: TempDir,
}

impl Lab {
    /// An empty world and a tenant of which nothing is recorded.
    ///
    /// # Errors
    /// The machine has no room for it.
    pub fn new(tenant: &str) -> Result<Self, String> {
        let folder = folder()?;
        let runtime = super::runtime()?;
        let provider = Simulated::in_memory(SimulatedOptions {
            latency: Latency::Real,
            ..SimulatedOptions::default()
        })
        .map_err(|error| error.to_string())?;
        let state = folder.path().join("state.db");
        let (client, eye) = runtime.block_on(async { bench(0, state, provider, tenant) })?;
        Ok(Self {
            client,
            eye,
            runtime,
            _folder: folder,
        })
    }

    /// Who serves which kind.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.client.registry
    }

    /// One process: locks, recovers, plans, applies, releases, or dies at the boundary of this
    /// number, from 1. Says in one word how it ended.
    ///
    /// # Errors
    /// There is no plan, or the state refused.
    pub fn run(
        &mut self,
        errand: &Errand,
        desired: &ResourceGraph,
        crash_at: Option<usize>,
    ) -> Result<String, String> {
        let run = self.client.next_run();
        let mut order = Order {
            verb: Verb::Apply,
            desired: desired.clone(),
            options: PlanOptions::default(),
            apply: ApplyOptions::new(run, desired.tenancy()),
            back_to: None,
            saved: None,
        };
        match errand {
            Errand::Apply(options) => order.options = options.clone(),
            Errand::Destroy => {
                order.verb = Verb::Destroy;
                order.options.destroy = true;
            }
            Errand::Refresh => {
                order.verb = Verb::Edit;
                order.options.refresh_only = true;
            }
            Errand::Rollback(to) => {
                let (store, tenant) = (&self.client.store, &self.client.tenant);
                let snapshot = store.snapshot(tenant, &SnapshotKey::Id(*to));
                let snapshot = snapshot.map_err(|error| error.to_string())?;
                order.verb = Verb::Rollback(*to);
                order.desired = snapshot.as_desired();
            }
        }
        let trouble = crash_at.map(|at| (at, Trouble::Crash));
        self.eye.begin(&order.apply.run, &[], trouble);
        let (client, eye) = (&mut self.client, &self.eye);
        let ended = self.runtime.block_on(client.round(eye, &order))?;
        let wrong = std::mem::take(&mut self.eye.seen().wrong);
        if wrong.is_empty() {
            Ok(ended.word())
        } else {
            Err(wrong.join("\n"))
        }
    }

    /// Whether an apply would find nothing to do.
    ///
    /// # Errors
    /// There is no plan.
    pub fn is_settled(&mut self, desired: &ResourceGraph) -> Result<bool, String> {
        let options = PlanOptions::default();
        let plan = self.client.plan(Verb::Apply, desired, &options);
        Ok(self.runtime.block_on(plan)?.is_empty())
    }

    /// The newest snapshot.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn head(&self) -> Result<Option<SnapshotId>, String> {
        Ok(self.client.head()?.map(|head| head.id()))
    }

    /// What is recorded, with the provider's name for it.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn recorded(&self) -> Result<BTreeMap<Address, String>, String> {
        let head = self.client.head()?;
        let recorded = head.iter().flat_map(|head| head.resources());
        let pair = |(at, it): (&Address, &std::sync::Arc<matih_model::Recorded>)| {
            (at.clone(), it.remote_id.to_string())
        };
        Ok(recorded.map(pair).collect())
    }

    /// The objects that bear the tenant's mark.
    ///
    /// # Errors
    /// The world cannot be read.
    pub fn objects(&self) -> Result<Vec<SandboxObject>, String> {
        let sandbox = self.eye.hand().sandbox.clone();
        let objects = sandbox.list(Some(&self.client.tenant));
        objects.map_err(|error| error.to_string())
    }

    /// Somebody else sets a value of an object.
    ///
    /// # Errors
    /// There is no such object.
    pub fn edit(&self, at: &Address, path: &AttributePath, value: Value) -> Result<(), String> {
        let sandbox = self.eye.hand().sandbox.clone();
        let edited = sandbox.edit(&at.to_string(), path, Some(value));
        edited.map(drop).map_err(|error| error.to_string())
    }

    /// Somebody else deletes an object.
    ///
    /// # Errors
    /// There is no such object.
    pub fn remove(&self, at: &Address) -> Result<(), String> {
        let sandbox = self.eye.hand().sandbox.clone();
        sandbox
            .remove(&at.to_string())
            .map(drop)
            .map_err(|error| error.to_string())
    }
}

/// The word of a process that died.
pub const CRASHED: &str = "crashed";

impl std::fmt::Debug for Lab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lab")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::client::Ended;

    #[test]
    fn a_crash_has_its_word() {
        assert_eq!(Ended::Crashed.word(), CRASHED);
    }
}
