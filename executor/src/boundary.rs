//! The countable points of a run: between any two of them a crash makes no difference.
//!
//! An effect can be issued only by way of a crossing, and the answer to a crossing decides whether
//! it is issued. Production, Ctrl-C and fault tests share that path, so a test can count the
//! points, stop at each, and prove that it missed none.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use matih_model::{ActionIndex, Address};

use crate::event::Event;

/// A point of a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Boundary {
    /// A point that the run has once, or a few times.
    Run(RunPoint),
    /// A point of one action.
    Action {
        /// Its place in the plan.
        index: ActionIndex,
        /// What it acts on.
        address: Address,
        /// `create`, `update`, `delete` or `check`.
        verb: &'static str,
        /// Which try, from 1; in a recovery, the one that was under way.
        attempt: u32,
        /// Which of its points.
        point: ActionPoint,
    },
}

/// The points of a run outside of its actions. Whoever takes the lock crosses those of the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunPoint {
    /// The lock is about to be asked for.
    LockRequested,
    /// The lock is held, with its fence.
    LockGranted,
    /// What a crash left is about to be settled.
    RecoveryBegun,
    /// It is settled, as far as it could be.
    RecoveryDone,
    /// The plan fits the state that it is about to change.
    PlanVerified,
    /// The run is in the journal.
    RunOpened,
    /// The changes to the record alone are about to be committed.
    BeforeEdits,
    /// They are committed.
    AfterEdits,
    /// The lease is about to be renewed.
    BeforeRenew,
    /// It is renewed.
    AfterRenew,
    /// The snapshot is about to be committed.
    BeforeSnapshot,
    /// It is committed, with its audit row and anchor.
    AfterSnapshot,
    /// The lock is about to be released.
    BeforeRelease,
    /// It is released.
    AfterRelease,
}

/// The six points of one try of an action (reliability.md section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActionPoint {
    /// The intent is not written.
    BeforeIntent,
    /// The intent is committed, the request not sent.
    IntentCommitted,
    /// The request is on its way, the server has not acted.
    Sent,
    /// The server has acted, the reply is unread.
    Acted,
    /// The reply is read, the outcome not committed.
    BeforeOutcome,
    /// The outcome is committed, with its audit row.
    OutcomeCommitted,
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(point) => write!(f, "run: {point:?}"),
            Self::Action {
                address,
                verb,
                attempt,
                point,
                ..
            } => write!(f, "{address}: {verb}, try {attempt}: {point:?}"),
        }
    }
}

/// What the onlooker wants at a boundary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// Go on.
    #[default]
    Continue,
    /// Start nothing new, let what runs end, commit: Ctrl-C, once.
    Drain,
    /// Be dead from here on: return at once and write nothing more. A crash, or Ctrl-C twice.
    Abandon,
}

/// Sees all of a run, and may stop it. `()` is the onlooker that does neither.
pub trait Onlooker: Send + Sync {
    /// A boundary is crossed. `Drain` and `Abandon` hold for the rest of the run.
    fn cross(&self, _boundary: &Boundary) -> Answer {
        Answer::Continue
    }

    /// Something happened.
    fn event(&self, _event: &Event) {}

    /// Resolves when the answer is more than the one `heard` last, so that a run hears of it also
    /// while it waits for a slow call. By default: never.
    fn interrupted<'a>(
        &'a self,
        _heard: Answer,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(std::future::pending())
    }
}

impl Onlooker for () {}

/// Counts the boundaries that another onlooker sees, and may abandon the run at one of them.
pub struct Counting<'a> {
    inner: &'a dyn Onlooker,
    crossed: AtomicUsize,
    stop_at: Option<usize>,
}

impl<'a> Counting<'a> {
    /// Counts all.
    pub fn new(inner: &'a dyn Onlooker) -> Self {
        Self {
            inner,
            crossed: AtomicUsize::new(0),
            stop_at: None,
        }
    }

    /// Abandons at the boundary with this number, from 1.
    pub fn stopping_at(inner: &'a dyn Onlooker, number: usize) -> Self {
        Self {
            stop_at: Some(number),
            ..Self::new(inner)
        }
    }

    /// How many boundaries were crossed, the one that it stopped at included.
    pub fn crossed(&self) -> usize {
        self.crossed.load(Ordering::Relaxed)
    }
}

impl Onlooker for Counting<'_> {
    fn cross(&self, boundary: &Boundary) -> Answer {
        let number = self.crossed.fetch_add(1, Ordering::Relaxed) + 1;
        let answer = self.inner.cross(boundary);
        if self.stop_at == Some(number) {
            Answer::Abandon
        } else {
            answer
        }
    }

    fn event(&self, event: &Event) {
        self.inner.event(event);
    }

    fn interrupted<'a>(
        &'a self,
        heard: Answer,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        self.inner.interrupted(heard)
    }
}
