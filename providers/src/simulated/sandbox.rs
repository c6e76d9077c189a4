//! [`Sandbox`]: the world seen from outside of matih, and changed by hand.
//!
//! What `matih sandbox` does. It makes drift (an edit, a removal, an object of nobody's) and
//! trouble (scripted faults); it sees all objects, whoever's they are, also those that lists do
//! not show yet. No owner mark protects anything from it.

use std::path::Path;
use std::sync::Arc;

use matih_model::{
    Address, AttributePath, Attributes, Kind, OwnerMark, RemoteId, RunId, TenantId, Value, Version,
};
use rusqlite::params;
use serde::Serialize;

use super::acts;
use super::faults::FaultRule;
use super::server::servers;
use super::session::{Object, Session, token};
use super::tree;
use super::world::{Done, World, WorldError};

/// An owner mark, with its tenant said on its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SandboxOwner {
    /// The installation of matih.
    pub installation: String,
    /// Whose it is.
    pub tenant: TenantId,
    /// What that installation calls it.
    pub address: Address,
    /// Which life of the address.
    pub generation: u64,
    /// The run that made it.
    pub run: RunId,
}

/// One object, as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SandboxObject {
    /// Its kind.
    pub kind: Kind,
    /// The world's name for it.
    pub remote_id: RemoteId,
    /// Its mark; `None`: nobody's that matih knows.
    pub owner: Option<SandboxOwner>,
    /// All that is set on it, also what the server filled in. Secrets are references.
    pub attributes: Attributes,
    /// What the server tells of it.
    pub outputs: Attributes,
    /// Its token.
    pub version: Version,
}

impl From<Object> for SandboxObject {
    fn from(object: Object) -> Self {
        let observed = object.observed();
        let owner = object.owner.map(|owner: OwnerMark| SandboxOwner {
            installation: owner.installation,
            tenant: owner.address.tenant.clone(),
            address: owner.address,
            generation: owner.generation,
            run: owner.run,
        });
        Self {
            kind: object.kind,
            remote_id: observed.remote_id,
            owner,
            attributes: observed.attributes,
            outputs: observed.outputs,
            version: observed.version,
        }
    }
}

/// A scripted fault and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultState {
    /// Its number.
    pub id: i64,
    /// What it says.
    #[serde(flatten)]
    pub rule: FaultRule,
    /// How many calls it was held against and covered.
    pub matched: u64,
    /// How many of them it struck.
    pub struck: u64,
}

/// How often one fault struck one operation on one kind, by script or by chance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FaultCount {
    /// [`super::Fault::name`].
    pub fault: String,
    /// [`super::CallOp::as_str`].
    pub op: String,
    /// The kind; empty for a list.
    pub kind: String,
    /// How often.
    pub count: u64,
}

/// A hand in the simulated world.
#[derive(Clone)]
pub struct Sandbox {
    world: Arc<World>,
}

impl Sandbox {
    /// Opens the world in a file, which must be there.
    ///
    /// # Errors
    /// There is no such file, or it is no world.
    pub fn open(path: &Path) -> Result<Self, WorldError> {
        if !path.is_file() {
            return Err(WorldError::Absent(path.to_owned()));
        }
        Ok(Self::over(Arc::new(World::open(path, 0)?)))
    }

    pub(super) fn over(world: Arc<World>) -> Self {
        Self { world }
    }

    /// All objects, or those that bear a mark of one tenant, in the order of their creation.
    ///
    /// # Errors
    /// The world cannot be read.
    pub fn list(&self, tenant: Option<&TenantId>) -> Result<Vec<SandboxObject>, WorldError> {
        let objects = self.world.view(|session| match tenant {
            None => session.objects("true", []),
            Some(tenant) => session.objects("tenant = ?1", [tenant.as_str()]),
        })?;
        Ok(objects.into_iter().map(SandboxObject::from).collect())
    }

    /// One object, by its address or its remote id.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn show(&self, which: &str) -> Result<SandboxObject, WorldError> {
        Ok(self.world.view(|session| find(session, which))?.into())
    }

    /// Sets one attribute of an object, or takes it away.
    ///
    /// # Errors
    /// There is no such object, or the path leads nowhere in it.
    pub fn edit(
        &self,
        which: &str,
        path: &AttributePath,
        value: Option<Value>,
    ) -> Result<SandboxObject, WorldError> {
        let object = self.world.write(|session| {
            let mut object = find(session, which)?;
            let now =
                tree::put(&object.now(), path, value).ok_or_else(|| WorldError::NoSuchPath {
                    path: path.to_string(),
                    object: object.remote_id.clone(),
                })?;
            object.overlay = tree::difference(&object.asked, &now);
            let owned = tree::owned(&object.asked, &now);
            object.token = token(&object.remote_id, &owned, object.owner.as_ref());
            session.replace(&object)?;
            Ok(object)
        })?;
        Ok(object.into())
    }

    /// Takes an object away; a namespace takes along what is in it.
    ///
    /// # Errors
    /// There is no such object.
    pub fn remove(&self, which: &str) -> Result<SandboxObject, WorldError> {
        let object = self.world.write(|session| {
            let object = find(session, which)?;
            acts::remove(session, &object)?;
            Ok(object)
        })?;
        Ok(object.into())
    }

    /// Makes an object without an owner mark, as somebody else would.
    ///
    /// # Errors
    /// The kind is not one of resources, or another object has the name.
    pub fn add(&self, kind: &Kind, attributes: Attributes) -> Result<SandboxObject, WorldError> {
        let server = servers()?
            .get(kind)
            .ok_or_else(|| WorldError::NoSuchObject(kind.to_string()))?;
        let foreign = |session: &Session<'_>| acts::foreign(session, server, kind, attributes);
        Ok(self.world.write(foreign)?.into())
    }

    /// Takes the owner mark off an object.
    ///
    /// # Errors
    /// There is no such object.
    pub fn disown(&self, which: &str) -> Result<SandboxObject, WorldError> {
        let object = self.world.write(|session| {
            let mut object = find(session, which)?;
            object.owner = None;
            let owned = tree::owned(&object.asked, &object.now());
            object.token = token(&object.remote_id, &owned, None);
            session.replace(&object)?;
            Ok(object)
        })?;
        Ok(object.into())
    }

    /// Adds a fault to the script and returns its number.
    ///
    /// # Errors
    /// The world cannot be written.
    pub fn add_fault(&self, rule: &FaultRule) -> Result<i64, WorldError> {
        let text =
            serde_json::to_string(rule).map_err(|error| WorldError::Broken(error.to_string()))?;
        self.world.write(|session| {
            let sql = "INSERT INTO fault (rule) VALUES (?1) RETURNING id";
            Ok(session.first(sql, [&text], |row| row.get(0))?.unwrap_or(0))
        })
    }

    /// The script.
    ///
    /// # Errors
    /// The world cannot be read.
    pub fn faults(&self) -> Result<Vec<FaultState>, WorldError> {
        let sql = "SELECT id, rule, matched, struck FROM fault ORDER BY id";
        let rows = self.world.view(|session| {
            session.all(sql, [], |row| {
                let text: String = row.get(1)?;
                Ok((
                    row.get(0)?,
                    text,
                    row.get::<_, i64>(2)?,
                    row.get::<_, i64>(3)?,
                ))
            })
        })?;
        rows.into_iter()
            .map(|(id, rule, matched, struck)| {
                let rule = serde_json::from_str(&rule)
                    .map_err(|error| WorldError::Broken(error.to_string()))?;
                let (matched, struck) = (matched.cast_unsigned(), struck.cast_unsigned());
                Ok(FaultState {
                    id,
                    rule,
                    matched,
                    struck,
                })
            })
            .collect()
    }

    /// Takes one fault out of the script, or all of them, and returns how many.
    ///
    /// # Errors
    /// The world cannot be written.
    pub fn clear_faults(&self, id: Option<i64>) -> Result<usize, WorldError> {
        self.world.write(|session| match id {
            None => session.execute("DELETE FROM fault", []),
            Some(id) => session.execute("DELETE FROM fault WHERE id = ?1", [id]),
        })
    }

    /// How often each fault struck since the world was made, scripted or by chance.
    ///
    /// # Errors
    /// The world cannot be read.
    pub fn struck(&self) -> Result<Vec<FaultCount>, WorldError> {
        let sql = "SELECT fault, op, kind, count FROM struck ORDER BY fault, op, kind";
        self.world.view(|session| {
            session.all(sql, [], |row| {
                let count = row.get::<_, i64>(3)?.cast_unsigned();
                Ok(FaultCount {
                    fault: row.get(0)?,
                    op: row.get(1)?,
                    kind: row.get(2)?,
                    count,
                })
            })
        })
    }

    /// Says how much there is room for of a resource (`namespaces`, `dns_zones`, `load_balancers`,
    /// or any number that `check.capacity` asks about); `None`: without end.
    ///
    /// # Errors
    /// The world cannot be written.
    pub fn set_capacity(&self, resource: &str, total: Option<u32>) -> Result<(), WorldError> {
        self.world.write(|session| {
            session.execute("DELETE FROM capacity WHERE resource = ?1", [resource])?;
            if let Some(total) = total {
                let values = params![resource, total];
                session.execute("INSERT INTO capacity VALUES (?1, ?2)", values)?;
            }
            Ok(())
        })
    }
}

fn find(session: &Session<'_>, which: &str) -> Done<Object> {
    let condition = "address = ?1 OR remote_id = ?1 OR kind || '/' || remote_id = ?1";
    let mut found = session.objects(condition, [which])?;
    match (found.pop(), found.is_empty()) {
        (Some(object), true) => Ok(object),
        (None, _) => Err(WorldError::NoSuchObject(which.to_owned())),
        (Some(_), false) => Err(WorldError::Ambiguous(which.to_owned())),
    }
}
