//! The read side, and the door: opening a state file and everything that is refused there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use matih_model::{Snapshot, TenantId};
use rusqlite::Connection;

use crate::connect;
use crate::error::StateError;
use crate::lock::{LockRow, LockStatus};
use crate::table::locks::Found;
use crate::table::tenants::{TenantSummary, Token};
use crate::table::{locks, snapshots, tenants};
use crate::writer::Writer;

mod past;

pub(crate) use past::pending;
pub use past::{SnapshotKey, Timing};

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
                Some(id) => Ok(Some(snapshots::held(it, tenant, id)?.0)),
                None => Ok(None),
            },
        )
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
}
