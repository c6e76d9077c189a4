//! The tables `runs`, `plans` and `edits`.

use matih_model::{
    Digest, Edit, Phase, Plan, Recorded, RunId, SnapshotId, Tenancy, TenantId, Verb,
};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use crate::codec::{self, Sealed};
use crate::error::StateError;
use crate::status::{OrchestratorState, RunOutcome};
use crate::table::{self, change, counted, insert_sealed, signed};

/// One run of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Its name.
    pub run: RunId,
    /// Whose run.
    pub tenant: TenantId,
    /// To what end.
    pub verb: Verb,
    /// Who started it.
    pub who: String,
    /// On which host.
    pub host: String,
    /// The plan that it carries out; `None` for a change to the record alone.
    pub plan: Option<Digest>,
    /// The line that asks for the same again, where nothing that is recorded knows the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The tenancy that the plan applies.
    pub tenancy: Option<Tenancy>,
    /// The head that it started from.
    pub base: Option<SnapshotId>,
    /// The head that it left; `None` while it is open, and where there is no snapshot.
    pub head: Option<SnapshotId>,
    /// When it was opened, milliseconds since the epoch.
    pub opened_ms: u64,
    /// When it ended.
    pub ended_ms: Option<u64>,
    /// How it ended; `None` while it is under way, and when it was interrupted.
    pub outcome: Option<RunOutcome>,
    /// How many actions its plan has.
    pub actions: u64,
    /// How many of them were begun: so many rows the journal has.
    pub begun: u64,
    /// How many of the begun ones have an outcome.
    pub settled: u64,
    /// How many of those failed.
    pub failed: u64,
    /// The phase of the action that began last.
    pub phase: Option<Phase>,
    /// Not closed: under way, interrupted, or ended with outcomes that nobody knows yet.
    pub open: bool,
    /// How many edits the record has had.
    pub(crate) edits: u64,
    /// Counts the changes to the record in this run.
    pub(crate) ordinal: u64,
    /// The changes up to this one are in a snapshot.
    pub(crate) folded: u64,
}

impl RunSummary {
    /// How many actions have no known outcome.
    pub fn pending(&self) -> u64 {
        self.begun.saturating_sub(self.settled)
    }

    /// What the orchestrator is at, in the words of domain.md section 3.2. `is_held`: whether
    /// somebody holds the tenant's lock; an open run that nobody holds waits for a person.
    pub fn orchestrator(&self, is_held: bool) -> OrchestratorState {
        match &self.outcome {
            Some(outcome) if !self.open => OrchestratorState::ended(&self.verb, outcome),
            _ if !is_held => OrchestratorState::Paused,
            _ => {
                let tenancy = self.tenancy.unwrap_or(Tenancy::Shared);
                OrchestratorState::under_way(&self.verb, tenancy, self.phase)
            }
        }
    }
}

/// A change to the record alone, as it is kept while its run is open.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum RecordEdit {
    Edit(Edit),
    Import(Box<Recorded>),
}

/// A kept edit with its place among the changes of its run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct EditRow {
    pub(crate) ordinal: u64,
    pub(crate) edit: RecordEdit,
}

const TABLE: &str = "runs";

fn key(id: i64, row: &RunSummary) -> String {
    key_of(id, row.run.as_str(), row.tenant.as_str(), row.open)
}

fn key_of(id: i64, name: &str, tenant: &str, open: bool) -> String {
    format!("{id}/{tenant}/{}/{name}", u8::from(open))
}

/// Makes the row of a new run and returns its number.
pub(crate) fn insert(connection: &Connection, row: &RunSummary) -> Result<i64, StateError> {
    let id: i64 = connection
        .prepare_cached("SELECT coalesce(max(id), 0) + 1 FROM runs")?
        .query_row([], |row| row.get(0))?;
    let sealed = codec::seal(TABLE, &key(id, row), row)?;
    connection
        .prepare_cached(
            "INSERT INTO runs (id, name, tenant, open, body, seal) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            id,
            row.run.as_str(),
            row.tenant.as_str(),
            row.open,
            sealed.body,
            sealed.seal.as_bytes()
        ])?;
    Ok(id)
}

/// Rewrites the row of a run that is open.
pub(crate) fn update(connection: &Connection, id: i64, row: &RunSummary) -> Result<(), StateError> {
    let key = key(id, row);
    let sealed = codec::seal(TABLE, &key, row)?;
    // A column that is not named is not looked for in the indexes either.
    let sql = match row.open {
        true => "UPDATE runs SET body = ?2, seal = ?3 WHERE id = ?1 AND open = 1",
        false => "UPDATE runs SET body = ?2, seal = ?3, open = 0 WHERE id = ?1 AND open = 1",
    };
    change(
        connection,
        sql,
        params![id, sealed.body, sealed.seal.as_bytes()],
        &format!("{TABLE} row {key}"),
    )
}

/// A tenant's runs, oldest first. The tenant's row says how many there are.
pub(crate) fn of_tenant(
    connection: &Connection,
    tenant: &TenantId,
    count: u64,
) -> Result<Vec<(i64, RunSummary)>, StateError> {
    let sql = "SELECT id, name, tenant, open, body, seal FROM runs WHERE tenant = ?1 ORDER BY id";
    let found = select(connection, sql, [tenant.as_str()])?;
    counted(&format!("the runs of {tenant}"), count, found.len())?;
    Ok(found)
}

/// The newest runs of all tenants, newest first. Their numbers have no gap, and `total` is the
/// last one.
pub(crate) fn newest(
    connection: &Connection,
    total: u64,
    count: u64,
) -> Result<Vec<(i64, RunSummary)>, StateError> {
    let sql = "SELECT id, name, tenant, open, body, seal FROM runs ORDER BY id DESC LIMIT ?1";
    let found = select(connection, sql, [signed(count)])?;
    counted("the newest runs", count.min(total), found.len())?;
    let numbers = (1..=signed(total)).rev();
    if found
        .iter()
        .map(|(id, _)| *id)
        .zip(numbers)
        .any(|(found, wanted)| found != wanted)
    {
        return Err(StateError::damaged("the newest runs", "one is missing"));
    }
    Ok(found)
}

/// The open run of a tenant, which the tenant's row names.
pub(crate) fn open(
    connection: &Connection,
    tenant: &TenantId,
    run: &RunId,
) -> Result<(i64, RunSummary), StateError> {
    let sql = "SELECT id, name, tenant, open, body, seal FROM runs WHERE name = ?1";
    let place = || format!("{TABLE} row of {run}");
    let (id, row) = select(connection, sql, [run.as_str()])?
        .pop()
        .ok_or_else(|| StateError::damaged(place(), "it is missing"))?;
    if row.open && row.tenant == *tenant {
        Ok((id, row))
    } else {
        Err(StateError::damaged(
            place(),
            format!("it is no open run of {tenant}"),
        ))
    }
}

fn select(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<(i64, RunSummary)>, StateError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |column| -> Result<&str, StateError> {
            Ok(row
                .get_ref(column)?
                .as_str()
                .map_err(rusqlite::Error::from)?)
        };
        let bytes = |column| -> Result<&[u8], StateError> {
            Ok(row
                .get_ref(column)?
                .as_blob()
                .map_err(rusqlite::Error::from)?)
        };
        let id = row.get(0)?;
        let key = key_of(id, text(1)?, text(2)?, row.get(3)?);
        found.push((id, codec::unseal(TABLE, &key, bytes(4)?, bytes(5)?)?));
    }
    Ok(found)
}

pub(crate) fn seal_plan(plan: &Plan) -> Result<Sealed, StateError> {
    codec::seal("plans", &plan.id(), plan)
}

pub(crate) fn insert_plan(
    connection: &Connection,
    id: i64,
    plan: &Sealed,
) -> Result<(), StateError> {
    let sql = "INSERT INTO plans (run, body, seal) VALUES (?1, ?2, ?3)";
    insert_sealed(connection, sql, &id, plan)
}

pub(crate) fn plan(connection: &Connection, id: i64, plan: &Digest) -> Result<Plan, StateError> {
    let sql = "SELECT body, seal FROM plans WHERE run = ?1";
    table::row(connection, sql, [id], "plans", plan)?
        .ok_or_else(|| StateError::damaged(format!("the plan of run {id}"), "it is missing"))
}

fn edit_key(run: i64, place: u64) -> String {
    format!("{run}/{place}")
}

pub(crate) fn insert_edit(
    connection: &Connection,
    run: i64,
    place: u64,
    row: &EditRow,
) -> Result<(), StateError> {
    let sealed = codec::seal("edits", &edit_key(run, place), row)?;
    connection
        .prepare_cached("INSERT INTO edits (run, place, body, seal) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            run,
            signed(place),
            sealed.body,
            sealed.seal.as_bytes()
        ])?;
    Ok(())
}

/// The edits of an open run, in order.
pub(crate) fn edits(
    connection: &Connection,
    run: i64,
    count: u64,
) -> Result<Vec<EditRow>, StateError> {
    (0..count)
        .map(|place| {
            let key = edit_key(run, place);
            let sql = "SELECT body, seal FROM edits WHERE run = ?1 AND place = ?2";
            table::row(connection, sql, params![run, signed(place)], "edits", &key)?
                .ok_or_else(|| StateError::damaged(format!("edits row {key}"), "it is missing"))
        })
        .collect()
}

/// Drops what only an open run needs.
pub(crate) fn drop_plan(connection: &Connection, run: i64) -> Result<(), StateError> {
    for sql in [
        "DELETE FROM plans WHERE run = ?1",
        "DELETE FROM edits WHERE run = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([run])?;
    }
    Ok(())
}
