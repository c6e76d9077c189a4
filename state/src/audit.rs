//! Who did what, when and from where: rows in the same transaction as what they tell of, each
//! hashed together with the row before it.
//!
//! The order is that of the numbers; the clock only informs. A changed, missing, added or moved
//! row breaks the chain; a lost end is seen by the anchor.

use std::collections::BTreeMap;

use matih_model::{Address, Digest, RunId, TenantId};
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::error::StateError;
use crate::holder::Holder;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuditEvent {
    /// The state file was made.
    Created,
    /// The lock was granted.
    Locked,
    /// The lock was taken from a holder that is gone or whose lease was over.
    TakenOver,
    /// The lease was renewed.
    Renewed,
    /// The lock was given back.
    Released,
    /// The lock was taken away by force.
    ForceReleased,
    /// A run was opened.
    RunOpened,
    /// An action is about to be sent.
    Started,
    /// The outcome of an action is known, or known to be unknown.
    Finished,
    /// The record was changed without calling a provider.
    Edited,
    /// A snapshot was committed, or a run closed without one.
    Committed,
    /// The tenant's status was changed by itself.
    StatusChanged,
    /// Old snapshots were dropped.
    Pruned,
    /// A backup was put back, or the file was accepted as it was found.
    Restored,
}

/// One row of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// What happened.
    pub event: AuditEvent,
    /// When, milliseconds since the epoch, by the clock of whoever did it.
    pub at_ms: u64,
    /// Who did it.
    pub who: String,
    /// From which host.
    pub host: String,
    /// Whose tenant it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// The run that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The fence that it was written under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<u64>,
    /// The resource that it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// The rest, by name: digests before and after, tries, reasons.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detail: BTreeMap<String, String>,
}

impl AuditEntry {
    pub(crate) fn new(event: AuditEvent, at_ms: u64, holder: &Holder) -> Self {
        Self {
            event,
            at_ms,
            who: holder.who.clone(),
            host: holder.host.clone(),
            tenant: None,
            run: None,
            fence: None,
            address: None,
            detail: BTreeMap::new(),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.detail.insert(name.to_owned(), value.to_string());
        self
    }
}

/// Which rows of the audit are wanted. Empty wants all.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only of this tenant.
    pub tenant: Option<TenantId>,
    /// Only of this run.
    pub run: Option<RunId>,
    /// Only of these events; empty means all.
    pub events: Vec<AuditEvent>,
    /// Only rows after this number.
    pub after: Option<u64>,
    /// At most so many, the newest.
    pub limit: Option<usize>,
}

impl AuditFilter {
    pub(crate) fn wants(&self, entry: &AuditEntry) -> bool {
        let same = |wanted: bool, equal: bool| !wanted || equal;
        same(self.tenant.is_some(), self.tenant == entry.tenant)
            && same(self.run.is_some(), self.run == entry.run)
            && same(!self.events.is_empty(), self.events.contains(&entry.event))
    }
}

/// The end of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: u64,
    pub(crate) hash: Digest,
}

impl Head {
    /// The end of a chain that has no row yet.
    pub(crate) fn none() -> Self {
        Self {
            seq: 0,
            hash: Digest::of_bytes("matih audit start v1", b""),
        }
    }

    /// The end of the chain with one more row.
    pub(crate) fn next(&self, body: &[u8]) -> Self {
        let seq = self.seq + 1;
        let mut bytes = Vec::with_capacity(40 + body.len());
        bytes.extend_from_slice(&seq.to_le_bytes());
        bytes.extend_from_slice(self.hash.as_bytes());
        bytes.extend_from_slice(body);
        Self {
            seq,
            hash: Digest::of_bytes("matih audit v1", &bytes),
        }
    }
}

pub(crate) fn encode(entry: &AuditEntry) -> Result<Vec<u8>, StateError> {
    codec::json("an audit row", entry)
}

pub(crate) fn decode(seq: u64, body: &[u8]) -> Result<AuditEntry, StateError> {
    serde_json::from_slice(body)
        .map_err(|error| StateError::damaged(format!("audit row {seq}"), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_covers_content_order_and_number() {
        let start = Head::none();
        let two = start.next(b"a").next(b"b");
        assert_eq!(two.seq, 2);
        assert_ne!(two.hash, start.next(b"b").next(b"a").hash);
        assert_ne!(two.hash, start.next(b"ab").hash);
        assert_ne!(start.next(b"a").hash, start.next(b"a").next(b"").hash);
    }
}
