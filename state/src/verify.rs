//! Looking at all of a state file: every byte that is sealed, every number that counts others,
//! every reference, and the anchor.
//!
//! Reading checks what it reads; this reads everything, and goes on after what it finds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use matih_model::{Digest, TenantId};
use rusqlite::Connection;
use serde::Serialize;

use crate::anchor;
use crate::audit::{AuditEntry, AuditEvent, Head};
use crate::codec;
use crate::connect;
use crate::error::StateError;
use crate::fold::Record;
use crate::store::Store;
use crate::table::tenants::TenantSummary;
use crate::table::{chain, counted, journal, locks, runs, snapshots, tenants};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The tenant whose state it concerns, if one.
    pub tenant: Option<TenantId>,
    /// What is wrong, in a sentence.
    pub message: String,
}

/// What a look at the whole file found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// What is wrong with the file; empty means sound.
    pub problems: Vec<Problem>,
    /// What is wrong between the file and its anchor.
    pub anchor: Option<Problem>,
    /// How many tenants there are.
    pub tenants: u64,
    /// How many snapshots.
    pub snapshots: u64,
    /// How many records, each kept once.
    pub records: u64,
    /// How many of those no snapshot holds (a run that is open, or that was not committed).
    pub unreferenced: u64,
    /// How many runs.
    pub runs: u64,
    /// How many journal rows.
    pub journal: u64,
    /// How many audit rows.
    pub audit: u64,
}

impl VerifyReport {
    /// Whether nothing at all is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty() && self.anchor.is_none()
    }

    fn note(&mut self, tenant: Option<&TenantId>, error: impl ToString) {
        self.problems.push(Problem {
            tenant: tenant.cloned(),
            message: error.to_string(),
        });
    }

    /// Takes the value of a look, or notes why there is none.
    fn take<T>(&mut self, tenant: Option<&TenantId>, look: Result<T, StateError>) -> Option<T> {
        look.map_err(|error| self.note(tenant, error)).ok()
    }
}

impl Store {
    /// Looks at all of the file; see [`verify`].
    ///
    /// # Errors
    /// The file cannot be opened at all.
    pub fn verify(&self) -> Result<VerifyReport, StateError> {
        verify(self.path())
    }
}

/// Looks at all of a state file, also one that [`Store::open`] refuses.
///
/// # Errors
/// There is no file, or it is not one of matih's: there is nothing to look at.
pub fn verify(path: &Path) -> Result<VerifyReport, StateError> {
    let mut report = VerifyReport::default();
    // The anchor first: the file only moves forward, so it must hold what the anchor says.
    let anchored = anchor::read(path);
    let connection = connect::examined(path)?;
    let transaction = connection.unchecked_transaction()?;
    let whole = connect::trusted(&transaction);
    if let Some(installation) = report.take(None, whole) {
        let compared = anchored.and_then(|anchor| match anchor {
            Some(anchor) => connect::compare(&transaction, &installation, &anchor),
            None => Err(StateError::AnchorMissing {
                path: anchor::path_of(path),
            }),
        });
        report.anchor = compared.err().map(|error| Problem {
            tenant: None,
            message: error.to_string(),
        });
    }
    let sound = pages(&transaction, &mut report);
    report.take(None, sound);
    let committed = audit(&transaction, &mut report);
    let bodies = bodies(&transaction, &mut report);
    let bodies = report.take(None, bodies).unwrap_or_default();
    let mut held = BTreeSet::new();
    let all = tenants::all(&transaction);
    for row in report.take(None, all).unwrap_or_default() {
        report.tenants += 1;
        let found = tenant(&transaction, &row, &mut report, &mut held);
        report.take(Some(&row.tenant), found);
        if row.head.map(|head| head.to_string()) != committed.get(&row.tenant).cloned() {
            let message = "its head is not the one that was committed last";
            report.note(Some(&row.tenant), message);
        }
    }
    report.unreferenced = bodies.difference(&held).count() as u64;
    if let Some(missing) = held.difference(&bodies).next() {
        report.note(None, format!("record {} is missing", missing.short()));
    }
    Ok(report)
}

/// What SQLite itself can tell.
fn pages(connection: &Connection, report: &mut VerifyReport) -> Result<(), StateError> {
    let mut statement = connection.prepare("PRAGMA integrity_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let message: String = row.get(0)?;
        if message != "ok" {
            report.note(None, message);
        }
    }
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let table: String = row.get(0)?;
        report.note(
            None,
            format!("a row of {table} refers to one that is not there"),
        );
    }
    Ok(())
}

/// Walks the chain; returns the head that each tenant's last commit left.
fn audit(connection: &Connection, report: &mut VerifyReport) -> BTreeMap<TenantId, String> {
    let mut committed = BTreeMap::new();
    let mut rows = 0;
    let mut visit = |_: u64, entry: AuditEntry| {
        rows += 1;
        if let (AuditEvent::Committed, Some(tenant)) = (entry.event, entry.tenant) {
            committed.extend(entry.detail.get("after").map(|head| (tenant, head.clone())));
        }
    };
    let walked = chain::walk(connection, Head::none(), &mut visit);
    report.take(None, walked);
    report.audit = rows;
    committed
}

fn bodies(
    connection: &Connection,
    report: &mut VerifyReport,
) -> Result<BTreeSet<Digest>, StateError> {
    let mut found = BTreeSet::new();
    let mut statement = connection.prepare("SELECT digest, body FROM bodies")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let digest: Vec<u8> = row.get(0)?;
        let body: Vec<u8> = row.get(1)?;
        let read = codec::digest("a record", &digest)
            .and_then(|digest| codec::unseal_record(&digest, &body).map(|_| digest));
        found.extend(report.take(None, read));
        report.records += 1;
    }
    Ok(found)
}

/// All that is kept of one tenant. `held` gathers the records that its snapshots hold.
fn tenant(
    connection: &Connection,
    row: &TenantSummary,
    report: &mut VerifyReport,
    held: &mut BTreeSet<Digest>,
) -> Result<(), StateError> {
    let tenant = &row.tenant;
    let lock = locks::read(connection, tenant);
    report.take(Some(tenant), lock);
    for (id, run) in runs::of_tenant(connection, tenant, row.runs)? {
        report.runs += 1;
        let rows = journal::of_run(connection, id, run.begun);
        report.journal += report
            .take(Some(tenant), rows)
            .map_or(0, |rows| rows.len() as u64);
        if run.open != (row.open_run.as_ref() == Some(&run.run)) {
            report.note(
                Some(tenant),
                format!("{} is open in one place only", run.run),
            );
        }
    }
    if let Some(run) = &row.open_run {
        let (id, run) = runs::open(connection, tenant, run)?;
        if let Some(plan) = &run.plan {
            runs::plan(connection, id, plan)?;
        }
        counted(
            "the edits",
            run.edits,
            runs::edits(connection, id, run.edits)?.len(),
        )?;
    }
    let history = snapshots::history(connection, tenant, row.head, row.oldest..=row.serial)?;
    for summary in &history {
        report.snapshots += 1;
        let read = snapshots::manifest(connection, tenant, summary.id);
        if let Some(Some(manifest)) = report.take(Some(tenant), read) {
            held.extend(manifest.resources.into_values());
        }
    }
    let Some(head) = row.head else {
        return Ok(());
    };
    let found = snapshots::held(connection, tenant, head)?;
    let record = Record::of(&found.0, &found.1);
    if tenants::tokens(connection, row)? != record.tokens(head).of(tenant) {
        report.note(Some(tenant), "its tokens are not those of its head");
    }
    Ok(())
}
