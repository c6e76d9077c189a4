//! The schema's history, which only grows: a file is brought from the schema it has to ours, one
//! transaction for each step, and a file of a newer program is refused untouched.

use matih_model::Digest;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::StateError;

/// All steps; number `n` brings a file from schema `n - 1` to `n`. Never edit one: add one.
pub(crate) const STEPS: &[&str] = &[include_str!("schema/0001.sql")];

/// `MTIH`: tells our files from those of other programs that use SQLite.
pub(crate) const APPLICATION: i64 = 0x4d54_4948;

/// The schema that a file has; 0 for one that holds nothing yet.
pub(crate) fn schema(connection: &Connection) -> Result<i64, StateError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// The digest of all that SQLite knows of the schema: a changed byte in a table's definition can
/// make rows vanish without touching one.
pub(crate) fn digest(connection: &Connection) -> Result<Digest, StateError> {
    let mut statement = connection.prepare(
        "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema ORDER BY name",
    )?;
    let mut text = String::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..4 {
            text.push_str(
                row.get_ref(column)?
                    .as_str()
                    .map_err(rusqlite::Error::from)?,
            );
            text.push('\n');
        }
    }
    Ok(Digest::of_bytes("matih state schema v1", text.as_bytes()))
}

/// The schema that some steps lead to.
pub(crate) fn known(steps: &[&str]) -> i64 {
    i64::try_from(steps.len()).unwrap_or(i64::MAX)
}

/// Brings a file to the newest of `steps`. `settle` runs in the transaction of each step, with
/// the number of the schema that it reaches.
///
/// # Errors
/// The file is of a newer program, or a step fails; the file then has the schema of the last step
/// that succeeded.
pub(crate) fn migrate(
    connection: &mut Connection,
    steps: &[&str],
    mut settle: impl FnMut(&Transaction<'_>, i64) -> Result<(), StateError>,
) -> Result<(), StateError> {
    let known = known(steps);
    loop {
        // Read inside of the transaction: another process may be at the same work.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found = schema(&transaction)?;
        if found > known {
            return Err(StateError::NewerSchema { found, known });
        }
        let Some(step) = usize::try_from(found).ok().and_then(|at| steps.get(at)) else {
            return Ok(());
        };
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", found + 1)?;
        settle(&transaction, found + 1)?;
        transaction.commit()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    #[test]
    fn migrate_twice_is_migrate_once() {
        let mut connection = fresh();
        let mut reached = Vec::new();
        for _ in 0..2 {
            migrate(&mut connection, STEPS, |_, schema| {
                reached.push(schema);
                Ok(())
            })
            .unwrap();
        }
        assert_eq!(reached, [1]);
        assert_eq!(schema(&connection).unwrap(), 1);
    }

    #[test]
    fn a_later_step_keeps_what_is_there_and_a_failing_one_changes_nothing() {
        let mut connection = fresh();
        migrate(&mut connection, STEPS, |_, _| Ok(())).unwrap();
        let before = digest(&connection).unwrap();
        let broken = [
            STEPS[0],
            "CREATE TABLE more (a ANY) STRICT; CREATE TABLE more (b ANY);",
        ];
        assert!(migrate(&mut connection, &broken, |_, _| Ok(())).is_err());
        assert_eq!(schema(&connection).unwrap(), 1);
        assert_eq!(digest(&connection).unwrap(), before);
        let whole = [STEPS[0], "CREATE TABLE more (a ANY) STRICT;"];
        migrate(&mut connection, &whole, |_, _| Ok(())).unwrap();
        assert_eq!(schema(&connection).unwrap(), 2);
        assert_ne!(digest(&connection).unwrap(), before);
    }

    #[test]
    fn a_newer_file_is_refused_untouched() {
        let mut connection = fresh();
        let newer = [STEPS[0], "CREATE TABLE more (a ANY) STRICT;"];
        migrate(&mut connection, &newer, |_, _| Ok(())).unwrap();
        let refused = migrate(&mut connection, STEPS, |_, _| Ok(()));
        assert!(matches!(
            refused,
            Err(StateError::NewerSchema { found: 2, known: 1 })
        ));
    }

    /// The log only grows, so a process that was killed at one of its writes leaves the log cut
    /// there.
    #[test]
    fn a_step_that_is_killed_at_any_write_leaves_the_old_schema_or_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut connection = Connection::open(path("a.db")).unwrap();
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .unwrap();
        migrate(&mut connection, STEPS, |_, _| Ok(())).unwrap();
        let old = (1, digest(&connection).unwrap());
        connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .unwrap();
        let more = "CREATE TABLE more (a INTEGER PRIMARY KEY, b TEXT) STRICT;
                    CREATE INDEX of_more ON more (b);
                    ALTER TABLE tenants ADD COLUMN c TEXT;
                    INSERT INTO more (b) VALUES ('x'), ('y');";
        migrate(&mut connection, &[STEPS[0], more], |_, _| Ok(())).unwrap();
        let new = (2, digest(&connection).unwrap());
        let log = std::fs::read(path("a.db-wal")).unwrap();
        let mut seen = std::collections::BTreeMap::new();
        for cut in (0..=log.len()).step_by(8).chain([log.len()]) {
            std::fs::copy(path("a.db"), path("b.db")).unwrap();
            std::fs::write(path("b.db-wal"), &log[..cut]).unwrap();
            let left = Connection::open(path("b.db")).unwrap();
            let found = (schema(&left).unwrap(), digest(&left).unwrap());
            assert!(found == old || found == new, "cut at {cut}");
            *seen.entry(found.0).or_insert(0) += 1;
        }
        assert!(seen[&1] > 1000 && seen[&2] >= 1, "{seen:?}");
    }
}
