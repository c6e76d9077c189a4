//! How fast the world answers: latency by kind, and a limit on the rate of calls.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use matih_model::{ErrorKind, ProviderError};

/// How long calls take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Latency {
    /// No time at all: for tests and benchmarks.
    #[default]
    None,
    /// A thousandth of the time that the kind takes in reality (`servers.toml`, domain.md sections
    /// 1.10 and 3.4): a release of a minute takes 60 ms. Alive, and soon over.
    Real,
}

/// A token bucket on a logical clock that ticks with every call: a call takes a token, and every
/// so many calls one comes back, also by calls that were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The calls that are free at the start, and the most that are ever saved up.
    pub burst: u32,
    /// After how many calls one token comes back; 0: none ever does.
    pub every: u32,
    /// What the refusal asks to wait.
    pub retry_after: Duration,
}

/// Where a call spends its time.
pub(super) struct Pace {
    latency: Latency,
    limit: Option<RateLimit>,
    bucket: Mutex<(u32, u32)>,
}

impl Pace {
    pub(super) fn new(latency: Latency, limit: Option<RateLimit>) -> Self {
        let full = limit.map_or(0, |limit| limit.burst);
        Self {
            latency,
            limit,
            bucket: Mutex::new((full, 0)),
        }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// There is none left.
    pub(super) fn admit(&self) -> Result<(), ProviderError> {
        let Some(limit) = self.limit else {
            return Ok(());
        };
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let (tokens, ticks) = *bucket;
        let ticks = ticks.wrapping_add(1);
        let back = u32::from(limit.every > 0 && ticks.is_multiple_of(limit.every));
        let tokens = (tokens + back).min(limit.burst);
        *bucket = (tokens.saturating_sub(1), ticks);
        if tokens > 0 {
            return Ok(());
        }
        Err(ProviderError::new(
            ErrorKind::Throttled(Some(limit.retry_after)),
            "the simulated cloud has had too many calls",
        ))
    }

    /// Lets the request travel. `false`: the time of the call was over first.
    pub(super) async fn travel(&self, seconds: u64, timeout: Duration) -> bool {
        let time = match self.latency {
            Latency::None => return true,
            Latency::Real => Duration::from_millis(seconds),
        };
        tokio::time::sleep(time.min(timeout)).await;
        time <= timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_then_one_call_in_so_many() {
        let limit = RateLimit {
            burst: 3,
            every: 4,
            retry_after: Duration::from_secs(1),
        };
        let pace = Pace::new(Latency::None, Some(limit));
        let admitted: Vec<bool> = (0..16).map(|_| pace.admit().is_ok()).collect();
        let expected = "1111000100010001".chars().map(|it| it == '1');
        assert_eq!(admitted, expected.collect::<Vec<_>>());
        assert!(matches!(
            pace.admit().unwrap_err().kind,
            ErrorKind::Throttled(Some(_))
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_takes_its_time_and_no_more_than_it_has() {
        let pace = Pace::new(Latency::Real, None);
        let start = tokio::time::Instant::now();
        assert!(pace.travel(60, Duration::from_secs(1)).await);
        assert_eq!(start.elapsed(), Duration::from_millis(60));
        assert!(!pace.travel(60, Duration::from_millis(10)).await);
        assert_eq!(start.elapsed(), Duration::from_millis(70));
    }
}
