//! Taking a lock: granted, taken over or refused, and what the last holder left is loaded.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use matih_model::{RunId, Snapshot, TenantId};
use rusqlite::Connection;

use crate::audit::{AuditEntry, AuditEvent};
use crate::codec;
use crate::error::StateError;
use crate::fold::Record;
use crate::holder;
use crate::journal::{JournalEntry, JournalState};
use crate::lock::{self, LockInfo, LockRequest, LockRow};
use crate::locked::{LockedStore, OpenRun};
use crate::store::Store;
use crate::table::tenants::TenantSummary;
use crate::table::{installation, journal, locks, runs, snapshots, tenants};
use crate::writer::{Anchoring, Tx};

impl Store {
    /// Takes the lock of a tenant. A tenant that was never seen comes into being, `PENDING`.
    ///
    /// A lock whose holder was a process of this host that is gone is taken over at once, any
    /// other when its lease is over and the margin of [`crate::margin_ms`] has passed. A run that
    /// the last holder left open is loaded: settle [`LockedStore::pending`] and commit.
    ///
    /// # Errors
    /// [`StateError::Locked`] with the holder, [`StateError::LockDamaged`], or the file cannot be
    /// used; the lock is not held then.
    pub fn lock(&self, request: &LockRequest) -> Result<LockedStore, StateError> {
        let asked = request.clone();
        let writer = &self.shared.writer;
        let lock = writer.write(Anchoring::Later, move |tx| grant(tx, &asked))?;
        match self.read(|it| load(it, &request.tenant)) {
            Ok((summary, head, record, run)) => {
                self.shared.held.fetch_add(1, Ordering::SeqCst);
                Ok(LockedStore {
                    store: self.clone(),
                    tenant: request.tenant.clone(),
                    lock,
                    summary,
                    head,
                    record,
                    run,
                    stale: false,
                })
            }
            Err(error) => {
                // The first error is the one to tell: a lock that stays ends with its lease.
                let asked = request.clone();
                let _ = writer.write(Anchoring::Later, move |tx| give_back(tx, &asked, &lock));
                Err(error)
            }
        }
    }
}

/// A tenant as its last holder left it.
type Loaded = (
    TenantSummary,
    Option<Arc<Snapshot>>,
    Record,
    Option<OpenRun>,
);

fn load(connection: &Connection, tenant: &TenantId) -> Result<Loaded, StateError> {
    let summary = tenants::read(connection, tenant)?;
    let (head, mut record) = match summary.head {
        Some(id) => {
            let (snapshot, digests) = snapshots::held(connection, tenant, id)?;
            let record = Record::of(&snapshot, &digests);
            (Some(snapshot), record)
        }
        None => (None, Record::default()),
    };
    let run = match &summary.open_run {
        Some(run) => Some(load_run(connection, tenant, run, &mut record)?),
        None => None,
    };
    Ok((summary, head, record, run))
}

/// Undoes a grant of which nothing came.
fn give_back(tx: &Tx<'_>, request: &LockRequest, lock: &LockInfo) -> Result<(), StateError> {
    let tenant = &request.tenant;
    locks::guard(tx, tenant, lock, request.now_ms)?;
    let (fence, held) = (lock.fence, None);
    locks::write(tx, tenant, &LockRow { fence, held })?;
    let mut entry = AuditEntry::new(AuditEvent::Released, request.now_ms, &request.holder)
        .with("reason", "the tenant's state cannot be read");
    entry.tenant = Some(tenant.clone());
    entry.run = Some(request.run.clone());
    entry.fence = Some(fence);
    tx.audit(&entry)
}

fn grant(tx: &Tx<'_>, request: &LockRequest) -> Result<LockInfo, StateError> {
    let tenant = &request.tenant;
    if tenants::find(tx, tenant)?.is_none() {
        tenants::add(tx, &TenantSummary::new(tenant.clone(), request.now_ms))?;
        let row = LockRow {
            fence: 0,
            held: None,
        };
        locks::write(tx, tenant, &row)?;
    }
    let row = locks::read(tx, tenant)?;
    let (event, reason) = match &row.held {
        None => (AuditEvent::Locked, None),
        Some(held) => match lock::take_over(held, holder::life(&held.holder), request.now_ms) {
            Some(why) => (AuditEvent::TakenOver, Some((why, held.clone()))),
            None => {
                return Err(StateError::Locked {
                    tenant: tenant.clone(),
                    lock: Box::new(held.clone()),
                });
            }
        },
    };
    let fence = installation::next_fence(tx)?;
    let lock = lock::grant(request, fence);
    let row = LockRow {
        fence,
        held: Some(lock.clone()),
    };
    locks::write(tx, tenant, &row)?;
    let mut entry = AuditEntry::new(event, request.now_ms, &request.holder)
        .with("lock", &lock.id)
        .with("operation", &request.holder.operation);
    if let Some((why, held)) = reason {
        entry = entry
            .with("reason", why.reason())
            .with("from", &held.holder)
            .with("from_lock", &held.id);
    }
    entry.tenant = Some(tenant.clone());
    entry.run = Some(request.run.clone());
    entry.fence = Some(fence);
    tx.audit(&entry)?;
    Ok(lock)
}

/// Loads a run that is open, and folds into `record` what of it is in no snapshot yet.
fn load_run(
    connection: &Connection,
    tenant: &TenantId,
    run: &RunId,
    record: &mut Record,
) -> Result<OpenRun, StateError> {
    let (id, row) = runs::open(connection, tenant, run)?;
    let plan = match &row.plan {
        Some(plan) => Some(runs::plan(connection, id, plan)?),
        None => None,
    };
    let journal = journal::of_run(connection, id, row.begun)?;
    for edit in runs::edits(connection, id, row.edits)? {
        if edit.ordinal > row.folded {
            record.edit(&edit.edit)?;
        }
    }
    let mut outcomes: Vec<&JournalEntry> = journal
        .values()
        .filter(|entry| entry.ordinal > row.folded)
        .collect();
    outcomes.sort_by_key(|entry| entry.ordinal);
    for entry in outcomes {
        let applied = match &entry.state {
            JournalState::Applied { record } => {
                let recorded = snapshots::body(connection, record)?;
                let body = codec::seal_record(&recorded)?;
                Some((recorded, body))
            }
            _ => None,
        };
        if let (Some(settled), _) = record.settled(entry, applied)? {
            record.settle(settled);
        }
    }
    Ok(OpenRun {
        id,
        row,
        plan,
        journal,
    })
}
