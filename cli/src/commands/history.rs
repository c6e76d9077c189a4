//! `matih history` and `matih snapshot`: what was applied, and when.

use matih_model::TenantId;
use matih_state::{SnapshotKey, Store};

use crate::args::{HistoryArgs, Output, SnapshotCommand};
use crate::commands::diff;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::installation::{Installation, of_state};
use crate::platform::Platform;
use crate::render;
use crate::tenants;

/// `matih history`.
pub(crate) fn history(context: &Context, args: &HistoryArgs) -> Outcome {
    let store = Installation::open(context)?.existing_store()?;
    let tenant = tenants::one(context, &store, args.tenant.as_deref())?;
    let mut snapshots = store.history(&tenant).map_err(|error| of_state(&error))?;
    let runs = store.runs(&tenant).map_err(|error| of_state(&error))?;
    if let Some(limit) = args.limit {
        snapshots.truncate(limit);
    }
    match context.output(args.output) {
        Output::Text => context
            .screen
            .print(&render::history::text(&snapshots, &runs)),
        Output::Json => context
            .screen
            .print_json(&render::history::json(&snapshots, &runs), true),
    }
    Ok(Exit::Ok)
}

/// `matih snapshot`.
pub(crate) fn snapshot(context: &Context, command: &SnapshotCommand) -> Outcome {
    match command {
        SnapshotCommand::List(args) => history(context, args),
        SnapshotCommand::Show { snapshot, output } => show(context, snapshot.as_deref(), *output),
        SnapshotCommand::Diff {
            before,
            after,
            output,
        } => diff::snapshots(context, before, after.as_deref(), *output),
    }
}

/// Shows a snapshot, the newest if none is named.
pub(crate) fn show(context: &Context, snapshot: Option<&str>, output: Output) -> Outcome {
    let store = Installation::open(context)?.existing_store()?;
    let tenant = tenants::one(context, &store, None)?;
    let snapshot = find(&store, &tenant, snapshot)?;
    match context.output(output) {
        Output::Text => context.screen.print(&render::state::snapshot(&snapshot)),
        Output::Json => {
            let catalog = Platform::load(context)?.catalog;
            context
                .screen
                .print_json(&render::state::snapshot_json(&catalog, &snapshot), true);
        }
    }
    Ok(Exit::Ok)
}

/// A snapshot by number or id; the newest if none is named.
///
/// # Errors
/// There is none.
pub(crate) fn find(
    store: &Store,
    tenant: &TenantId,
    named: Option<&str>,
) -> Result<std::sync::Arc<matih_model::Snapshot>, Failure> {
    let found = match named {
        Some(named) => store.snapshot(tenant, &SnapshotKey::parse(named)).map(Some),
        None => store.head(tenant),
    };
    found.map_err(|error| of_state(&error))?.ok_or_else(|| {
        Failure::error(format!("{tenant} has no snapshot.")).hint("matih apply SPEC")
    })
}
