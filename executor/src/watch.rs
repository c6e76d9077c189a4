//! The onlooker as a run uses it: an answer holds from when it was given, and a dead run is mute.

use std::sync::atomic::{AtomicU8, Ordering};

use matih_model::{Abandoned, Action, Crossing, Point, RunId, Telling};

use crate::boundary::{ActionPoint, Answer, Boundary, Onlooker, RunPoint};
use crate::event::{Event, Step, What};
use crate::world::Clock;

pub(crate) struct Watch<'a> {
    onlooker: &'a dyn Onlooker,
    /// The strongest answer so far: [`Answer`] as a number.
    heard: AtomicU8,
    clock: Clock,
    run: RunId,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(onlooker: &'a dyn Onlooker, clock: Clock, run: RunId) -> Self {
        Self {
            onlooker,
            heard: AtomicU8::new(Answer::Continue as u8),
            clock,
            run,
        }
    }

    /// Crosses a boundary, unless the run is dead already.
    pub(crate) fn cross(&self, boundary: &Boundary) -> Result<(), Abandoned> {
        self.alive()?;
        self.hear(self.onlooker.cross(boundary))
    }

    pub(crate) fn cross_run(&self, point: RunPoint) -> Result<(), Abandoned> {
        self.cross(&Boundary::Run(point))
    }

    pub(crate) fn cross_action(
        &self,
        action: &Action,
        attempt: u32,
        point: ActionPoint,
    ) -> Result<(), Abandoned> {
        self.cross(&Boundary::Action {
            index: action.index,
            address: action.address().clone(),
            verb: action.op.verb(),
            attempt,
            point,
        })
    }

    /// Waits for an interruption from outside of any boundary.
    pub(crate) async fn interrupted(&self) -> Result<(), Abandoned> {
        let answer = self.onlooker.interrupted(self.heard()).await;
        self.hear(answer)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.heard() >= Answer::Drain
    }

    /// Fails if the run is to be dead.
    pub(crate) fn alive(&self) -> Result<(), Abandoned> {
        if self.heard() == Answer::Abandon {
            Err(Abandoned)
        } else {
            Ok(())
        }
    }

    pub(crate) fn tell(&self, what: What) {
        if self.alive().is_ok() {
            self.onlooker.event(&Event {
                ts: self.clock.now_ms(),
                run: self.run.clone(),
                what,
            });
        }
    }

    fn hear(&self, answer: Answer) -> Result<(), Abandoned> {
        self.heard.fetch_max(answer as u8, Ordering::SeqCst);
        self.alive()
    }

    fn heard(&self) -> Answer {
        match self.heard.load(Ordering::SeqCst) {
            0 => Answer::Continue,
            1 => Answer::Drain,
            _ => Answer::Abandon,
        }
    }
}

/// The two points inside of one provider call.
pub(crate) struct CallPoints<'a> {
    pub(crate) watch: &'a Watch<'a>,
    pub(crate) action: &'a Action,
    pub(crate) attempt: u32,
}

impl Crossing for CallPoints<'_> {
    fn cross(&self, point: Point) -> Result<(), Abandoned> {
        let point = match point {
            Point::Sent => ActionPoint::Sent,
            Point::Acted => ActionPoint::Acted,
        };
        self.watch.cross_action(self.action, self.attempt, point)
    }

    fn tell(&self, what: Telling<'_>) {
        let step = Step::of(self.action);
        self.watch.tell(match what {
            Telling::Waiting(note) => What::StepWaiting {
                step,
                note: note.to_owned(),
            },
            Telling::Done(note) => What::StepNoted {
                step,
                note: note.to_owned(),
            },
        });
    }
}
