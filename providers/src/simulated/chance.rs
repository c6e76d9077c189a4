//! Faults by chance, by a seed and rates.

use std::time::Duration;

use matih_model::ErrorKind;

use super::faults::Fault;

/// How many of a million calls each fault strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// The server is not there: nothing is done.
    pub unavailable: u32,
    /// The server does not allow it: nothing is done.
    pub denied: u32,
    /// Too many calls: nothing is done.
    pub throttle: u32,
    /// Done, and the reply is lost.
    pub lose_reply: u32,
    /// Nothing is done and no reply comes.
    pub hang: u32,
    /// Half of it is done and the reply is lost.
    pub partial: u32,
}

/// Faults by chance. The default never strikes.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    state: u64,
    rates: Rates,
}

impl FaultPlan {
    /// Strikes at these rates, by this seed.
    pub fn seeded(seed: u64, rates: Rates) -> Self {
        Self { state: seed, rates }
    }

    /// Whether it never strikes.
    pub(super) fn is_idle(&self) -> bool {
        self.rates == Rates::default()
    }

    /// What happens to the next call; each call takes one draw.
    pub(super) fn draw(&mut self) -> Option<Fault> {
        if self.is_idle() {
            return None;
        }
        let mut draw = u32::try_from(split_mix(&mut self.state) % 1_000_000).unwrap_or(u32::MAX);
        let fail = |kind, message: &str| Fault::Fail {
            kind,
            message: message.to_owned(),
        };
        let retry_after = Some(Duration::from_millis(100));
        [
            (
                self.rates.unavailable,
                fail(ErrorKind::Unavailable, "the server is not there"),
            ),
            (
                self.rates.denied,
                fail(ErrorKind::Denied, "the server does not allow it"),
            ),
            (self.rates.throttle, Fault::Throttle { retry_after }),
            (self.rates.lose_reply, Fault::LoseReply),
            (self.rates.hang, Fault::Hang),
            (self.rates.partial, Fault::Partial),
        ]
        .into_iter()
        .find_map(|(rate, fault)| {
            let hit = draw < rate;
            draw = draw.wrapping_sub(rate);
            hit.then_some(fault)
        })
    }
}

/// One step of SplitMix64 (Steele, Lea and Flood, 2014).
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_by_seed_and_near_its_rate() {
        let rates = Rates {
            lose_reply: 250_000,
            hang: 250_000,
            ..Rates::default()
        };
        let draws = |seed| {
            let mut plan = FaultPlan::seeded(seed, rates);
            (0..4000).map(|_| plan.draw()).collect::<Vec<_>>()
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
        let struck = draws(3).iter().flatten().count();
        assert!(
            (1800..2200).contains(&struck),
            "{struck} of 4000 at one half"
        );
    }
}
