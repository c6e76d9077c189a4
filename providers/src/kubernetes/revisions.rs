//! How far a cluster's storage has come, as far as we were told, now or when what is recorded was
//! told: what shows that a list is of an earlier time.
//!
//! Objects and lists say the revision of the storage that they are of, and every change of any
//! object is another one. A list that was asked for after a revision was told, and is of an earlier
//! one, comes from a server or a cache that is behind: what it does not show may be there, and what
//! it shows may be gone. This is no more than a reason to ask again: kinds that are kept in another
//! storage have another count.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use matih_model::Version;
use tokio::sync::{Mutex, MutexGuard};

/// The newest revision that a cluster has told.
#[derive(Debug, Default)]
pub(super) struct Revisions {
    newest: AtomicU64,
    is_answered: AtomicBool,
    first: Mutex<()>,
}

impl Revisions {
    /// The newest so far; 0 if none was told.
    pub(super) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Relaxed)
    }

    /// Records hold objects of these versions: the server has come as far as the newest of them.
    pub(super) fn remember<'a>(&self, recorded: impl IntoIterator<Item = &'a Version>) {
        let told = recorded.into_iter().filter_map(Version::whole);
        let newest = told.filter_map(|it| it.parse().ok()).max();
        self.newest
            .fetch_max(newest.unwrap_or_default(), Ordering::Relaxed);
    }

    /// Something was told with this revision; whether it is of an earlier time than `asked`, the
    /// newest when it was asked for. What is no number tells nothing.
    pub(super) fn is_behind(&self, told: &str, asked: u64) -> bool {
        let Ok(told) = told.parse() else {
            return false;
        };
        self.newest.fetch_max(told, Ordering::Relaxed);
        self.is_answered.store(true, Ordering::Relaxed);
        told < asked
    }

    /// Lets the first question go alone, whose answer is what all others are measured by.
    pub(super) async fn wait_for_first(&self) -> Option<MutexGuard<'_, ()>> {
        let is_answered = || self.is_answered.load(Ordering::Relaxed);
        if is_answered() {
            return None;
        }
        let first = self.first.lock().await;
        (!is_answered()).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn recorded<const N: usize>(told: [&str; N]) -> [Version; N] {
        told.map(|it| Version::new("ours").with_whole(it))
    }

    #[test]
    fn the_first_question_goes_alone_and_no_other() {
        let revisions = Revisions::default();
        revisions.remember(&recorded(["3"]));
        let first = revisions.wait_for_first().now_or_never();
        assert!(first.as_ref().is_some_and(Option::is_some));
        let second = revisions.wait_for_first();
        let mut second = std::pin::pin!(second);
        assert!((&mut second).now_or_never().is_none(), "it waits");
        revisions.is_behind("7", 0);
        drop(first);
        assert!(second.now_or_never().is_some_and(|it| it.is_none()));
    }

    #[test]
    fn what_was_asked_for_later_is_not_of_an_earlier_time() {
        let revisions = Revisions::default();
        assert!(!revisions.is_behind("7", revisions.newest()));
        assert!(!revisions.is_behind("7", revisions.newest()));
        assert!(revisions.is_behind("6", revisions.newest()));
        assert!(!revisions.is_behind("", revisions.newest()));
        assert!(!revisions.is_behind("a", revisions.newest()));
        revisions.remember(&recorded(["8", "2", "a"]));
        assert!(revisions.is_behind("7", revisions.newest()));
        revisions.remember(&recorded([]));
        let asked = revisions.newest();
        assert!(!revisions.is_behind("9", asked) && !revisions.is_behind("8", asked));
        assert_eq!(revisions.newest(), 9);
    }
}
