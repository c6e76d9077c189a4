//! `matih state`: what is recorded, looked at, repaired, saved.

mod edit;
mod keep;

use std::sync::Arc;

use matih_model::{Address, Recorded, Snapshot, TenantId};
use matih_state::Store;

use crate::args::{Output, StateCommand};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::installation::{Installation, of_state};
use crate::platform::catalog;
use crate::render;
use crate::tenants;
use crate::work::pattern;
use crate::work::planning::address;

/// Runs the command.
pub(crate) async fn run(context: &Context, command: &StateCommand) -> Outcome {
    match command {
        StateCommand::List { patterns, output } => list(context, patterns, *output),
        StateCommand::Show { address, output } => show(context, address, *output),
        StateCommand::Rm {
            addresses,
            auto_approve,
        } => edit::forget(context, addresses, *auto_approve).await,
        StateCommand::Mv {
            from,
            to,
            auto_approve,
        } => edit::rename(context, from, to, *auto_approve).await,
        StateCommand::Verify { output } => keep::verify(context, *output),
        StateCommand::Backup { file } => keep::backup(context, file),
        StateCommand::Restore {
            file,
            as_found: _,
            auto_approve,
        } => keep::restore(context, file.as_deref(), *auto_approve),
    }
}

fn list(context: &Context, patterns: &[String], output: Output) -> Outcome {
    let heads = match Installation::open(context)?.store()? {
        Some(store) => heads(context, &store)?,
        None => Vec::new(),
    };
    let patterns = patterns
        .iter()
        .map(|text| pattern(text))
        .collect::<Result<Vec<_>, _>>()?;
    let wanted =
        |address: &Address| patterns.is_empty() || patterns.iter().any(|it| it.matches(address));
    let records: Vec<(&Snapshot, &Recorded)> = heads
        .iter()
        .flat_map(|head| {
            head.resources()
                .values()
                .map(|recorded| (&**head, &**recorded))
        })
        .filter(|(_, recorded)| wanted(&recorded.resource.address))
        .collect();
    context.print(
        output,
        || render::state::list(&records),
        || render::state::list_json(&records),
    );
    Ok(Exit::Ok)
}

/// The newest snapshots of the tenants in question.
fn heads(context: &Context, store: &Store) -> Result<Vec<Arc<Snapshot>>, Failure> {
    let mut heads = Vec::new();
    for tenant in tenants::all(context, store, &[])? {
        heads.extend(store.head(&tenant).map_err(|error| of_state(&error))?);
    }
    Ok(heads)
}

/// Shows one record.
pub(crate) fn show(context: &Context, text: &str, output: Output) -> Outcome {
    let store = Installation::open(context)?.existing_store()?;
    let address = in_state(context, &store, text)?;
    let recorded = recorded(&store, &address)?;
    let catalog = catalog()?;
    context.print(
        output,
        || render::state::record(&catalog, &recorded),
        || render::state::record_json(&catalog, &recorded),
    );
    Ok(Exit::Ok)
}

/// A full address, or one of the tenant in hand.
fn in_state(context: &Context, store: &Store, text: &str) -> Result<Address, Failure> {
    match text.parse() {
        Ok(address) => Ok(address),
        Err(_) => address(&tenants::one(context, store, None)?, text),
    }
}

fn recorded(store: &Store, address: &Address) -> Result<Arc<Recorded>, Failure> {
    let tenant: &TenantId = &address.tenant;
    let head = store.head(tenant).map_err(|error| of_state(&error))?;
    head.and_then(|head| head.get(address).cloned())
        .ok_or_else(|| {
            Failure::error(format!("{address} is not recorded. Nothing was changed."))
                .hint("matih state list")
        })
}
