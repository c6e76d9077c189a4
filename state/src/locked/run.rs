//! The life of a run: open, edits, commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use matih_model::{Address, Digest, Edit, Recorded, Snapshot};

use crate::audit::{AuditEntry, AuditEvent};
use crate::error::StateError;
use crate::journal::JournalError;
use crate::locked::{CommitRequest, LockedStore, OpenRun, RunStart};
use crate::status::RunOutcome;
use crate::table::runs::{EditRow, RecordEdit, RunSummary};
use crate::table::tenants::TenantSummary;
use crate::table::{runs, snapshots, tenants};
use crate::writer::Anchoring;

impl LockedStore {
    /// Opens a run and brings the tenant into the status that it starts with. Anchored: no
    /// effect follows that a lost end of the file could hide.
    ///
    /// # Errors
    /// Another run is open, the plan does not start from the head, the tenant's status does not
    /// allow such a run, the lock is lost, or the file cannot be written.
    pub fn open_run(&mut self, start: &RunStart<'_>) -> Result<(), StateError> {
        let tenant = self.tenant.clone();
        if let Some(run) = &self.run {
            let run = run.row.run.clone();
            return Err(StateError::RunOpen { tenant, run });
        }
        let base = self.head.as_ref().map(|head| head.id());
        let stale = |plan: &matih_model::Plan| plan.base() != base || *plan.tenant() != tenant;
        if start.plan.is_some_and(stale) {
            return Err(StateError::StalePlan { tenant });
        }
        let mut summary = self.summary.clone();
        summary.step(
            summary
                .status
                .at_start(start.verb, summary.before_deletion)?,
        );
        summary.runs += 1;
        summary.open_run = Some(start.run.clone());
        summary.updated_ms = start.now_ms;
        let row = self.opened(start);
        let mut entry = self
            .entry(AuditEvent::RunOpened, start.now_ms)
            .with("verb", start.verb)
            .with("status", summary.status);
        entry.run = Some(start.run.clone());
        if let Some(plan) = start.plan {
            entry = entry.with("plan", plan.id()).with("inputs", plan.inputs());
        }
        let plan = start.plan.map(runs::seal_plan).transpose()?;
        let (new, tenant_row) = (row.clone(), summary.clone());
        let id = self.write(Anchoring::Now, start.now_ms, move |tx| {
            let id = runs::insert(tx, &new)?;
            if let Some(plan) = &plan {
                runs::insert_plan(tx, id, plan)?;
            }
            tenants::write(tx, &tenant_row)?;
            tx.audit(&entry)?;
            Ok(id)
        })?;
        self.summary = summary;
        self.run = Some(OpenRun {
            id,
            row,
            plan: start.plan.cloned(),
            journal: BTreeMap::new(),
        });
        Ok(())
    }

    /// The row of a run that has done nothing yet.
    fn opened(&self, start: &RunStart<'_>) -> RunSummary {
        RunSummary {
            run: start.run.clone(),
            tenant: self.tenant.clone(),
            verb: start.verb.clone(),
            who: self.lock.holder.who.clone(),
            host: self.lock.holder.host.clone(),
            plan: start.plan.map(matih_model::Plan::id),
            command: start.command.map(str::to_owned),
            tenancy: start.plan.map(matih_model::Plan::tenancy),
            base: self.head.as_ref().map(|head| head.id()),
            head: None,
            opened_ms: start.now_ms,
            ended_ms: None,
            outcome: None,
            actions: start.plan.map_or(0, |plan| plan.actions().len() as u64),
            begun: 0,
            settled: 0,
            failed: 0,
            phase: None,
            open: true,
            edits: 0,
            ordinal: 0,
            folded: 0,
        }
    }

    /// Changes the record without calling a provider: the edits of a plan, before its first
    /// action.
    ///
    /// # Errors
    /// No run is open, an action has begun, an edit names what is not recorded, the lock is lost,
    /// or the file cannot be written.
    pub fn edit(&mut self, edits: &[Edit], now_ms: u64) -> Result<(), StateError> {
        let edits = edits.iter().cloned().map(RecordEdit::Edit).collect();
        self.change_record(edits, now_ms)
    }

    /// Records objects that are there already.
    ///
    /// # Errors
    /// As [`LockedStore::edit`], or an address is recorded already.
    pub fn import(&mut self, records: &[Recorded], now_ms: u64) -> Result<(), StateError> {
        let import = |record: &Recorded| RecordEdit::Import(Box::new(record.clone()));
        self.change_record(records.iter().map(import).collect(), now_ms)
    }

    fn change_record(&mut self, edits: Vec<RecordEdit>, now_ms: u64) -> Result<(), StateError> {
        let run = self.run()?;
        if !run.journal.is_empty() {
            return Err(JournalError::EditTooLate.into());
        }
        let (id, mut row) = (run.id, run.row.clone());
        let mut record = self.record.clone();
        let (mut rows, mut bodies, mut entries) = (Vec::new(), Vec::new(), Vec::new());
        for edit in edits {
            entries.push(self.edited(&edit, now_ms));
            bodies.extend(record.edit(&edit)?);
            row.ordinal += 1;
            let ordinal = row.ordinal;
            rows.push((row.edits, EditRow { ordinal, edit }));
            row.edits += 1;
        }
        let run_row = row.clone();
        self.write(Anchoring::Later, now_ms, move |tx| {
            for body in &bodies {
                snapshots::put_body(tx, body)?;
            }
            for (place, row) in &rows {
                runs::insert_edit(tx, id, *place, row)?;
            }
            runs::update(tx, id, &run_row)?;
            entries.iter().try_for_each(|entry| tx.audit(entry))
        })?;
        self.record = record;
        self.run_mut()?.row = row;
        Ok(())
    }

    fn edited(&self, edit: &RecordEdit, now_ms: u64) -> AuditEntry {
        let entry = self.entry(AuditEvent::Edited, now_ms);
        let (mut entry, address) = match edit {
            RecordEdit::Import(recorded) => (
                entry
                    .with("edit", "import")
                    .with("remote_id", &recorded.remote_id)
                    .with("after", recorded.digest()),
                &recorded.resource.address,
            ),
            RecordEdit::Edit(edit) => {
                let entry = match edit {
                    Edit::Rewrite { .. } => entry.with("edit", "rewrite"),
                    Edit::Forget { .. } => entry.with("edit", "forget"),
                    Edit::Move { to, .. } => entry.with("edit", "move").with("to", to),
                    Edit::Refresh { .. } => entry.with("edit", "refresh"),
                };
                (entry, edit.address())
            }
        };
        if let Some(before) = self.record.digest(address) {
            entry = entry.with("before", before);
        }
        entry.address = Some(address.clone());
        entry
    }

    /// Folds what the run has done into a new snapshot, also when only a part was done, and
    /// brings the tenant into the status that the outcome stands for. Where nothing is different
    /// the head stays; a tenant's first commit always makes a snapshot.
    ///
    /// The run is closed unless actions are left whose outcome nobody knows: those must be
    /// settled first, by whoever takes the lock next.
    ///
    /// # Errors
    /// No run is open, the lock is lost, or the file cannot be written.
    pub fn commit(&mut self, request: &CommitRequest) -> Result<Arc<Snapshot>, StateError> {
        let run = self.run()?;
        let (id, mut row) = (run.id, run.row.clone());
        let digests = self.record.digests();
        let snapshot = self.next_snapshot(request, &digests);
        row.open = row.pending() > 0;
        row.folded = row.ordinal;
        row.head = Some(snapshot.id());
        row.ended_ms = Some(request.now_ms);
        row.outcome = Some(request.outcome.clone());
        let summary = self.committed(request, &row, &snapshot);
        let mut entry = self
            .entry(AuditEvent::Committed, request.now_ms)
            .with("after", snapshot.id())
            .with("serial", snapshot.serial())
            .with("status", summary.status)
            .with("pending", row.pending());
        if let Some(head) = &self.head {
            entry = entry.with("before", head.id());
        }
        let is_new = self.summary.head != Some(snapshot.id());
        let new = is_new.then(|| {
            let (inputs, now_ms) = (summary.inputs, request.now_ms);
            let prepared = snapshots::prepare(&snapshot, digests, inputs, now_ms)?;
            let tokens = self.record.tokens(snapshot.id());
            Ok::<_, StateError>((prepared, tenants::seal_tokens(&self.tenant, &tokens)?))
        });
        let new = new.transpose()?;
        let (run_row, tenant_row) = (row.clone(), summary.clone());
        self.write(Anchoring::Now, request.now_ms, move |tx| {
            if let Some((prepared, tokens)) = &new {
                snapshots::insert(tx, prepared)?;
                tenants::write_tokens(tx, &tenant_row.tenant, tokens)?;
            }
            runs::update(tx, id, &run_row)?;
            if !run_row.open {
                runs::drop_plan(tx, id)?;
            }
            tenants::write(tx, &tenant_row)?;
            tx.audit(&entry)
        })?;
        self.summary = summary;
        self.head = Some(snapshot.clone());
        if row.open {
            self.run_mut()?.row = row;
        } else {
            self.run = None;
        }
        Ok(snapshot)
    }

    fn next_snapshot(
        &self,
        request: &CommitRequest,
        digests: &BTreeMap<Address, Digest>,
    ) -> Arc<Snapshot> {
        match &self.head {
            Some(head) if head.tenancy() == request.tenancy && self.record.is_of(head) => {
                head.clone()
            }
            parent => Arc::new(Snapshot::of_digests(
                self.tenant.clone(),
                parent.as_ref().map_or(0, |head| head.serial()) + 1,
                parent.as_ref().map(|head| head.id()),
                request.origin.clone(),
                request.tenancy,
                self.record.resources(),
                digests,
            )),
        }
    }

    /// The tenant's row after a commit.
    fn committed(
        &self,
        request: &CommitRequest,
        run: &RunSummary,
        head: &Snapshot,
    ) -> TenantSummary {
        let mut summary = self.summary.clone();
        summary.step(summary.status.at_end(&run.verb, &request.outcome));
        summary.error = match &request.outcome {
            RunOutcome::Succeeded => None,
            RunOutcome::Failed { error } => Some(error.clone()),
            RunOutcome::Stopped => summary.error,
        };
        summary.head = Some(head.id());
        summary.serial = head.serial();
        summary.tenancy = Some(head.tenancy());
        summary.resources = head.resources().len() as u64;
        summary.secrets = self.record.secrets();
        // What is not settled may be anything: the head does not stand for the inputs then.
        summary.inputs = request.inputs.filter(|_| !run.open);
        summary.open_run = run.open.then(|| run.run.clone());
        summary.updated_ms = request.now_ms;
        summary
    }

    pub(super) fn run(&self) -> Result<&OpenRun, StateError> {
        self.run.as_ref().ok_or_else(|| StateError::NoRun {
            tenant: self.tenant.clone(),
        })
    }

    pub(super) fn run_mut(&mut self) -> Result<&mut OpenRun, StateError> {
        self.run.as_mut().ok_or_else(|| StateError::NoRun {
            tenant: self.tenant.clone(),
        })
    }
}
