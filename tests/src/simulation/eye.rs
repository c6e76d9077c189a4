//! The onlooker of a simulation: writes the trace, and makes trouble at one boundary of a round.
//!
//! It also holds the executor to its first promise while it runs: when a request is on its way,
//! its intent stands in the journal, readable by anybody.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use matih_executor::{ActionPoint, Answer, Boundary, Clock, Event, Onlooker, RunPoint};
use matih_model::{ActionIndex, Address, Resource, RunId, TenantId};
use matih_state::{JournalState, LockRequest, Store};

use super::client::{LEASE_MS, holder};
use super::hand::{Deed, Hand};
use super::tally::Tally;
use crate::fail;

/// The longest trace of 20,000 stories has 1.5 MB.
const LONGEST_TRACE: usize = 20_000_000;

/// What happens at a boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The process dies.
    Crash,
    /// Somebody presses Ctrl-C.
    Drain,
    /// Somebody else works in the world.
    Hand(Deed),
    /// The process sleeps past its lease, and another one takes the lock.
    Steal,
}

/// A request that was on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) run: RunId,
    pub(super) address: Address,
    pub(super) attempt: u32,
}

/// What the eye has seen.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) trace: String,
    pub(super) tally: Tally,
    /// What must never be seen.
    pub(super) wrong: Vec<String>,
    pub(super) sent: Vec<Sent>,
    /// The trouble of this round has come.
    pub(super) struck: Option<Trouble>,
    crossed: usize,
    trouble: Option<(usize, Trouble)>,
    run: Option<RunId>,
    wanted: Vec<Resource>,
    events: u64,
}

/// The eye.
pub(super) struct Eye {
    seen: Mutex<Seen>,
    hand: Mutex<Hand>,
    store: Mutex<Store>,
    tenant: TenantId,
    clock: Clock,
}

impl Eye {
    pub(super) fn new(hand: Hand, store: Store, tenant: TenantId, clock: Clock) -> Self {
        Self {
            seen: Mutex::default(),
            hand: Mutex::new(hand),
            store: Mutex::new(store),
            tenant,
            clock,
        }
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hand(&self) -> MutexGuard<'_, Hand> {
        self.hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store as the process after a crash opened it.
    pub(super) fn look_into(&self, store: Store) {
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = store;
    }

    /// A round begins, with trouble at its boundary of this number, from 1.
    pub(super) fn begin(
        &self,
        run: &RunId,
        wanted: &[Resource],
        trouble: Option<(usize, Trouble)>,
    ) {
        let mut seen = self.seen();
        seen.run = Some(run.clone());
        seen.wanted = wanted.to_vec();
        seen.crossed = 0;
        seen.struck = None;
        seen.trouble = trouble;
    }

    /// Writes a line of the trace.
    pub(super) fn say(&self, line: impl AsRef<str>) {
        let at = self.clock.now_ms();
        let mut seen = self.seen();
        // A string takes everything.
        let _ = writeln!(seen.trace, "{at} {}", line.as_ref());
        let length = seen.trace.len();
        drop(seen);
        if length > LONGEST_TRACE {
            self.give_up();
        }
    }

    /// A story that does not end: nothing can be waited for any more.
    fn give_up(&self) -> ! {
        let trace = std::mem::take(&mut self.seen().trace);
        let lines: Vec<&str> = trace.lines().collect();
        let end = lines.len().saturating_sub(60);
        let told = lines.get(end..).unwrap_or_default().join("\n");
        fail(&format!("the story does not end; its last lines:\n{told}"))
    }

    /// The intent of a request that is on its way must be in the journal.
    fn check_intent(&self, run: &RunId, index: ActionIndex, attempt: u32, at: &Address) {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let journal = store.journal(&self.tenant, run);
        drop(store);
        let found = journal.as_deref().unwrap_or_default();
        let intent = found.iter().find(|entry| entry.index == index);
        let stands = intent.is_some_and(|entry| {
            entry.state == JournalState::Started && entry.attempt == attempt && entry.address == *at
        });
        if !stands {
            let text = format!("I4: {at}, try {attempt}, was sent and its intent is {intent:?}");
            self.seen().wrong.push(text);
        }
    }

    /// Another process, whose clock is past the end of the lease, takes the lock and dies.
    fn steal(&self) {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = store.lock(&LockRequest {
            tenant: self.tenant.clone(),
            holder: holder(),
            run: RunId::new("thief"),
            now_ms: self.clock.now_ms() + 2 * LEASE_MS,
            lease_ms: LEASE_MS,
        });
        drop(store);
        let line = match taken {
            Ok(locked) => format!("the lock is taken away, fence {}", locked.fence()),
            Err(error) => format!("the lock cannot be taken away: {error}"),
        };
        self.say(line);
    }

    fn strike(&self, trouble: Trouble, boundary: &Boundary) -> Answer {
        self.say(format!("trouble: {trouble:?}"));
        match trouble {
            Trouble::Crash => {
                let (row, column) = match boundary {
                    Boundary::Run(point) => (format!("{point:?}"), "run"),
                    Boundary::Action { point, verb, .. } => (format!("{point:?}"), *verb),
                };
                self.seen().tally.crashes.count(row, column);
                Answer::Abandon
            }
            Trouble::Drain => {
                self.seen().tally.deeds.count("ctrl-c", "in a run");
                Answer::Drain
            }
            Trouble::Steal => {
                self.seen().tally.deeds.count("steal", "in a run");
                self.steal();
                Answer::Continue
            }
            Trouble::Hand(deed) => {
                let wanted = self.seen().wanted.clone();
                let said = self.hand().act(deed, &wanted);
                if let Some(said) = said {
                    self.say(said);
                    self.seen().tally.deeds.count(deed.to_string(), "in a run");
                }
                Answer::Continue
            }
        }
    }
}

impl Onlooker for Eye {
    fn cross(&self, boundary: &Boundary) -> Answer {
        self.say(boundary.to_string());
        let (due, run, before) = {
            let mut seen = self.seen();
            seen.crossed += 1;
            seen.tally.boundaries += 1;
            let crossed = seen.crossed;
            let due = seen
                .trouble
                .filter(|(at, _)| *at == crossed)
                .map(|(_, it)| it);
            let before = seen.struck;
            if due.is_some() {
                seen.struck = due;
            }
            (due, seen.run.clone(), before)
        };
        if let (
            Boundary::Action {
                index,
                address,
                attempt,
                point: ActionPoint::Sent,
                ..
            },
            Some(run),
        ) = (boundary, run)
        {
            self.check_intent(&run, *index, *attempt, address);
            let mut seen = self.seen();
            seen.tally.steps += 1;
            seen.sent.push(Sent {
                run,
                address: address.clone(),
                attempt: *attempt,
            });
        }
        match (due, before) {
            (Some(trouble), _) => self.strike(trouble, boundary),
            (None, Some(Trouble::Drain)) => Answer::Drain,
            _ => Answer::Continue,
        }
    }

    fn event(&self, event: &Event) {
        let mut seen = self.seen();
        seen.events += 1;
        let line = event.line(seen.events);
        let _ = writeln!(seen.trace, "{line}");
    }
}

/// A point that the caller of the executor crosses itself.
pub(super) fn run_point(eye: &Eye, point: RunPoint) -> Answer {
    eye.cross(&Boundary::Run(point))
}
