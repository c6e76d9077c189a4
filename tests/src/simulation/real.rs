//! Tenants that real specs compile to, with the embedded blueprint.

use std::sync::LazyLock;

use matih_model::{Catalog, Digest, ResourceGraph, TenantId};
use matih_providers::kinds;
use matih_specs::{Blueprint, compile, parse_platform, parse_tenant};

use super::vault::{KEY, content};
use super::wanted::Wanted;
use crate::seed::Seed;
use crate::{fail, workspace_root};

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
    graph(name).unwrap_or_else(|why| fail(&format!("{name} does not compile: {why}")))
}

fn graph(name: &str) -> Result<ResourceGraph, String> {
    let path = workspace_root().join(format!("specs/examples/{name}.toml"));
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    // One tenant that moves from tier to tier.
    let lines = text.lines().map(|line| match line.strip_prefix("slug = ") {
        Some(_) => format!("slug = \"{SLUG}\""),
        None => line.to_owned(),
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let told = |findings: matih_specs::Diagnostics| findings.to_text(false);
    let parsed = parse_tenant(name, &text).map_err(told)?;
    let platform = parse_platform("matih.toml", "").map_err(told)?;
    let blueprint = Blueprint::embedded().map_err(told)?;
    let schemas = kinds::all().map_err(|error| error.to_string())?;
    let catalog = Catalog::new(schemas).map_err(|error| error.to_string())?;
    let secret = |at: &matih_model::SecretRef| Some(Digest::keyed(&KEY, content(at, 0).as_bytes()));
    let compiled = compile(&parsed, &platform.file, &blueprint, &catalog, &secret).map_err(told)?;
    Ok(compiled.graph)
}
