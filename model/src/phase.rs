//! The 9 phases, the 56 step numbers, and the order that phases take by tenancy.
//!
//! A phase is an identity, not an order: dependencies decide what comes first, and the ranking
//! here breaks ties only (architecture.md section 3).

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One of the nine phases, 0 to 8 (domain.md section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Phase(u8);

/// The number of phases (domain.md section 1).
pub const PHASES: u8 = 9;

/// The number of steps (domain.md section 1).
pub const STEPS: u8 = 56;

/// A number outside of the range of phases or steps.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PhaseError {
    /// Not 0 to 8.
    #[error("phase {0} is not one of 0 to 8")]
    Phase(u8),
    /// Not 1 to 56.
    #[error("step {0} is not one of 1 to 56")]
    Step(u8),
}

impl Phase {
    /// All nine, by number.
    pub const ALL: [Phase; PHASES as usize] = [
        Phase(0),
        Phase(1),
        Phase(2),
        Phase(3),
        Phase(4),
        Phase(5),
        Phase(6),
        Phase(7),
        Phase(8),
    ];

    /// Checks the number.
    ///
    /// # Errors
    /// The number is above 8.
    pub fn new(number: u8) -> Result<Self, PhaseError> {
        if number < PHASES {
            Ok(Self(number))
        } else {
            Err(PhaseError::Phase(number))
        }
    }

    /// 0 to 8.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The name that plans and progress show (domain.md section 1).
    pub fn title(self) -> &'static str {
        const TITLES: [&str; PHASES as usize] = [
            "Validation",
            "Control plane",
            "Kubernetes",
            "Cloud storage",
            "Data infrastructure",
            "Services, ingress and DNS",
            "Observability",
            "Cloud infrastructure",
            "Finalization",
        ];
        TITLES[usize::from(self.0)]
    }
}

impl TryFrom<u8> for Phase {
    type Error = PhaseError;
    fn try_from(number: u8) -> Result<Self, PhaseError> {
        Self::new(number)
    }
}

impl From<Phase> for u8 {
    fn from(phase: Phase) -> u8 {
        phase.0
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.title())
    }
}

/// The number of a step, 1 to 56: an identity for good (domain.md section 12, C1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct StepNumber(u8);

impl StepNumber {
    /// Checks the number.
    ///
    /// # Errors
    /// The number is 0 or above 56.
    pub fn new(number: u8) -> Result<Self, PhaseError> {
        if (1..=STEPS).contains(&number) {
            Ok(Self(number))
        } else {
            Err(PhaseError::Step(number))
        }
    }

    /// 1 to 56.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for StepNumber {
    type Error = PhaseError;
    fn try_from(number: u8) -> Result<Self, PhaseError> {
        Self::new(number)
    }
}

impl From<StepNumber> for u8 {
    fn from(step: StepNumber) -> u8 {
        step.0
    }
}

impl fmt::Display for StepNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Whether a tenant lives in the shared cluster or has infrastructure of its own
/// (domain.md section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tenancy {
    /// FREE and STARTER.
    Shared,
    /// PROFESSIONAL and ENTERPRISE.
    Dedicated,
}

impl Tenancy {
    /// The place of a phase in this tenancy's order (domain.md section 12, C1: the dedicated
    /// cluster must stand before anything is put on it).
    pub fn rank(self, phase: Phase) -> u8 {
        const DEDICATED: [u8; PHASES as usize] = [0, 1, 3, 4, 5, 6, 7, 2, 8];
        match self {
            Self::Shared => phase.0,
            Self::Dedicated => DEDICATED[usize::from(phase.0)],
        }
    }
}

impl fmt::Display for Tenancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shared => "shared",
            Self::Dedicated => "dedicated",
        })
    }
}

/// The two halves of a plan: building up in phase order, then taking down in reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sweep {
    /// Checks, creates, updates, and the delete half of replacements.
    Build,
    /// All other deletes, phases in reverse.
    Teardown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dedicated_order_is_0_1_7_2_3_4_5_6_8() {
        let mut phases = Phase::ALL;
        phases.sort_by_key(|phase| Tenancy::Dedicated.rank(*phase));
        assert_eq!(phases.map(Phase::number), [0, 1, 7, 2, 3, 4, 5, 6, 8]);
    }
}
