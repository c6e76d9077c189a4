//! `matih lock`: who holds a tenant's lock; taking it away.

use matih_state::{ForceRelease, LockStatus};
use serde_json::json;

use crate::args::{LockCommand, Output};
use crate::clock::now_ms;
use crate::confirm::{Asking, confirm};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::installation::{Installation, holder, of_state};
use crate::render::table::Table;
use crate::render::time::{moment, rfc3339};
use crate::tenants;

/// Runs the command.
pub(crate) fn run(context: &Context, command: &LockCommand) -> Outcome {
    match command {
        LockCommand::Status { tenants, output } => status(context, tenants, *output),
        LockCommand::Release {
            tenant,
            id,
            reason,
            auto_approve,
        } => release(
            context,
            tenant.as_deref(),
            id.as_deref(),
            reason,
            *auto_approve,
        ),
    }
}

fn status(context: &Context, words: &[String], output: Output) -> Outcome {
    let store = Installation::open(context)?.existing_store()?;
    let mut table = Table::new(&[
        "TENANT", "LOCK", "WHO", "DOES", "SINCE", "UNTIL", "RUN", "ID",
    ]);
    let mut rows = Vec::new();
    for tenant in tenants::all(context, &store, words)? {
        let status = store
            .lock_status(&tenant)
            .map_err(|error| of_state(&error))?;
        let mut row = json!({ "tenant": tenant });
        match &status {
            LockStatus::Free => table.row([tenant.as_str(), "free"]),
            LockStatus::Damaged { id } => {
                table.row([tenant.as_str(), "damaged", "", "", "", "", "", id]);
            }
            LockStatus::Held(lock) => {
                table.row([
                    tenant.to_string(),
                    "held".to_owned(),
                    lock.holder.to_string(),
                    lock.holder.operation.clone(),
                    moment(lock.since_ms),
                    moment(lock.expires_ms),
                    lock.run.to_string(),
                    lock.id.clone(),
                ]);
                row["since"] = rfc3339(lock.since_ms).into();
                row["until"] = rfc3339(lock.expires_ms).into();
            }
        }
        if let (Some(row), serde_json::Value::Object(status)) = (row.as_object_mut(), json!(status))
        {
            row.extend(status);
        }
        rows.push(row);
    }
    context.print(output, || table.render(), || rows);
    Ok(Exit::Ok)
}

fn release(
    context: &Context,
    word: Option<&str>,
    id: Option<&str>,
    reason: &str,
    approved: bool,
) -> Outcome {
    let store = Installation::open(context)?.existing_store()?;
    // Terraform's `force-unlock ID` names the lock alone.
    let by_id = word.filter(|word| word.starts_with("lock-") || word.starts_with("damaged-"));
    let (tenant, id) = match (by_id, id) {
        (Some(lock), _) => (owner(context, &store, lock)?, Some(lock)),
        (None, id) => (tenants::one(context, &store, word)?, id),
    };
    let (found, held_by) = match store
        .lock_status(&tenant)
        .map_err(|error| of_state(&error))?
    {
        LockStatus::Free => {
            context.screen.print(&format!("{tenant} is not locked.\n"));
            return Ok(Exit::Ok);
        }
        LockStatus::Held(lock) => {
            let since = moment(lock.since_ms);
            (lock.id.clone(), format!("{} since {since}", lock.holder))
        }
        LockStatus::Damaged { id } => (id, "nobody knows whom: its row is damaged".to_owned()),
    };
    let question = format!(
        "Take the lock of {tenant} away from {held_by}? Do so only if that process is gone."
    );
    confirm(
        &context.screen,
        Asking::new(approved, context.global.asks_nobody()),
        &question,
    )?;
    let request = ForceRelease {
        tenant: tenant.clone(),
        id: id.map_or(found, str::to_owned),
        by: holder("lock release"),
        reason: reason.to_owned(),
        now_ms: now_ms(),
    };
    store
        .force_release(&request)
        .map_err(|error| of_state(&error))?;
    context
        .screen
        .print(&format!("The lock of {tenant} is released.\n"));
    Ok(Exit::Ok)
}

/// The tenant that a lock with this id belongs to.
fn owner(
    context: &Context,
    store: &matih_state::Store,
    wanted: &str,
) -> Result<matih_model::TenantId, Failure> {
    for tenant in tenants::all(context, store, &[])? {
        let id = match store
            .lock_status(&tenant)
            .map_err(|error| of_state(&error))?
        {
            LockStatus::Held(lock) => lock.id.clone(),
            LockStatus::Damaged { id } => id,
            LockStatus::Free => continue,
        };
        if id == wanted {
            return Ok(tenant);
        }
    }
    Err(Failure::error(format!("No lock is called {wanted}.")).hint("matih lock status"))
}
