//! One process of a story, what must be true after it, and how a story ends: in peace.

use std::num::NonZeroUsize;
use std::time::Duration;

use matih_executor::{ApplyOptions, Ending, OnFailure};
use matih_model::{Observation, Verb};
use matih_planner::PlanOptions;
use matih_providers::simulated::SandboxObject;

use super::client::{Ended, Order};
use super::eye::Trouble;
use super::oracle::{self, Scene};
use super::story::{Aim, Story};
use super::wanted::Wanted;

impl Story {
    fn options(&mut self, ordinary: bool, whole: bool) -> ApplyOptions {
        let run = self.client.next_run();
        let mut options = ApplyOptions::new(run, self.wanted.tenancy);
        options.whole = whole;
        if ordinary {
            return options;
        }
        let seed = &mut self.seed;
        options.parallelism = NonZeroUsize::MIN.saturating_add(seed.below(8));
        options.on_failure = match seed.below(3) {
            0 => OnFailure::Continue,
            1 => OnFailure::Rollback,
            _ => OnFailure::Stop,
        };
        options.max_retries = (seed.below(3) == 0).then(|| seed.below(3) as u32);
        if seed.below(10) == 0 {
            options.limit = Duration::from_secs(1 + seed.below(30) as u64);
        }
        options
    }

    /// One process, and what must be true after it.
    pub(super) async fn round(
        &mut self,
        aim: Aim,
        trouble: Option<(usize, Trouble)>,
        calm: bool,
    ) -> Result<Ended, String> {
        let order = self.order(aim, calm)?;
        self.eye.say(format!(
            "{} as {}, trouble {trouble:?}",
            order.verb, order.apply.run
        ));
        let resources: Vec<_> = order
            .desired
            .resources()
            .values()
            .map(|it| it.as_ref().clone())
            .collect();
        self.eye.say(format!("{:?}", order.options));
        self.eye.begin(&order.apply.run, &resources, trouble);
        let before = self.objects()?;
        let (touched, head) = (self.eye.hand().traces.touched, self.client.head()?);
        let ended = self.client.round(&self.eye, &order).await?;
        self.eye.say(format!("round {}", ended.word()));
        let after = self.objects()?;
        let meddled = self.eye.hand().traces.touched != touched;
        let verb = order.verb.to_string();
        {
            let mut seen = self.eye.seen();
            seen.tally.rounds += 1;
            let verb = verb.split(' ').next().unwrap_or_default();
            seen.tally.endings.count(verb, ended.word());
        }
        self.check_round(&order, &ended, (&before, &after), meddled)?;
        if let (Some(plan), Ended::Stale) = (&order.saved, &ended) {
            if oracle::fingerprint(&before) != oracle::fingerprint(&after) && !meddled {
                return Err("a stale plan changed the world".to_owned());
            }
            if plan.base() == self.client.head()?.map(|it| it.id()) {
                return Err("a plan of the head was called stale".to_owned());
            }
        }
        if let (Some(plan), Ended::Ran(..)) = (&order.saved, &ended)
            && plan.base() != head.map(|it| it.id())
        {
            return Err("a stale plan was carried out".to_owned());
        }
        let reached =
            matches!(&ended, Ended::Ran(_, report) if report.ending() == Ending::Complete);
        if order.apply.whole && order.saved.is_none() && (reached || matches!(ended, Ended::Idle)) {
            self.back_to = None;
        }
        Ok(ended)
    }

    fn order(&mut self, aim: Aim, calm: bool) -> Result<Order, String> {
        let moved = self.wanted.moved.clone();
        let graph = self.wanted.graph(&self.client.vault)?;
        let whole = match &aim {
            Aim::Apply(options) => options.targets.is_empty() && options.excludes.is_empty(),
            Aim::Refresh => false,
            _ => true,
        };
        let apply = self.options(calm, whole);
        let mut order = Order {
            verb: Verb::Apply,
            desired: graph,
            options: PlanOptions {
                moved,
                ..PlanOptions::default()
            },
            apply,
            back_to: self.back_to.clone(),
            saved: None,
        };
        match aim {
            Aim::Apply(options) => {
                let moved = std::mem::take(&mut order.options.moved);
                order.options = PlanOptions { moved, ..options };
            }
            Aim::Saved(plan) => {
                order.verb = plan.verb().clone();
                order.saved = Some(*plan);
            }
            Aim::Rollback(snapshot) => {
                order.verb = Verb::Rollback(snapshot.id());
                order.desired = snapshot.as_desired();
                order.options.moved = Vec::new();
                order.back_to = Some(snapshot.clone());
                // From here on the spec says what the snapshot says.
                self.wanted.become_like(&order.desired);
                self.back_to = Some(snapshot);
            }
            Aim::Destroy => {
                order.verb = Verb::Destroy;
                order.options.destroy = true;
            }
            Aim::Refresh => {
                order.verb = Verb::Edit;
                order.options.refresh_only = true;
            }
        }
        Ok(order)
    }

    fn objects(&self) -> Result<Vec<SandboxObject>, String> {
        let sandbox = self.eye.hand().sandbox.clone();
        sandbox.list(None).map_err(|error| error.to_string())
    }

    fn check_round(
        &mut self,
        order: &Order,
        ended: &Ended,
        (before, after): (&[SandboxObject], &[SandboxObject]),
        meddled: bool,
    ) -> Result<(), String> {
        let (store, tenant) = (&self.client.store, &self.client.tenant);
        let pending = store
            .pending(tenant)
            .map_err(|error| error.to_string())?
            .len();
        let summary = store.tenant(tenant).map_err(|error| error.to_string())?;
        let open = summary.is_some_and(|it| it.open_run.is_some());
        let head = self.client.head()?;
        let mut wrong = std::mem::take(&mut self.eye.seen().wrong);
        {
            let mut hand = self.eye.hand();
            let there = |id: &String| after.iter().any(|it| it.remote_id.as_str() == id);
            hand.traces.vanished.retain(|id| !there(id));
            if !order.apply.whole || !order.options.replace.is_empty() {
                // Who takes away a namespace alone takes along what is in it. No plan knows that;
                // the next look does.
                let gone = before.iter().map(|it| it.remote_id.to_string());
                hand.traces.vanished.extend(gone.filter(|id| !there(id)));
            }
            let scene = Scene {
                objects: after,
                head: head.as_deref(),
                hand: &hand.traces,
            };
            if !open {
                wrong.extend(scene.owned());
            }
            wrong.extend(scene.others());
        }
        if let Ended::Ran(plan, report) = ended
            && !meddled
        {
            wrong.extend(oracle::told_truly(plan, report, before, after, pending));
        }
        for object in after {
            let owner = object.owner.as_ref().map(|it| (&it.address, it.generation));
            let (id, version) = (&object.remote_id, object.version.ours());
            self.eye
                .say(format!("world {} {id} {owner:?} {version}", object.kind));
        }
        let serial = head.as_ref().map(|it| (it.serial(), it.id().0.short()));
        self.eye
            .say(format!("head {serial:?}, {pending} pending, open {open}"));
        if wrong.is_empty() {
            Ok(())
        } else {
            let verb = &order.verb;
            Err(format!(
                "after {verb} as {}:\n{}",
                order.apply.run,
                wrong.join("\n")
            ))
        }
    }

    /// Faults have stopped: within the depth of the graph and three rounds the tenant is as it
    /// should be, and nothing is left to do.
    pub(super) async fn settle(&mut self) -> Result<(), String> {
        self.eye.say("== peace");
        let head = self.client.head()?;
        let known = head.iter().flat_map(|head| head.resources().values());
        let known = known.map(|it| it.remote_id.to_string()).collect();
        self.eye.hand().make_way(&known);
        let recorded = self
            .client
            .head()?
            .map(|it| Wanted::of_graph(&it.as_desired()).depth());
        let most = self.wanted.depth().max(recorded.unwrap_or_default()) + 3;
        for round in 1..=most {
            let aim = Aim::Apply(PlanOptions::default());
            let ended = self.round(aim, None, true).await?;
            self.pass_time().await;
            if matches!(ended, Ended::Idle) {
                self.eye.seen().tally.longest = round as u64;
                return self.settled().await;
            }
        }
        Err(format!("I3: not settled after {most} rounds"))
    }

    async fn settled(&mut self) -> Result<(), String> {
        let (objects, head) = (self.objects()?, self.client.head()?);
        let graph = self.wanted.graph(&self.client.vault)?;
        let catalog = self.client.registry.catalog().clone();
        let mut wrong = {
            let hand = self.eye.hand();
            let scene = Scene {
                objects: &objects,
                head: head.as_deref(),
                hand: &hand.traces,
            };
            let mut wrong = scene.as_desired(&graph, &catalog);
            wrong.extend(scene.owned());
            wrong.extend(scene.others());
            wrong
        };
        let options = PlanOptions {
            moved: self.wanted.moved.clone(),
            ..PlanOptions::default()
        };
        let unread = Observation::default();
        let blind =
            self.client
                .plan_from(head.as_deref(), &unread, Verb::Apply, &graph, &options)?;
        if let Some(first) = blind.actions().first() {
            wrong.push(format!(
                "I3: without a look at the world the plan is not empty: {} {}, {}",
                first.op.verb(),
                first.address(),
                first.reason
            ));
        } else if !blind.is_empty() {
            wrong.push("I3: without a look at the world the record would change".to_owned());
        }
        let sent = std::mem::take(&mut self.eye.seen().sent);
        wrong.extend(oracle::audited(&self.client.store, &sent));
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(wrong.join("\n"))
        }
    }
}
