//! The SQL, one module for each group of tables, and nothing else: no rule of the lock, the
//! journal or the status is decided here.

use rusqlite::{Connection, OptionalExtension, Params};
use serde::de::DeserializeOwned;

use crate::codec::{self, Sealed};
use crate::error::StateError;

pub(crate) mod chain;
pub(crate) mod installation;
pub(crate) mod journal;
pub(crate) mod locks;
pub(crate) mod runs;
pub(crate) mod snapshots;
pub(crate) mod tenants;

/// Reads one sealed row: `sql` selects body and seal.
pub(crate) fn row<T: DeserializeOwned>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    table: &str,
    key: &dyn std::fmt::Display,
) -> Result<Option<T>, StateError> {
    let found = connection
        .prepare_cached(sql)?
        .query_row(params, |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
        })
        .optional()?;
    found
        .map(|(body, seal)| codec::unseal(table, key, &body, &seal))
        .transpose()
}

/// Runs a statement that must change exactly one row.
pub(crate) fn change(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    place: &str,
) -> Result<(), StateError> {
    match connection.prepare_cached(sql)?.execute(params)? {
        1 => Ok(()),
        count => Err(StateError::damaged(
            place,
            format!("{count} rows were there to change instead of one"),
        )),
    }
}

/// A count that a row keeps of others, compared with what was found.
pub(crate) fn counted(place: &str, expected: u64, found: usize) -> Result<(), StateError> {
    if u64::try_from(found) == Ok(expected) {
        Ok(())
    } else {
        Err(StateError::damaged(
            place,
            format!("{found} rows were found instead of {expected}"),
        ))
    }
}

/// SQLite's integers are signed; none of ours comes near the limit.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A stored number that is never negative.
pub(crate) fn unsigned(place: &str, number: i64) -> Result<u64, StateError> {
    u64::try_from(number).map_err(|_| StateError::damaged(place, "a number is negative"))
}

pub(crate) fn insert_sealed(
    connection: &Connection,
    sql: &str,
    key: &dyn rusqlite::ToSql,
    sealed: &Sealed,
) -> Result<(), StateError> {
    connection.prepare_cached(sql)?.execute(rusqlite::params![
        key,
        sealed.body,
        sealed.seal.as_bytes()
    ])?;
    Ok(())
}
