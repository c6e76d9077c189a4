//! The write side: what the holder of a tenant's lock may do, and nothing without it.
//!
//! Every call is one transaction that checks lock id, fence and lease, writes its rows and their
//! audit rows, and returns when that is on disk. What the next call needs is kept in memory and
//! changed only after the transaction stands; after a write that failed, the store writes nothing
//! more until the lock is taken again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use matih_model::{ActionIndex, Digest, Origin, Plan, RunId, Snapshot, Tenancy, TenantId, Verb};

use crate::audit::{AuditEntry, AuditEvent};
use crate::codec;
use crate::error::StateError;
use crate::fold::Record;
use crate::holder;
use crate::journal::{JournalEntry, JournalState, Pending};
use crate::lock::{self, LockInfo, LockRequest, LockRow};
use crate::status::{RunOutcome, TenantStatus};
use crate::store::{self, Store};
use crate::table::runs::RunSummary;
use crate::table::tenants::TenantSummary;
use crate::table::{installation, journal, locks, runs, snapshots, tenants};
use crate::writer::{Anchoring, Tx};

mod actions;
mod prune;
mod run;

/// What a run is to do.
#[derive(Clone, Copy, Debug)]
pub struct RunStart<'a> {
    /// Its name, never used before.
    pub run: &'a RunId,
    /// To what end.
    pub verb: &'a Verb,
    /// What it carries out; `None` for a change to the record alone.
    pub plan: Option<&'a Plan>,
    /// Milliseconds since the epoch.
    pub now_ms: u64,
}

/// How a run ends.
#[derive(Clone, Debug)]
pub struct CommitRequest {
    /// Who made the snapshot, and to what end.
    pub origin: Origin,
    /// The tenancy that was applied.
    pub tenancy: Tenancy,
    /// The digest of the inputs, if the head now stands for all of them; `None` after a partial
    /// apply, so that no later plan takes the tenant for unchanged.
    pub inputs: Option<Digest>,
    /// How it went: decides the tenant's status.
    pub outcome: RunOutcome,
    /// Milliseconds since the epoch.
    pub now_ms: u64,
}

/// The state of one tenant in the hands of whoever holds its lock.
///
/// Dropping it does not release the lock: a process that crashed releases nothing either, and
/// the next one finds out by the dead process or the lease that is over.
pub struct LockedStore {
    store: Store,
    tenant: TenantId,
    lock: LockInfo,
    /// The tenant's row as it is in the file.
    summary: TenantSummary,
    head: Option<Arc<Snapshot>>,
    /// The head with the edits and outcomes of the open run.
    record: Record,
    run: Option<OpenRun>,
    /// A write failed: memory and file may differ.
    stale: bool,
}

/// A run that is not closed.
struct OpenRun {
    id: i64,
    row: RunSummary,
    plan: Option<Plan>,
    journal: BTreeMap<ActionIndex, JournalEntry>,
}

impl Store {
    /// Takes the lock of a tenant. A tenant that was never seen comes into being, `PENDING`.
    ///
    /// A lock whose holder was a process of this host that is gone is taken over at once, any
    /// other when its lease is over and the margin of [`lock::margin_ms`] has passed. A run that
    /// the last holder left open is loaded: settle [`LockedStore::pending`] and commit.
    ///
    /// # Errors
    /// [`StateError::Locked`] with the holder, [`StateError::LockDamaged`], or the file cannot be
    /// used.
    pub fn lock(&self, request: &LockRequest) -> Result<LockedStore, StateError> {
        let asked = request.clone();
        let lock = self
            .shared
            .writer
            .write(Anchoring::Later, move |tx| grant(tx, &asked))?;
        let loaded = self.read(|it| {
            let summary = tenants::read(it, &request.tenant)?;
            let (head, record) = match summary.head {
                Some(id) => {
                    let found = snapshots::read(it, &request.tenant, id)?;
                    let (snapshot, digests) = found.ok_or_else(|| {
                        let place = format!("snapshot {} of {}", id.0.short(), request.tenant);
                        StateError::damaged(place, "it is missing")
                    })?;
                    let record = Record::of(&snapshot, &digests);
                    (Some(snapshot), record)
                }
                None => (None, Record::default()),
            };
            let mut record = record;
            let run = match &summary.open_run {
                Some(run) => Some(load_run(it, &request.tenant, run, &mut record)?),
                None => None,
            };
            Ok((summary, head, record, run))
        });
        let (summary, head, record, run) = loaded?;
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
    connection: &rusqlite::Connection,
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
        record.settle(entry, applied)?;
    }
    Ok(OpenRun {
        id,
        row,
        plan,
        journal,
    })
}

impl LockedStore {
    /// The number of this grant: what everything is written under.
    pub fn fence(&self) -> u64 {
        self.lock.fence
    }

    /// The lock as it is held, with its id and lease.
    pub fn lock(&self) -> &LockInfo {
        &self.lock
    }

    /// Whose state it is.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The tenant's newest snapshot.
    pub fn head(&self) -> Option<&Arc<Snapshot>> {
        self.head.as_ref()
    }

    /// What is recorded now, by address: the head with what the open run has done to it so far.
    pub fn recorded(
        &self,
    ) -> impl Iterator<Item = (&matih_model::Address, &Arc<matih_model::Recorded>)> {
        self.record.iter()
    }

    /// The tenant's row.
    pub fn summary(&self) -> &TenantSummary {
        &self.summary
    }

    /// The run that is open: ours, or one that a crash left.
    pub fn open_run_summary(&self) -> Option<&RunSummary> {
        self.run.as_ref().map(|run| &run.row)
    }

    /// The plan of the open run.
    pub fn plan(&self) -> Option<&Plan> {
        self.run.as_ref().and_then(|run| run.plan.as_ref())
    }

    /// The read side.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The actions of the open run whose outcome nobody knows.
    ///
    /// # Errors
    /// The file cannot be read or is damaged.
    pub fn pending(&self) -> Result<Vec<Pending>, StateError> {
        match &self.run {
            Some(run) => self.store.read(|it| store::pending(it, run.id, &run.row)),
            None => Ok(Vec::new()),
        }
    }

    /// An audit row of this holder.
    fn entry(&self, event: AuditEvent, now_ms: u64) -> AuditEntry {
        let mut entry = AuditEntry::new(event, now_ms, &self.lock.holder);
        entry.tenant = Some(self.tenant.clone());
        entry.run = Some(match &self.run {
            Some(run) => run.row.run.clone(),
            None => self.lock.run.clone(),
        });
        entry.fence = Some(self.lock.fence);
        entry
    }

    /// One guarded transaction.
    fn write<T: Send + 'static>(
        &mut self,
        anchoring: Anchoring,
        now_ms: u64,
        work: impl FnOnce(&Tx<'_>) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, StateError> {
        if self.stale {
            return Err(StateError::Stale {
                tenant: self.tenant.clone(),
            });
        }
        let (tenant, lock) = (self.tenant.clone(), self.lock.clone());
        let written = self.store.shared.writer.write(anchoring, move |tx| {
            locks::guard(tx, &tenant, &lock, now_ms)?;
            work(tx)
        });
        self.stale = written.is_err();
        written
    }

    /// Sets the tenant's status by itself: suspend, activate, ask for deletion, cancel.
    ///
    /// # Errors
    /// The table of domain.md section 3.1 has no such step, the lock is lost, or the file cannot
    /// be written.
    pub fn set_status(
        &mut self,
        status: TenantStatus,
        error: Option<String>,
        now_ms: u64,
    ) -> Result<(), StateError> {
        let mut row = self.summary.clone();
        let before = row.status;
        row.step(before.become_status(status)?);
        row.error = error;
        row.updated_ms = now_ms;
        let entry = self
            .entry(AuditEvent::StatusChanged, now_ms)
            .with("before", before)
            .with("after", status);
        let written = row.clone();
        self.write(Anchoring::Now, now_ms, move |tx| {
            tenants::write(tx, &written)?;
            tx.audit(&entry)
        })?;
        self.summary = row;
        Ok(())
    }

    /// Puts the end of the lease off to `now_ms` plus its length.
    ///
    /// # Errors
    /// The lease is over already, the lock is lost, or the file cannot be written.
    pub fn renew(&mut self, now_ms: u64) -> Result<(), StateError> {
        let mut lock = self.lock.clone();
        lock.expires_ms = lock.expires_ms.max(now_ms.saturating_add(lock.lease_ms));
        let entry = self
            .entry(AuditEvent::Renewed, now_ms)
            .with("expires_ms", lock.expires_ms);
        let (tenant, held) = (self.tenant.clone(), lock.clone());
        self.write(Anchoring::Later, now_ms, move |tx| {
            let row = LockRow {
                fence: held.fence,
                held: Some(held),
            };
            locks::write(tx, &tenant, &row)?;
            tx.audit(&entry)
        })?;
        self.lock = lock;
        Ok(())
    }

    /// Gives the lock back. The last lock of a process that is given back also folds the
    /// write-ahead log into the file, so that at rest the file alone holds everything.
    ///
    /// # Errors
    /// The lock is lost already, or the file cannot be written; the lease then ends by itself.
    pub fn release(mut self, now_ms: u64) -> Result<(), StateError> {
        let entry = self.entry(AuditEvent::Released, now_ms);
        let (tenant, fence) = (self.tenant.clone(), self.lock.fence);
        self.stale = false;
        let released = self.write(Anchoring::Now, now_ms, move |tx| {
            locks::write(tx, &tenant, &LockRow { fence, held: None })?;
            tx.audit(&entry)
        });
        let store = self.store.clone();
        drop(self);
        store.checkpoint_if_idle();
        released
    }
}

impl Drop for LockedStore {
    fn drop(&mut self) {
        self.store.shared.held.fetch_sub(1, Ordering::SeqCst);
    }
}
