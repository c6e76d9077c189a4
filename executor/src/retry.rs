//! Whether a failed call is tried again, and when: pure, by the kind of the error alone.
//!
//! A refusal that stays a refusal is final. A server that is busy or away did nothing, so the
//! call may simply be repeated. A reply that never came may stand for a deed that was done, so
//! the world is looked at before anything is sent again.

use std::time::Duration;

use matih_model::{Address, Digest, ErrorKind, RetryPolicy};

/// What to do after a failed try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Try again.
    Again {
        /// After this long.
        after: Duration,
        /// Look first whether it was done.
        look_first: bool,
    },
    /// It has failed.
    GiveUp,
}

/// What bounds the tries of one action, beside its own policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// At most this many retries, whatever the policy allows.
    pub(crate) max_retries: Option<u32>,
    /// The time that the run has left.
    pub(crate) remaining: Duration,
    /// Lengthens a wait, from 0 to [`u16::MAX`] for nothing to a quarter.
    pub(crate) jitter: u16,
}

/// Decides after try number `tries` (from 1) failed.
///
/// A wait is never shorter than the policy and the server's own word, and never ends after the
/// run: then it is given up at once.
pub(crate) fn decide(
    kind: ErrorKind,
    tries: u32,
    policy: &RetryPolicy,
    limits: Limits,
) -> Decision {
    let asked = match kind {
        ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Invalid | ErrorKind::Denied => {
            return Decision::GiveUp;
        }
        ErrorKind::Throttled(after) => after.unwrap_or_default(),
        ErrorKind::Unavailable | ErrorKind::Unknown => Duration::ZERO,
    };
    let done = tries.saturating_sub(1);
    if limits.max_retries.is_some_and(|most| done >= most) {
        return Decision::GiveUp;
    }
    let Some(seconds) = policy.backoff_seconds.get(done as usize) else {
        return Decision::GiveUp;
    };
    let wait = asked.max(Duration::from_secs(u64::from(*seconds)));
    let after = wait + wait / 4 * u32::from(limits.jitter) / u32::from(u16::MAX);
    if after >= limits.remaining {
        return Decision::GiveUp;
    }
    Decision::Again {
        after,
        look_first: kind == ErrorKind::Unknown,
    }
}

/// The jitter of one try: the same for the same seed, spread over tenants and resources.
pub(crate) fn jitter(seed: u64, address: &Address, tries: u32) -> u16 {
    let bytes = format!("{seed} {address} {tries}");
    let digest = Digest::of_bytes("matih jitter v1", bytes.as_bytes());
    let [first, second, ..] = *digest.as_bytes();
    u16::from_le_bytes([first, second])
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn limits() -> Limits {
        Limits {
            max_retries: None,
            remaining: HOUR,
            jitter: 0,
        }
    }

    fn policy() -> RetryPolicy {
        RetryPolicy {
            timeout_seconds: 30,
            backoff_seconds: vec![2, 4, 8],
        }
    }

    fn again(seconds: u64, look_first: bool) -> Decision {
        Decision::Again {
            after: Duration::from_secs(seconds),
            look_first,
        }
    }

    #[test]
    fn the_kind_alone_decides() {
        let seconds = |s| Some(Duration::from_secs(s));
        for (kind, decision) in [
            (ErrorKind::NotFound, Decision::GiveUp),
            (ErrorKind::Conflict, Decision::GiveUp),
            (ErrorKind::Invalid, Decision::GiveUp),
            (ErrorKind::Denied, Decision::GiveUp),
            (ErrorKind::Throttled(None), again(2, false)),
            (ErrorKind::Throttled(seconds(1)), again(2, false)),
            (ErrorKind::Throttled(seconds(30)), again(30, false)),
            (ErrorKind::Throttled(seconds(3600)), Decision::GiveUp),
            (ErrorKind::Unavailable, again(2, false)),
            (ErrorKind::Unknown, again(2, true)),
        ] {
            assert_eq!(decide(kind, 1, &policy(), limits()), decision, "{kind:?}");
        }
    }

    #[test]
    fn waits_follow_the_policy_and_end_with_it() {
        let kind = ErrorKind::Unavailable;
        for (tries, decision) in [
            (1, again(2, false)),
            (2, again(4, false)),
            (3, again(8, false)),
            (4, Decision::GiveUp),
        ] {
            assert_eq!(
                decide(kind, tries, &policy(), limits()),
                decision,
                "{tries}"
            );
        }
        let never = RetryPolicy {
            backoff_seconds: Vec::new(),
            ..policy()
        };
        assert_eq!(decide(kind, 1, &never, limits()), Decision::GiveUp);
        let one = Limits {
            max_retries: Some(1),
            ..limits()
        };
        assert_eq!(decide(kind, 1, &policy(), one), again(2, false));
        assert_eq!(decide(kind, 2, &policy(), one), Decision::GiveUp);
    }

    #[test]
    fn no_wait_outlives_the_run() {
        let short = Limits {
            remaining: Duration::from_secs(2),
            ..limits()
        };
        assert_eq!(
            decide(ErrorKind::Unavailable, 1, &policy(), short),
            Decision::GiveUp
        );
    }

    #[test]
    fn jitter_lengthens_by_at_most_a_quarter() {
        let full = Limits {
            jitter: u16::MAX,
            ..limits()
        };
        let longest = Decision::Again {
            after: Duration::from_millis(2500),
            look_first: false,
        };
        assert_eq!(decide(ErrorKind::Unavailable, 1, &policy(), full), longest);
        let address: Address = "acme/dns.record/app".parse().unwrap();
        assert_eq!(jitter(7, &address, 1), jitter(7, &address, 1));
        assert_ne!(jitter(7, &address, 1), jitter(8, &address, 1));
    }
}
