//! What can be wrong with state, one variant for each situation, and the next command for each.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use matih_model::{ActionIndex, Address, RunId, TenantId};
use thiserror::Error;

use crate::journal::JournalError;
use crate::lock::LockInfo;
use crate::status::StatusError;

/// Why state could not be read or written. Nothing was changed unless the message says so.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum StateError {
    /// There is no file and no sign that there ever was one.
    #[error("{} holds no state yet", path.display())]
    Absent {
        /// The file that was looked for.
        path: PathBuf,
    },
    /// The anchor says that state existed; the file is gone or empty.
    #[error(
        "the state file {} is {found}, but its anchor says that it held {audit_seq} audit rows; nothing was read as \"no resources\"",
        path.display()
    )]
    Lost {
        /// The file.
        path: PathBuf,
        /// `missing` or `empty`.
        found: &'static str,
        /// The last audit row that the anchor knows.
        audit_seq: u64,
    },
    /// The file is empty and there is no anchor.
    #[error("the state file {} is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The path leads to something that is no file.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file is of another program.
    #[error("{} is not a state file of matih", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file or its folder could not be opened, read or written.
    #[error("{} cannot be {doing}: {cause}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read`, `written`, …
        doing: &'static str,
        /// What the system said.
        cause: Arc<io::Error>,
    },
    /// A newer matih wrote the file.
    #[error(
        "the state file has schema {found}; this matih knows schemas up to {known} and does not touch it"
    )]
    NewerSchema {
        /// The file's schema.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// The anchor belongs to another installation than the file.
    #[error("the state file belongs to installation {found}, its anchor to {anchored}")]
    OtherInstallation {
        /// In the file.
        found: String,
        /// In the anchor.
        anchored: String,
    },
    /// The file lacks what the anchor knows: an old copy, or its end is lost.
    #[error(
        "the state file ends at audit row {found}, but its anchor knows row {anchored}: it is an older copy, or its last transactions are lost"
    )]
    Older {
        /// The last audit row in the file.
        found: u64,
        /// The row that the anchor knows.
        anchored: u64,
    },
    /// The file has another history than the one that was anchored.
    #[error("audit row {seq} of the state file is not the one that its anchor knows")]
    Forked {
        /// The row.
        seq: u64,
    },
    /// The anchor file is gone though the state has a history.
    #[error("the anchor {} is missing, so nobody can tell whether the state is the newest", path.display())]
    AnchorMissing {
        /// The anchor file.
        path: PathBuf,
    },
    /// The anchor file does not say anything sensible.
    #[error("the anchor {} is damaged", path.display())]
    AnchorDamaged {
        /// The anchor file.
        path: PathBuf,
    },
    /// Something read from the file is not what was written.
    #[error("the state file is damaged at {place}: {why}")]
    Damaged {
        /// Which row or part.
        place: String,
        /// What is wrong with it.
        why: String,
    },
    /// Another process kept the file for too long.
    #[error("the state file is in use by another process for longer than 10 seconds")]
    Busy,
    /// SQLite refused for a reason of its own.
    #[error("the state file could not be used: {cause}")]
    Database {
        /// What it said.
        cause: Arc<rusqlite::Error>,
    },
    /// A writer of this process broke down in the middle; what it was to write is not written.
    #[error("the writer of the state file broke down; the last change was not written")]
    WriterGone,
    /// Somebody else works on the tenant.
    #[error("{tenant} is locked by {lock}")]
    Locked {
        /// Whose lock.
        tenant: TenantId,
        /// Who holds it, and since when.
        lock: Box<LockInfo>,
    },
    /// The lock row cannot be read, so nobody can tell who holds it.
    #[error("the lock of {tenant} is damaged; its id is {id}")]
    LockDamaged {
        /// Whose lock.
        tenant: TenantId,
        /// The id that releases it.
        id: String,
    },
    /// The lock went to somebody else; nothing was written.
    #[error(
        "this run no longer holds the lock of {tenant}: it held fence {held}, the lock is at fence {now}"
    )]
    LockLost {
        /// Whose lock.
        tenant: TenantId,
        /// Our fence.
        held: u64,
        /// The fence in the file.
        now: u64,
    },
    /// The lease ran out before it was renewed; nothing was written.
    #[error("the lease of {tenant} ended at {until_ms} ms and it is {now_ms} ms")]
    LeaseOver {
        /// Whose lock.
        tenant: TenantId,
        /// The last moment at which we may write.
        until_ms: u64,
        /// The moment given.
        now_ms: u64,
    },
    /// An earlier write under this lock failed, so what is known of the file may not be so.
    #[error("an earlier write for {tenant} failed; nothing more is written under this lock")]
    Stale {
        /// Whose lock.
        tenant: TenantId,
    },
    /// A lock was to be released under an id that it does not have.
    #[error("the lock of {tenant} is {found}, not {given}; it was not released")]
    WrongLock {
        /// Whose lock.
        tenant: TenantId,
        /// The id given.
        given: String,
        /// The id that it has.
        found: String,
    },
    /// There is no lock to release.
    #[error("{tenant} is not locked")]
    NotLocked {
        /// Whose lock.
        tenant: TenantId,
    },
    /// The tenant has a run that is not closed.
    #[error("{tenant} has the open run {run}: it must be recovered before another one is opened")]
    RunOpen {
        /// Whose run.
        tenant: TenantId,
        /// The run.
        run: RunId,
    },
    /// There is no open run to write to.
    #[error("{tenant} has no open run")]
    NoRun {
        /// Whose run.
        tenant: TenantId,
    },
    /// The plan was made from another head than the tenant has.
    #[error("the plan of {tenant} does not start from the tenant's newest snapshot")]
    StalePlan {
        /// Whose plan.
        tenant: TenantId,
    },
    /// The action is not the one that the run's plan has at that place.
    #[error("action {} on {address} is not in the plan of this run", index.0)]
    NotInPlan {
        /// Its place.
        index: ActionIndex,
        /// What it acts on.
        address: Address,
    },
    /// A step that the journal does not allow.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A status that the tenant cannot take.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// A backup was to be written over something.
    #[error("{} is there already; a backup is never written over another file", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// What was to be restored is not sound.
    #[error("{} cannot be restored: {problem}", path.display())]
    Unsound {
        /// The file.
        path: PathBuf,
        /// The first thing that is wrong with it.
        problem: String,
    },
    /// A change to the record names what is not recorded, or what is there already.
    #[error("{address} {why}; the record was not changed")]
    Edit {
        /// Which resource.
        address: Address,
        /// What is wrong.
        why: &'static str,
    },
    /// No tenant of that name was ever locked or applied.
    #[error("{tenant} is not in the state")]
    NoTenant {
        /// The name.
        tenant: TenantId,
    },
    /// No snapshot answers to that name.
    #[error("{tenant} has no snapshot `{wanted}`")]
    NoSnapshot {
        /// Whose snapshots.
        tenant: TenantId,
        /// What was asked for.
        wanted: String,
    },
    /// Several snapshots answer to that name.
    #[error("`{wanted}` stands for {count} snapshots of {tenant}")]
    AmbiguousSnapshot {
        /// Whose snapshots.
        tenant: TenantId,
        /// What was asked for.
        wanted: String,
        /// How many there are.
        count: usize,
    },
}

impl StateError {
    pub(crate) fn damaged(place: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Damaged {
            place: place.into(),
            why: why.into(),
        }
    }

    pub(crate) fn io(
        path: impl Into<PathBuf>,
        doing: &'static str,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| Self::Io {
            path,
            doing,
            cause: Arc::new(cause),
        }
    }

    /// The next command for a person, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Lost { .. } | Self::Empty { .. } | Self::Older { .. } | Self::Forked { .. } => {
                "`matih state restore BACKUP` puts a backup back; `matih state restore --as-found` accepts the file as it is"
            }
            Self::AnchorMissing { .. } | Self::AnchorDamaged { .. } => {
                "`matih state verify` shows what the file holds; `matih state restore --as-found` anchors it anew"
            }
            Self::Damaged { .. } | Self::Database { .. } => {
                "`matih state verify` shows what is damaged; `matih state restore BACKUP` puts a backup back"
            }
            Self::NotAFile { .. } | Self::Foreign { .. } | Self::OtherInstallation { .. } => {
                "check `[state] path` in matih.toml; `matih state restore BACKUP` puts a backup there"
            }
            Self::NewerSchema { .. } => "use the matih that wrote it, or a newer one",
            Self::Locked { .. } | Self::LockDamaged { .. } => {
                "wait, or `matih lock release --id ID --reason TEXT` when the holder is surely gone"
            }
            Self::WrongLock { .. } => "`matih lock status` shows the id",
            Self::LockLost { .. }
            | Self::LeaseOver { .. }
            | Self::Stale { .. }
            | Self::RunOpen { .. } => "`matih resume` settles what was under way and goes on",
            Self::StalePlan { .. } => "`matih plan` again",
            Self::NoSnapshot { .. } | Self::AmbiguousSnapshot { .. } => {
                "`matih history` lists the snapshots"
            }
            _ => return None,
        })
    }
}

impl From<rusqlite::Error> for StateError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::{Error, ErrorCode};
        match &error {
            Error::SqliteFailure(failure, message) => match failure.code {
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::damaged(
                    "the file itself",
                    message.clone().unwrap_or_else(|| failure.to_string()),
                ),
                _ => Self::Database {
                    cause: Arc::new(error),
                },
            },
            // A column of another type than its table declares, or text that is not text.
            Error::InvalidColumnType(..)
            | Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::Utf8Error(..)
            | Error::SqlInputError { .. } => Self::damaged("a row", error.to_string()),
            _ => Self::Database {
                cause: Arc::new(error),
            },
        }
    }
}
