//! The revisions of a release that our snapshots recorded.

use std::sync::Arc;

use matih_model::{Address, Recorded, RunId, Snapshot, Value};
use matih_state::{SnapshotKey, Store};

use crate::failure::Failure;
use crate::installation::of_state;
use crate::work::release::not_recorded;

/// One revision, as snapshots recorded it.
pub(crate) struct Kept {
    /// The provider's number.
    pub(crate) number: u64,
    /// The first and the last snapshot that have it, by number.
    pub(crate) snapshots: (u64, u64),
    /// The run that made the first of them.
    pub(crate) run: RunId,
    /// When the first of them was made, milliseconds since the epoch.
    pub(crate) since_ms: u64,
    /// As the last of them has it.
    pub(crate) recorded: Arc<Recorded>,
}

impl Kept {
    /// The provider's word for how it was.
    pub(crate) fn status(&self) -> &str {
        if self.recorded.unsettled {
            return "unsettled";
        }
        self.recorded.outputs.text("status").unwrap_or_default()
    }
}

/// The number of the revision in a record.
pub(crate) fn revision(recorded: &Recorded) -> Option<u64> {
    let number = recorded.outputs.get("revision").and_then(Value::as_integer);
    number.and_then(|number| u64::try_from(number).ok())
}

/// All revisions that are recorded of the present life of a release, newest first. An earlier life
/// counted anew, so its numbers mean something else.
///
/// # Errors
/// The release is not recorded, or the state cannot be read.
pub(crate) fn kept(
    store: &Store,
    head: &Arc<Snapshot>,
    address: &Address,
) -> Result<Vec<Kept>, Failure> {
    let now = head.get(address).ok_or_else(|| not_recorded(address))?;
    let history = store.history(head.tenant());
    let mut kept: Vec<Kept> = Vec::new();
    for summary in history.map_err(|error| of_state(&error))? {
        let snapshot = store.snapshot(head.tenant(), &SnapshotKey::Id(summary.id));
        let snapshot = snapshot.map_err(|error| of_state(&error))?;
        let recorded = snapshot.get(address);
        let Some(recorded) = recorded.filter(|it| it.generation == now.generation) else {
            continue;
        };
        let Some(number) = revision(recorded) else {
            continue;
        };
        match kept.iter_mut().find(|it| it.number == number) {
            Some(known) => {
                known.snapshots.0 = summary.serial;
                known.since_ms = summary.created_ms;
                known.run = summary.origin.run;
            }
            None => kept.push(Kept {
                number,
                snapshots: (summary.serial, summary.serial),
                run: summary.origin.run,
                since_ms: summary.created_ms,
                recorded: recorded.clone(),
            }),
        }
    }
    kept.sort_by_key(|it| std::cmp::Reverse(it.number));
    Ok(kept)
}

/// A revision that no snapshot recorded.
pub(crate) fn never_recorded(address: &Address, number: u64, kept: &[Kept]) -> Failure {
    let known: Vec<_> = kept.iter().rev().map(|it| it.number.to_string()).collect();
    let message = format!(
        "No snapshot recorded revision {number} of {address}. Recorded are {}. Nothing was changed.",
        known.join(", ")
    );
    Failure::error(message).hint(history_of(address))
}

/// The line that shows all revisions.
pub(crate) fn history_of(address: &Address) -> String {
    format!("matih release history {} {}", address.tenant, address.name)
}
