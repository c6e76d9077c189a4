//! Finding all that bears the mark of a tenant.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;
use matih_model::{Marked, Observed, OwnerMark, ProviderError, TenantId, Value};

use super::json::text;
use super::live::Live;
use super::look::{in_words_of, of};
use super::mark;
use super::provider::Kubernetes;
use super::ready::{Readiness, readiness};
use super::token::token;

/// All objects of an installation and tenant, of every kind that our role lets us list, in every
/// cluster.
pub(super) async fn list(
    provider: &Kubernetes,
    installation: &str,
    tenant: &TenantId,
) -> Result<Vec<Observed>, ProviderError> {
    let selector = format!(
        "{}={},{}={tenant}",
        mark::INSTALLATION,
        mark::label(installation),
        mark::TENANT
    );
    let targets = provider.targets();
    let targets = targets.iter().map(|target| {
        let selector = &selector;
        async move {
            let cluster = provider.cluster(target).await?;
            let apis = cluster.discovery.managed(&cluster.wire).await?;
            let lists = apis.iter().map(|api| cluster.list(api, "", selector));
            let lists = try_join_all(lists).await?;
            let found = lists.into_iter().flatten();
            let found = found.filter_map(|live| {
                let owner = live.mark.clone()?;
                let ours = owner.installation == installation && owner.tenant() == tenant;
                ours.then(|| one(provider, target, &live, &owner))
            });
            Ok::<_, ProviderError>(found.collect::<Vec<_>>())
        }
    });
    Ok(try_join_all(targets).await?.into_iter().flatten().collect())
}

/// The marks of all objects of an installation and some tenants: lists of what the server knows
/// beside the objects themselves. For a fleet, a kind whose objects this process has just listed
/// whole is not listed again; for one tenant it is, since a recovery looks for what has come since.
pub(super) async fn marks(
    provider: &Kubernetes,
    installation: &str,
    tenants: &[TenantId],
) -> Result<Vec<Marked>, ProviderError> {
    let tenants: BTreeSet<&TenantId> = tenants.iter().collect();
    let mut selector = format!("{}={}", mark::INSTALLATION, mark::label(installation));
    if let (1, Some(tenant)) = (tenants.len(), tenants.first()) {
        selector = format!("{selector},{}={tenant}", mark::TENANT);
    }
    let targets = provider.targets();
    let targets = targets.iter().map(|target| {
        let (selector, tenants) = (&selector, &tenants);
        async move {
            let cluster = provider.cluster(target).await?;
            let apis = cluster.discovery.managed(&cluster.wire).await?;
            let lists = apis.iter().map(|api| async {
                let known = provider.known_marks(target, &api.gvk);
                if let Some(marks) = known.filter(|_| tenants.len() > 1) {
                    return Ok(marks);
                }
                let lives = cluster.list_marks(api, selector).await?;
                let marks = lives.iter().filter_map(|live| marked(live, target));
                Ok::<_, ProviderError>(marks.collect())
            });
            let found = try_join_all(lists).await?.into_iter().flatten();
            let found = found.filter(|it: &Marked| {
                it.owner.installation == installation && tenants.contains(it.owner.tenant())
            });
            Ok::<_, ProviderError>(found.collect::<Vec<_>>())
        }
    });
    Ok(try_join_all(targets).await?.into_iter().flatten().collect())
}

/// What an object says of itself beside what it holds; `None`: it bears no mark.
pub(super) fn marked(live: &Live, target: &str) -> Option<Marked> {
    Some(Marked {
        owner: live.mark.clone()?,
        remote_id: of(live, target).id(),
    })
}

/// One object, in the words of what was asked for in this run, or else in its own.
fn one(provider: &Kubernetes, target: &str, live: &Live, owner: &OwnerMark) -> Observed {
    let place = of(live, target);
    let asked = provider.asked(&owner.address);
    let manifest = asked.as_ref().and_then(|it| it.get("manifest")?.as_map());
    let mut observed = match manifest {
        Some(manifest) => in_words_of(live, manifest, &place),
        None => in_words_of(live, &live.body, &place),
    };
    if manifest.is_none() {
        // What we own is what was asked for, unless somebody took some of it since: then its
        // manifest makes another token, and a look shows what they did.
        observed.version = token(live, None).of_ours();
    }
    let note = |name: &str| text(&live.body, &["metadata", "annotations", name]);
    observed.attributes.insert("cluster", note(mark::CLUSTER));
    let wait = note(mark::WAIT);
    // What is waited for and is not so yet is not as wanted.
    if !wait.is_empty() && readiness(live, Some(wait)) == Readiness::Ready {
        observed.attributes.insert("wait", Value::from(wait));
    }
    observed
}
