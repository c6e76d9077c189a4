//! Many tenants in batches, and when to stop: pure.
//!
//! One tenant is the canary, a tenth follows, then all others (domain.md section 11, "Batch
//! additions"). A failure does not stop the others (hu), until more than a share of those that
//! were tried has failed.

use std::ops::Range;
use std::str::FromStr;

/// One tenth: the second batch.
const TENTH: usize = 10;

/// The batches that `count` tenants go in, in order.
pub(crate) fn batches(count: usize, canary: bool) -> Vec<Range<usize>> {
    let sizes = if canary {
        vec![1, count.div_ceil(TENTH)]
    } else {
        Vec::new()
    };
    let mut batches = Vec::new();
    let mut begin = 0;
    for size in sizes.into_iter().chain([count]) {
        let end = (begin + size).min(count);
        if end > begin {
            batches.push(begin..end);
        }
        begin = end;
    }
    batches
}

/// A share in percent, such as `10%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share(u8);

impl FromStr for Share {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').unwrap_or(text).parse::<u8>().ok();
        let share = number.filter(|number| *number <= 100).map(Self);
        share.ok_or_else(|| format!("`{text}` is not a share such as `10%`"))
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} %", self.0)
    }
}

/// How many were tried, and how many of them failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// All that came to an end.
    pub(crate) tried: usize,
    /// Those of them that failed.
    pub(crate) failed: usize,
}

impl Tally {
    /// Counts one more.
    pub(crate) fn count(&mut self, failed: bool) {
        self.tried += 1;
        self.failed += usize::from(failed);
    }

    /// Whether more than the share failed.
    pub(crate) fn is_over(self, share: Share) -> bool {
        self.failed * 100 > usize::from(share.0) * self.tried
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_then_a_tenth_then_all_others() {
        assert_eq!(batches(35, true), [0..1, 1..5, 5..35]);
        assert_eq!(batches(2, true), [0..1, 1..2]);
        assert_eq!(batches(35, false), vec![0..35]);
        assert!(batches(0, true).is_empty());
    }

    #[test]
    fn more_than_the_share_is_too_much() {
        let tally = |tried, failed| Tally { tried, failed };
        let tenth: Share = "10%".parse().unwrap();
        assert!(tally(1, 1).is_over(tenth) && tally(9, 1).is_over(tenth));
        assert!(!tally(10, 1).is_over(tenth) && tally(19, 2).is_over(tenth));
        assert!(!tally(0, 0).is_over("0".parse().unwrap()));
        assert!(!tally(3, 3).is_over("100%".parse().unwrap()));
        for wrong in ["", "%", "101%", "-1", "a tenth"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_tenant_is_in_one_batch(count in 0usize..5000, canary in any::<bool>()) {
            let all: Vec<usize> = batches(count, canary).into_iter().flatten().collect();
            prop_assert_eq!(all, (0..count).collect::<Vec<_>>());
        }
    }
}
