//! Whether a failed call is tried again, and when: pure, by the kind of the error alone.
//!
//! A refusal that stays a refusal is final. A server that is busy or away did nothing, so the
//! call may simply be repeated. A reply that never came may stand for a deed that was done: it is
//! tried again too, but the next try looks at the world first (see [`crate::job`]).

use std::time::Duration;

use matih_model::{Address, Digest, ErrorKind, RetryPolicy};

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

/// How long to wait for the next try after try number `tries` (from 1) failed; `None`: give up.
///
/// A wait is never shorter than the policy and the server's own word, and never ends after the
/// run: then it is given up at once.
pub(crate) fn backoff(
    kind: ErrorKind,
    tries: u32,
    policy: &RetryPolicy,
    limits: Limits,
) -> Option<Duration> {
    let asked = match kind {
        ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Invalid | ErrorKind::Denied => {
            return None;
        }
        ErrorKind::Throttled(after) => after.unwrap_or_default(),
        ErrorKind::Unavailable | ErrorKind::Unknown => Duration::ZERO,
    };
    let done = tries.saturating_sub(1);
    if limits.max_retries.is_some_and(|most| done >= most) {
        return None;
    }
    let seconds = match policy.backoff_seconds.get(done as usize) {
        Some(seconds) => *seconds,
        None if is_turned_away(kind, done, policy) => 0,
        None => return None,
    };
    let wait = asked.max(Duration::from_secs(u64::from(seconds)));
    let after = wait + wait / 4 * u32::from(limits.jitter) / u32::from(u16::MAX);
    (after < limits.remaining).then_some(after)
}

/// Whether a call of a step that fails fast (domain.md section 3.4, steps 1, 2 and 49) was turned
/// away at the door: the server says when to come back, and that is within the step's own time.
/// The step has not failed then; nobody has looked at it.
fn is_turned_away(kind: ErrorKind, done: u32, policy: &RetryPolicy) -> bool {
    // As often as any other step is tried again.
    const MOST: u32 = 3;
    let soon = Duration::from_secs(u64::from(policy.timeout_seconds));
    matches!(kind, ErrorKind::Throttled(Some(after)) if after <= soon)
        && policy.backoff_seconds.is_empty()
        && done < MOST
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

    fn again(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn the_kind_alone_decides() {
        let seconds = |s| Some(Duration::from_secs(s));
        for (kind, decision) in [
            (ErrorKind::NotFound, None),
            (ErrorKind::Conflict, None),
            (ErrorKind::Invalid, None),
            (ErrorKind::Denied, None),
            (ErrorKind::Throttled(None), again(2)),
            (ErrorKind::Throttled(seconds(1)), again(2)),
            (ErrorKind::Throttled(seconds(30)), again(30)),
            (ErrorKind::Throttled(seconds(3600)), None),
            (ErrorKind::Unavailable, again(2)),
            (ErrorKind::Unknown, again(2)),
        ] {
            assert_eq!(backoff(kind, 1, &policy(), limits()), decision, "{kind:?}");
        }
    }

    #[test]
    fn waits_follow_the_policy_and_end_with_it() {
        let kind = ErrorKind::Unavailable;
        for (tries, decision) in [(1, again(2)), (2, again(4)), (3, again(8)), (4, None)] {
            assert_eq!(
                backoff(kind, tries, &policy(), limits()),
                decision,
                "{tries}"
            );
        }
        let never = RetryPolicy {
            backoff_seconds: Vec::new(),
            ..policy()
        };
        assert_eq!(backoff(kind, 1, &never, limits()), None);
        let kind = ErrorKind::Throttled;
        let seconds = |s| Some(Duration::from_secs(s));
        for (after, tries, decision) in [
            (seconds(5), 1, again(5)),
            (seconds(5), 3, again(5)),
            (seconds(5), 4, None),
            (seconds(31), 1, None),
            (None, 1, None),
        ] {
            let decided = backoff(kind(after), tries, &never, limits());
            assert_eq!(decided, decision, "{after:?} after try {tries}");
        }
        let kind = ErrorKind::Unavailable;
        let one = Limits {
            max_retries: Some(1),
            ..limits()
        };
        assert_eq!(backoff(kind, 1, &policy(), one), again(2));
        assert_eq!(backoff(kind, 2, &policy(), one), None);
    }

    #[test]
    fn no_wait_outlives_the_run() {
        let short = Limits {
            remaining: Duration::from_secs(2),
            ..limits()
        };
        assert_eq!(backoff(ErrorKind::Unavailable, 1, &policy(), short), None);
    }

    #[test]
    fn jitter_lengthens_by_at_most_a_quarter() {
        let full = Limits {
            jitter: u16::MAX,
            ..limits()
        };
        let longest = Some(Duration::from_millis(2500));
        assert_eq!(backoff(ErrorKind::Unavailable, 1, &policy(), full), longest);
        let address: Address = "acme/dns.record/app".parse().unwrap();
        assert_eq!(jitter(7, &address, 1), jitter(7, &address, 1));
        assert_ne!(jitter(7, &address, 1), jitter(8, &address, 1));
    }
}
