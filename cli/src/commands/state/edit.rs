//! Changes to the record alone: `state rm`, `state mv`. No provider is asked.

use matih_model::{Edit, Origin, Tenancy, TenantId, Verb};
use matih_state::{CommitRequest, LockedStore, RunOutcome, RunStart, StateError};

use crate::clock::{now_ms, run_id};
use crate::confirm::{Asking, confirm};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::installation::{Installation, of_state};
use crate::work::{Settings, Workshop, locked, release, settle_first};

use super::{in_state, recorded};

/// `matih state rm`.
pub(super) async fn forget(context: &Context, texts: &[String], approved: bool) -> Outcome {
    let installation = Installation::open(context)?;
    let store = installation.existing_store()?;
    let mut addresses = Vec::new();
    for text in texts {
        let address = in_state(context, &store, text)?;
        recorded(&store, &address)?;
        addresses.push(address);
    }
    let names: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    let question = format!(
        "Forget {}? The objects stay, and nobody will look after them.",
        names.join(", ")
    );
    confirm(
        &context.screen,
        Asking::new(approved, context.global.asks_nobody()),
        &question,
    )?;
    let edits = addresses
        .into_iter()
        .map(|address| Edit::Forget { address });
    change(context, installation, edits.collect()).await?;
    context
        .screen
        .print(&format!("Forgot {}.\n", names.join(", ")));
    Ok(Exit::Ok)
}

/// `matih state mv`.
pub(super) async fn rename(context: &Context, from: &str, to: &str, approved: bool) -> Outcome {
    let installation = Installation::open(context)?;
    let store = installation.existing_store()?;
    let (from, to) = (
        in_state(context, &store, from)?,
        in_state(context, &store, to)?,
    );
    recorded(&store, &from)?;
    if from.kind != to.kind || from.tenant != to.tenant {
        return Err(Failure::usage(format!(
            "{from} cannot become {to}: tenant and kind stay."
        )));
    }
    let question = format!("Call {from} {to}?");
    confirm(
        &context.screen,
        Asking::new(approved, context.global.asks_nobody()),
        &question,
    )?;
    let edit = Edit::Move {
        from: from.clone(),
        to: to.clone(),
    };
    change(context, installation, vec![edit]).await?;
    context
        .screen
        .print(&format!("{from} is now {to}. Move it in the spec too.\n"));
    Ok(Exit::Ok)
}

/// Edits the records of one or several tenants, one run a tenant.
async fn change(
    context: &Context,
    installation: Installation,
    edits: Vec<Edit>,
) -> Result<(), Failure> {
    let settings = Settings::of_record(&installation.platform.file)?;
    let work = Workshop::open(context, installation, Asking::Nobody, settings, false)?;
    let mut tenants: Vec<TenantId> = edits
        .iter()
        .map(|edit| edit.address().tenant.clone())
        .collect();
    tenants.dedup();
    for tenant in tenants {
        let own: Vec<Edit> = edits
            .iter()
            .filter(|it| it.address().tenant == tenant)
            .cloned()
            .collect();
        let run = run_id();
        let mut store = locked(&work, &tenant, &run, "state edit").await?;
        let done = match settle_first(&work, &mut store).await {
            Ok(_) => commit(&mut store, &own, &run).map_err(|error| of_state(&error)),
            Err(failure) => Err(failure),
        };
        release(&work, store);
        done?;
    }
    Ok(())
}

fn commit(
    store: &mut LockedStore,
    edits: &[Edit],
    run: &matih_model::RunId,
) -> Result<(), StateError> {
    let verb = Verb::Edit;
    store.open_run(&RunStart {
        run,
        verb: &verb,
        plan: None,
        command: None,
        now_ms: now_ms(),
    })?;
    let outcome = store.edit(edits, now_ms());
    let ended = match &outcome {
        Ok(()) => RunOutcome::Succeeded,
        Err(error) => RunOutcome::Failed {
            error: error.to_string(),
        },
    };
    let tenancy = store.head().map_or(Tenancy::Shared, |head| head.tenancy());
    store.commit(&CommitRequest {
        origin: Origin {
            run: run.clone(),
            verb,
        },
        tenancy,
        inputs: None,
        outcome: ended,
        now_ms: now_ms(),
    })?;
    outcome
}
