//! Intents and outcomes: the journal's write side.

use std::collections::BTreeMap;

use matih_model::{ActionIndex, Digest, Op};

use crate::audit::{AuditEntry, AuditEvent};
use crate::codec::{self, Sealed};
use crate::error::StateError;
use crate::fold::Settled;
use crate::journal::{self, Begin, Finish, JournalEntry, JournalError, JournalState, Outcome};
use crate::locked::{LockedStore, OpenRun};
use crate::table::journal as journal_rows;
use crate::table::runs::{self, RunSummary};
use crate::table::snapshots;
use crate::writer::Anchoring;

/// What a step will have changed once it is written.
struct Draft {
    row: RunSummary,
    /// What the outcomes change in the record.
    settled: Vec<Settled>,
    /// Journal rows as they will be.
    rows: BTreeMap<ActionIndex, JournalEntry>,
    bodies: Vec<Sealed>,
    audit: Vec<AuditEntry>,
}

impl LockedStore {
    /// Writes the intents of some actions, all in one transaction: from here on they count as
    /// *unknown*, and only when this has returned may their requests go out.
    ///
    /// # Errors
    /// An action is not the plan's, was begun before or waits for one that has not succeeded; the
    /// lock is lost; or the file cannot be written. None of them is begun then.
    pub fn begin(&mut self, begins: &[Begin<'_>]) -> Result<(), StateError> {
        self.step(&[], begins)
    }

    /// Writes what became of some actions, all in one transaction.
    ///
    /// # Errors
    /// An action was never begun, has its outcome already, or the outcome does not fit it; the
    /// lock is lost; or the file cannot be written. None of the outcomes is written then.
    pub fn finish(&mut self, finishes: &[Finish]) -> Result<(), StateError> {
        self.step(finishes, &[])
    }

    /// Writes outcomes and then intents in one transaction: what is done, and what it lets begin.
    ///
    /// # Errors
    /// As [`LockedStore::finish`] and [`LockedStore::begin`]; nothing is written then.
    pub fn step(&mut self, finishes: &[Finish], begins: &[Begin<'_>]) -> Result<(), StateError> {
        let finished = finishes.iter().map(|finish| finish.now_ms);
        let begun = begins.iter().map(|begin| begin.now_ms);
        let Some(now_ms) = finished.chain(begun).max() else {
            return Ok(());
        };
        let run = self.run()?;
        let id = run.id;
        let mut draft = Draft {
            row: run.row.clone(),
            settled: Vec::new(),
            rows: BTreeMap::new(),
            bodies: Vec::new(),
            audit: Vec::new(),
        };
        for finish in finishes {
            self.draft_finish(run, finish, &mut draft)?;
        }
        for begin in begins {
            self.draft_begin(run, begin, &mut draft)?;
        }
        let known: Vec<bool> = draft
            .rows
            .keys()
            .map(|index| run.journal.contains_key(index))
            .collect();
        let draft = self.write(Anchoring::Later, now_ms, move |tx| {
            for body in &draft.bodies {
                snapshots::put_body(tx, body)?;
            }
            for (row, known) in draft.rows.values().zip(known) {
                match known {
                    true => journal_rows::update(tx, id, row)?,
                    false => journal_rows::insert(tx, id, row)?,
                }
            }
            runs::update(tx, id, &draft.row)?;
            draft.audit.iter().try_for_each(|entry| tx.audit(entry))?;
            Ok(draft)
        })?;
        draft
            .settled
            .into_iter()
            .for_each(|it| self.record.settle(it));
        let run = self.run_mut()?;
        run.row = draft.row;
        run.journal.extend(draft.rows);
        Ok(())
    }

    fn draft_begin(
        &self,
        run: &OpenRun,
        begin: &Begin<'_>,
        draft: &mut Draft,
    ) -> Result<(), StateError> {
        let action = begin.action;
        let planned = run.plan.as_ref().and_then(|plan| plan.action(action.index));
        if planned != Some(action) {
            return Err(StateError::NotInPlan {
                index: action.index,
                address: action.address().clone(),
            });
        }
        let find = |index: &ActionIndex| draft.rows.get(index).or_else(|| run.journal.get(index));
        let row = journal::begin(begin, find, self.lock.fence)?;
        match find(&action.index) {
            None => draft.row.begun += 1,
            Some(before) if before.state.is_pending() => {}
            // An outcome that is taken back by another try no longer counts.
            Some(before) => {
                draft.row.failed -= u64::from(is_failed(&before.state));
                draft.row.settled -= 1;
            }
        }
        draft.row.phase = Some(row.phase);
        let before = self.record.digest_after(&draft.settled, &row.address);
        draft.audit.push(self.started(begin, before));
        draft.rows.insert(row.index, row);
        Ok(())
    }

    fn draft_finish(
        &self,
        run: &OpenRun,
        finish: &Finish,
        draft: &mut Draft,
    ) -> Result<(), StateError> {
        let index = finish.index;
        let found = draft.rows.get(&index).or_else(|| run.journal.get(&index));
        let before = found.ok_or(JournalError::NotBegun { index })?;
        let action = run.plan.as_ref().and_then(|plan| plan.action(index));
        let op = match action {
            Some(action) => &action.op,
            None => {
                let address = before.address.clone();
                return Err(StateError::NotInPlan { index, address });
            }
        };
        let made = match &finish.outcome {
            Outcome::Applied(recorded) => Some((recorded.clone(), codec::seal_record(recorded)?)),
            _ => None,
        };
        let digest = made.as_ref().map(|(_, body)| body.seal);
        let mut row = journal::finish(before, op, finish, digest)?;
        row.fence = self.lock.fence;
        if !row.state.is_pending() {
            draft.row.ordinal += 1;
            row.ordinal = draft.row.ordinal;
            draft.row.settled += 1;
            draft.row.failed += u64::from(is_failed(&row.state));
        }
        draft.audit.push(self.finished(&row, finish));
        let (settled, body) = self.record.settled(&row, made)?;
        draft.settled.extend(settled);
        draft.bodies.extend(body);
        draft.rows.insert(index, row);
        Ok(())
    }

    fn started(&self, begin: &Begin<'_>, before: Option<Digest>) -> AuditEntry {
        let op = &begin.action.op;
        let mut entry = self
            .entry(AuditEvent::Started, begin.now_ms)
            .with("op", op.verb())
            .with("attempt", begin.attempt)
            .with("wanted", op.resource().attributes.digest());
        if let Op::Create { generation, .. } = op {
            entry = entry.with("generation", generation);
        }
        if let Some(before) = before {
            entry = entry.with("before", before);
        }
        entry.address = Some(op.resource().address.clone());
        entry
    }

    fn finished(&self, row: &JournalEntry, finish: &Finish) -> AuditEntry {
        let entry = self
            .entry(AuditEvent::Finished, finish.now_ms)
            .with("op", &row.op);
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

fn is_failed(state: &JournalState) -> bool {
    matches!(state, JournalState::Failed { .. })
        || matches!(state, JournalState::Checked { findings } if !findings.is_empty())
}
