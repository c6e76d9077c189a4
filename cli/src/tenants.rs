//! Which tenants a command is about, where a slug is as good as a spec.

use std::path::Path;

use matih_model::TenantId;
use matih_specs::load;
use matih_state::Store;

use crate::context::Context;
use crate::failure::Failure;
use crate::installation::of_state;

/// The tenant of a word: a slug, or a spec that names one.
///
/// # Errors
/// It is neither.
pub(crate) fn named(word: &str) -> Result<TenantId, Failure> {
    let path = Path::new(word);
    if word.ends_with(".toml") || path.is_file() {
        let source = load::file(path)
            .map_err(|error| Failure::error(format!("{error}.")).hint(error.hint()))?;
        let table: toml::Table = source.text.parse().unwrap_or_default();
        let slug = table
            .get("tenant")
            .and_then(|it| it.get("slug"))
            .and_then(|it| it.as_str());
        return match slug.map(TenantId::new) {
            Some(Ok(tenant)) => Ok(tenant),
            _ => Err(Failure::new(
                crate::exit::Exit::Invalid,
                format!("{word} names no tenant."),
            )
            .hint(format!("matih validate {word}"))),
        };
    }
    TenantId::new(word).map_err(|error| {
        Failure::usage(format!("{error}.")).hint("name a tenant's slug, or its spec")
    })
}

/// The one tenant of a command: the word, `--tenant`, or the only one of the state.
///
/// # Errors
/// Nothing was named and the state has none, or several.
pub(crate) fn one(
    context: &Context,
    store: &Store,
    word: Option<&str>,
) -> Result<TenantId, Failure> {
    if let Some(word) = word.or(context.global.tenant.as_deref()) {
        return named(word);
    }
    let mut all = store.tenants().map_err(|error| of_state(&error))?;
    match all.len() {
        1 => Ok(all.remove(0).tenant),
        0 => Err(Failure::usage("The state has no tenant.").hint("matih apply SPEC")),
        _ => {
            let names: Vec<_> = all.iter().map(|it| it.tenant.to_string()).collect();
            Err(Failure::usage(format!(
                "The state has several tenants: {}.",
                names.join(", ")
            ))
            .hint("name the one that is meant, with --tenant"))
        }
    }
}

/// The tenants of a command: the words, `--tenant`, or every one of the state.
///
/// # Errors
/// A word names none.
pub(crate) fn all(
    context: &Context,
    store: &Store,
    words: &[String],
) -> Result<Vec<TenantId>, Failure> {
    let named_ones: Vec<&String> = words.iter().chain(&context.global.tenant).collect();
    if !named_ones.is_empty() {
        return named_ones.into_iter().map(|word| named(word)).collect();
    }
    let all = store.tenants().map_err(|error| of_state(&error))?;
    Ok(all.into_iter().map(|it| it.tenant).collect())
}
