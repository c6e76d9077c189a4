//! Taking a lock away by force: for a holder that is surely gone and that nobody can prove to be.

use matih_model::TenantId;

use crate::audit::{AuditEntry, AuditEvent};
use crate::error::StateError;
use crate::holder::Holder;
use crate::lock::LockRow;
use crate::store::Store;
use crate::table::locks::Found;
use crate::table::{installation, locks, tenants};
use crate::writer::{Anchoring, Tx};

/// Who takes which lock away, and why.
#[derive(Clone, Debug)]
pub struct ForceRelease {
    /// Whose lock.
    pub tenant: TenantId,
    /// The exact id that [`Store::lock_status`] shows.
    pub id: String,
    /// Who does it.
    pub by: Holder,
    /// Why, for the audit.
    pub reason: String,
    /// Milliseconds since the epoch.
    pub now_ms: u64,
}

impl Store {
    /// Takes a lock away, also one whose row cannot be read. The fence moves on, so whoever held
    /// the lock writes nothing more, alive or not.
    ///
    /// # Errors
    /// The tenant is not known or not locked, the id is another one, or the file cannot be
    /// written.
    pub fn force_release(&self, request: &ForceRelease) -> Result<(), StateError> {
        let request = request.clone();
        self.shared
            .writer
            .write(Anchoring::Now, move |tx| release(tx, &request))
    }
}

fn release(tx: &Tx<'_>, request: &ForceRelease) -> Result<(), StateError> {
    let tenant = &request.tenant;
    tenants::read(tx, tenant)?;
    let mut entry = AuditEntry::new(AuditEvent::ForceReleased, request.now_ms, &request.by)
        .with("reason", &request.reason)
        .with("lock", &request.id);
    let found = match locks::find(tx, tenant)? {
        Found::Row(LockRow { held: None, .. }) => {
            return Err(StateError::NotLocked {
                tenant: tenant.clone(),
            });
        }
        Found::Row(LockRow {
            held: Some(held), ..
        }) => {
            entry = entry.with("from", &held.holder);
            entry.run = Some(held.run);
            held.id
        }
        Found::Damaged(id) => id,
    };
    if found != request.id {
        return Err(StateError::WrongLock {
            tenant: tenant.clone(),
            given: request.id.clone(),
            found,
        });
    }
    let fence = installation::next_fence(tx)?;
    locks::write(tx, tenant, &LockRow { fence, held: None })?;
    entry.tenant = Some(tenant.clone());
    entry.fence = Some(fence);
    tx.audit(&entry)
}
