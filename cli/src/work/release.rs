//! One chart's releases otherwise than they are recorded, the rest of their tenant as it is.
//!
//! Promises an order like any other: the head as something to be desired again, with the
//! attributes of the releases that are meant changed, and nothing but those (and what they need)
//! as its targets. What it leaves does not stand for any spec, so the next plan of one compares in
//! full.

mod alter;
mod kept;

use std::sync::Arc;

use matih_model::{
    Address, Attributes, Catalog, Digest, Resource, ResourceGraph, Snapshot, TenantId, Verb,
};
use matih_planner::{AddressPattern, PlanOptions};
use matih_state::Store;

use crate::args::Look;
use crate::failure::Failure;
use crate::work::planning::Order;

pub(crate) use alter::{Override, assignment, has_same_content, merge, with_digests};
pub(crate) use kept::{Kept, history_of, kept, never_recorded, revision};

/// The kind that this is about.
pub(crate) const KIND: &str = "helm.release";

/// Which releases of a tenant, and how they are to be.
pub(crate) struct Alteration {
    /// Whose.
    pub(crate) tenant: TenantId,
    /// Which.
    pub(crate) releases: Vec<Address>,
    /// How.
    pub(crate) to: To,
    /// The line that asks for this again, but for what is asked of the world.
    pub(crate) command: String,
}

/// How releases are to be.
#[derive(Clone)]
pub(crate) enum To {
    /// Another version, other values.
    Upgraded(Arc<Override>),
    /// As this revision was recorded.
    Revision(u64),
}

impl Alteration {
    /// The question that a person says yes to.
    pub(crate) fn question(&self) -> String {
        let releases: Vec<_> = self.releases.iter().map(ToString::to_string).collect();
        let releases = releases.join(" and ");
        match &self.to {
            To::Upgraded(_) => format!("Upgrade {releases}?"),
            To::Revision(number) => format!("Bring {releases} back to revision {number}?"),
        }
    }

    /// The word that a lock shows.
    pub(crate) fn verb(&self) -> &'static str {
        match &self.to {
            To::Upgraded(_) => "release upgrade",
            To::Revision(_) => "release rollback",
        }
    }

    /// The order that the planner gets.
    ///
    /// # Errors
    /// A release or a revision is not recorded, or what comes out contradicts itself.
    pub(crate) fn order(
        &self,
        store: &Store,
        head: &Arc<Snapshot>,
        catalog: &Catalog,
        look: Look,
    ) -> Result<Order, Failure> {
        let mut changed = Vec::new();
        for address in &self.releases {
            let recorded = head.get(address).ok_or_else(|| not_recorded(address))?;
            let now = &recorded.resource.attributes;
            let wanted = match &self.to {
                To::Upgraded(change) => change.on(address, now, catalog)?,
                To::Revision(number) => {
                    let all = kept(store, head, address)?;
                    let found = all.iter().find(|it| it.number == *number);
                    let found = found.ok_or_else(|| never_recorded(address, *number, &all))?;
                    as_it_was(now, &found.recorded.resource.attributes, *number)
                }
            };
            changed.push((address, wanted));
        }
        order(head, &changed, look)
    }
}

/// A release that the head does not have.
pub(crate) fn not_recorded(address: &Address) -> Failure {
    Failure::error(format!("{address} is not recorded."))
        .hint(format!("matih release list {}", address.tenant))
}

/// The attributes of an earlier revision, and what is said of the new one that they make.
fn as_it_was(now: &Attributes, then: &Attributes, number: u64) -> Attributes {
    if has_same_content(now, then) {
        return now.clone();
    }
    let mut wanted = then.clone();
    wanted.insert("description", format!("Rollback to {number}"));
    wanted
}

fn order(
    head: &Arc<Snapshot>,
    changed: &[(&Address, Attributes)],
    look: Look,
) -> Result<Order, Failure> {
    let tenant = head.tenant();
    let recorded = head.as_desired();
    let resources = recorded.resources().values().map(|resource| {
        let found = changed.iter().find(|(it, _)| **it == resource.address);
        match found {
            Some((_, attributes)) => Resource {
                attributes: attributes.clone(),
                ..Resource::clone(resource)
            },
            None => Resource::clone(resource),
        }
    });
    let desired = ResourceGraph::new(tenant.clone(), head.tenancy(), resources);
    let desired = desired.map_err(|errors| {
        let causes: Vec<_> = errors.iter().map(ToString::to_string).collect();
        let message = format!("{}. Nothing was changed.", causes.join("; "));
        Failure::error(message).hint(format!(
            "what it refers to is gone since: matih rollback {tenant} brings the whole tenant back"
        ))
    })?;
    Ok(Order {
        tenant: tenant.clone(),
        inputs: Digest::of("matih releases without a spec v1", &desired.digest()),
        desired,
        verb: Verb::Apply,
        options: PlanOptions {
            targets: changed
                .iter()
                .map(|(address, _)| AddressPattern::from(*address))
                .collect(),
            ..PlanOptions::default()
        },
        tier: None,
        spec: None,
        look,
    })
}
