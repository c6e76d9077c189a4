//! One story: a tenant, a handful of things that people do with it while everything goes wrong,
//! and then peace, in which it must settle.

use std::sync::Arc;
use std::time::Duration;

use matih_executor::Clock;
use matih_model::{Address, Edit, Plan, Snapshot, Verb};
use matih_planner::{PlanOptions, moves_between};
use matih_providers::simulated::{CallOp, Fault, FaultPlan, FaultRule, Rates};
use matih_state::SnapshotKey;

use super::client::{Client, Ended};
use super::eye::{Eye, Trouble};
use super::hand::Deed;
use super::real;
use super::wanted::Wanted;
use crate::seed::Seed;

/// Faults that no retry overcomes.
const REFUSALS: [&str; 3] = ["invalid", "denied", "conflict"];
/// Every operation that a fault can strike.
const OPS: [CallOp; 6] = [
    CallOp::Create,
    CallOp::Update,
    CallOp::Delete,
    CallOp::Check,
    CallOp::Read,
    CallOp::List,
];

/// A story under way.
pub(super) struct Story {
    pub(super) client: Client,
    pub(super) eye: Eye,
    pub(super) seed: Seed,
    pub(super) wanted: Wanted,
    /// The tenant was compiled from a spec of this tier.
    pub(super) real: bool,
    /// The snapshot that was rolled back to and has not been reached yet.
    pub(super) back_to: Option<Arc<Snapshot>>,
    saved: Option<Plan>,
}

/// What somebody sets out to do.
pub(super) enum Aim {
    Apply(PlanOptions),
    Saved(Box<Plan>),
    Rollback(Arc<Snapshot>),
    Destroy,
    Refresh,
}

impl Story {
    pub(super) fn new(client: Client, eye: Eye, seed: Seed, wanted: Wanted, real: bool) -> Self {
        Self {
            client,
            eye,
            seed,
            wanted,
            real,
            back_to: None,
            saved: None,
        }
    }

    /// Tells it.
    ///
    /// # Errors
    /// What must never happen, happened.
    pub(super) async fn tell(&mut self) -> Result<(), String> {
        for resource in &self.wanted.resources {
            let text = serde_json::to_string(resource).unwrap_or_default();
            self.eye.say(format!("wanted {text}"));
        }
        for chapter in 0..6 + self.seed.below(7) {
            self.eye.say(format!("== chapter {chapter}"));
            self.chapter().await?;
            self.pass_time().await;
        }
        self.settle().await
    }

    async fn chapter(&mut self) -> Result<(), String> {
        for _ in 0..self.seed.below(4) {
            self.edit();
        }
        for _ in 0..self.seed.below(3) {
            self.meddle();
        }
        if self.seed.below(6) == 0 {
            self.save().await?;
        }
        let aim = self.aim()?;
        self.make_trouble()?;
        let trouble = self.trouble();
        let ended = self.round(aim, trouble, false).await?;
        self.end_trouble()?;
        if let Ended::Ran(_, report) = &ended
            && report.failures().next().is_some()
            && self.seed.below(3) == 0
            && let Some(before) = report.before.clone()
            && self.leads_back_to(&before)?
        {
            self.eye.say("rolling back what failed");
            self.round(Aim::Rollback(before), None, false).await?;
        }
        Ok(())
    }

    /// Changes what the tenant should have.
    fn edit(&mut self) {
        let catalog = self.client.registry.catalog().clone();
        let (wanted, seed) = (&mut self.wanted, &mut self.seed);
        let said = if self.real {
            match seed.below(8) {
                0 => {
                    let said = format!("another spec of {}", wanted.tenant);
                    *wanted = real::tenant(&wanted.tenant, seed);
                    self.back_to = None;
                    Some(said)
                }
                1 => wanted.rotate(&self.client.vault, seed),
                _ => wanted.change(&catalog, true, seed),
            }
        } else {
            match seed.below(12) {
                0 | 1 => wanted
                    .add(&catalog, seed)
                    .map(|it| format!("add {}", serde_json::to_string(it).unwrap_or_default())),
                2 => wanted.remove(seed).map(|it| format!("remove {it}")),
                3 if self.back_to.is_none() => wanted.rename(seed),
                4 => wanted.rewrite(seed).map(|it| format!("rewrite {it}")),
                5 => wanted.rotate(&self.client.vault, seed),
                _ => wanted.change(&catalog, false, seed),
            }
        };
        if let Some(said) = said {
            self.eye.say(format!("edit {said}"));
        }
    }

    /// Lets somebody else work in the world between two runs.
    fn meddle(&mut self) {
        if self.seed.below(3) == 0 {
            let deed = Deed::ALL[self.seed.below(Deed::ALL.len())];
            let said = self.eye.hand().act(deed, &self.wanted.resources);
            if let Some(said) = said {
                self.eye.say(said);
                self.eye
                    .seen()
                    .tally
                    .deeds
                    .count(deed.to_string(), "between runs");
            }
        }
    }

    /// Plans and keeps the plan, to be carried out at another time.
    async fn save(&mut self) -> Result<(), String> {
        let graph = self.wanted.graph(&self.client.vault)?;
        let options = PlanOptions {
            moved: self.wanted.moved.clone(),
            ..PlanOptions::default()
        };
        let plan = self.client.plan(Verb::Apply, &graph, &options).await?;
        self.eye.say(format!(
            "a plan of {} actions is saved",
            plan.actions().len()
        ));
        self.saved = Some(plan);
        Ok(())
    }

    fn aim(&mut self) -> Result<Aim, String> {
        let some = |story: &mut Self| {
            let place = story.seed.below(story.wanted.resources.len());
            story
                .wanted
                .resources
                .get(place)
                .map(|it| it.address.clone())
        };
        let mut options = PlanOptions::default();
        match self.seed.below(20) {
            0 => options.targets.extend(some(self).iter().map(Into::into)),
            1 => options.excludes.extend(some(self).iter().map(Into::into)),
            2 => {
                let catalog = self.client.registry.catalog().clone();
                options
                    .replace
                    .extend(some(self).filter(|it| !catalog.is_check(&it.kind)));
            }
            3 => return Ok(Aim::Refresh),
            4 => return Ok(Aim::Destroy),
            5..=7 => {
                if let Some(snapshot) = self.way_back()? {
                    return Ok(Aim::Rollback(snapshot));
                }
            }
            8 | 9 => {
                let saved = self.saved.take();
                if let Some(plan) = saved.filter(|plan| self.fits(plan)) {
                    return Ok(Aim::Saved(Box::new(plan)));
                }
            }
            _ => {}
        }
        Ok(Aim::Apply(options))
    }

    /// Whether a saved plan calls things as the spec still does: names that somebody took back
    /// since are for a person to sort out.
    fn fits(&self, plan: &Plan) -> bool {
        let wanted = |name: &Address| self.wanted.resources.iter().any(|it| it.address == *name);
        plan.edits().iter().all(|edit| match edit {
            Edit::Move { from, to } => wanted(to) && !wanted(from),
            _ => true,
        })
    }

    /// A snapshot that can be desired again, picked by chance.
    ///
    /// Not one with a reference to what a refresh has dropped from the record since, nor one with
    /// an older name of an object that was replaced under its new one: there a person has to say
    /// what is meant.
    fn way_back(&mut self) -> Result<Option<Arc<Snapshot>>, String> {
        let (store, tenant) = (&self.client.store, &self.client.tenant);
        let history = store.history(tenant).map_err(|error| error.to_string())?;
        let Some(picked) = history.get(self.seed.below(history.len())) else {
            return Ok(None);
        };
        let snapshot = store.snapshot(tenant, &SnapshotKey::Id(picked.id));
        let snapshot = snapshot.map_err(|error| error.to_string())?;
        Ok(self.leads_back_to(&snapshot)?.then_some(snapshot))
    }

    fn leads_back_to(&self, snapshot: &Snapshot) -> Result<bool, String> {
        // What an open run has done is in no snapshot yet.
        let known = self.client.store.tenant(&self.client.tenant);
        let known = known.map_err(|error| error.to_string())?;
        if known.is_none_or(|it| it.open_run.is_some()) {
            return Ok(false);
        }
        let Some(head) = self.client.head()? else {
            return Ok(false);
        };
        let closed = Wanted::of_graph(&snapshot.as_desired()).graph(&self.client.vault);
        let moved = moves_between(&head, snapshot);
        let first = |address: &'_ Address| {
            let first = self.wanted.first_names.get(address);
            first.unwrap_or(address).clone()
        };
        let lost = head.resources().keys().any(|now| {
            let mut then = snapshot.resources().keys();
            then.any(|then| {
                let pair = (now.resource_name(), then.resource_name());
                now != then && first(now) == first(then) && !moved.contains(&pair)
            })
        });
        Ok(closed.is_ok() && !lost)
    }

    /// Faults of the provider, from none to very many.
    fn make_trouble(&mut self) -> Result<(), String> {
        let often = [0, 10_000, 40_000, 120_000][self.seed.below(4)];
        let rates = Rates {
            unavailable: often,
            denied: 0,
            throttle: often,
            lose_reply: often,
            hang: often / 2,
            partial: often,
        };
        let chance = FaultPlan::seeded(self.seed.bits(), rates);
        self.client.provider.set_faults(chance);
        for _ in 0..self.seed.below(3) {
            let refusal = REFUSALS[self.seed.below(REFUSALS.len())];
            let fault: Fault = format!("fail:{refusal}:said the script")
                .parse()
                .map_err(|error| format!("{error}"))?;
            let op = OPS[self.seed.below(OPS.len())];
            let at = 1 + self.seed.below(4) as u64;
            let added = self
                .eye
                .hand()
                .sandbox
                .add_fault(&FaultRule::at(at, "*", op, fault));
            added.map_err(|error| error.to_string())?;
        }
        self.eye.say(format!("faults: {rates:?}"));
        Ok(())
    }

    /// Ends all faults, and counts those that were scripted.
    fn end_trouble(&mut self) -> Result<(), String> {
        self.client.provider.set_faults(FaultPlan::default());
        let sandbox = self.eye.hand().sandbox.clone();
        let script = sandbox.faults().map_err(|error| error.to_string())?;
        for state in script {
            if let (Fault::Fail { kind, .. }, Some(op)) = (&state.rule.fault, state.rule.op) {
                let word = matih_executor::error_word(*kind);
                let mut seen = self.eye.seen();
                seen.tally.faults.add(word, op.as_str(), state.struck);
            }
        }
        sandbox
            .clear_faults(None)
            .map_err(|error| error.to_string())?;
        Ok(())
    }

    fn trouble(&mut self) -> Option<(usize, Trouble)> {
        let trouble = match self.seed.below(16) {
            0..=4 => Trouble::Crash,
            5 => Trouble::Drain,
            6 | 7 => Trouble::Hand(Deed::ALL[self.seed.below(Deed::ALL.len())]),
            8 => Trouble::Steal,
            _ => return None,
        };
        // Early boundaries more often: short runs have no others.
        let most = [12, 40, 160][self.seed.below(3)];
        Some((1 + self.seed.below(most), trouble))
    }

    /// Hours to days in which nothing happens.
    pub(super) async fn pass_time(&mut self) {
        let minutes = 1 + self.seed.below(3 * 24 * 60) as u64;
        tokio::time::sleep(Duration::from_secs(60 * minutes)).await;
    }
}

/// The time that a story has taken.
pub(super) fn passed_ms(clock: &Clock) -> u64 {
    clock.now_ms().saturating_sub(super::client::START_MS)
}
