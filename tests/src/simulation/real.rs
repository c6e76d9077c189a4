//! Tenants that real specs compile to, with the embedded blueprint.

use std::sync::LazyLock;

use matih_model::{Digest, ResourceGraph, TenantId};

use super::vault::{KEY, content};
use super::wanted::Wanted;
use crate::seed::Seed;
use crate::{compiled, fail};

/// The same tenant in four tiers.
static GRAPHS: LazyLock<Vec<ResourceGraph>> = LazyLock::new(|| {
    let specs = ["free", "starter", "acme", "enterprise"];
    specs.iter().map(|name| compiled(name)).collect()
});

/// The slug that all of them have.
pub(super) const SLUG: &str = "acme";

/// The tenant as one of the specs has it.
pub(super) fn tenant(tenant: &TenantId, seed: &mut Seed) -> Wanted {
    match GRAPHS.get(seed.below(GRAPHS.len())) {
        Some(graph) => Wanted::of_graph(graph),
        None => fail(&format!("there is no spec of {tenant}")),
    }
}

fn compiled(name: &str) -> ResourceGraph {
    let secret = |at: &matih_model::SecretRef| Some(Digest::keyed(&KEY, content(at, 0).as_bytes()));
    // One tenant that moves from tier to tier.
    compiled::graph(name, SLUG, &secret)
        .unwrap_or_else(|why| fail(&format!("{name} does not compile: {why}")))
}
