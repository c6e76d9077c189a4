//! The cloud itself: objects in one SQLite file, which stands for everything outside.
//!
//! Promises that what was answered survives the death of any process, that several processes may
//! have the file open at once, and that a change is all there or not at all. Knows objects and
//! their names; whose object may be touched is decided by `acts.rs`.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use matih_model::{ErrorKind, Kind, ProviderError};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, params};
use thiserror::Error;

use super::session::Session;
use crate::kinds::KindsError;

/// The number in the file's header that says how its tables look.
const LAYOUT: i64 = 1;

/// How long a process waits for another one that is writing.
const PATIENCE: Duration = Duration::from_secs(10);

/// The world's file cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorldError {
    /// SQLite refused.
    #[error("the simulated world {path} cannot be used: {cause}")]
    Store {
        /// The file, or `in memory`.
        path: String,
        /// What SQLite says.
        cause: rusqlite::Error,
    },
    /// A row does not read.
    #[error("the simulated world holds an object that cannot be read: {0}")]
    Broken(String),
    /// The file is of another matih.
    #[error("the simulated world {path} has layout {found}, this matih knows {LAYOUT}")]
    Layout {
        /// The file.
        path: String,
        /// What its header says.
        found: i64,
    },
    /// There is no file.
    #[error("there is no simulated world at {}", .0.display())]
    Absent(PathBuf),
    /// No object is called that.
    #[error("the simulated world has no object `{0}`")]
    NoSuchObject(String),
    /// Several objects are called that.
    #[error("the simulated world has more than one object `{0}`: name it by its address")]
    Ambiguous(String),
    /// Another object of the kind has the name already.
    #[error("the simulated world has a {kind} called `{name}` already")]
    Taken {
        /// The kind.
        kind: Kind,
        /// The name in the world.
        name: String,
    },
    /// A path leads nowhere in the object.
    #[error("`{path}` leads nowhere in `{object}`")]
    NoSuchPath {
        /// The path.
        path: String,
        /// The object's remote id.
        object: String,
    },
    /// The tables that are built in do not read.
    #[error(transparent)]
    Kinds(#[from] KindsError),
}

impl From<WorldError> for ProviderError {
    fn from(error: WorldError) -> Self {
        Self::new(ErrorKind::Unavailable, error.to_string())
    }
}

pub(super) type Done<T> = Result<T, WorldError>;

/// The open file. All calls of one process take turns.
pub(super) struct World {
    path: String,
    connection: Mutex<Connection>,
}

impl World {
    /// Opens a file, made with this seed where there is none yet.
    pub(super) fn open(path: &Path, seed: u64) -> Done<Self> {
        let shown = path.display().to_string();
        let connection = Connection::open(path).map_err(store(&shown))?;
        Self::prepare(connection, shown, seed)
    }

    /// Makes a world that is gone with the process.
    pub(super) fn in_memory(seed: u64) -> Done<Self> {
        let shown = "in memory".to_owned();
        let connection = Connection::open_in_memory().map_err(store(&shown))?;
        Self::prepare(connection, shown, seed)
    }

    fn prepare(connection: Connection, path: String, seed: u64) -> Done<Self> {
        let prepare = || -> rusqlite::Result<i64> {
            connection.busy_timeout(PATIENCE)?;
            connection.set_prepared_statement_cache_capacity(64);
            // Without it a partial index makes SQLite prepare a statement anew at every call, to
            // look at the values that are bound.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
            // The outside world does not lose what it did when one of our processes dies; whether
            // it would survive a power cut is not its promise.
            connection.execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
                 PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16384;
                 BEGIN IMMEDIATE;",
            )?;
            let layout: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            if layout == 0 {
                connection.execute_batch(include_str!("schema.sql"))?;
                let fact = "INSERT INTO fact VALUES (?1, ?2)";
                connection.execute(fact, params!["seed", seed.cast_signed()])?;
                connection.execute(fact, params!["clock", 0])?;
                connection.pragma_update(None, "user_version", LAYOUT)?;
            }
            connection.execute_batch("COMMIT")?;
            Ok(if layout == 0 { LAYOUT } else { layout })
        };
        let found = prepare().map_err(store(&path))?;
        if found != LAYOUT {
            return Err(WorldError::Layout { path, found });
        }
        let connection = Mutex::new(connection);
        Ok(Self { path, connection })
    }

    /// Runs `change` as one transaction: all of it is there afterwards, or nothing.
    pub(super) fn write<T>(&self, change: impl FnOnce(&Session<'_>) -> Done<T>) -> Done<T> {
        self.transaction("BEGIN IMMEDIATE", change)
    }

    /// Runs `look` on one unmoving view of the world.
    pub(super) fn view<T>(&self, look: impl FnOnce(&Session<'_>) -> Done<T>) -> Done<T> {
        self.transaction("BEGIN", look)
    }

    fn transaction<T>(&self, begin: &str, body: impl FnOnce(&Session<'_>) -> Done<T>) -> Done<T> {
        let connection = self.lock();
        let session = Session::new(&self.path, &connection);
        session.execute(begin, [])?;
        let result = body(&session).and_then(|value| session.execute("COMMIT", []).map(|_| value));
        if result.is_err() && !connection.is_autocommit() {
            session.execute("ROLLBACK", [])?;
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says which file SQLite spoke of.
pub(super) fn store(path: &str) -> impl Fn(rusqlite::Error) -> WorldError {
    move |cause| WorldError::Store {
        path: path.to_owned(),
        cause,
    }
}
