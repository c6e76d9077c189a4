//! Releases that a killed helm left behind: pending for ever, and refused by every other helm.
//!
//! A pending release is touched only when no helm can be at work on it. Ours on this machine holds
//! the turn, which we have; ours on another machine, and somebody else's, are waited for.

use matih_model::{ErrorKind, ProviderError, Telling};

use super::acts::{roll_back, uninstall};
use super::content::DEPLOYED;
use super::deed::Deed;
use super::marks::Attempt;
use super::site::{host, now};
use super::view::{self, Revision};

/// How long somebody else's helm is taken to be at work, in seconds: longer than Helm waits unless
/// it is told to.
const FOREIGN: u64 = 600;

/// Whether nobody can be at work on a release, as far as it shows.
///
/// # Errors
/// Somebody may be: it is to be tried again.
pub(super) fn is_nobodys(deed: &Deed<'_>, revision: &Revision) -> Result<(), ProviderError> {
    if !revision.is_pending() {
        return Ok(());
    }
    let here = host(&deed.provider.turns());
    let Some((whose, until)) = busy(revision, &here, now()) else {
        return Ok(());
    };
    let left = until.saturating_sub(now());
    let text = format!(
        "{} is {}, revision {}: {whose} may be at work on it for another {left} s",
        deed.site.place, revision.status, revision.number
    );
    let hint = "it is settled by itself when that time is over";
    Err(ProviderError::new(ErrorKind::Unavailable, text).with_hint(hint))
}

/// Whose helm may be at work on a pending revision, and until when.
fn busy(revision: &Revision, here: &str, now: u64) -> Option<(&'static str, u64)> {
    let (whose, until) = match Attempt::of(&revision.labels, revision.number) {
        Some(attempt) if attempt.host == here => return None,
        Some(attempt) => ("a helm of ours on another machine", attempt.until),
        None => ("somebody else's helm", revision.touched + FOREIGN),
    };
    (now < until).then_some((whose, until))
}

/// Settles what a killed helm left, so that helm takes up the release again: back to the last
/// revision that worked, or away with a first install that never did. What is there then.
///
/// # Errors
/// Helm fails.
pub(super) async fn settle(
    deed: &Deed<'_>,
    there: Option<Revision>,
) -> Result<Option<Revision>, ProviderError> {
    let Some(pending) = there.as_ref().filter(|revision| revision.is_pending()) else {
        return Ok(there);
    };
    let place = &deed.site.place;
    let history = view::history(&deed.site.cluster, &place.namespace, &place.release).await?;
    let told = |error: ProviderError| ProviderError {
        message: format!(
            "an earlier helm was killed and left {place} {}; {}",
            pending.status, error.message
        ),
        ..error
    };
    let done = match last_good(&history) {
        Some(number) => {
            roll_back(deed, number).await.map_err(told)?;
            format!("rolled back to revision {number}")
        }
        None => {
            uninstall(deed).await.map_err(told)?;
            "uninstalled".to_owned()
        }
    };
    let note = format!(
        "an earlier helm was killed and left {place} {}: {done} first",
        pending.status
    );
    deed.call.crossing.tell(Telling::Done(&note));
    deed.look().await
}

/// The last revision that worked: the one that does, or else the last one that was followed by
/// another.
fn last_good(history: &[Revision]) -> Option<u64> {
    let with = |status: &str| history.iter().find(|it| it.status == status);
    let good = with(DEPLOYED).or_else(|| with("superseded"));
    good.map(|revision| revision.number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::helm::marks::Labels;

    fn revision(number: u64, status: &str, labels: Labels) -> Revision {
        Revision::of_test(number, status, 1000, labels)
    }

    #[test]
    fn only_what_may_have_a_live_helm_is_busy() {
        let attempt = |host: &str, of: u64| {
            let attempt = Attempt {
                host: host.to_owned(),
                until: 2000,
            };
            attempt.labels(of)
        };
        for (labels, now, busy_until) in [
            (attempt("here", 3), 1500, None),
            (attempt("there", 3), 1500, Some(2000)),
            (attempt("there", 3), 2000, None),
            // The labels of the revision before say nothing of who makes this one.
            (attempt("here", 2), 1500, Some(1600)),
            (Labels::new(), 1599, Some(1600)),
            (Labels::new(), 1600, None),
        ] {
            let pending = revision(3, "pending-upgrade", labels.clone());
            let found = busy(&pending, "here", now).map(|(_, until)| until);
            assert_eq!(found, busy_until, "{labels:?} {now}");
        }
    }

    #[test]
    fn the_last_good_revision_works_or_did() {
        let history = |statuses: &[&str]| {
            let all = statuses.iter().rev().zip(1..);
            let mut all: Vec<_> = all
                .map(|(status, number)| revision(number, status, Labels::new()))
                .collect();
            all.reverse();
            last_good(&all)
        };
        assert_eq!(
            history(&["pending-upgrade", "deployed", "superseded"]),
            Some(2)
        );
        assert_eq!(
            history(&["pending-rollback", "failed", "superseded", "superseded"]),
            Some(2)
        );
        assert_eq!(history(&["pending-install"]), None);
        assert_eq!(history(&["pending-upgrade", "failed"]), None);
    }
}
