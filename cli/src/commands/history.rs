//! `matih history` and `matih snapshot`: what was applied, and when.

use matih_model::TenantId;
use matih_state::{SnapshotKey, Store};

use crate::args::{HistoryArgs, Output, SnapshotCommand};
use crate::commands::diff;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::installation::{Installation, of_state};
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
    context.print(
        args.output,
        || render::history::text(&snapshots, &runs),
        || render::history::json(&snapshots, &runs),
    );
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
    let installation = Installation::open(context)?;
    let store = installation.existing_store()?;
    let tenant = tenants::one(context, &store, None)?;
    let snapshot = find(&store, &tenant, snapshot)?;
    context.print(
        output,
        || render::state::snapshot(&snapshot),
        || render::state::snapshot_json(&installation.platform.catalog, &snapshot),
    );
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
