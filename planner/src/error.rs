//! Why there is no plan.

use matih_model::{Address, OutputRef, PlanError, ResourceName, TenantId};
use thiserror::Error;

use crate::input::AddressPattern;

/// Why no plan can be made. Nothing was changed: planning changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PlannerError {
    /// The two states, or the state and the request, are of two tenants.
    #[error("a plan for tenant {wanted} was asked for, but the {what} belongs to {found}")]
    Tenant {
        /// Whose plan was asked for.
        wanted: TenantId,
        /// `spec` or `snapshot`.
        what: &'static str,
        /// Whose it is.
        found: TenantId,
    },
    /// No provider declares the kind of a resource that has to be compared or acted on.
    #[error("{0} is of a kind that no provider of this platform serves")]
    UnknownKind(Address),
    /// A reference leads to something that is neither desired nor recorded.
    #[error("{address} refers to {reference}, which is neither in the spec nor in the record")]
    Unresolvable {
        /// Who refers.
        address: Address,
        /// To what.
        reference: OutputRef,
    },
    /// A pattern of the request matches nothing that is desired or recorded.
    #[error("`{0}` matches no resource of the spec and none of the record")]
    NoMatch(AddressPattern),
    /// A replacement was asked for of something that is not desired.
    #[error("{0} cannot be replaced: the spec does not have it")]
    ReplaceUndesired(Address),
    /// A resource is to be forgotten and is desired too.
    #[error("{0} is to be forgotten, but the spec still has it")]
    ForgetDesired(Address),
    /// A resource is to be renamed to another kind.
    #[error("{from} cannot be moved to {to}: a move keeps the kind")]
    MoveKind {
        /// The old name.
        from: ResourceName,
        /// The new one.
        to: ResourceName,
    },
    /// Two moves start from one name.
    #[error("{0} is moved to two places")]
    MoveTwice(ResourceName),
    /// Moves lead back to where they start.
    #[error("the moves of {0} go round in a circle")]
    MoveCircle(ResourceName),
    /// The old name of a move is still desired.
    #[error("{from} is moved to {to}, but the spec still has {from}")]
    MoveDesired {
        /// The old name.
        from: Address,
        /// The new one.
        to: Address,
    },
    /// The new name of a move is in use already.
    #[error("{from} cannot be moved to {to}: the record has both")]
    MoveOccupied {
        /// The old name.
        from: Address,
        /// The new one.
        to: Address,
    },
    /// The planner made something that is not a plan: a defect of matih.
    #[error("the plan that was made is not valid: {0}")]
    Invalid(PlanError),
}

impl PlannerError {
    /// What a person can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Tenant { wanted, .. } => {
                format!("use the spec and the state of {wanted}")
            }
            Self::UnknownKind(address) => format!(
                "configure a provider that serves `{}` in matih.toml, or drop the record with \
                 `matih state rm {address}`",
                address.kind
            ),
            Self::Unresolvable { reference, .. } => format!(
                "declare {} in the spec, or import it with `matih import`",
                reference.address
            ),
            Self::NoMatch(_) => {
                "`matih state list` and `matih steps` print the addresses; quote a pattern with `*`"
                    .to_owned()
            }
            Self::ReplaceUndesired(_) => {
                "name a resource of the spec: `matih steps` prints them".to_owned()
            }
            Self::ForgetDesired(_) => {
                "take the resource out of the spec, or the block that forgets it".to_owned()
            }
            Self::MoveKind { .. } => {
                "remove the moved block: another kind is another resource".to_owned()
            }
            Self::MoveTwice(_) | Self::MoveCircle(_) => {
                "keep one moved block for each old name, leading to a name that is not moved on"
                    .to_owned()
            }
            Self::MoveDesired { .. } => {
                "remove the old name from the spec, or the moved block".to_owned()
            }
            Self::MoveOccupied { from, .. } => {
                format!("remove the moved block, or drop one record with `matih state rm {from}`")
            }
            Self::Invalid(_) => "report this with the spec and `matih version`".to_owned(),
        }
    }
}
