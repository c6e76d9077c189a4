//! Ctrl-C in two stages: once, and what runs may end; twice, and the process ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use matih_executor::Answer;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::screen::Screen;

/// What signals have said so far.
#[derive(Clone, Default)]
pub(crate) struct Interrupt(Arc<State>);

#[derive(Default)]
struct State {
    /// The code of the signal that came first; 0 for none.
    code: AtomicU8,
    changed: Notify,
}

impl Interrupt {
    /// Listens for SIGINT and SIGTERM from now on.
    ///
    /// # Errors
    /// The system does not let us listen.
    pub(crate) fn listen(screen: Screen) -> Result<Self, Failure> {
        let interrupt = Self::default();
        for (kind, exit) in [
            (SignalKind::interrupt(), Exit::Interrupted),
            (SignalKind::terminate(), Exit::Terminated),
        ] {
            let mut signals = signal(kind)
                .map_err(|error| Failure::error(format!("signals cannot be heard: {error}")))?;
            let heard = interrupt.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    heard.signal(screen, exit);
                }
            });
        }
        Ok(interrupt)
    }

    fn signal(&self, screen: Screen, exit: Exit) {
        let first =
            self.0
                .code
                .compare_exchange(0, exit.code(), Ordering::SeqCst, Ordering::SeqCst);
        if first.is_err() {
            // What is under way is in the journal as not known; the next command settles it.
            screen.note("Ended at once. `matih resume` settles what was under way.");
            std::process::exit(exit.code().into());
        }
        screen.note(
            "Stopping: no new action starts, those that run may end. Once more ends at once.",
        );
        self.0.changed.notify_waiters();
    }

    /// What a run should do now.
    pub(crate) fn answer(&self) -> Answer {
        match self.0.code.load(Ordering::SeqCst) {
            0 => Answer::Continue,
            _ => Answer::Drain,
        }
    }

    /// The exit code of a run that was stopped, if a signal stopped it.
    pub(crate) fn exit(&self) -> Option<Exit> {
        let code = self.0.code.load(Ordering::SeqCst);
        [Exit::Interrupted, Exit::Terminated]
            .into_iter()
            .find(|exit| exit.code() == code)
    }

    /// Resolves when the answer is more than `heard`.
    pub(crate) async fn changed(&self, heard: Answer) -> Answer {
        loop {
            let notified = self.0.changed.notified();
            let answer = self.answer();
            if answer > heard {
                return answer;
            }
            notified.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_signal_drains_and_wakes_whoever_waits() {
        let interrupt = Interrupt::default();
        assert_eq!(interrupt.answer(), Answer::Continue);
        assert_eq!(interrupt.exit(), None);
        let waiting = interrupt.clone();
        let waiter = tokio::spawn(async move { waiting.changed(Answer::Continue).await });
        tokio::task::yield_now().await;
        interrupt.signal(
            Screen::new(&crate::args::Global::default()),
            Exit::Terminated,
        );
        assert_eq!(waiter.await.unwrap(), Answer::Drain);
        assert_eq!(interrupt.exit(), Some(Exit::Terminated));
    }
}
