//! The table `installation`: one row.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use matih_model::Digest;

use crate::codec;
use crate::error::StateError;
use crate::table;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Installation {
    /// The name that every owner mark bears.
    pub(crate) id: String,
    pub(crate) created_ms: u64,
    /// Of all table definitions.
    pub(crate) schema_digest: Digest,
    /// The highest fence ever granted, over all tenants.
    pub(crate) fence: u64,
    /// The digest of all tenants' names in order: a tenant that is not found is either not among
    /// them or lost.
    pub(crate) roster: Digest,
}

const TABLE: &str = "installation";

pub(crate) fn read(connection: &Connection) -> Result<Installation, StateError> {
    table::row(
        connection,
        "SELECT body, seal FROM installation WHERE one = 1",
        [],
        TABLE,
        &1,
    )?
    .ok_or_else(|| StateError::damaged("installation row 1", "it is missing"))
}

pub(crate) fn write(connection: &Connection, row: &Installation) -> Result<(), StateError> {
    let sealed = codec::seal(TABLE, &1, row)?;
    connection
        .prepare_cached(
            "INSERT INTO installation (one, body, seal) VALUES (1, ?1, ?2)
             ON CONFLICT (one) DO UPDATE SET body = excluded.body, seal = excluded.seal",
        )?
        .execute(params![sealed.body, sealed.seal.as_bytes()])?;
    Ok(())
}

/// The next fence: never given out before.
pub(crate) fn next_fence(connection: &Connection) -> Result<u64, StateError> {
    let mut row = read(connection)?;
    row.fence += 1;
    write(connection, &row)?;
    Ok(row.fence)
}

/// The digest of tenants' names in order.
pub(crate) fn roster(names: &[String]) -> Digest {
    Digest::of("matih state roster v1", &names)
}
