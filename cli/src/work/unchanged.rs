//! The tenant that nothing has to be done for, recognised without compiling its spec and without
//! reading its record: an unchanged tenant costs a digest comparison and one question to the
//! world.
//!
//! A tenant is unchanged if its last apply was whole, from inputs with the digest that the spec
//! has now, every secret in use has the digest that it had, no run of it is open, and the world
//! answers each token with "as applied". Everything else is the planner's to judge.

use std::collections::{BTreeMap, BTreeSet};

use matih_executor::ask;
use matih_model::{Attributes, Digest, ReadRequest, Reading, TenantId};
use matih_state::{Store, TenantStatus, TenantSummary, Token};

use crate::failure::Failure;
use crate::installation::{Installation, of_state};
use crate::work::look;

/// Of specs, by the digest of their inputs, those whose tenants are unchanged.
///
/// `refresh`: ask the world too.
///
/// # Errors
/// The state or the world cannot be used.
pub(crate) async fn unchanged(
    installation: &Installation,
    store: &Store,
    inputs: &[Digest],
    refresh: bool,
) -> Result<BTreeMap<Digest, TenantSummary>, Failure> {
    let wanted: BTreeSet<&Digest> = inputs.iter().collect();
    let mut found = BTreeMap::new();
    for summary in store.tenants().map_err(|error| of_state(&error))? {
        let stands_for = summary.inputs.filter(|inputs| wanted.contains(inputs));
        if let Some(inputs) = stands_for
            && is_settled(&summary)
            && secrets_are_the_same(installation, &summary)
        {
            found.insert(inputs, summary);
        }
    }
    if refresh && !found.is_empty() {
        let tokens = store
            .tokens(found.values())
            .map_err(|error| of_state(&error))?;
        let changed = changed(installation, &tokens).await?;
        found.retain(|_, summary| !changed.contains(&summary.tenant));
    }
    Ok(found)
}

fn is_settled(summary: &TenantSummary) -> bool {
    summary.open_run.is_none() && summary.status == TenantStatus::Active && summary.head.is_some()
}

fn secrets_are_the_same(installation: &Installation, summary: &TenantSummary) -> bool {
    let same =
        |it: &matih_model::SecretUse| installation.secrets.digest(&it.reference) == it.digest;
    summary.secrets.iter().all(same)
}

/// The tenants of which anything is not in the very state that is recorded, or has no token, or
/// could not be read.
///
/// # Errors
/// The platform has no provider that could be asked.
pub(crate) async fn changed(
    installation: &Installation,
    tokens: &BTreeMap<TenantId, std::sync::Arc<[Token]>>,
) -> Result<BTreeSet<TenantId>, Failure> {
    // An equal token is answer enough, so nobody looks at these.
    let nothing = Attributes::new();
    let all = || tokens.values().flat_map(|tokens| tokens.iter());
    let requests = all().map(|token| ReadRequest {
        address: &token.address,
        remote_id: Some(&token.remote_id),
        attributes: &nothing,
        version: token.version.as_ref(),
    });
    let readings = ask(installation.registry()?, requests, &look()).await;
    let is_unchanged = |token: &Token| {
        let reading = readings
            .get(&token.address.tenant)
            .and_then(|it| it.get(&token.address));
        token.version.is_some() && reading == Some(&Reading::Unchanged)
    };
    Ok(all()
        .filter(|token| !is_unchanged(token))
        .map(|token| token.address.tenant.clone())
        .collect())
}
