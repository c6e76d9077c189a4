//! One onlooker for a run: the test hook, the signals and the progress.

use std::future::Future;
use std::pin::Pin;

use matih_executor::{Answer, Boundary, Event, Onlooker, RunPoint};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::work::Workshop;

/// Sees all runs of a command.
pub(crate) struct RunOnlooker<'a>(pub(crate) &'a Workshop);

impl Onlooker for RunOnlooker<'_> {
    fn cross(&self, boundary: &Boundary) -> Answer {
        tracing::trace!(%boundary, "crossed");
        self.0.failpoint.cross(boundary);
        self.0.interrupt.answer()
    }

    fn event(&self, event: &Event) {
        tracing::debug!(run = %event.run, what = ?event.what);
        self.0.progress.event(event);
    }

    fn interrupted<'a>(
        &'a self,
        heard: Answer,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(self.0.interrupt.changed(heard))
    }
}

impl RunOnlooker<'_> {
    /// Crosses a point outside of the executor.
    pub(crate) fn cross_run(&self, point: RunPoint) {
        self.cross(&Boundary::Run(point));
    }

    /// Stops here if a signal said so; for places where nothing has been changed yet.
    ///
    /// # Errors
    /// A signal came.
    pub(crate) fn go_on(&self) -> Result<(), Failure> {
        match self.0.interrupt.exit() {
            None => Ok(()),
            Some(exit @ Exit::Terminated) => {
                Err(Failure::new(exit, "Terminated. Nothing was changed."))
            }
            Some(exit) => Err(Failure::new(exit, "Interrupted. Nothing was changed.")),
        }
    }
}
