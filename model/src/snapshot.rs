//! What was applied, at one time, for one tenant: immutable, with a parent.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::address::{Address, TenantId};
use crate::digest::Digest;
use crate::graph::ResourceGraph;
use crate::phase::Tenancy;
use crate::resource::{Recorded, Resource};

/// The name of one execution of a plan, such as `run-0192f0c1…`; given from outside, since this
/// crate knows neither clock nor chance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Arc<str>);

impl RunId {
    /// Takes the text as it is.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().into())
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What a run set out to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Bring the tenant to its spec.
    Apply,
    /// Bring it back to an older snapshot.
    Rollback(SnapshotId),
    /// Take everything down.
    Destroy,
    /// Record an object that is already there.
    Import,
    /// Change the record by hand: `state rm`, `state mv`, refresh-only.
    Edit,
    /// Settle what a crash left.
    Recover,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply => f.write_str("apply"),
            Self::Rollback(to) => write!(f, "rollback to {}", to.0.short()),
            Self::Destroy => f.write_str("destroy"),
            Self::Import => f.write_str("import"),
            Self::Edit => f.write_str("state edit"),
            Self::Recover => f.write_str("recover"),
        }
    }
}

/// Who made a snapshot, and to what end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The run.
    pub run: RunId,
    /// Its verb.
    pub verb: Verb,
}

/// A snapshot's identity: the digest of all that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SnapshotId(pub Digest);

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The recorded state of one tenant at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    id: SnapshotId,
    tenant: TenantId,
    serial: u64,
    parent: Option<SnapshotId>,
    origin: Origin,
    tenancy: Tenancy,
    resources: BTreeMap<Address, Arc<Recorded>>,
}

/// The form that is hashed: resources by digest, so that a snapshot's id needs no bodies.
#[derive(Serialize)]
struct Identity<'a> {
    tenant: &'a TenantId,
    serial: u64,
    parent: &'a Option<SnapshotId>,
    origin: &'a Origin,
    tenancy: Tenancy,
    resources: &'a BTreeMap<Address, Digest>,
}

fn digests(resources: &BTreeMap<Address, Arc<Recorded>>) -> BTreeMap<Address, Digest> {
    let pair = |(address, it): (&Address, &Arc<Recorded>)| (address.clone(), it.digest());
    resources.iter().map(pair).collect()
}

impl Snapshot {
    /// Puts a snapshot together and computes its id.
    pub fn new(
        tenant: TenantId,
        serial: u64,
        parent: Option<SnapshotId>,
        origin: Origin,
        tenancy: Tenancy,
        resources: BTreeMap<Address, Arc<Recorded>>,
    ) -> Self {
        let digests = digests(&resources);
        Self::of_digests(tenant, serial, parent, origin, tenancy, resources, &digests)
    }

    /// The same for whoever has kept the digest of each record since it was made, and must not
    /// have to encode all of them again.
    pub fn of_digests(
        tenant: TenantId,
        serial: u64,
        parent: Option<SnapshotId>,
        origin: Origin,
        tenancy: Tenancy,
        resources: BTreeMap<Address, Arc<Recorded>>,
        digests: &BTreeMap<Address, Digest>,
    ) -> Self {
        let identity = Identity {
            tenant: &tenant,
            serial,
            parent: &parent,
            origin: &origin,
            tenancy,
            resources: digests,
        };
        let id = SnapshotId(Digest::of("matih snapshot v1", &identity));
        Self {
            id,
            tenant,
            serial,
            parent,
            origin,
            tenancy,
            resources,
        }
    }

    /// Its identity.
    pub fn id(&self) -> SnapshotId {
        self.id
    }

    /// Whose state it is.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// 1 for a tenant's first snapshot, one more for each later one.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// The snapshot before it.
    pub fn parent(&self) -> Option<SnapshotId> {
        self.parent
    }

    /// The run that made it.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The tenancy that it was applied under.
    pub fn tenancy(&self) -> Tenancy {
        self.tenancy
    }

    /// All that was there, by address.
    pub fn resources(&self) -> &BTreeMap<Address, Arc<Recorded>> {
        &self.resources
    }

    /// One resource.
    pub fn get(&self, address: &Address) -> Option<&Arc<Recorded>> {
        self.resources.get(address)
    }

    /// What was recorded, as something to be desired again: all that rollback needs.
    ///
    /// Dependencies on what is not in the snapshot (checks, things deleted since) are dropped.
    pub fn as_desired(&self) -> ResourceGraph {
        let resources = self.resources.values().map(|recorded| {
            let mut resource: Resource = recorded.resource.clone();
            resource
                .depends_on
                .retain(|address| self.resources.contains_key(address));
            resource
        });
        ResourceGraph::of_recorded(self.tenant.clone(), self.tenancy, resources)
    }
}
