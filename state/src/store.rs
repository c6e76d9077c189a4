//! The read side, and the door: opening a state file and everything that is refused there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use matih_model::{Snapshot, SnapshotId, TenantId};
use rusqlite::Connection;

use crate::audit::{AuditEntry, AuditFilter};
use crate::connect;
use crate::error::StateError;
use crate::journal::{JournalEntry, Pending};
use crate::lock::{LockRow, LockStatus};
use crate::table::locks::Found;
use crate::table::runs::RunSummary;
use crate::table::snapshots::SnapshotSummary;
use crate::table::tenants::{TenantSummary, Token};
use crate::table::{self, chain, journal, locks, runs, snapshots, tenants};
use crate::writer::Writer;

/// What opening may do.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Make a state file where there is none and never was one.
    pub create: Option<NewInstallation>,
}

/// What a new state file is given: this crate knows neither clock nor chance.
#[derive(Clone, Debug)]
pub struct NewInstallation {
    /// The name that every owner mark of it will bear.
    pub id: String,
    /// Who makes it, for the audit.
    pub who: String,
    /// From which host.
    pub host: String,
    /// Milliseconds since the epoch.
    pub now_ms: u64,
}

/// The state of all tenants: what was applied, what was tried, who did it.
///
/// Cheap to clone; all clones share one writer, and commits that come at the same time share one
/// disk flush. May be used from many threads.
#[derive(Clone)]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) path: PathBuf,
    pub(crate) installation: String,
    pub(crate) writer: Writer,
    /// Connections that are at rest.
    readers: Mutex<Vec<Connection>>,
    /// How many locks this process holds.
    pub(crate) held: AtomicUsize,
}

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
    /// Opens the state file at `path`.
    ///
    /// # Errors
    /// The file is missing, empty, cut, older than its anchor, of another program, installation
    /// or newer schema, or unreadable: each has a variant that names the repair. Nothing is ever
    /// taken for an empty state, and nothing is made unless `options.create` is given and neither
    /// file nor anchor exists.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self, StateError> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let (connection, installation) = connect::open(&path, options)?;
        Ok(Self {
            shared: Arc::new(Shared {
                writer: Writer::new(&path, connection),
                path,
                installation,
                readers: Mutex::new(Vec::new()),
                held: AtomicUsize::new(0),
            }),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// The name of this installation of matih, for owner marks.
    pub fn installation(&self) -> &str {
        &self.shared.installation
    }

    /// Folds the write-ahead log into the file, unless this process still holds a lock or another
    /// one reads or writes: whoever comes last does it.
    pub(crate) fn checkpoint_if_idle(&self) {
        if self.shared.held.load(Ordering::SeqCst) == 0 {
            let connection = self.shared.writer.connection();
            // A log that stays is no fault: the file and the log together are the state.
            let _ = connection.busy_timeout(Duration::ZERO);
            let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            let _ = connection.busy_timeout(connect::BUSY);
        }
    }

    /// Reads within one transaction, so that all of it is of one moment.
    pub(crate) fn read<T>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let readers = || {
            self.shared
                .readers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let resting = readers().pop();
        let connection = match resting {
            Some(connection) => connection,
            None => connect::existing(&self.shared.path)?,
        };
        let transaction = connection.unchecked_transaction()?;
        let seen = look(&transaction);
        drop(transaction);
        readers().push(connection);
        seen
    }

    /// All tenants by name, in one query and without their records.
    ///
    /// # Errors
    /// The file cannot be read or is damaged; so it is for each method that reads.
    pub fn tenants(&self) -> Result<Vec<TenantSummary>, StateError> {
        self.read(tenants::all)
    }

    /// One tenant; `None` if it was never locked.
    ///
    /// # Errors
    /// As [`Store::tenants`].
    pub fn tenant(&self, tenant: &TenantId) -> Result<Option<TenantSummary>, StateError> {
        self.read(|it| tenants::find(it, tenant))
    }

    /// What a look at the world needs of the heads of these tenants, without their records.
    ///
    /// # Errors
    /// As [`Store::tenants`].
    pub fn tokens<'a>(
        &self,
        of: impl IntoIterator<Item = &'a TenantSummary>,
    ) -> Result<BTreeMap<TenantId, Arc<[Token]>>, StateError> {
        self.read(|it| {
            of.into_iter()
                .map(|summary| Ok((summary.tenant.clone(), tenants::tokens(it, summary)?)))
                .collect()
        })
    }

    /// The newest snapshot of a tenant; `None` if it never had one.
    ///
    /// # Errors
    /// As [`Store::tenants`].
    pub fn head(&self, tenant: &TenantId) -> Result<Option<Arc<Snapshot>>, StateError> {
        self.read(
            |it| match tenants::find(it, tenant)?.and_then(|row| row.head) {
                Some(id) => snapshot(it, tenant, id).map(Some),
                None => Ok(None),
            },
        )
    }

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
                [only] => snapshot(it, tenant, only.id),
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
    pub fn journal(
        &self,
        tenant: &TenantId,
        run: &matih_model::RunId,
    ) -> Result<Vec<JournalEntry>, StateError> {
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

    /// Who holds the lock of a tenant.
    ///
    /// # Errors
    /// As [`Store::tenants`]; a damaged lock row is no error but a status.
    pub fn lock_status(&self, tenant: &TenantId) -> Result<LockStatus, StateError> {
        self.read(|it| {
            if tenants::find(it, tenant)?.is_none() {
                return Ok(LockStatus::Free);
            }
            Ok(match locks::find(it, tenant)? {
                Found::Row(LockRow { held: None, .. }) => LockStatus::Free,
                Found::Row(LockRow {
                    held: Some(held), ..
                }) => LockStatus::Held(Box::new(held)),
                Found::Damaged(id) => LockStatus::Damaged { id },
            })
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
    pub fn timings(&self) -> Result<BTreeMap<(matih_model::Kind, String), Timing>, StateError> {
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

fn snapshot(
    connection: &Connection,
    tenant: &TenantId,
    id: SnapshotId,
) -> Result<Arc<Snapshot>, StateError> {
    snapshots::read(connection, tenant, id)?
        .map(|(snapshot, _)| snapshot)
        .ok_or_else(|| {
            let place = format!("snapshot {} of {tenant}", id.0.short());
            StateError::damaged(place, "it is missing")
        })
}

pub(crate) fn history(
    connection: &Connection,
    tenant: &TenantId,
) -> Result<Vec<SnapshotSummary>, StateError> {
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
    table::counted("the pending rows", row.pending(), found.len())?;
    Ok(found)
}
