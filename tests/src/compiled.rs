//! What the example specs compile to, under any slug, with the embedded blueprint and platform.

use matih_model::{Catalog, Digest, ResourceGraph, SecretRef};
use matih_providers::kinds;
use matih_specs::{Blueprint, compile, parse_platform, parse_tenant};

use crate::acme::example;

/// The graph of a spec of `specs/examples`, with this slug in the place of its own.
///
/// # Errors
/// It does not compile: the findings as text.
pub fn graph(
    name: &str,
    slug: &str,
    secret: &dyn Fn(&SecretRef) -> Option<Digest>,
) -> Result<ResourceGraph, String> {
    let text = example(name);
    let lines = text.lines().map(|line| match line.strip_prefix("slug = ") {
        Some(_) => format!("slug = \"{slug}\""),
        None => line.to_owned(),
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let told = |findings: matih_specs::Diagnostics| findings.to_text(false);
    let parsed = parse_tenant(name, &text).map_err(told)?;
    let platform = parse_platform("matih.toml", "").map_err(told)?;
    let blueprint = Blueprint::embedded().map_err(told)?;
    let schemas = kinds::all().map_err(|error| error.to_string())?;
    let catalog = Catalog::new(schemas).map_err(|error| error.to_string())?;
    let compiled = compile(&parsed, &platform.file, &blueprint, &catalog, secret).map_err(told)?;
    Ok(compiled.graph)
}
