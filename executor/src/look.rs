//! What the world shows of an action whose reply never came: reading only, nothing is touched.

use std::collections::BTreeMap;
use std::sync::Arc;

use matih_model::{
    Address, Attributes, ErrorKind, Observed, Op, OwnerMark, Provider, ProviderError, ReadRequest,
    Reading, Recorded, RemoteId,
};

use crate::resolve::holds;

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// The object is there, has all that was wanted and bears our mark.
    AsWanted(Observed),
    /// The object is there, and something of what was wanted is not on it, or our mark is not.
    Different(Observed),
    /// The object is not there.
    Absent,
}

impl Sight {
    /// Compares what was found with what was wanted. What looks as wanted and does not bear our
    /// mark came about otherwise: no call of ours leaves an object without it.
    pub(crate) fn of(found: Option<Observed>, owner: &OwnerMark, wanted: &Attributes) -> Self {
        match found {
            None => Self::Absent,
            Some(observed) if bears(&observed, owner) && holds(wanted, &observed.attributes) => {
                Self::AsWanted(observed)
            }
            Some(observed) => Self::Different(observed),
        }
    }

    /// What is seen of a create, where what bears its mark is recorded as something else: nothing.
    pub(crate) fn of_action(self, op: &Op, recorded: &BTreeMap<Address, Arc<Recorded>>) -> Self {
        match (op, &self) {
            (Op::Create { resource, .. }, Self::AsWanted(observed) | Self::Different(observed))
                if held_as(recorded, &resource.address, &observed.remote_id).is_some() =>
            {
                Self::Absent
            }
            _ => self,
        }
    }
}

/// The address under which the record holds an object, if that is another than the one at which it
/// was found: a resource that was moved in the record bears the mark of its old address until its
/// next update, and must not be taken for the resource that has that address now.
pub(crate) fn held_as<'a>(
    recorded: &'a BTreeMap<Address, Arc<Recorded>>,
    at: &Address,
    remote_id: &RemoteId,
) -> Option<&'a Address> {
    let mut held = recorded.iter();
    let held = held.find(|(other, it)| other.kind == at.kind && it.remote_id == *remote_id);
    held.map(|(other, _)| other).filter(|other| *other != at)
}

/// Looks for an object: by the provider's name for it, or else by its owner mark, in this life
/// of its address and no other.
pub(crate) async fn look(
    provider: &dyn Provider,
    owner: &OwnerMark,
    remote_id: Option<&RemoteId>,
    wanted: &Attributes,
) -> Result<Sight, ProviderError> {
    let found = match remote_id {
        Some(_) => {
            let request = ReadRequest {
                address: &owner.address,
                remote_id,
                attributes: wanted,
                version: None,
            };
            present(provider.read(&[request]).await?)?
        }
        None => {
            let marked = provider.list(&owner.installation, owner.tenant()).await?;
            marked.into_iter().find(|found| bears(found, owner))
        }
    };
    Ok(Sight::of(found, owner, wanted))
}

/// Whether an object bears this mark.
fn bears(observed: &Observed, owner: &OwnerMark) -> bool {
    let bears = |it: &OwnerMark| it.is_of_one_life_with(owner);
    observed.owner.as_ref().is_some_and(bears)
}

fn present(readings: Vec<Reading>) -> Result<Option<Observed>, ProviderError> {
    match readings.into_iter().next() {
        Some(Reading::Present(observed)) => Ok(Some(*observed)),
        Some(Reading::Missing) => Ok(None),
        Some(Reading::Unknown(why)) => Err(ProviderError::new(ErrorKind::Unavailable, why)),
        Some(Reading::Unchanged) | None => Err(ProviderError::new(
            ErrorKind::Unavailable,
            "the provider did not answer the question whether the object is there",
        )),
    }
}
