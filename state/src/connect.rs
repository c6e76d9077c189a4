//! From a path to a connection that may be trusted: what is there is compared with what the
//! anchor says must be there, before anything else reads it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::anchor::{self, Anchor};
use crate::audit::{AuditEntry, AuditEvent, Head};
use crate::error::StateError;
use crate::migrate;
use crate::store::{NewInstallation, OpenOptions};
use crate::table::chain;
use crate::table::installation::{self, Installation};
use crate::writer::Tx;

/// A writer waits so long for another process before it gives up.
pub(crate) const BUSY: Duration = Duration::from_secs(10);

/// The write-ahead log is folded back when it has so many pages of 4 KiB (16 MiB), and whenever
/// the last lock of a process is released.
const CHECKPOINT_PAGES: i64 = 4096;

/// Opens or makes the state file and returns its writer's connection and its installation.
pub(crate) fn open(path: &Path, options: &OpenOptions) -> Result<(Connection, String), StateError> {
    // The anchor first: the file only moves forward, so it must hold what the anchor says.
    let anchor = anchor::read(path)?;
    let length = length(path)?;
    let holds_something = match (length, &anchor, &options.create) {
        (Some(1..), ..) => true,
        (found, Some(anchor), _) => {
            return Err(StateError::Lost {
                path: path.to_owned(),
                found: if found.is_none() { "missing" } else { "empty" },
                audit_seq: anchor.audit_seq,
            });
        }
        (_, None, Some(_)) => false,
        (None, None, None) => {
            return Err(StateError::Absent {
                path: path.to_owned(),
            });
        }
        (Some(_), None, None) => {
            return Err(StateError::Empty {
                path: path.to_owned(),
            });
        }
    };
    match &options.create {
        Some(new) if !holds_something => create(path, new),
        _ => check(path, anchor, options.create.as_ref()),
    }
}

/// A connection to a file that was checked already.
pub(crate) fn existing(path: &Path) -> Result<Connection, StateError> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    configure(&connection).map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StateError::Foreign {
            path: path.to_owned(),
        },
        _ => error.into(),
    })?;
    Ok(connection)
}

/// A connection to a file that may have any fault but to be no state file of ours.
pub(crate) fn examined(path: &Path) -> Result<Connection, StateError> {
    if length(path)?.is_none() {
        return Err(StateError::Absent {
            path: path.to_owned(),
        });
    }
    let connection = existing(path)?;
    match identify(&connection, path)? {
        0 => Err(StateError::Empty {
            path: path.to_owned(),
        }),
        _ => Ok(connection),
    }
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
}

/// Turns the write-ahead log on. For that SQLite wants the file for itself and does not wait, so
/// that processes which make the file at the same moment would turn each other away.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let turned = || connection.pragma_update(None, "journal_mode", "WAL");
    for _ in 0..BUSY.as_millis() {
        match turned() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                std::thread::sleep(Duration::from_millis(1));
            }
            done => return done,
        }
    }
    turned()
}

/// The length of the file; `None` where there is none.
fn length(path: &Path) -> Result<Option<u64>, StateError> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(Some(found.len())),
        Ok(_) => Err(StateError::NotAFile {
            path: path.to_owned(),
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StateError::io(path, "opened")(error)),
    }
}

fn create(path: &Path, new: &NewInstallation) -> Result<(Connection, String), StateError> {
    if let Some(folder) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(StateError::io(folder, "made"))?;
    }
    let mut connection = Connection::open(path)?;
    configure(&connection)?;
    write_ahead(&connection)?;
    // Tables, installation and first audit row are one transaction: a file is whole or empty.
    migrate::migrate(&mut connection, migrate::STEPS, |transaction, schema| {
        if schema == 1 {
            let row = Installation {
                id: new.id.clone(),
                created_ms: new.now_ms,
                schema_digest: migrate::digest(transaction)?,
                fence: 0,
                roster: installation::roster(&[]),
            };
            installation::write(transaction, &row)?;
            Tx::new(transaction)?.audit(&created(new))?;
        }
        Ok(())
    })?;
    // Another process may have made it at the same moment: what is there counts.
    let anchor = Tx::new(&connection)?.anchor()?;
    anchor::advance(path, &anchor)?;
    Ok((connection, anchor.installation))
}

fn created(new: &NewInstallation) -> AuditEntry {
    AuditEntry {
        event: AuditEvent::Created,
        at_ms: new.now_ms,
        who: new.who.clone(),
        host: new.host.clone(),
        tenant: None,
        run: None,
        fence: None,
        address: None,
        detail: [("installation".to_owned(), new.id.clone())].into(),
    }
}

fn check(
    path: &Path,
    anchor: Option<Anchor>,
    create_options: Option<&NewInstallation>,
) -> Result<(Connection, String), StateError> {
    let mut connection = existing(path)?;
    let schema = identify(&connection, path)?;
    if schema == 0 {
        // A crash while the file was made, before its first transaction: it never held anything.
        return match (anchor, create_options) {
            (None, Some(new)) => {
                drop(connection);
                create(path, new)
            }
            (None, None) => Err(StateError::Empty {
                path: path.to_owned(),
            }),
            (Some(anchor), _) => Err(StateError::Lost {
                path: path.to_owned(),
                found: "empty",
                audit_seq: anchor.audit_seq,
            }),
        };
    }
    let found = trusted(&connection)?;
    // Whoever made the file may have written its anchor since we looked for it.
    let anchor = match anchor {
        None => anchor::read(path)?,
        known => known,
    };
    match anchor {
        Some(anchor) => compare(&connection, &found, &anchor)?,
        // A crash right after the file was made, before its anchor was: nothing has happened yet.
        None if chain::head(&connection)?.seq <= 1 => {
            anchor::advance(path, &Tx::new(&connection)?.anchor()?)?;
        }
        None => {
            return Err(StateError::AnchorMissing {
                path: anchor::path_of(path),
            });
        }
    }
    migrate::migrate(&mut connection, migrate::STEPS, |transaction, _| {
        let mut row = installation::read(transaction)?;
        row.schema_digest = migrate::digest(transaction)?;
        installation::write(transaction, &row)
    })?;
    Ok((connection, found.id))
}

/// Whether the file is ours at all; returns its schema, 0 for a file without any table.
///
/// All is read at one moment: another process may be making the file right now.
fn identify(connection: &Connection, path: &Path) -> Result<i64, StateError> {
    let moment = connection.unchecked_transaction()?;
    let application: i64 = moment.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 =
        moment.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let known = migrate::known(migrate::STEPS);
    match (application, migrate::schema(&moment)?, tables) {
        (0, 0, 0) => Ok(0),
        (migrate::APPLICATION, found, _) if found > known => {
            Err(StateError::NewerSchema { found, known })
        }
        (migrate::APPLICATION, found @ 1.., 1..) => Ok(found),
        _ => Err(StateError::Foreign {
            path: path.to_owned(),
        }),
    }
}

/// The installation row of a file whose table definitions are the ones that were written.
pub(crate) fn trusted(connection: &Connection) -> Result<Installation, StateError> {
    let found = installation::read(connection)?;
    if migrate::digest(connection)? == found.schema_digest {
        Ok(found)
    } else {
        Err(StateError::damaged(
            "the table definitions",
            "they are not the ones that were written",
        ))
    }
}

/// Whether the file holds what the anchor says.
pub(crate) fn compare(
    connection: &Connection,
    found: &Installation,
    anchor: &Anchor,
) -> Result<(), StateError> {
    if found.id != anchor.installation {
        return Err(StateError::OtherInstallation {
            found: found.id.clone(),
            anchored: anchor.installation.clone(),
        });
    }
    let head = chain::head(connection)?;
    let anchored = Head {
        seq: anchor.audit_seq,
        hash: anchor.audit_hash,
    };
    if head.seq < anchored.seq || found.fence < anchor.fence {
        return Err(StateError::Older {
            found: head.seq,
            anchored: anchored.seq,
        });
    }
    match chain::at(connection, anchored.seq)? {
        Some(there) if there == anchored => Ok(()),
        _ => Err(StateError::Forked { seq: anchored.seq }),
    }
}
