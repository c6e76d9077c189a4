//! Time, chance and the process itself: what only the outermost layer may ask for.

use std::time::{SystemTime, UNIX_EPOCH};

use matih_model::RunId;

/// Milliseconds since 1970; 0 for a clock that stands before it.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// Random bytes for names that must differ, not for keys; falls back on the clock.
fn chance() -> u128 {
    let mut bytes = [0; 16];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u128::from_le_bytes(bytes),
        Err(_) => u128::from(std::process::id()) << 64 | u128::from(now_ms()),
    }
}

/// A number that differs from run to run, for jitter.
pub(crate) fn seed() -> u64 {
    (chance() >> 64) as u64
}

/// A new run's name: `run-` and 26 characters that sort by time (48 bits of milliseconds, 80 bits
/// of chance, in Crockford's base 32).
pub(crate) fn run_id() -> RunId {
    RunId::new(format!("run-{}", crockford(now_ms(), chance())))
}

/// A new installation's name, in the same form.
pub(crate) fn installation_id() -> String {
    format!("ins-{}", crockford(now_ms(), chance()))
}

fn crockford(millis: u64, chance: u128) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let bits = u128::from(millis & 0xffff_ffff_ffff) << 80 | chance & ((1 << 80) - 1);
    (0..26)
        .rev()
        .map(|place| char::from(DIGITS[(bits >> (place * 5) & 31) as usize]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_time_and_begin_with_a_digit() {
        assert_eq!(crockford(0, 0), "0".repeat(26));
        assert!(crockford(1_000, u128::MAX) < crockford(1_001, 0));
        let run = run_id();
        assert_eq!(run.as_str().len(), 30);
        assert!(run.as_str().starts_with("run-0"), "{run}");
        assert_ne!(run, run_id());
    }
}
