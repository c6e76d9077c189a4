//! Intents and outcomes: the journal's write side.

use std::sync::Arc;

use matih_model::{Op, Recorded};

use crate::audit::{AuditEntry, AuditEvent};
use crate::codec::{self, Sealed};
use crate::error::StateError;
use crate::journal::{self, Begin, Finish, JournalEntry, JournalError, JournalState, Outcome};
use crate::locked::LockedStore;
use crate::table::{journal as rows, runs, snapshots};
use crate::writer::Anchoring;

impl LockedStore {
    /// Writes the intents of some actions, all in one transaction: from here on they count as
    /// *unknown*, and only when this has returned may their requests go out.
    ///
    /// # Errors
    /// An action is not the plan's, was begun before or waits for one that has not succeeded; the
    /// lock is lost; or the file cannot be written. None of them is begun then.
    pub fn begin(&mut self, begins: &[Begin<'_>]) -> Result<(), StateError> {
        let Some(now_ms) = begins.iter().map(|begin| begin.now_ms).max() else {
            return Ok(());
        };
        let run = self.run()?;
        let (id, mut row) = (run.id, run.row.clone());
        let (mut written, mut entries) = (Vec::new(), Vec::new());
        for begin in begins {
            let action = begin.action;
            if run.plan.as_ref().and_then(|plan| plan.action(action.index)) != Some(action) {
                return Err(StateError::NotInPlan {
                    index: action.index,
                    address: action.address().clone(),
                });
            }
            let entry = journal::begin(begin, &run.journal, self.lock.fence)?;
            let before = run.journal.get(&action.index);
            match before {
                None => row.begun += 1,
                Some(before) => uncount(&mut row, before),
            }
            row.phase = Some(entry.phase);
            entries.push(self.started(begin, &entry));
            written.push((before.is_none(), entry));
        }
        let (run_row, new) = (row.clone(), written.clone());
        self.write(Anchoring::Later, now_ms, move |tx| {
            for (is_new, entry) in &new {
                match is_new {
                    true => rows::insert(tx, id, entry)?,
                    false => rows::update(tx, id, entry)?,
                }
            }
            runs::update(tx, id, &run_row)?;
            entries.iter().try_for_each(|entry| tx.audit(entry))
        })?;
        let run = self.run_mut()?;
        run.row = row;
        for (_, entry) in written {
            run.journal.insert(entry.index, entry);
        }
        Ok(())
    }

    /// Writes what became of some actions, all in one transaction.
    ///
    /// # Errors
    /// An action was never begun, has its outcome already, or the outcome does not fit it; the
    /// lock is lost; or the file cannot be written. None of the outcomes is written then.
    pub fn finish(&mut self, finishes: &[Finish]) -> Result<(), StateError> {
        let Some(now_ms) = finishes.iter().map(|finish| finish.now_ms).max() else {
            return Ok(());
        };
        let run = self.run()?;
        let (id, mut row) = (run.id, run.row.clone());
        let mut record = self.record.clone();
        let (mut written, mut bodies, mut entries) = (Vec::new(), Vec::new(), Vec::new());
        for finish in finishes {
            let not_begun = JournalError::NotBegun {
                index: finish.index,
            };
            let before = run.journal.get(&finish.index).ok_or(not_begun)?;
            let plan = run.plan.as_ref();
            let action = plan.and_then(|plan| plan.action(finish.index));
            let op = action
                .map(|action| &action.op)
                .ok_or_else(|| StateError::NotInPlan {
                    index: finish.index,
                    address: before.address.clone(),
                })?;
            let body = made(&finish.outcome)?;
            let digest = body.as_ref().map(|body| body.seal);
            let mut entry = journal::finish(before, op, finish, digest)?;
            entry.fence = self.lock.fence;
            if !entry.state.is_pending() {
                row.ordinal += 1;
                entry.ordinal = row.ordinal;
                row.settled += 1;
                row.failed += u64::from(is_failed(&entry.state));
            }
            entries.push(self.finished(&entry, op, finish));
            let applied = match (&finish.outcome, body) {
                (Outcome::Applied(recorded), Some(body)) => Some((recorded.clone(), body)),
                _ => None,
            };
            bodies.extend(record.settle(&entry, applied)?);
            written.push(entry);
        }
        let (run_row, new) = (row.clone(), written.clone());
        self.write(Anchoring::Later, now_ms, move |tx| {
            for body in &bodies {
                snapshots::put_body(tx, body)?;
            }
            for entry in &new {
                rows::update(tx, id, entry)?;
            }
            runs::update(tx, id, &run_row)?;
            entries.iter().try_for_each(|entry| tx.audit(entry))
        })?;
        self.record = record;
        let run = self.run_mut()?;
        run.row = row;
        for entry in written {
            run.journal.insert(entry.index, entry);
        }
        Ok(())
    }

    fn started(&self, begin: &Begin<'_>, row: &JournalEntry) -> AuditEntry {
        let op = &begin.action.op;
        let mut entry = self
            .entry(AuditEvent::Started, begin.now_ms)
            .with("op", op.verb())
            .with("attempt", begin.attempt)
            .with("wanted", op.resource().attributes.digest());
        if let Op::Create { generation, .. } = op {
            entry = entry.with("generation", generation);
        }
        if let Some(before) = self.record.digest(&row.address) {
            entry = entry.with("before", before);
        }
        entry.address = Some(row.address.clone());
        entry
    }

    fn finished(&self, row: &JournalEntry, op: &Op, finish: &Finish) -> AuditEntry {
        let entry = self
            .entry(AuditEvent::Finished, finish.now_ms)
            .with("op", op.verb());
        let mut entry = match &row.state {
            JournalState::Started => entry.with("outcome", "started"),
            JournalState::Unknown { message, .. } => {
                entry.with("outcome", "unknown").with("message", message)
            }
            JournalState::Applied { record } => {
                entry.with("outcome", "applied").with("after", record)
            }
            JournalState::Deleted => entry.with("outcome", "deleted"),
            JournalState::Checked { findings } => entry
                .with("outcome", "checked")
                .with("findings", findings.len()),
            JournalState::Failed { message, .. } => {
                entry.with("outcome", "failed").with("message", message)
            }
            JournalState::NotDone => entry.with("outcome", "not_done"),
            JournalState::Unsettled => entry.with("outcome", "unsettled"),
        };
        if let Outcome::Applied(recorded) = &finish.outcome {
            entry = entry.with("remote_id", &recorded.remote_id);
        }
        entry.address = Some(row.address.clone());
        entry
    }
}

/// An outcome that is taken back by another try no longer counts.
fn uncount(row: &mut runs::RunSummary, before: &JournalEntry) {
    if !before.state.is_pending() {
        row.settled -= 1;
        row.failed -= u64::from(is_failed(&before.state));
    }
}

fn is_failed(state: &JournalState) -> bool {
    matches!(state, JournalState::Failed { .. })
        || matches!(state, JournalState::Checked { findings } if !findings.is_empty())
}

/// The body of the record that an outcome makes.
fn made(outcome: &Outcome) -> Result<Option<Sealed>, StateError> {
    match outcome {
        Outcome::Applied(recorded) => {
            codec::seal_record(Arc::<Recorded>::as_ref(recorded)).map(Some)
        }
        _ => Ok(None),
    }
}
