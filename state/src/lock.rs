//! The rules of the lock: who may write, who may take over, and when. Pure.
//!
//! A lock is a row with a holder, a lease and a *fence*: a number that grows with each grant over
//! all tenants and is never used twice. Every write compares lock id and fence with the row in
//! its own transaction, so a holder that slept through its lease writes nothing, whatever its
//! clock says.
//!
//! Clocks of two hosts differ, so both sides keep away from the end of a lease: the holder stops
//! writing [`margin_ms`] before it, and another one takes over [`margin_ms`] after it. Up to twice
//! the margin of difference between two clocks is harmless even to what no fence can reach (a
//! cloud call that is still in the air).

use std::fmt;

use matih_model::{Digest, RunId, TenantId};
use serde::{Deserialize, Serialize};

use crate::error::StateError;
use crate::holder::{Holder, Life};

/// A sixth of the lease: 5 seconds of the default lease of 30 seconds.
pub fn margin_ms(lease_ms: u64) -> u64 {
    lease_ms / 6
}

/// A lock that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockInfo {
    /// What releases it.
    pub id: String,
    /// Which grant this is: grows, over all tenants, and is never used twice.
    pub fence: u64,
    /// Who holds it.
    pub holder: Holder,
    /// The run that it was taken for.
    pub run: RunId,
    /// Since when, milliseconds since the epoch.
    pub since_ms: u64,
    /// The length of the lease.
    pub lease_ms: u64,
    /// When the lease ends, unless it is renewed.
    pub expires_ms: u64,
}

impl LockInfo {
    /// The last moment at which the holder writes.
    pub fn usable_until_ms(&self) -> u64 {
        self.expires_ms.saturating_sub(margin_ms(self.lease_ms))
    }

    /// The first moment at which somebody else may take over.
    pub fn free_from_ms(&self) -> u64 {
        self.expires_ms.saturating_add(margin_ms(self.lease_ms))
    }
}

impl fmt::Display for LockInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} for `{}` ({}, since {} ms, until {} ms, lock id {})",
            self.holder, self.holder.operation, self.run, self.since_ms, self.expires_ms, self.id
        )
    }
}

/// What `matih lock status` shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "lock")]
pub enum LockStatus {
    /// Nobody holds it.
    Free,
    /// Somebody holds it.
    Held(Box<LockInfo>),
    /// The row cannot be read; it can still be released under this id.
    Damaged {
        /// What releases it: made from the row's bytes, so that it names this damage only.
        id: String,
    },
}

/// A row of the table of locks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LockRow {
    /// The fence of the last grant or forced release.
    pub(crate) fence: u64,
    /// Who holds it.
    pub(crate) held: Option<LockInfo>,
}

/// Who wants the lock.
#[derive(Clone, Debug)]
pub struct LockRequest {
    /// Whose lock.
    pub tenant: TenantId,
    /// Who asks.
    pub holder: Holder,
    /// The run that it is for.
    pub run: RunId,
    /// Milliseconds since the epoch.
    pub now_ms: u64,
    /// How long the lock is kept without renewal; 30 seconds by default.
    pub lease_ms: u64,
}

/// Why a lock that was held changed hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakeOver {
    /// The process that held it is gone.
    Gone,
    /// Its lease is over.
    Expired,
}

impl TakeOver {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Gone => "the process that held it is gone",
            Self::Expired => "its lease was over",
        }
    }
}

/// Whether a held lock may be taken over at `now_ms`, given what is known of the holder's life.
pub(crate) fn take_over(held: &LockInfo, life: Life, now_ms: u64) -> Option<TakeOver> {
    if life == Life::Gone {
        Some(TakeOver::Gone)
    } else if now_ms >= held.free_from_ms() {
        Some(TakeOver::Expired)
    } else {
        None
    }
}

/// Whether the holder of `mine` may write at `now_ms`, given the row as it is now.
pub(crate) fn check(
    tenant: &TenantId,
    row: &LockRow,
    mine: &LockInfo,
    now_ms: u64,
) -> Result<(), StateError> {
    match &row.held {
        Some(held) if held.id == mine.id && row.fence == mine.fence => {
            let until_ms = held.usable_until_ms();
            if now_ms <= until_ms {
                Ok(())
            } else {
                Err(StateError::LeaseOver {
                    tenant: tenant.clone(),
                    until_ms,
                    now_ms,
                })
            }
        }
        _ => Err(StateError::LockLost {
            tenant: tenant.clone(),
            held: mine.fence,
            now: row.fence,
        }),
    }
}

/// The lock that a grant makes.
pub(crate) fn grant(request: &LockRequest, fence: u64) -> LockInfo {
    let identity = (&request.tenant, fence, &request.run, &request.holder);
    let digest = Digest::of("matih lock id v1", &identity).short();
    LockInfo {
        id: format!("lock-{fence}-{digest}"),
        fence,
        holder: request.holder.clone(),
        run: request.run.clone(),
        since_ms: request.now_ms,
        lease_ms: request.lease_ms,
        expires_ms: request.now_ms.saturating_add(request.lease_ms),
    }
}

/// The id of a lock row that cannot be read.
pub(crate) fn damaged_id(body: &[u8], seal: &[u8]) -> String {
    let bytes = [body, seal].concat();
    let digest = Digest::of_bytes("matih damaged lock v1", &bytes);
    format!("damaged-{}", digest.short())
}
