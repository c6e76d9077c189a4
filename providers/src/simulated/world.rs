//! The cloud itself: objects in one SQLite file, which stands for everything outside.
//!
//! Promises that what was answered survives the death of any process, that several processes may
//! have the file open at once, and that a change is all there or not at all. Knows objects and
//! their names; whose object may be touched is decided by `acts.rs`.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use matih_model::{
    Address, Attributes, Digest, ErrorKind, Kind, Observed, OwnerMark, ProviderError, RemoteId,
    RunId, TenantId, Version,
};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, Row, params};
use thiserror::Error;

use super::tree;
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

/// One object, as it is kept.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) serial: i64,
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) remote_id: String,
    pub(super) token: String,
    pub(super) birth: Digest,
    pub(super) revision: i64,
    pub(super) visible_at: i64,
    pub(super) place: Option<String>,
    pub(super) owner: Option<OwnerMark>,
    pub(super) asked: Attributes,
    pub(super) overlay: Attributes,
    pub(super) outputs: Attributes,
    pub(super) secrets: String,
}

impl Object {
    /// All that is set on it now.
    pub(super) fn now(&self) -> Attributes {
        tree::merged(&self.asked, &self.overlay)
    }

    /// As a provider reads it.
    pub(super) fn observed(&self) -> Observed {
        Observed {
            remote_id: RemoteId::new(&self.remote_id),
            attributes: self.now(),
            outputs: self.outputs.clone(),
            version: Version(self.token.as_str().into()),
        }
    }
}

/// The token of an object of which this much is its owner's.
pub(super) fn token(remote_id: &str, owned: &Attributes) -> String {
    let mut token = Digest::of("matih simulated version v1", &(remote_id, owned)).to_string();
    token.truncate(32);
    token
}

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
        let session = Session {
            path: &self.path,
            connection: &connection,
        };
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

fn store(path: &str) -> impl Fn(rusqlite::Error) -> WorldError {
    move |cause| WorldError::Store {
        path: path.to_owned(),
        cause,
    }
}

/// The world inside of one transaction.
pub(super) struct Session<'a> {
    path: &'a str,
    connection: &'a Connection,
}

/// In the order of the table.
const COLUMNS: &str = "serial, kind, name, remote_id, token, birth, revision, visible_at, place, \
    installation, tenant, address, generation, run, asked, overlay, outputs, secrets";

impl Session<'_> {
    /// Runs one statement.
    pub(super) fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Done<usize> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .map_err(store(self.path))
    }

    /// The first row, if there is one.
    pub(super) fn first<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Done<Option<T>> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(values, read).optional())
            .map_err(store(self.path))
    }

    /// All rows.
    pub(super) fn all<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Done<Vec<T>> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_map(values, read)?.collect())
            .map_err(store(self.path))
    }

    /// The objects for which `condition` holds, in order of creation.
    pub(super) fn objects(
        &self,
        condition: &str,
        values: impl rusqlite::Params,
    ) -> Done<Vec<Object>> {
        let sql = format!("SELECT {COLUMNS} FROM object WHERE {condition} ORDER BY serial");
        self.all(&sql, values, |row| Ok(object(row)))?
            .into_iter()
            .collect()
    }

    /// The object of a kind with this name in the world.
    pub(super) fn named(&self, kind: &Kind, name: &str) -> Done<Option<Object>> {
        let found = self.objects("kind = ?1 AND name = ?2", params![kind.as_str(), name])?;
        Ok(found.into_iter().next())
    }

    /// The object of a kind with this remote id.
    pub(super) fn at(&self, kind: &Kind, remote_id: &str) -> Done<Option<Object>> {
        let found = self.objects(
            "kind = ?1 AND remote_id = ?2",
            params![kind.as_str(), remote_id],
        )?;
        Ok(found.into_iter().next())
    }

    /// The object that bears a mark of this installation and address.
    pub(super) fn marked(&self, installation: &str, address: &Address) -> Done<Option<Object>> {
        let values = params![address.tenant.as_str(), address.to_string(), installation];
        let found = self.objects("tenant = ?1 AND address = ?2 AND installation = ?3", values)?;
        Ok(found.into_iter().next())
    }

    /// Keeps a new object.
    pub(super) fn insert(&self, object: &Object) -> Done<()> {
        let text = |tree: &Attributes| {
            serde_json::to_string(tree).map_err(|error| WorldError::Broken(error.to_string()))
        };
        let owner = object.owner.as_ref();
        self.execute(
            "INSERT INTO object VALUES \
             (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
            params![
                object.serial,
                object.kind.as_str(),
                object.name,
                object.remote_id,
                object.token,
                object.birth.as_bytes().as_slice(),
                object.revision,
                object.visible_at,
                object.place,
                owner.map(|owner| &owner.installation),
                owner.map(|owner| owner.tenant().as_str()),
                owner.map(|owner| owner.address.to_string()),
                owner.map(|owner| owner.generation.cast_signed()),
                owner.map(|owner| owner.run.as_str()),
                text(&object.asked)?,
                text(&object.overlay)?,
                text(&object.outputs)?,
                object.secrets,
            ],
        )?;
        Ok(())
    }

    /// Keeps an object as it is now.
    pub(super) fn replace(&self, object: &Object) -> Done<()> {
        self.execute("DELETE FROM object WHERE serial = ?1", [object.serial])?;
        self.insert(object)
    }

    /// Takes an object away, and with a place all that is in it.
    pub(super) fn remove(&self, object: &Object, inside: Option<&str>) -> Done<()> {
        // No place is the empty text, so without one this finds nothing more.
        let values = params![object.serial, inside.unwrap_or_default()];
        self.execute(
            "INSERT INTO grave SELECT kind, name, 1 FROM object WHERE serial = ?1 OR place = ?2 \
             ON CONFLICT DO UPDATE SET lives = lives + 1",
            values,
        )?;
        self.execute("DELETE FROM object WHERE serial = ?1 OR place = ?2", values)?;
        Ok(())
    }

    /// How many objects of this name are gone.
    pub(super) fn lives(&self, kind: &Kind, name: &str) -> Done<i64> {
        let sql = "SELECT lives FROM grave WHERE kind = ?1 AND name = ?2";
        let values = params![kind.as_str(), name];
        Ok(self.first(sql, values, |row| row.get(0))?.unwrap_or(0))
    }

    /// A number of the world itself.
    pub(super) fn fact(&self, word: &str) -> Done<i64> {
        let sql = "SELECT number FROM fact WHERE word = ?1";
        Ok(self.first(sql, [word], |row| row.get(0))?.unwrap_or(0))
    }

    /// Counts one up and returns the new number.
    pub(super) fn count_up(&self, word: &str) -> Done<i64> {
        let sql = "UPDATE fact SET number = number + 1 WHERE word = ?1 RETURNING number";
        Ok(self.first(sql, [word], |row| row.get(0))?.unwrap_or(0))
    }
}

/// Reads a row of [`COLUMNS`].
fn object(row: &Row<'_>) -> Done<Object> {
    fn broken(error: impl std::fmt::Display) -> WorldError {
        WorldError::Broken(error.to_string())
    }
    let text = |column: usize| row.get::<_, String>(column).map_err(broken);
    let number = |column: usize| row.get::<_, i64>(column).map_err(broken);
    let maybe = |column: usize| row.get::<_, Option<String>>(column).map_err(broken);
    let tree = |column: usize| -> Done<Attributes> {
        let text = row
            .get_ref(column)
            .map_err(broken)?
            .as_str()
            .map_err(broken)?;
        serde_json::from_str(text).map_err(broken)
    };
    let owner = match maybe(9)? {
        None => None,
        Some(installation) => Some(OwnerMark {
            installation,
            address: text(11)?.parse().map_err(broken)?,
            generation: number(12)?.cast_unsigned(),
            run: RunId::new(text(13)?),
        }),
    };
    Ok(Object {
        serial: number(0)?,
        kind: text(1)?.parse().map_err(broken)?,
        name: text(2)?,
        remote_id: text(3)?,
        token: text(4)?,
        birth: Digest::from_bytes(row.get(5).map_err(broken)?),
        revision: number(6)?,
        visible_at: number(7)?,
        place: maybe(8)?,
        owner,
        asked: tree(14)?,
        overlay: tree(15)?,
        outputs: tree(16)?,
        secrets: text(17)?,
    })
}

/// The tenant's objects of one installation that lists show by now.
pub(super) fn of_tenant(
    session: &Session<'_>,
    installation: &str,
    tenant: &TenantId,
    clock: i64,
) -> Done<Vec<Object>> {
    session.objects(
        "tenant = ?1 AND installation = ?2 AND visible_at <= ?3",
        params![tenant.as_str(), installation, clock],
    )
}
