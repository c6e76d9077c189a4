//! Looking for what bears a tenant's mark and stands in no record: what somebody took out of the
//! record, or what state has lost.
//!
//! Each provider is asked once for all tenants. Promises to report and to touch nothing; a
//! provider that cannot look is named with every tenant.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use matih_model::{Address, Marked, Registry, RemoteId, Snapshot, TenantId};

use crate::observe::patiently;

/// Objects that bear a tenant's mark and stand in no record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unmanaged {
    /// What was found, by address and generation.
    pub found: Vec<Marked>,
    /// Providers that could not look, with why.
    pub unknown: Vec<(String, String)>,
}

/// Looks for objects of this installation and these tenants that their heads do not record.
///
/// Each tenant has an answer.
pub async fn unmanaged<'a>(
    registry: &Registry,
    installation: &str,
    tenants: impl IntoIterator<Item = (&'a TenantId, Option<&'a Snapshot>)>,
    timeout: Duration,
) -> BTreeMap<TenantId, Unmanaged> {
    let mut answers: BTreeMap<TenantId, Unmanaged> = BTreeMap::new();
    let mut recorded: BTreeSet<(&Address, u64, &RemoteId)> = BTreeSet::new();
    for (tenant, head) in tenants {
        answers.insert(tenant.clone(), Unmanaged::default());
        let resources = head.iter().flat_map(|head| head.resources());
        recorded.extend(resources.map(|(at, it)| (at, it.generation, &it.remote_id)));
    }
    let tenants: Vec<TenantId> = answers.keys().cloned().collect();
    let mut asked: FuturesUnordered<_> = registry
        .providers()
        .iter()
        .map(|provider| async {
            let answer = patiently(timeout, || provider.marks(installation, &tenants)).await;
            (provider.name(), answer)
        })
        .collect();
    while let Some((name, answer)) = asked.next().await {
        match answer {
            Ok(marked) => {
                for marked in marked {
                    let (owner, remote_id) = (&marked.owner, &marked.remote_id);
                    if !recorded.contains(&(&owner.address, owner.generation, remote_id))
                        && let Some(answer) = answers.get_mut(marked.owner.tenant())
                    {
                        answer.found.push(marked);
                    }
                }
            }
            Err(error) => {
                let unknown = (name.to_owned(), error.message);
                let all = answers.values_mut();
                all.for_each(|answer| answer.unknown.push(unknown.clone()));
            }
        }
    }
    for answer in answers.values_mut() {
        answer.found.sort();
        answer.unknown.sort();
    }
    answers
}
