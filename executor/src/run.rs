//! The single writer: the loop that turns ready actions into intents, intents into calls, and
//! replies into outcomes.
//!
//! One task owns the state. In each turn it writes all outcomes that are in and all intents that
//! may follow, in one transaction, and only then polls the calls. Outcomes that nothing follows
//! wait a moment for others to be written with. So an intent is durable before its request exists,
//! an outcome is durable before anything builds on it, and the number of synced commits follows
//! the depth of the plan, not its size.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use matih_model::{ActionIndex, Address, Plan, ProviderError, Recorded};
use matih_state::{Begin, Finish, LockedStore};
use tokio::time::Instant;

use crate::boundary::ActionPoint;
use crate::error::ExecutorError;
use crate::event::{Step, What};
use crate::job::{Job, Reply};
use crate::lease::{renew_if_due, renewal};
use crate::report::{ActionReport, Fate, Stop};
use crate::schedule::Schedule;
use crate::verdict::{Closed, Verdict, judge};
use crate::watch::Watch;
use crate::world::{ApplyOptions, World};

mod books;

type Tried<'a> = (Job<'a>, Result<Reply, ProviderError>);
type Try<'a> = Pin<Box<dyn Future<Output = Tried<'a>> + Send + 'a>>;

/// How long an outcome that nothing waits for may wait to be written with others. Until then a
/// crash leaves the action in doubt, as it was while its call ran.
const GATHERING: Duration = Duration::from_millis(20);

/// Outcomes that are known and not yet written, and what is to be told once they are.
#[derive(Default)]
struct Unwritten<'a> {
    closed: Vec<(Job<'a>, Closed)>,
    finishes: Vec<Finish>,
    told: Vec<What>,
    /// When the first of them has waited long enough.
    due: Option<Instant>,
}

/// An action between two tries.
struct Wait<'a> {
    until: Instant,
    job: Job<'a>,
    error: ProviderError,
}

/// A run under way.
pub(crate) struct Run<'a> {
    pub(crate) store: &'a mut LockedStore,
    pub(crate) plan: &'a Plan,
    pub(crate) world: &'a World<'a>,
    pub(crate) options: &'a ApplyOptions,
    pub(crate) watch: &'a Watch<'a>,
    /// What is recorded by now, the outcomes of this run included.
    pub(crate) recorded: BTreeMap<Address, Arc<Recorded>>,
    /// What each action came to so far.
    pub(crate) actions: Vec<ActionReport>,
    /// Actions that were given up while nobody knew whether they were done.
    pub(crate) doubtful: Vec<Job<'a>>,
    pub(crate) stopped: Option<Stop>,
    /// When the run's time is up.
    pub(crate) ends: Instant,
    schedule: Schedule<'a>,
    calls: FuturesUnordered<Try<'a>>,
    unwritten: Unwritten<'a>,
    waits: BTreeMap<ActionIndex, Wait<'a>>,
}

impl<'a> Run<'a> {
    /// A run of which nothing has started.
    pub(crate) fn new(
        store: &'a mut LockedStore,
        plan: &'a Plan,
        world: &'a World<'a>,
        options: &'a ApplyOptions,
        watch: &'a Watch<'a>,
        ends: Instant,
    ) -> Self {
        let recorded = store.recorded();
        let recorded = recorded
            .map(|(address, it)| (address.clone(), it.clone()))
            .collect();
        Self {
            store,
            plan,
            world,
            options,
            watch,
            recorded,
            actions: plan.actions().iter().map(ActionReport::of).collect(),
            doubtful: Vec::new(),
            stopped: None,
            ends,
            schedule: Schedule::new(plan),
            calls: FuturesUnordered::new(),
            unwritten: Unwritten::default(),
            waits: BTreeMap::new(),
        }
    }

    /// Carries out the plan, as far as it can be carried out.
    pub(crate) async fn work(&mut self) -> Result<(), ExecutorError> {
        let mut tried = Vec::new();
        loop {
            self.turn(tried)?;
            if self.calls.is_empty() && self.waits.is_empty() {
                return Ok(());
            }
            tried = self.wait_for_more().await?;
        }
    }

    /// Takes in what came, starts what may start, and writes what is known.
    fn turn(&mut self, tried: Vec<Tried<'a>>) -> Result<(), ExecutorError> {
        self.watch.alive()?;
        let mut closed = Vec::new();
        let mut told = Vec::new();
        for (mut job, result) in tried {
            let result = self.of_this_record(&mut job, result);
            self.watch
                .cross_action(job.action, job.attempt, ActionPoint::BeforeOutcome)?;
            let limits = self.limits(&job);
            match judge(&job, result, limits, self.is_best_effort(job.action)) {
                Verdict::Over(over) => closed.push((job, over)),
                Verdict::Again { after, error } => told.push(self.put_off(job, after, error)),
            }
        }
        self.stop_if_due(&mut closed);
        for (job, over) in closed {
            self.account(&job, &over, &mut told);
            self.unwritten.take(job, over, self.world.clock.now_ms());
        }
        let begun = self.choose(&mut told)?;
        self.unwritten.told.append(&mut told);
        if !begun.is_empty() || self.calls.is_empty() || !self.unwritten.may_wait() {
            self.write(&begun)?;
        }
        for job in begun {
            self.send(job);
        }
        Ok(())
    }

    /// Waits until a call has ended, a wait is over, the lease is due, or somebody interrupts.
    async fn wait_for_more(&mut self) -> Result<Vec<Tried<'a>>, ExecutorError> {
        let mut timer = renewal(self.store, &self.world.clock);
        // A wait that is over while all hands are full ends with the next call.
        let waits = self.waits.values().filter(|_| self.room() > 0);
        if let Some(earliest) = waits.map(|wait| wait.until).min() {
            timer = timer.min(earliest);
        }
        timer = self.unwritten.due.map_or(timer, |due| timer.min(due));
        // The timer comes first: after a long sleep of the process, no call goes on before the
        // lease is found to be still ours.
        let first = tokio::select! {
            biased;
            () = tokio::time::sleep_until(timer) => None,
            first = self.calls.next(), if !self.calls.is_empty() => first,
            heard = self.watch.interrupted() => {
                heard?;
                None
            }
        };
        renew_if_due(self.store, &self.world.clock, self.watch)?;
        let mut tried: Vec<Tried<'a>> = first.into_iter().collect();
        while let Some(Some(next)) = self.calls.next().now_or_never() {
            tried.push(next);
        }
        Ok(tried)
    }

    /// The tries that begin now: those whose wait is over, then ready actions in plan order.
    fn choose(&mut self, told: &mut Vec<What>) -> Result<Vec<Job<'a>>, ExecutorError> {
        let room = self.room();
        let mut chosen = Vec::new();
        let now = Instant::now();
        let due = self.waits.iter().filter(|(_, wait)| wait.until <= now);
        let due: Vec<ActionIndex> = due.map(|(index, _)| *index).take(room).collect();
        for index in due {
            if let Some(Wait { mut job, .. }) = self.waits.remove(&index) {
                job.attempt += 1;
                self.watch
                    .cross_action(job.action, job.attempt, ActionPoint::BeforeIntent)?;
                chosen.push(job);
            }
        }
        while chosen.len() < room {
            let Some(action) = self
                .schedule
                .next_ready()
                .and_then(|it| self.plan.action(it))
            else {
                break;
            };
            match Job::new(action, self.world, &self.options.run, &self.recorded) {
                Ok(job) => {
                    self.watch
                        .cross_action(action, job.attempt, ActionPoint::BeforeIntent)?;
                    if self.watch.is_draining() {
                        self.stop(Stop::Drained);
                        break;
                    }
                    self.schedule.start(action.index);
                    chosen.push(job);
                }
                Err(error) => {
                    self.schedule.start(action.index);
                    self.close(action, Fate::Failed(error.into()), told);
                }
            }
        }
        Ok(chosen)
    }

    /// One transaction for all that is known and all that is about to be sent.
    fn write(&mut self, begun: &[Job<'a>]) -> Result<(), ExecutorError> {
        let Unwritten {
            closed,
            finishes,
            told,
            due: _,
        } = std::mem::take(&mut self.unwritten);
        let now_ms = self.world.clock.now_ms();
        let begins: Vec<Begin<'_>> = begun
            .iter()
            .map(|job| Begin {
                action: job.action,
                attempt: job.attempt,
                now_ms,
            })
            .collect();
        self.store.step(&finishes, &begins)?;
        for (job, over) in closed {
            self.watch
                .cross_action(job.action, job.attempt, ActionPoint::OutcomeCommitted)?;
            if matches!(over.fate, Fate::Unsettled(_)) {
                self.doubtful.push(job);
            }
        }
        told.into_iter().for_each(|what| self.watch.tell(what));
        Ok(())
    }

    /// Hands an action whose intent is durable to its provider.
    fn send(&mut self, job: Job<'a>) {
        if job.attempt == 1 {
            let step = Step::of(job.action);
            self.watch.tell(What::StepStarted { step });
        }
        // Never zero: a call whose time is up still gets to say so.
        let limit = job
            .timeout()
            .min(self.remaining())
            .max(Duration::from_millis(1));
        let (world, watch) = (self.world, self.watch);
        self.calls.push(Box::pin(job.attempt(world, watch, limit)));
    }
}

impl<'a> Unwritten<'a> {
    fn take(&mut self, job: Job<'a>, over: Closed, now_ms: u64) {
        self.finishes.push(Finish {
            index: job.action.index,
            outcome: over.outcome.clone(),
            now_ms,
        });
        self.closed.push((job, over));
        self.due.get_or_insert_with(|| Instant::now() + GATHERING);
    }

    fn may_wait(&self) -> bool {
        self.due.is_some_and(|due| due > Instant::now())
    }
}

/// Whole milliseconds.
pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
