//! `matih release`: what domain.md section 11 asks of Helm releases.

mod history;
mod list;
mod rollback;
mod upgrade;

use std::sync::Arc;

use matih_model::{Address, Recorded, Snapshot, TenantId, Value};
use matih_state::Store;
use serde_json::json;

use crate::args::{OneRelease, ReleaseCommand};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::installation::{Installation, of_state};
use crate::render::document::Notation;
use crate::tenants;
use crate::work::release::{Alteration, KIND};
use crate::work::{Goal, Settings, dry_run};

/// Runs the command.
pub(crate) async fn run(context: &Context, command: &ReleaseCommand) -> Outcome {
    match command {
        ReleaseCommand::List(args) => list::run(context, args).await,
        ReleaseCommand::History(args) => history::run(context, args).await,
        ReleaseCommand::Rollback(args) => rollback::run(context, args).await,
        ReleaseCommand::Upgrade(args) => upgrade::run(context, args).await,
    }
}

/// The releases that a head records.
fn releases(head: &Snapshot) -> impl Iterator<Item = (&Address, &Arc<Recorded>)> {
    let all = head.resources().iter();
    all.filter(|(address, _)| address.kind.as_str() == KIND)
}

/// The name and the version of a release's chart.
fn chart(recorded: &Recorded) -> (&str, &str) {
    let chart = recorded.resource.attributes.get("chart");
    let chart = chart.and_then(Value::as_map);
    let text = |key| chart.and_then(|chart| chart.text(key)).unwrap_or_default();
    (text("name"), text("version"))
}

/// Whether a word names a release: by its address, by Helm's name for it, or by its chart.
fn is_called(address: &Address, recorded: &Recorded, word: &str) -> bool {
    address.name.as_str() == word
        || address.resource_name().to_string() == word
        || recorded.resource.attributes.text("release") == Some(word)
}

/// The head of a tenant.
fn head(store: &Store, tenant: &TenantId) -> Result<Arc<Snapshot>, Failure> {
    let head = store.head(tenant).map_err(|error| of_state(&error))?;
    head.ok_or_else(|| {
        Failure::error(format!("{tenant} was never applied.")).hint("matih apply SPEC")
    })
}

/// The one release that is meant.
fn one(store: &Store, which: &OneRelease) -> Result<(Arc<Snapshot>, Address), Failure> {
    let tenant = tenants::named(&which.tenant)?;
    let head = head(store, &tenant)?;
    let word = which.release.as_str();
    let found = releases(&head).find(|(address, recorded)| is_called(address, recorded, word));
    match found.map(|(address, _)| address.clone()) {
        Some(address) => Ok((head, address)),
        None => Err(no_release(&tenant, word)),
    }
}

fn no_release(tenant: &TenantId, word: &str) -> Failure {
    Failure::usage(format!("{tenant} has no release `{word}`."))
        .hint(format!("matih release list {tenant}"))
}

/// Shows what alterations would do, and does nothing.
async fn preview(
    context: &Context,
    installation: &Installation,
    store: &Store,
    settings: &Settings,
    alterations: Vec<Alteration>,
) -> Outcome {
    let goals = alterations
        .into_iter()
        .map(|it| Goal::Release(Box::new(it)));
    let goals: Vec<Goal> = goals.collect();
    let shown = dry_run(context, installation, store, settings, &goals).await?;
    if context.global.json {
        let document = json!({ "v": 1, "plans": shown.documents });
        context.screen.print_document(Notation::Json, &document);
    }
    Ok(shown.exit)
}
