//! Dropping old snapshots of a tenant.

use std::collections::BTreeSet;

use matih_model::TenantId;
use rusqlite::Connection;

use crate::audit::AuditEvent;
use crate::error::StateError;
use crate::locked::LockedStore;
use crate::table::{snapshots, tenants};
use crate::writer::Anchoring;

impl LockedStore {
    /// Drops all but the newest `keep` snapshots, and the records that no other one holds.
    /// Returns how many were dropped. The head always stays; journal and audit are not touched.
    ///
    /// # Errors
    /// A run is open, the lock is lost, or the file cannot be written.
    pub fn prune(&mut self, keep: u64, now_ms: u64) -> Result<u64, StateError> {
        if let Some(run) = &self.run {
            return Err(StateError::RunOpen {
                tenant: self.tenant.clone(),
                run: run.row.run.clone(),
            });
        }
        let mut row = self.summary.clone();
        let oldest = (row.serial + 1).saturating_sub(keep.max(1)).max(row.oldest);
        let dropped = oldest - row.oldest;
        if dropped == 0 {
            return Ok(0);
        }
        let before = std::mem::replace(&mut row.oldest, oldest);
        row.updated_ms = now_ms;
        let entry = self
            .entry(AuditEvent::Pruned, now_ms)
            .with("before", before)
            .with("after", oldest);
        let written = row.clone();
        self.write(Anchoring::Now, now_ms, move |tx| {
            drop_before(tx, &written.tenant, before, oldest, written.serial)?;
            tenants::write(tx, &written)?;
            tx.audit(&entry)
        })?;
        self.summary = row;
        Ok(dropped)
    }
}

/// Records name their tenant, so one that no other snapshot of the tenant holds is held by none.
fn drop_before(
    connection: &Connection,
    tenant: &TenantId,
    first: u64,
    oldest: u64,
    newest: u64,
) -> Result<(), StateError> {
    let held = |serials: std::ops::Range<u64>| -> Result<BTreeSet<_>, StateError> {
        let mut held = BTreeSet::new();
        for serial in serials {
            held.extend(
                snapshots::manifest_at(connection, tenant, serial)?
                    .resources
                    .into_values(),
            );
        }
        Ok(held)
    };
    let dropped = held(first..oldest)?;
    for digest in dropped.difference(&held(oldest..newest + 1)?) {
        snapshots::drop_body(connection, digest)?;
    }
    for serial in first..oldest {
        snapshots::drop(connection, tenant, serial)?;
    }
    Ok(())
}
