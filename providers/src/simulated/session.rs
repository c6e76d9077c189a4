//! Objects, asked for and kept inside of one transaction.

use matih_model::{
    Address, Attributes, Digest, Kind, Observed, OwnerMark, RemoteId, RunId, TenantId, Version,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::tree;
use super::world::{Done, WorldError, store};

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
            version: Version::new(self.token.as_str()),
            owner: self.owner.clone(),
            touches: Vec::new(),
        }
    }
}

/// The token of an object of which this much is its owner's. The mark is the owner's too, but for
/// the run in it, which tells where it came from.
pub(super) fn token(remote_id: &str, owned: &Attributes, owner: Option<&OwnerMark>) -> String {
    let mark = owner.map(|it| (&it.installation, &it.address, it.generation));
    let mut token = Digest::of("matih simulated version v2", &(remote_id, owned, mark)).to_string();
    token.truncate(32);
    token
}

/// The world inside of one transaction.
pub(super) struct Session<'a> {
    path: &'a str,
    connection: &'a Connection,
}

/// In the order of the table.
const COLUMNS: &str = "serial, kind, name, remote_id, token, birth, revision, visible_at, place, \
    installation, tenant, address, generation, run, asked, overlay, outputs, secrets";

impl<'a> Session<'a> {
    /// In the transaction that the connection is in.
    pub(super) fn new(path: &'a str, connection: &'a Connection) -> Self {
        Self { path, connection }
    }

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

    /// The tenant's objects of one installation that lists show by this tick of the clock.
    pub(super) fn listed(
        &self,
        installation: &str,
        tenant: &TenantId,
        clock: i64,
    ) -> Done<Vec<Object>> {
        self.objects(
            "tenant = ?1 AND installation = ?2 AND visible_at <= ?3",
            params![tenant.as_str(), installation, clock],
        )
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
