//! The table `locks`.

use matih_model::TenantId;
use rusqlite::{Connection, OptionalExtension, params};

use crate::codec;
use crate::error::StateError;
use crate::lock::{self, LockInfo, LockRow};

const TABLE: &str = "locks";

/// The row as it lies in the file, readable or not.
pub(crate) enum Found {
    Row(LockRow),
    /// It cannot be read, or is gone; this id releases it.
    Damaged(String),
}

/// The row of a tenant that is known: it has had one since it came into being.
pub(crate) fn find(connection: &Connection, tenant: &TenantId) -> Result<Found, StateError> {
    let found = connection
        .prepare_cached("SELECT body, seal FROM locks WHERE tenant = ?1")?
        .query_row([tenant.as_str()], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
        })
        .optional()?;
    Ok(match found {
        None => Found::Damaged(lock::damaged_id(&[], &[])),
        Some((body, seal)) => match codec::unseal(TABLE, tenant, &body, &seal) {
            Ok(row) => Found::Row(row),
            Err(_) => Found::Damaged(lock::damaged_id(&body, &seal)),
        },
    })
}

/// The row of a tenant that is known, if it can be read.
pub(crate) fn read(connection: &Connection, tenant: &TenantId) -> Result<LockRow, StateError> {
    match find(connection, tenant)? {
        Found::Row(row) => Ok(row),
        Found::Damaged(id) => Err(StateError::LockDamaged {
            tenant: tenant.clone(),
            id,
        }),
    }
}

pub(crate) fn write(
    connection: &Connection,
    tenant: &TenantId,
    row: &LockRow,
) -> Result<(), StateError> {
    let sealed = codec::seal(TABLE, tenant, row)?;
    connection
        .prepare_cached(
            "INSERT INTO locks (tenant, body, seal) VALUES (?1, ?2, ?3)
             ON CONFLICT (tenant) DO UPDATE SET body = excluded.body, seal = excluded.seal",
        )?
        .execute(params![
            tenant.as_str(),
            sealed.body,
            sealed.seal.as_bytes()
        ])?;
    Ok(())
}

/// The guard of every write: lock id, fence and lease, in the write's own transaction.
pub(crate) fn guard(
    connection: &Connection,
    tenant: &TenantId,
    mine: &LockInfo,
    now_ms: u64,
) -> Result<(), StateError> {
    lock::check(tenant, &read(connection, tenant)?, mine, now_ms)
}
