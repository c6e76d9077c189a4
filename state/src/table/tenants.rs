//! The tables `tenants` and `tokens`.

use std::sync::Arc;

use matih_model::{
    Address, Digest, RemoteId, ResourceName, RunId, SecretUse, SnapshotId, Tenancy, TenantId,
    Version,
};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::error::StateError;
use crate::status::TenantStatus;
use crate::table::{self, counted, installation};

/// What is known of a tenant without reading its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantSummary {
    /// Which tenant.
    pub tenant: TenantId,
    /// Where it is in its life.
    pub status: TenantStatus,
    /// Why it is not where it should be: `provisioningError` or `upgradeError`.
    pub error: Option<String>,
    /// Its newest snapshot.
    pub head: Option<SnapshotId>,
    /// The serial of that snapshot; 0 for none.
    pub serial: u64,
    /// The tenancy of that snapshot.
    pub tenancy: Option<Tenancy>,
    /// How many resources that snapshot has.
    pub resources: u64,
    /// The digest of the inputs that the head stands for in full; `None` after a partial apply.
    pub inputs: Option<Digest>,
    /// The secrets in use at the head, without repeats, in order.
    pub secrets: Vec<SecretUse>,
    /// A run that is not closed: under way, or left by a crash.
    pub open_run: Option<RunId>,
    /// When the tenant was first seen, milliseconds since the epoch.
    pub created_ms: u64,
    /// When anything of it was last written.
    pub updated_ms: u64,
    /// The status in which its deletion was asked for.
    pub(crate) before_deletion: Option<TenantStatus>,
    /// How many runs it ever had.
    pub(crate) runs: u64,
    /// The serial of its oldest snapshot that is kept.
    pub(crate) oldest: u64,
}

impl TenantSummary {
    pub(crate) fn new(tenant: TenantId, now_ms: u64) -> Self {
        Self {
            tenant,
            status: TenantStatus::Pending,
            error: None,
            head: None,
            serial: 0,
            tenancy: None,
            resources: 0,
            inputs: None,
            secrets: Vec::new(),
            open_run: None,
            created_ms: now_ms,
            updated_ms: now_ms,
            before_deletion: None,
            runs: 0,
            oldest: 1,
        }
    }

    /// Takes a status that was found to be legal, and remembers what a deletion would restore.
    pub(crate) fn step(&mut self, status: TenantStatus) {
        self.before_deletion = match (self.status, status) {
            (TenantStatus::PendingDeletion, TenantStatus::PendingDeletion) => self.before_deletion,
            (TenantStatus::Provisioning, TenantStatus::PendingDeletion) => {
                Some(TenantStatus::Failed)
            }
            (TenantStatus::Upgrading, TenantStatus::PendingDeletion) => Some(TenantStatus::Active),
            (before, TenantStatus::PendingDeletion) => Some(before),
            _ => None,
        };
        self.status = status;
    }
}

const TABLE: &str = "tenants";

/// The row of a tenant; `None` if the roster does not have it either.
pub(crate) fn find(
    connection: &Connection,
    tenant: &TenantId,
) -> Result<Option<TenantSummary>, StateError> {
    let sql = "SELECT body, seal FROM tenants WHERE tenant = ?1";
    let found = table::row(connection, sql, [tenant.as_str()], TABLE, tenant)?;
    if found.is_none()
        && names(connection)?
            .iter()
            .any(|name| name == tenant.as_str())
    {
        let place = format!("{TABLE} row {tenant}");
        return Err(StateError::damaged(place, "its index does not know it"));
    }
    Ok(found)
}

/// The names of all tenants in order, which are those of the roster.
fn names(connection: &Connection) -> Result<Vec<String>, StateError> {
    // An index may have lost what the table has.
    let names = connection
        .prepare_cached("SELECT tenant FROM tenants NOT INDEXED ORDER BY tenant")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<Vec<String>, _>>()?;
    called(connection, &names)?;
    Ok(names)
}

fn called(connection: &Connection, names: &[String]) -> Result<(), StateError> {
    if installation::roster(names) == installation::read(connection)?.roster {
        Ok(())
    } else {
        Err(StateError::damaged(
            TABLE,
            "they are not those of the roster",
        ))
    }
}

pub(crate) fn read(
    connection: &Connection,
    tenant: &TenantId,
) -> Result<TenantSummary, StateError> {
    find(connection, tenant)?.ok_or_else(|| StateError::NoTenant {
        tenant: tenant.clone(),
    })
}

/// All tenants by name.
pub(crate) fn all(connection: &Connection) -> Result<Vec<TenantSummary>, StateError> {
    let mut statement =
        connection.prepare_cached("SELECT tenant, body, seal FROM tenants ORDER BY tenant")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let tenant = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        let body = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let seal = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        found.push(codec::unseal::<TenantSummary>(TABLE, &tenant, body, seal)?);
    }
    let names: Vec<String> = found.iter().map(|row| row.tenant.to_string()).collect();
    called(connection, &names)?;
    Ok(found)
}

pub(crate) fn write(connection: &Connection, row: &TenantSummary) -> Result<(), StateError> {
    let sealed = codec::seal(TABLE, &row.tenant, row)?;
    connection
        .prepare_cached(
            "INSERT INTO tenants (tenant, body, seal) VALUES (?1, ?2, ?3)
             ON CONFLICT (tenant) DO UPDATE SET body = excluded.body, seal = excluded.seal",
        )?
        .execute(params![
            row.tenant.as_str(),
            sealed.body,
            sealed.seal.as_bytes()
        ])?;
    Ok(())
}

/// Makes the row of a tenant that was never seen.
pub(crate) fn add(connection: &Connection, row: &TenantSummary) -> Result<(), StateError> {
    let mut names = names(connection)?;
    names.push(row.tenant.to_string());
    names.sort();
    let mut installation = installation::read(connection)?;
    installation.roster = installation::roster(&names);
    installation::write(connection, &installation)?;
    write(connection, row)
}

/// What a look at the world needs of one recorded resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Which resource.
    pub address: Address,
    /// The provider's name for it.
    pub remote_id: RemoteId,
    /// The provider's token for "nothing of ours has changed since"; `None` where there is none,
    /// and where an update must be sent again.
    pub version: Option<Version>,
    /// The digest of the record.
    pub digest: Digest,
}

/// The tokens of a head, as they are kept: names are enough, the tenant is the row's.
#[derive(Serialize, Deserialize)]
pub(crate) struct TokenRow {
    pub(crate) head: SnapshotId,
    pub(crate) entries: Vec<(ResourceName, RemoteId, Option<Version>, Digest)>,
}

impl TokenRow {
    pub(crate) fn of(self, tenant: &TenantId) -> Arc<[Token]> {
        let token = |(name, remote_id, version, digest): (ResourceName, _, _, _)| Token {
            address: Address::new(tenant.clone(), name.kind, name.name),
            remote_id,
            version,
            digest,
        };
        self.entries.into_iter().map(token).collect()
    }
}

const TOKENS: &str = "tokens";

pub(crate) fn seal_tokens(tenant: &TenantId, row: &TokenRow) -> Result<codec::Sealed, StateError> {
    codec::seal(TOKENS, tenant, row)
}

pub(crate) fn write_tokens(
    connection: &Connection,
    tenant: &TenantId,
    sealed: &codec::Sealed,
) -> Result<(), StateError> {
    connection
        .prepare_cached(
            "INSERT INTO tokens (tenant, body, seal) VALUES (?1, ?2, ?3)
             ON CONFLICT (tenant) DO UPDATE SET body = excluded.body, seal = excluded.seal",
        )?
        .execute(params![
            tenant.as_str(),
            sealed.body,
            sealed.seal.as_bytes()
        ])?;
    Ok(())
}

/// The tokens of a tenant's head, by address; none if it has no head.
pub(crate) fn tokens(
    connection: &Connection,
    summary: &TenantSummary,
) -> Result<Arc<[Token]>, StateError> {
    let tenant = &summary.tenant;
    let Some(head) = summary.head else {
        return Ok(Arc::default());
    };
    let place = || format!("{TOKENS} row {tenant}");
    let sql = "SELECT body, seal FROM tokens WHERE tenant = ?1";
    let row: TokenRow = table::row(connection, sql, [tenant.as_str()], TOKENS, tenant)?
        .ok_or_else(|| StateError::damaged(place(), "it is missing"))?;
    if row.head != head {
        return Err(StateError::damaged(place(), "it is of another snapshot"));
    }
    counted(&place(), summary.resources, row.entries.len())?;
    Ok(row.of(tenant))
}
