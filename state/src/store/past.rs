//! What has happened: snapshots, runs, journals, the audit, and what estimates are made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use matih_model::{Kind, Plan, RunId, Snapshot, SnapshotId, TenantId};
use rusqlite::Connection;

use crate::audit::{AuditEntry, AuditFilter};
use crate::error::StateError;
use crate::journal::{JournalEntry, Pending};
use crate::store::Store;
use crate::table::runs::RunSummary;
use crate::table::snapshots::SnapshotSummary;
use crate::table::{chain, counted, journal, runs, snapshots, tenants};

/// Which snapshot is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotKey {
    /// The one with this identity.
    Id(SnapshotId),
    /// The one with this serial.
    Serial(u64),
    /// The one whose identity begins with these hex digits.
    Prefix(String),
}

impl SnapshotKey {
    /// Reads what a person wrote: a serial (`7`, `#7`) or the beginning of an identity, at least
    /// four digits long.
    pub fn parse(text: &str) -> Self {
        let digits = text.strip_prefix('#').unwrap_or(text);
        match digits.parse() {
            // Nobody has a serial so long; a prefix may well have digits only.
            Ok(serial) if digits.len() < 6 || text.starts_with('#') => Self::Serial(serial),
            _ => Self::Prefix(text.to_ascii_lowercase()),
        }
    }
}

/// How long an action of one kind takes, from the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Timing {
    /// Of how many actions.
    pub count: u64,
    /// Half of them took at most this long.
    pub median_ms: u64,
    /// Nine of ten took at most this long.
    pub p90_ms: u64,
}

/// Estimates look at so many runs, the newest.
const TIMED_RUNS: u64 = 50;

impl Store {
    /// One snapshot of a tenant.
    ///
    /// # Errors
    /// There is none, there are several, or as [`Store::tenants`].
    pub fn snapshot(
        &self,
        tenant: &TenantId,
        key: &SnapshotKey,
    ) -> Result<Arc<Snapshot>, StateError> {
        self.read(|it| {
            let wanted = |summary: &&SnapshotSummary| match key {
                SnapshotKey::Id(id) => summary.id == *id,
                SnapshotKey::Serial(serial) => summary.serial == *serial,
                SnapshotKey::Prefix(prefix) => {
                    prefix.len() >= 4 && summary.id.to_string().starts_with(prefix)
                }
            };
            let history = history(it, tenant)?;
            let found: Vec<_> = history.iter().filter(wanted).collect();
            let text = || match key {
                SnapshotKey::Id(id) => id.to_string(),
                SnapshotKey::Serial(serial) => format!("#{serial}"),
                SnapshotKey::Prefix(prefix) => prefix.clone(),
            };
            match *found.as_slice() {
                [only] => Ok(snapshots::held(it, tenant, only.id)?.0),
                [] => Err(StateError::NoSnapshot {
                    tenant: tenant.clone(),
                    wanted: text(),
                }),
                _ => Err(StateError::AmbiguousSnapshot {
                    tenant: tenant.clone(),
                    wanted: text(),
                    count: found.len(),
                }),
            }
        })
    }

    /// The snapshots of a tenant, newest first; none for a tenant that is not known.
    ///
    /// # Errors
    /// As [`Store::tenants`].
    pub fn history(&self, tenant: &TenantId) -> Result<Vec<SnapshotSummary>, StateError> {
        self.read(|it| history(it, tenant))
    }

    /// The runs of a tenant, newest first; none for a tenant that is not known.
    ///
    /// # Errors
    /// As [`Store::tenants`].
    pub fn runs(&self, tenant: &TenantId) -> Result<Vec<RunSummary>, StateError> {
        self.read(|it| {
            let Some(row) = tenants::find(it, tenant)? else {
                return Ok(Vec::new());
            };
            let runs = runs::of_tenant(it, tenant, row.runs)?;
            Ok(runs.into_iter().rev().map(|(_, run)| run).collect())
        })
    }

    /// The journal of one run of a tenant, in the order of its plan; none for a run that is not
    /// known.
    ///
    /// # Errors
    /// As [`Store::tenants`].
    pub fn journal(&self, tenant: &TenantId, run: &RunId) -> Result<Vec<JournalEntry>, StateError> {
        self.read(|it| {
            let Some(row) = tenants::find(it, tenant)? else {
                return Ok(Vec::new());
            };
            let runs = runs::of_tenant(it, tenant, row.runs)?;
            match runs.iter().find(|(_, summary)| summary.run == *run) {
                Some((id, run)) => {
                    let rows = journal::of_run(it, *id, run.begun)?;
                    Ok(rows.into_values().collect())
                }
                None => Ok(Vec::new()),
            }
        })
    }

    /// The plan of a tenant's open run; a run that is closed keeps none.
    ///
    /// # Errors
    /// As [`Store::tenants`].
    pub fn open_plan(&self, tenant: &TenantId) -> Result<Option<Plan>, StateError> {
        self.read(|it| {
            let open = tenants::find(it, tenant)?.and_then(|row| row.open_run);
            let Some(run) = open else {
                return Ok(None);
            };
            let (id, row) = runs::open(it, tenant, &run)?;
            let plan = row.plan.map(|plan| runs::plan(it, id, &plan));
            plan.transpose()
        })
    }

    /// The actions of a tenant whose outcome nobody knows: under way, or left by a crash.
    ///
    /// # Errors
    /// As [`Store::tenants`].
    pub fn pending(&self, tenant: &TenantId) -> Result<Vec<Pending>, StateError> {
        self.read(|it| {
            let open = tenants::find(it, tenant)?.and_then(|row| row.open_run);
            let Some(run) = open else {
                return Ok(Vec::new());
            };
            let (id, row) = runs::open(it, tenant, &run)?;
            pending(it, id, &row)
        })
    }

    /// The audit rows that a filter wants, with their numbers, oldest first. The whole chain from
    /// [`AuditFilter::after`] on is checked.
    ///
    /// # Errors
    /// As [`Store::tenants`].
    pub fn audit(&self, filter: &AuditFilter) -> Result<Vec<(u64, AuditEntry)>, StateError> {
        self.read(|it| chain::list(it, filter))
    }

    /// How long actions take by kind and verb, from the journals of the last 50 runs of all
    /// tenants: what estimates are made of.
    ///
    /// # Errors
    /// As [`Store::tenants`].
    pub fn timings(&self) -> Result<BTreeMap<(Kind, String), Timing>, StateError> {
        let mut taken: BTreeMap<_, Vec<u64>> = BTreeMap::new();
        self.read(|it| {
            let total = tenants::all(it)?.iter().map(|tenant| tenant.runs).sum();
            for (id, run) in runs::newest(it, total, TIMED_RUNS)? {
                for row in journal::of_run(it, id, run.begun)?.into_values() {
                    if let (true, Some(end)) = (row.state.is_success(), row.finished_ms) {
                        let key = (row.address.kind, row.op);
                        taken
                            .entry(key)
                            .or_default()
                            .push(end.saturating_sub(row.started_ms));
                    }
                }
            }
            Ok(())
        })?;
        let timing = |mut all: Vec<u64>| {
            all.sort_unstable();
            // The rank is rounded up, so that of two values the median is the smaller one.
            let rank = |tenths: usize| all.get((all.len() * tenths).div_ceil(10).max(1) - 1);
            Timing {
                count: all.len() as u64,
                median_ms: rank(5).copied().unwrap_or_default(),
                p90_ms: rank(9).copied().unwrap_or_default(),
            }
        };
        Ok(taken
            .into_iter()
            .map(|(key, all)| (key, timing(all)))
            .collect())
    }
}

fn history(connection: &Connection, tenant: &TenantId) -> Result<Vec<SnapshotSummary>, StateError> {
    let Some(row) = tenants::find(connection, tenant)? else {
        return Ok(Vec::new());
    };
    snapshots::history(connection, tenant, row.head, row.oldest..=row.serial)
}

pub(crate) fn pending(
    connection: &Connection,
    id: i64,
    row: &RunSummary,
) -> Result<Vec<Pending>, StateError> {
    let Some(plan) = row.plan else {
        return Ok(Vec::new());
    };
    let plan = runs::plan(connection, id, &plan)?;
    let rows = journal::of_run(connection, id, row.begun)?;
    let found: Result<Vec<Pending>, StateError> = rows
        .into_values()
        .filter(|entry| entry.state.is_pending())
        .map(|entry| {
            let action = plan.action(entry.index).cloned().ok_or_else(|| {
                let place = format!("journal row {id}/{}", entry.index.0);
                StateError::damaged(place, "its action is not in the plan")
            })?;
            let run = row.run.clone();
            Ok(Pending { run, action, entry })
        })
        .collect();
    let found = found?;
    counted("the pending rows", row.pending(), found.len())?;
    Ok(found)
}
