//! What may go wrong with a request, and the dice that decide it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::LONG;
use crate::seed::Seed;

/// One way in which a request goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The request or the answer is late, sometimes later than the client waits.
    Delay,
    /// The connection breaks, and the server has not seen the request.
    ResetBefore,
    /// The server acted, and the connection breaks before the answer.
    ResetAfter,
    /// Half of the answer.
    Truncated,
    /// 409 to a change: the object has been modified.
    Conflict,
    /// 429 that does not say until when.
    Throttled,
    /// 429 with `Retry-After`.
    ThrottledAfter,
    /// 500, and nothing was done.
    Broken,
    /// 500, and the server had acted.
    BrokenAfter,
    /// 503, and nothing was done.
    Unavailable,
    /// An answer that was true once.
    Stale,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Delay,
        Self::ResetBefore,
        Self::ResetAfter,
        Self::Truncated,
        Self::Conflict,
        Self::Throttled,
        Self::ThrottledAfter,
        Self::Broken,
        Self::BrokenAfter,
        Self::Unavailable,
        Self::Stale,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::ResetBefore => "reset before",
            Self::ResetAfter => "reset after",
            Self::Truncated => "truncated",
            Self::Conflict => "409",
            Self::Throttled => "429",
            Self::ThrottledAfter => "429 with Retry-After",
            Self::Broken => "500 before",
            Self::BrokenAfter => "500 after",
            Self::Unavailable => "503",
            Self::Stale => "stale read",
        }
    }
}

/// How often what was dealt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests, with and without a fault.
    pub requests: usize,
    dealt: BTreeMap<Fault, usize>,
}

impl Tally {
    /// Takes another one in.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        for (fault, count) in &other.dealt {
            *self.dealt.entry(*fault).or_default() += count;
        }
    }

    /// How often this one was dealt.
    #[must_use]
    pub fn of(&self, fault: Fault) -> usize {
        self.dealt.get(&fault).copied().unwrap_or_default()
    }

    /// The kinds that were never dealt.
    #[must_use]
    pub fn never(&self) -> Vec<Fault> {
        let never = |fault: &Fault| !self.dealt.contains_key(fault);
        Fault::ALL.into_iter().filter(never).collect()
    }
}

impl fmt::Display for Tally {
    /// One line, each kind with its count.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: usize = self.dealt.values().sum();
        write!(f, "{} requests, {total} faults of them:", self.requests)?;
        for fault in Fault::ALL {
            let sign = if fault == Fault::Stale { "" } else { "," };
            write!(f, " {} {}{sign}", fault.name(), self.of(fault))?;
        }
        Ok(())
    }
}

/// A fault that a request meets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dealt {
    pub(super) fault: Fault,
    /// The one or the other way of it.
    pub(super) coin: bool,
    pub(super) delay: Duration,
}

/// Decides, by its seed, what each request meets.
pub(super) struct Dice {
    seed: Seed,
    per_thousand: usize,
    pub(super) tally: Tally,
}

impl Dice {
    pub(super) fn new(seed: u64, per_thousand: usize) -> Self {
        Self {
            seed: Seed::new(seed),
            per_thousand,
            tally: Tally::default(),
        }
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.seed.below(end)
    }

    /// What the next request meets; nothing, mostly.
    pub(super) fn draw(&mut self, is_look: bool, may_be_stale: bool) -> Option<Dealt> {
        self.tally.requests += 1;
        if self.seed.below(1000) >= self.per_thousand {
            return None;
        }
        let fits = |fault: &Fault| match fault {
            Fault::Conflict => !is_look,
            Fault::Stale => is_look && may_be_stale,
            _ => true,
        };
        let mut fitting: Vec<Fault> = Fault::ALL.into_iter().filter(fits).collect();
        if may_be_stale {
            // Few questions have had two answers, so those that have are used.
            fitting.extend([Fault::Stale; 4]);
        }
        let fault = fitting[self.seed.below(fitting.len())];
        *self.tally.dealt.entry(fault).or_default() += 1;
        let short = Duration::from_millis(self.seed.below(300) as u64);
        Some(Dealt {
            fault,
            coin: self.seed.below(2) == 0,
            delay: if self.seed.below(8) == 0 { LONG } else { short },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_deals_the_same_and_every_kind_comes() {
        let deal = |seed| {
            let mut dice = Dice::new(seed, 100);
            for at in 0..4000 {
                let dealt = dice.draw(at % 2 == 0, at % 4 == 0);
                let fault = dealt.map(|it| it.fault);
                assert!(fault != Some(Fault::Conflict) || at % 2 == 1);
                assert!(fault != Some(Fault::Stale) || at % 4 == 0);
            }
            dice.tally
        };
        let tally = deal(1);
        assert_eq!(tally, deal(1));
        assert_ne!(tally, deal(2));
        assert!(tally.never().is_empty(), "{tally}");
        assert!(tally.dealt.values().sum::<usize>() > 200, "{tally}");
        assert_eq!(Tally::default().never().len(), Fault::ALL.len());
    }
}
