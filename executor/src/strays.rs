//! Looking for what stands in no record: what bears a tenant's mark, which somebody took out of the
//! record or state has lost, and, where that is asked, what lies unmarked in a tenant's objects.
//!
//! Each provider is asked once for all tenants. Promises to report and to touch nothing; a
//! provider that cannot look is named with every tenant.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::try_join;
use futures_util::stream::{FuturesUnordered, StreamExt};
use matih_model::{
    Address, Marked, Provider, ProviderError, Registry, RemoteId, Snapshot, TenantId, Unmarked,
};

use crate::observe::patiently;

/// What to look for.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// Whose marks.
    pub installation: &'a str,
    /// Also for what bears no mark.
    pub unmarked: bool,
    /// The time that one try of a question may take.
    pub timeout: Duration,
}

/// What stands in no record of a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unmanaged {
    /// Objects that bear the tenant's mark, by address and generation.
    pub found: Vec<Marked>,
    /// Objects without a mark that lie in the tenant's.
    pub unmarked: Vec<Unmarked>,
    /// Providers that could not look, with why.
    pub unknown: Vec<(String, String)>,
}

/// Which life of which address is recorded under which remote id.
type Recorded<'a> = BTreeSet<(&'a Address, u64, &'a RemoteId)>;

/// What one provider has found.
type Sighted = (Vec<Marked>, Vec<Unmarked>);

/// Looks for objects of these tenants that their heads do not record.
///
/// Each tenant has an answer.
pub async fn unmanaged<'a>(
    registry: &Registry,
    search: &Search<'_>,
    tenants: impl IntoIterator<Item = (&'a TenantId, Option<&'a Snapshot>)>,
) -> BTreeMap<TenantId, Unmanaged> {
    let mut answers: BTreeMap<TenantId, Unmanaged> = BTreeMap::new();
    let mut recorded = Recorded::new();
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
            let marks = patiently(search.timeout, || {
                provider.marks(search.installation, &tenants)
            });
            let unmarked = unmarked(registry, provider.as_ref(), search, &recorded);
            (provider.name(), try_join(marks, unmarked).await)
        })
        .collect();
    while let Some((name, sighted)) = asked.next().await {
        match sighted {
            Ok(sighted) => book(&mut answers, sighted, &recorded),
            Err(error) => {
                let unknown = (name.to_owned(), error.message);
                let all = answers.values_mut();
                all.for_each(|answer| answer.unknown.push(unknown.clone()));
            }
        }
    }
    for answer in answers.values_mut() {
        answer.found.sort();
        answer.unmarked.sort();
        answer.unknown.sort();
    }
    answers
}

/// What lies unmarked in the recorded objects of a provider, if that is asked.
async fn unmarked(
    registry: &Registry,
    provider: &dyn Provider,
    search: &Search<'_>,
    recorded: &Recorded<'_>,
) -> Result<Vec<Unmarked>, ProviderError> {
    if !search.unmarked {
        return Ok(Vec::new());
    }
    let serves = |address: &Address| {
        let serving = registry.provider(&address.kind);
        serving.is_some_and(|it| std::ptr::addr_eq(it.as_ref(), provider))
    };
    let holders = recorded.iter().filter(|(address, ..)| serves(address));
    let holders: Vec<RemoteId> = holders.map(|(_, _, id)| (*id).clone()).collect();
    patiently(search.timeout, || provider.unmarked(&holders)).await
}

/// Gives each tenant what was found of it.
fn book(
    answers: &mut BTreeMap<TenantId, Unmanaged>,
    (marked, unmarked): Sighted,
    recorded: &Recorded<'_>,
) {
    for marked in marked {
        let owner = &marked.owner;
        if !recorded.contains(&(&owner.address, owner.generation, &marked.remote_id))
            && let Some(answer) = answers.get_mut(owner.tenant())
        {
            answer.found.push(marked);
        }
    }
    if unmarked.is_empty() {
        return;
    }
    let holders = recorded
        .iter()
        .map(|(address, _, id)| (*id, &address.tenant));
    let holders: BTreeMap<&RemoteId, &TenantId> = holders.collect();
    for unmarked in unmarked {
        let tenant = holders.get(&unmarked.holder);
        if let Some(answer) = tenant.and_then(|it| answers.get_mut(*it)) {
            answer.unmarked.push(unmarked);
        }
    }
}
