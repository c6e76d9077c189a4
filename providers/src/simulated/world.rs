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
use rusqlite::{Connection, ErrorCode, params};
use thiserror::Error;
use tokio::sync::oneshot;

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
    /// A change was made and is not there to stay.
    #[error("the simulated world {path} did not keep a change: {cause}")]
    NotKept {
        /// The file, or `in memory`.
        path: String,
        /// Why.
        cause: String,
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

/// Tells a caller how its change ended, once the transaction has: with a cause if that failed.
type Reply = Box<dyn FnOnce(Option<String>) + Send>;

/// Makes a change, and says whether it may be kept.
type Change = Box<dyn FnOnce(&Session<'_>) -> (bool, Reply) + Send>;

/// Turns the write-ahead log on. For that SQLite wants the file for itself and does not wait, so
/// that processes which open a new world at the same moment would turn each other away.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let turned = || connection.execute_batch("PRAGMA journal_mode = WAL");
    for _ in 0..PATIENCE.as_millis() {
        match turned() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                std::thread::sleep(Duration::from_millis(1));
            }
            done => return done,
        }
    }
    turned()
}

/// The open file. All calls of one process take turns.
pub(super) struct World {
    path: String,
    connection: Mutex<Connection>,
    /// Changes that have arrived and are not made yet.
    arrived: Mutex<Vec<Change>>,
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
            write_ahead(&connection)?;
            connection.execute_batch(
                "PRAGMA synchronous = OFF;
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
        Ok(Self {
            path,
            connection: Mutex::new(connection),
            arrived: Mutex::default(),
        })
    }

    /// Makes a change that is all there afterwards, or not at all. Changes that arrive at the same
    /// time share one transaction; one that fails leaves the others alone. What has arrived is made
    /// before anybody looks, also where its caller no longer waits for it.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Session<'_>) -> Done<T> + Send + 'static,
    ) -> Done<T> {
        let (sender, mut answer) = oneshot::channel();
        let path = self.path.clone();
        let change: Change = Box::new(move |session| {
            let result = change(session);
            let good = result.is_ok();
            let reply = |failure: Option<String>| {
                let failure = failure.map(|cause| Err(WorldError::NotKept { path, cause }));
                // Who no longer listens has lost the reply, and nothing else.
                let _ = sender.send(failure.unwrap_or(result));
            };
            (good, Box::new(reply))
        });
        hold(&self.arrived).push(change);
        // Whoever else is on the way arrives meanwhile.
        tokio::task::yield_now().await;
        self.settle();
        answer.try_recv().unwrap_or_else(|_| {
            let (path, cause) = (self.path.clone(), "nobody has made it".to_owned());
            Err(WorldError::NotKept { path, cause })
        })
    }

    /// Makes all changes that have arrived.
    fn settle(&self) {
        let connection = hold(&self.connection);
        let arrived = std::mem::take(&mut *hold(&self.arrived));
        if arrived.is_empty() {
            return;
        }
        let mut replies = Vec::with_capacity(arrived.len());
        let ended = self.transact(&connection, "BEGIN IMMEDIATE", |session| {
            for change in arrived {
                session.execute("SAVEPOINT change", [])?;
                let (good, reply) = change(session);
                replies.push(reply);
                if !good {
                    session.execute("ROLLBACK TO change", [])?;
                }
                session.execute("RELEASE change", [])?;
            }
            Ok(())
        });
        let failure = ended.err().map(|error| error.to_string());
        for reply in replies {
            reply(failure.clone());
        }
    }

    /// Runs `change` as one transaction: all of it is there afterwards, or nothing.
    pub(super) fn write<T>(&self, change: impl FnOnce(&Session<'_>) -> Done<T>) -> Done<T> {
        self.settle();
        self.transact(&hold(&self.connection), "BEGIN IMMEDIATE", change)
    }

    /// Runs `look` on one unmoving view of the world.
    pub(super) fn view<T>(&self, look: impl FnOnce(&Session<'_>) -> Done<T>) -> Done<T> {
        self.settle();
        self.transact(&hold(&self.connection), "BEGIN", look)
    }

    fn transact<T>(
        &self,
        connection: &Connection,
        begin: &str,
        body: impl FnOnce(&Session<'_>) -> Done<T>,
    ) -> Done<T> {
        let session = Session::new(&self.path, connection);
        session.execute(begin, [])?;
        let result = body(&session).and_then(|value| session.execute("COMMIT", []).map(|_| value));
        if result.is_err() && !connection.is_autocommit() {
            session.execute("ROLLBACK", [])?;
        }
        result
    }
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says which file SQLite spoke of.
pub(super) fn store(path: &str) -> impl Fn(rusqlite::Error) -> WorldError {
    move |cause| WorldError::Store {
        path: path.to_owned(),
        cause,
    }
}
