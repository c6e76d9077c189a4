//! The tables `snapshots` and `bodies`.

use std::collections::BTreeMap;
use std::sync::Arc;

use matih_model::{Address, Digest, Origin, Recorded, Snapshot, SnapshotId, Tenancy, TenantId};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::codec::{self, Sealed};
use crate::error::StateError;
use crate::table::{change, counted, signed, unsigned};

/// What is known of a snapshot without reading its records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotSummary {
    /// Its identity.
    pub id: SnapshotId,
    /// 1 for a tenant's first.
    pub serial: u64,
    /// The one before it.
    pub parent: Option<SnapshotId>,
    /// Who made it.
    pub origin: Origin,
    /// The tenancy that it was applied under.
    pub tenancy: Tenancy,
    /// How many resources it has.
    pub resources: u64,
    /// The digest of the inputs that it stands for in full.
    pub inputs: Option<Digest>,
    /// When it was committed, milliseconds since the epoch.
    pub created_ms: u64,
}

/// The hashed form of a snapshot: the same as [`Snapshot::new`] hashes, so that the id of the
/// snapshot is the digest of these bytes.
#[derive(Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) tenant: TenantId,
    pub(crate) serial: u64,
    pub(crate) parent: Option<SnapshotId>,
    pub(crate) origin: Origin,
    pub(crate) tenancy: Tenancy,
    pub(crate) resources: BTreeMap<Address, Digest>,
}

const TABLE: &str = "snapshots";
const MANIFEST: &str = "matih snapshot v1";

fn key(tenant: &TenantId, serial: u64) -> String {
    format!("{tenant}/{serial}")
}

/// Stores a record under its digest; one that is there already stays.
pub(crate) fn put_body(connection: &Connection, record: &Sealed) -> Result<(), StateError> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO bodies (digest, body) VALUES (?1, ?2)")?
        .execute(params![record.seal.as_bytes(), record.body])?;
    Ok(())
}

pub(crate) fn body(connection: &Connection, digest: &Digest) -> Result<Arc<Recorded>, StateError> {
    let mut statement = connection.prepare_cached("SELECT body FROM bodies WHERE digest = ?1")?;
    let mut rows = statement.query([digest.as_bytes()])?;
    let place = || format!("record {}", digest.short());
    let row = rows
        .next()?
        .ok_or_else(|| StateError::damaged(place(), "it is missing"))?;
    let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
    codec::unseal_record(digest, bytes).map(Arc::new)
}

/// A snapshot made ready to be written.
pub(crate) struct Prepared {
    pub(crate) summary: SnapshotSummary,
    manifest: Vec<u8>,
    tenant: TenantId,
    sealed: Sealed,
}

pub(crate) fn prepare(
    snapshot: &Snapshot,
    digests: BTreeMap<Address, Digest>,
    inputs: Option<Digest>,
    created_ms: u64,
) -> Result<Prepared, StateError> {
    let summary = SnapshotSummary {
        id: snapshot.id(),
        serial: snapshot.serial(),
        parent: snapshot.parent(),
        origin: snapshot.origin().clone(),
        tenancy: snapshot.tenancy(),
        resources: snapshot.resources().len() as u64,
        inputs,
        created_ms,
    };
    let manifest = Manifest {
        tenant: snapshot.tenant().clone(),
        serial: summary.serial,
        parent: summary.parent,
        origin: summary.origin.clone(),
        tenancy: summary.tenancy,
        resources: digests,
    };
    let manifest = codec::json("a snapshot", &manifest)?;
    let place = || key(snapshot.tenant(), summary.serial);
    if Digest::of_bytes(MANIFEST, &manifest) != summary.id.0 {
        let why = "its id is not the digest of what is to be stored";
        return Err(StateError::damaged(place(), why));
    }
    let sealed = codec::seal(TABLE, &place(), &summary)?;
    let tenant = snapshot.tenant().clone();
    Ok(Prepared {
        summary,
        manifest,
        tenant,
        sealed,
    })
}

pub(crate) fn insert(connection: &Connection, row: &Prepared) -> Result<(), StateError> {
    connection
        .prepare_cached(
            "INSERT INTO snapshots (id, tenant, serial, body, seal, manifest)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            row.summary.id.0.as_bytes(),
            row.tenant.as_str(),
            signed(row.summary.serial),
            row.sealed.body,
            row.sealed.seal.as_bytes(),
            row.manifest
        ])?;
    Ok(())
}

/// The manifest of a snapshot, checked against its id.
pub(crate) fn manifest(
    connection: &Connection,
    tenant: &TenantId,
    id: SnapshotId,
) -> Result<Option<Manifest>, StateError> {
    let found = connection
        .prepare_cached("SELECT manifest FROM snapshots WHERE id = ?1 AND tenant = ?2")?
        .query_row(params![id.0.as_bytes(), tenant.as_str()], |row| {
            row.get::<_, Vec<u8>>(0)
        })
        .optional()?;
    let place = || format!("snapshot {} of {tenant}", id.0.short());
    let Some(bytes) = found else {
        return Ok(None);
    };
    if Digest::of_bytes(MANIFEST, &bytes) != id.0 {
        return Err(StateError::damaged(place(), "its digest does not match"));
    }
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| StateError::damaged(place(), error.to_string()))
}

/// A snapshot with the digests of its records.
pub(crate) type Whole = (Arc<Snapshot>, BTreeMap<Address, Digest>);

fn read(
    connection: &Connection,
    tenant: &TenantId,
    id: SnapshotId,
) -> Result<Option<Whole>, StateError> {
    let Some(manifest) = manifest(connection, tenant, id)? else {
        return Ok(None);
    };
    let mut resources = BTreeMap::new();
    for (address, digest) in &manifest.resources {
        let record = body(connection, digest)?;
        if record.resource.address != *address {
            let place = format!("record {}", digest.short());
            return Err(StateError::damaged(
                place,
                format!("it is not of {address}"),
            ));
        }
        resources.insert(address.clone(), record);
    }
    let snapshot = Snapshot::new(
        manifest.tenant,
        manifest.serial,
        manifest.parent,
        manifest.origin,
        manifest.tenancy,
        resources,
    );
    if snapshot.id() != id {
        let place = format!("snapshot {} of {tenant}", id.0.short());
        return Err(StateError::damaged(place, "it reads back as another one"));
    }
    Ok(Some((Arc::new(snapshot), manifest.resources)))
}

/// A whole snapshot that is there.
pub(crate) fn held(
    connection: &Connection,
    tenant: &TenantId,
    id: SnapshotId,
) -> Result<Whole, StateError> {
    read(connection, tenant, id)?.ok_or_else(|| {
        let place = format!("snapshot {} of {tenant}", id.0.short());
        StateError::damaged(place, "it is missing")
    })
}

/// The summaries of a tenant's snapshots, newest first, linked from the head to the oldest kept.
pub(crate) fn history(
    connection: &Connection,
    tenant: &TenantId,
    head: Option<SnapshotId>,
    serials: std::ops::RangeInclusive<u64>,
) -> Result<Vec<SnapshotSummary>, StateError> {
    let mut statement = connection.prepare_cached(
        "SELECT serial, body, seal FROM snapshots WHERE tenant = ?1 ORDER BY serial DESC",
    )?;
    let mut rows = statement.query([tenant.as_str()])?;
    let mut found: Vec<SnapshotSummary> = Vec::new();
    let place = format!("the snapshots of {tenant}");
    let mut wanted = head;
    while let Some(row) = rows.next()? {
        let serial = unsigned(&place, row.get(0)?)?;
        let body = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let seal = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        let summary: SnapshotSummary = codec::unseal(TABLE, &key(tenant, serial), body, seal)?;
        if Some(summary.id) != wanted {
            return Err(StateError::damaged(
                place,
                "one is not the parent of the next",
            ));
        }
        wanted = summary.parent;
        found.push(summary);
    }
    counted(&place, serials.count() as u64, found.len())?;
    Ok(found)
}

/// The manifest of the snapshot with one serial, which is there.
pub(crate) fn manifest_at(
    connection: &Connection,
    tenant: &TenantId,
    serial: u64,
) -> Result<Manifest, StateError> {
    let place = key(tenant, serial);
    let missing = || StateError::damaged(format!("{TABLE} row {place}"), "it is missing");
    let id = connection
        .prepare_cached("SELECT id FROM snapshots WHERE tenant = ?1 AND serial = ?2")?
        .query_row(params![tenant.as_str(), signed(serial)], |row| {
            row.get::<_, Vec<u8>>(0)
        })
        .optional()?
        .ok_or_else(missing)?;
    let id = SnapshotId(codec::digest(&place, &id)?);
    manifest(connection, tenant, id)?.ok_or_else(missing)
}

/// Drops a snapshot that is there.
pub(crate) fn drop(
    connection: &Connection,
    tenant: &TenantId,
    serial: u64,
) -> Result<(), StateError> {
    change(
        connection,
        "DELETE FROM snapshots WHERE tenant = ?1 AND serial = ?2",
        params![tenant.as_str(), signed(serial)],
        &format!("{TABLE} row {}", key(tenant, serial)),
    )
}

/// Drops a record that is there.
pub(crate) fn drop_body(connection: &Connection, digest: &Digest) -> Result<(), StateError> {
    change(
        connection,
        "DELETE FROM bodies WHERE digest = ?1",
        [digest.as_bytes()],
        &format!("record {}", digest.short()),
    )
}
