//! The table `journal`.

use std::collections::BTreeMap;

use matih_model::ActionIndex;
use rusqlite::{Connection, params};

use crate::codec;
use crate::error::StateError;
use crate::journal::JournalEntry;
use crate::table::{change, counted, signed};

const TABLE: &str = "journal";

fn key(run: i64, index: ActionIndex) -> String {
    format!("{run}/{}", index.0)
}

/// Writes the first row of an action.
pub(crate) fn insert(
    connection: &Connection,
    run: i64,
    row: &JournalEntry,
) -> Result<(), StateError> {
    let sealed = codec::seal(TABLE, &key(run, row.index), row)?;
    connection
        .prepare_cached("INSERT INTO journal (run, place, body, seal) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            run,
            row.index.0,
            sealed.body,
            sealed.seal.as_bytes()
        ])?;
    Ok(())
}

pub(crate) fn update(
    connection: &Connection,
    run: i64,
    row: &JournalEntry,
) -> Result<(), StateError> {
    let key = key(run, row.index);
    let sealed = codec::seal(TABLE, &key, row)?;
    change(
        connection,
        "UPDATE journal SET body = ?3, seal = ?4 WHERE run = ?1 AND place = ?2",
        params![run, row.index.0, sealed.body, sealed.seal.as_bytes()],
        &format!("{TABLE} row {key}"),
    )
}

/// The journal of a run. The run's row says how many rows there are.
pub(crate) fn of_run(
    connection: &Connection,
    run: i64,
    count: u64,
) -> Result<BTreeMap<ActionIndex, JournalEntry>, StateError> {
    let mut statement = connection
        .prepare_cached("SELECT place, body, seal FROM journal WHERE run = ?1 ORDER BY place")?;
    let mut rows = statement.query([signed(run.unsigned_abs())])?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let index = ActionIndex(row.get(0)?);
        let body = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let seal = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        found.insert(index, codec::unseal(TABLE, &key(run, index), body, seal)?);
    }
    counted(&format!("the journal of run {run}"), count, found.len())?;
    Ok(found)
}
