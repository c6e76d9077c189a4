//! The one writer of a process: every change is a transaction, and changes that come at the same
//! time share one.
//!
//! SQLite has one writer and a synced commit costs a disk flush, so callers queue their work and
//! whoever gets hold of the connection does all that waits, each piece within a savepoint of its
//! own: one that is refused leaves the others alone. A call returns when its work is durable, and
//! anchored where it asks for that.

use std::cell::Cell;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, TransactionBehavior};

use crate::anchor::{self, Anchor};
use crate::audit::{self, AuditEntry, Head};
use crate::error::StateError;
use crate::migrate;
use crate::table::{chain, installation};

/// Whether a write moves the anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchoring {
    /// The next one that does will cover it.
    Later,
    /// Before the call returns.
    Now,
}

/// A transaction under way, which also knows the end of the audit chain.
pub(crate) struct Tx<'c> {
    connection: &'c Connection,
    head: Cell<Head>,
}

impl Deref for Tx<'_> {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl<'c> Tx<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Result<Self, StateError> {
        let head = Cell::new(chain::head(connection)?);
        Ok(Self { connection, head })
    }

    /// Writes one audit row.
    pub(crate) fn audit(&self, entry: &AuditEntry) -> Result<(), StateError> {
        let body = audit::encode(entry)?;
        let head = self.head.get().next(&body);
        chain::append(self.connection, &head, &body)?;
        self.head.set(head);
        Ok(())
    }

    /// What the anchor has to say once this transaction is committed.
    pub(crate) fn anchor(&self) -> Result<Anchor, StateError> {
        let installation = installation::read(self.connection)?;
        let head = self.head.get();
        Ok(Anchor {
            installation: installation.id,
            schema: migrate::schema(self.connection)?,
            audit_seq: head.seq,
            audit_hash: head.hash,
            fence: installation.fence,
        })
    }
}

/// Tells a caller how its work ended, once the whole transaction has.
type Reply = Box<dyn FnOnce(Option<StateError>) + Send>;

/// Does a piece of work, or hears why there is no transaction to do it in; says whether it may be
/// committed.
type Work = Box<dyn FnOnce(Result<&Tx<'_>, StateError>) -> (bool, Reply) + Send>;

struct Job {
    anchoring: Anchoring,
    work: Work,
}

pub(crate) struct Writer {
    state: PathBuf,
    queue: Mutex<Vec<Job>>,
    connection: Mutex<Connection>,
}

impl Writer {
    pub(crate) fn new(state: &Path, connection: Connection) -> Self {
        Self {
            state: state.to_owned(),
            queue: Mutex::new(Vec::new()),
            connection: Mutex::new(connection),
        }
    }

    /// Does `work` in a transaction and returns when that is durable.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        anchoring: Anchoring,
        work: impl FnOnce(&Tx<'_>) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, StateError> {
        let (sender, answer) = sync_channel(1);
        let work: Work = Box::new(move |tx| {
            let result = tx.and_then(work);
            (result.is_ok(), reply(sender, result))
        });
        hold(&self.queue).push(Job { anchoring, work });
        let mut connection = hold(&self.connection);
        // Whoever had the connection before may have done this work as well.
        if let Ok(result) = answer.try_recv() {
            return result;
        }
        let jobs = std::mem::take(&mut *hold(&self.queue));
        self.carry_out(&mut connection, jobs);
        drop(connection);
        answer.try_recv().unwrap_or(Err(StateError::WriterGone))
    }

    /// The writer's connection, for work that is no transaction (a checkpoint).
    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        hold(&self.connection)
    }

    fn carry_out(&self, connection: &mut Connection, jobs: Vec<Job>) {
        let anchoring = jobs.iter().any(|job| job.anchoring == Anchoring::Now);
        let mut jobs = jobs.into_iter();
        let mut replies = Vec::with_capacity(jobs.len());
        let ended = match transact(connection, &mut jobs, anchoring, &mut replies) {
            Ok(Some(anchor)) => anchor::advance(&self.state, &anchor),
            other => other.map(|_| ()),
        };
        if let Err(error) = &ended {
            replies.extend(jobs.map(|job| (job.work)(Err(error.clone())).1));
        }
        for reply in replies {
            reply(ended.as_ref().err().cloned());
        }
    }
}

fn transact(
    connection: &mut Connection,
    jobs: &mut impl ExactSizeIterator<Item = Job>,
    anchoring: bool,
    replies: &mut Vec<Reply>,
) -> Result<Option<Anchor>, StateError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tx = Tx::new(&transaction)?;
    let mut any = false;
    // A piece that has the transaction for itself is taken back with it.
    let shared = jobs.len() > 1;
    for job in jobs {
        let head = tx.head.get();
        if shared {
            transaction.prepare_cached("SAVEPOINT job")?.execute([])?;
        }
        let (good, reply) = (job.work)(Ok(&tx));
        replies.push(reply);
        any |= good;
        if shared {
            if !good {
                transaction.prepare_cached("ROLLBACK TO job")?.execute([])?;
                tx.head.set(head);
            }
            transaction.prepare_cached("RELEASE job")?.execute([])?;
        }
    }
    if !any {
        return Ok(None);
    }
    let anchor = if anchoring { Some(tx.anchor()?) } else { None };
    transaction.commit()?;
    Ok(anchor)
}

fn reply<T: Send + 'static>(
    sender: SyncSender<Result<T, StateError>>,
    result: Result<T, StateError>,
) -> Reply {
    Box::new(move |failure| {
        // A caller that no longer listens has lost nothing: its work is done or is not.
        let _ = sender.send(failure.map_or(result, Err));
    })
}

/// A panic of another caller leaves no half-written transaction behind: it was rolled back.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::AuditEvent;
    use crate::holder::Holder;
    use crate::store::{NewInstallation, OpenOptions};

    #[test]
    fn a_refused_piece_of_a_shared_transaction_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let create = Some(NewInstallation {
            id: "test".to_owned(),
            who: "ada".to_owned(),
            host: "here".to_owned(),
            now_ms: 1,
        });
        let (mut connection, _) = crate::connect::open(&path, &OpenOptions { create }).unwrap();
        let job = |good: bool| Job {
            anchoring: Anchoring::Later,
            work: Box::new(move |tx| {
                let holder = Holder::of_this_process("ada", "test");
                let entry = AuditEntry::new(AuditEvent::Renewed, 1, &holder).with("good", good);
                let written = tx.and_then(|tx| tx.audit(&entry)).is_ok();
                (written && good, Box::new(|_| ()))
            }),
        };
        let mut jobs = [true, false, true].map(job).into_iter();
        transact(&mut connection, &mut jobs, false, &mut Vec::new()).unwrap();
        let mut seen = Vec::new();
        let visit = |_, entry: AuditEntry| seen.extend(entry.detail.get("good").cloned());
        let end = chain::walk(&connection, Head::none(), visit).unwrap();
        assert_eq!(seen, ["true", "true"]);
        assert_eq!(end.seq, 3, "the first row tells of the making");
    }
}
