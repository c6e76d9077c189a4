//! Copies of the state, and the only way back: an explicit restore that says in the audit what it
//! put back, over what, and why.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use matih_model::TenantId;
use rusqlite::backup::Backup;
use rusqlite::{Connection, TransactionBehavior};

use crate::anchor::{self, Anchor};
use crate::audit::{AuditEntry, AuditEvent};
use crate::connect;
use crate::error::StateError;
use crate::holder::Holder;
use crate::lock::LockRow;
use crate::store::Store;
use crate::table::{installation, locks, tenants};
use crate::verify::verify;
use crate::writer::Tx;

/// What is put back, by whom and why.
#[derive(Clone, Debug)]
pub struct Restore {
    /// The backup; `None` accepts the file as it is found.
    pub from: Option<PathBuf>,
    /// Who does it.
    pub by: Holder,
    /// Why, for the audit.
    pub reason: String,
    /// Milliseconds since the epoch.
    pub now_ms: u64,
}

/// Fences are granted between two anchorings too: a restore leaves so many unused.
const FENCE_GAP: u64 = 1000;

impl Store {
    /// Copies the state, as it is at this moment, to a new file with an anchor of its own.
    /// Others may go on writing meanwhile.
    ///
    /// # Errors
    /// There is a file at `to`, it cannot be written, or the state cannot be read.
    pub fn backup(&self, to: &Path) -> Result<(), StateError> {
        if to.exists() {
            return Err(StateError::Exists {
                path: to.to_owned(),
            });
        }
        let new = anchor::with_suffix(to, ".new");
        let copied = self.read(|it| copy(it, &new))?;
        put(&new, to)?;
        anchor::overwrite(to, &copied)
    }
}

/// Copies a whole database into a new file; returns the anchor that fits the copy.
fn copy(from: &Connection, to: &Path) -> Result<Anchor, StateError> {
    if to.exists() {
        fs::remove_file(to).map_err(StateError::io(to, "replaced"))?;
    }
    let mut copy = Connection::open(to)?;
    let backup = Backup::new(from, &mut copy)?;
    // All pages in one step, so that the copy is of one moment.
    backup.step(-1)?;
    drop(backup);
    let anchor = Tx::new(&copy)?.anchor()?;
    Ok(anchor)
}

/// Brings a finished copy to its place, durably.
fn put(new: &Path, to: &Path) -> Result<(), StateError> {
    let moved = File::open(new)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(new, to));
    moved.map_err(StateError::io(to, "written"))
}

/// Puts a backup in the place of the state at `path`, or accepts the state as it is found, and
/// anchors it anew. All locks are taken away and the fence moves past every one ever anchored, so
/// a holder from before can write nothing. What was there is kept beside it under a name with
/// `before-restore`. No other matih may be running on this state.
///
/// # Errors
/// What is to be put back is not sound or of another installation, or a file cannot be written.
pub fn restore(path: &Path, request: &Restore) -> Result<(), StateError> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let source = request.from.as_deref().unwrap_or(path);
    // A damaged anchor tells nothing more; a readable one tells whose state belongs here.
    let anchored = anchor::read(path).ok().flatten();
    sound(source, anchored.as_ref())?;
    if let Some(from) = &request.from {
        let new = anchor::with_suffix(path, ".new");
        let connection = connect::examined(from)?;
        copy(&connection, &new)?;
        drop(connection);
        set_aside(path, request.now_ms)?;
        put(&new, path)?;
    }
    let mut connection = connect::existing(path)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tx = Tx::new(&transaction)?;
    renew(&tx, request, anchored.as_ref())?;
    let anchor = tx.anchor()?;
    transaction.commit()?;
    anchor::overwrite(path, &anchor)
}

/// Whether a file may become the state: nothing is wrong with it but, perhaps, its anchor.
fn sound(source: &Path, anchored: Option<&Anchor>) -> Result<(), StateError> {
    let connection = connect::examined(source)?;
    let found = connect::trusted(&connection)?;
    if let Some(anchor) = anchored.filter(|anchor| anchor.installation != found.id) {
        return Err(StateError::OtherInstallation {
            found: found.id,
            anchored: anchor.installation.clone(),
        });
    }
    drop(connection);
    match verify(source)?.problems.into_iter().next() {
        Some(problem) => Err(StateError::Unsound {
            path: source.to_owned(),
            problem: problem.message,
        }),
        None => Ok(()),
    }
}

/// Keeps what is there under another name: file, log and the log's index belong together.
fn set_aside(path: &Path, now_ms: u64) -> Result<(), StateError> {
    for suffix in ["", "-wal", "-shm"] {
        let old = anchor::with_suffix(path, suffix);
        let kept = anchor::with_suffix(path, &format!(".before-restore-{now_ms}{suffix}"));
        if old.exists() {
            fs::rename(&old, &kept).map_err(StateError::io(old, "set aside"))?;
        }
    }
    Ok(())
}

fn renew(tx: &Tx<'_>, request: &Restore, anchored: Option<&Anchor>) -> Result<(), StateError> {
    let mut row = installation::read(tx)?;
    let highest = anchored.map_or(0, |anchor| anchor.fence).max(row.fence);
    row.fence = highest + FENCE_GAP;
    installation::write(tx, &row)?;
    let all: Vec<TenantId> = tenants::all(tx)?.into_iter().map(|it| it.tenant).collect();
    for tenant in &all {
        let free = LockRow {
            fence: row.fence,
            held: None,
        };
        locks::write(tx, tenant, &free)?;
    }
    let source = match &request.from {
        Some(from) => from.display().to_string(),
        None => "the file as it was found".to_owned(),
    };
    let mut entry = AuditEntry::new(AuditEvent::Restored, request.now_ms, &request.by)
        .with("from", source)
        .with("reason", &request.reason);
    if let Some(anchor) = anchored {
        entry = entry
            .with("anchored_seq", anchor.audit_seq)
            .with("anchored_hash", anchor.audit_hash);
    }
    entry.fence = Some(row.fence);
    tx.audit(&entry)
}
