//! The table `audit`.

use rusqlite::{Connection, OptionalExtension, params};

use crate::audit::{self, AuditEntry, AuditFilter, Head};
use crate::codec;
use crate::error::StateError;
use crate::table::{signed, unsigned};

/// The end of the chain.
pub(crate) fn head(connection: &Connection) -> Result<Head, StateError> {
    let found = connection
        .prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)))
        .optional()?;
    found.map_or(Ok(Head::none()), |(seq, hash)| decoded(seq, &hash))
}

/// The chain as it was at one row; `None` if there is no such row.
pub(crate) fn at(connection: &Connection, seq: u64) -> Result<Option<Head>, StateError> {
    connection
        .prepare_cached("SELECT hash FROM audit WHERE seq = ?1")?
        .query_row([signed(seq)], |row| row.get::<_, Vec<u8>>(0))
        .optional()?
        .map(|hash| decoded(signed(seq), &hash))
        .transpose()
}

fn decoded(seq: i64, hash: &[u8]) -> Result<Head, StateError> {
    let place = format!("audit row {seq}");
    Ok(Head {
        seq: unsigned(&place, seq)?,
        hash: codec::digest(&place, hash)?,
    })
}

pub(crate) fn append(connection: &Connection, head: &Head, body: &[u8]) -> Result<(), StateError> {
    connection
        .prepare_cached("INSERT INTO audit (seq, body, hash) VALUES (?1, ?2, ?3)")?
        .execute(params![signed(head.seq), body, head.hash.as_bytes()])?;
    Ok(())
}

/// Walks the chain from a row on, checks it link by link, and shows each row to `visit`.
/// Returns the end of the chain.
pub(crate) fn walk(
    connection: &Connection,
    after: Head,
    mut visit: impl FnMut(u64, AuditEntry),
) -> Result<Head, StateError> {
    let mut statement = connection
        .prepare_cached("SELECT seq, body, hash FROM audit WHERE seq > ?1 ORDER BY seq")?;
    let mut rows = statement.query([signed(after.seq)])?;
    let mut head = after;
    while let Some(row) = rows.next()? {
        let body = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let stored = decoded(
            row.get(0)?,
            row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?,
        )?;
        let next = head.next(body);
        if next != stored {
            let place = format!("audit row {}", next.seq);
            return Err(StateError::damaged(place, "the chain is broken here"));
        }
        visit(next.seq, audit::decode(next.seq, body)?);
        head = next;
    }
    Ok(head)
}

/// The rows that a filter wants, oldest first, each checked against the one before it.
pub(crate) fn list(
    connection: &Connection,
    filter: &AuditFilter,
) -> Result<Vec<(u64, AuditEntry)>, StateError> {
    let after = match filter.after {
        None | Some(0) => Head::none(),
        Some(seq) => match at(connection, seq)? {
            Some(head) => head,
            None => return Ok(Vec::new()),
        },
    };
    let mut found = std::collections::VecDeque::new();
    walk(connection, after, |seq, entry| {
        if filter.wants(&entry) {
            if filter.limit == Some(found.len()) {
                found.pop_front();
            }
            if filter.limit != Some(0) {
                found.push_back((seq, entry));
            }
        }
    })?;
    Ok(found.into())
}
