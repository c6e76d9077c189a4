//! The write side: what the holder of a tenant's lock may do, and nothing without it.
//!
//! Every call is one transaction that checks lock id, fence and lease, writes its rows and their
//! audit rows, and returns when that is on disk. What the next call needs is kept in memory and
//! changed only after the transaction stands; after a write that failed, the store writes nothing
//! more until the lock is taken again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use matih_model::{
    ActionIndex, Address, Digest, Origin, Plan, Recorded, RunId, Snapshot, Tenancy, TenantId, Verb,
};

use crate::audit::{AuditEntry, AuditEvent};
use crate::error::StateError;
use crate::fold::Record;
use crate::journal::{JournalEntry, Pending};
use crate::lock::{LockInfo, LockRow};
use crate::status::{RunOutcome, TenantStatus};
use crate::store::{self, Store};
use crate::table::runs::RunSummary;
use crate::table::tenants::TenantSummary;
use crate::table::{locks, tenants};
use crate::writer::{Anchoring, Tx};

mod actions;
mod prune;
mod run;
mod take;

/// What a run is to do.
#[derive(Clone, Copy, Debug)]
pub struct RunStart<'a> {
    /// Its name, never used before.
    pub run: &'a RunId,
    /// To what end.
    pub verb: &'a Verb,
    /// What it carries out; `None` for a change to the record alone.
    pub plan: Option<&'a Plan>,
    /// The line that asks for the same again, where nothing that is recorded knows the end.
    pub command: Option<&'a str>,
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
    pub fn recorded(&self) -> impl Iterator<Item = (&Address, &Arc<Recorded>)> {
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
