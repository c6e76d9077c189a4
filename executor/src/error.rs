//! Why a run could not be carried out at all, as opposed to actions that failed in it.

use matih_model::{Abandoned, Address, Kind, SnapshotId, TenantId};
use matih_state::StateError;
use thiserror::Error;

/// Why a run ended without a report.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum ExecutorError {
    /// The onlooker wanted the run to be dead. What was under way is in the journal.
    #[error("the run was abandoned; what was under way is in the journal")]
    Abandoned,
    /// The state refused a write. No effect was started after that.
    #[error(transparent)]
    State(#[from] StateError),
    /// The plan belongs to another tenant than the lock.
    #[error("the plan is for {plan}, the lock is for {locked}; nothing was changed")]
    OtherTenant {
        /// Whose plan.
        plan: TenantId,
        /// Whose lock.
        locked: TenantId,
    },
    /// The plan starts from a snapshot that is not the head.
    #[error(
        "the plan of {tenant} was made from another snapshot than its newest; nothing was changed"
    )]
    Stale {
        /// Whose plan.
        tenant: TenantId,
        /// Where the plan starts.
        base: Option<SnapshotId>,
        /// The newest snapshot.
        head: Option<SnapshotId>,
    },
    /// A kind of the plan has no provider.
    #[error("{address} is of kind `{kind}`, which no provider serves; nothing was changed")]
    NoProvider {
        /// The resource.
        address: Address,
        /// Its kind.
        kind: Kind,
    },
    /// A crash left actions whose outcome is not known.
    #[error("the outcome of {first} is not known (and of {more} more); nothing was changed")]
    Pending {
        /// The first of them.
        first: Address,
        /// How many there are beside it.
        more: usize,
    },
}

impl ExecutorError {
    /// The next command for a person, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Abandoned | Self::Pending { .. } => Some("`matih resume` settles it and goes on"),
            Self::State(error) => error.hint(),
            Self::Stale { .. } | Self::OtherTenant { .. } => Some("`matih plan` again"),
            Self::NoProvider { .. } => Some("check the providers in matih.toml"),
        }
    }
}

impl From<Abandoned> for ExecutorError {
    fn from(_: Abandoned) -> Self {
        Self::Abandoned
    }
}
