//! Who carries a plan out: the contract between matih and an outside system.
//!
//! # Contract
//!
//! - `create` of an address whose object is there already *with our mark* adopts it and brings it
//!   to the wanted attributes; with another mark, or none, it fails with [`ErrorKind::Conflict`].
//! - `update` is idempotent. `delete` of what is absent succeeds.
//! - Where a call carries `expects` and the object's token is another, nothing is touched and the
//!   call fails with [`ErrorKind::Conflict`].
//! - An error has a kind, and the kind alone decides whether the call is tried again. A reply that
//!   never came is [`ErrorKind::Unknown`]: the call may or may not have been carried out.
//! - A token covers all that was asked for at last, also what a call that broke off never set: a
//!   default of the server may have been what was wanted.
//! - An object that was read or listed tells the mark that it bears. Every create and update leaves
//!   ours on it; the run in it stays the one that created this life of the object.
//! - `read`, `list`, `unmarked`, `rehearse` and `history` never change anything. A failure to look
//!   is never "not there".
//! - `history` tells what the outside system itself remembers, also what others did. Most remember
//!   nothing, and then there is nothing to implement: our own snapshots are the history.
//!
//! One suite proves this for every provider. Providers are asked from many tasks at once.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::address::{Address, Kind, RemoteId, TenantId};
use crate::reading::{Observed, Reading, Touch, Version};
use crate::rehearsal::{Rehearsal, Rehearse};
use crate::resource::OwnerMark;
use crate::revision::Revision;
use crate::schema::{Catalog, KindSchema};
use crate::secret::SecretSource;
use crate::value::Attributes;

/// What a provider's methods return.
pub type ProviderFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, ProviderError>> + Send + 'a>>;

/// What kind of failure it was: all that retry may look at.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// What was asked for is not there.
    NotFound,
    /// The object is not as expected, or is somebody else's. Not tried again: plan again.
    Conflict,
    /// The request is wrong and stays wrong.
    Invalid,
    /// Not allowed, and stays so until somebody allows it.
    Denied,
    /// Too many calls; wait this long, if the server said how long. Nothing was done.
    Throttled(Option<Duration>),
    /// The server is not there or not ready. Nothing was done.
    Unavailable,
    /// No answer: it may or may not have been done.
    Unknown,
}

/// A provider call that failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ProviderError {
    /// What kind.
    pub kind: ErrorKind,
    /// What happened, in a sentence, with no secret in it.
    pub message: String,
    /// What a person can do about it.
    pub hint: Option<String>,
}

impl ProviderError {
    /// An error without a hint.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
        }
    }

    /// The same error with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The two moments inside of a call at which a crash makes a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// The request is on its way, the server has not acted.
    Sent,
    /// The server has acted, the reply is unread.
    Acted,
}

/// The onlooker wants the process to be dead from here on: return at once, do nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("abandoned at a boundary")]
pub struct Abandoned;

impl From<Abandoned> for ProviderError {
    fn from(_: Abandoned) -> Self {
        Self::new(
            ErrorKind::Unknown,
            "the run was abandoned in the middle of the call",
        )
    }
}

/// What a call tells of itself while it is under way, for people; nothing depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling<'a> {
    /// How far it is, or what it waits for: the next one takes its place.
    Waiting(&'a str),
    /// What it did beside what it was asked for.
    Done(&'a str),
}

/// Counts the moments inside of calls, and may stop there.
pub trait Crossing: Send + Sync {
    /// Crosses a point of the call at hand.
    ///
    /// # Errors
    /// The onlooker wants the run to stop dead here.
    fn cross(&self, point: Point) -> Result<(), Abandoned>;

    /// Hears what the call tells. Who only counts does not listen.
    fn tell(&self, _what: Telling<'_>) {}
}

/// One create, update, delete or check, with everything that it needs.
pub struct Call<'a> {
    /// The mark that the object bears or will bear.
    pub owner: &'a OwnerMark,
    /// What is wanted (for a delete: what was applied), references resolved, secrets by reference.
    pub attributes: &'a Attributes,
    /// What was applied before; `None` for create and check.
    pub before: Option<&'a Attributes>,
    /// The provider's name for the object, where it has one already.
    pub remote_id: Option<&'a RemoteId>,
    /// The token that the object must still have.
    pub expects: Option<&'a Version>,
    /// The time that this try may take.
    pub timeout: Duration,
    /// Reads secrets, at the wire.
    pub secrets: &'a dyn SecretSource,
    /// To be crossed right before a changing request is sent and right after it was answered.
    pub crossing: &'a dyn Crossing,
}

/// What a create or update came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The provider's name for the object.
    pub remote_id: RemoteId,
    /// What it tells of itself.
    pub outputs: Attributes,
    /// Its token after the call.
    pub version: Version,
    /// It was there already, with our mark.
    pub adopted: bool,
    /// It is there as wanted and does not work, and why: it is recorded, and the action fails.
    pub unready: Option<ProviderError>,
}

/// One question of a read.
#[derive(Clone, Copy, Debug)]
pub struct ReadRequest<'a> {
    /// Which resource.
    pub address: &'a Address,
    /// The provider's name for it; without one it is looked for by its owner mark.
    pub remote_id: Option<&'a RemoteId>,
    /// As desired or applied; references may stand unresolved in it.
    pub attributes: &'a Attributes,
    /// The recorded token: if it is the same now, [`Reading::Unchanged`] is answer enough.
    pub version: Option<&'a Version>,
}

/// Whose an object is, and the provider's name for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Marked {
    /// The mark that it bears.
    pub owner: OwnerMark,
    /// The provider's name for it.
    pub remote_id: RemoteId,
}

/// An object that lies in one of ours and bears no mark of matih.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unmarked {
    /// The object that it lies in.
    pub holder: RemoteId,
    /// The provider's name for it.
    pub remote_id: RemoteId,
    /// Who made it, where the provider can tell.
    pub by: Option<Touch>,
}

/// One thing that a check found wrong, or worth saying.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CheckFinding {
    /// What is wrong, in a sentence.
    pub message: String,
    /// What a person can do about it.
    pub hint: Option<String>,
}

/// The outcome of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// What is wrong; empty means passed.
    pub failures: Vec<CheckFinding>,
}

/// An outside system, as matih sees it. See the module's contract.
pub trait Provider: Send + Sync {
    /// Its name in the platform file.
    fn name(&self) -> &str;

    /// The kinds that it serves. Pure: asks nobody.
    fn kinds(&self) -> Vec<KindSchema>;

    /// The most questions that one read should carry; `None`: as the caller likes. Who answers
    /// from whole lists wants all questions at once.
    fn questions(&self) -> Option<usize> {
        None
    }

    /// Answers each request, in order.
    fn read<'a>(&'a self, requests: &'a [ReadRequest<'a>]) -> ProviderFuture<'a, Vec<Reading>>;

    /// All objects of this installation and tenant that bear our mark; each tells which.
    fn list<'a>(
        &'a self,
        installation: &'a str,
        tenant: &'a TenantId,
    ) -> ProviderFuture<'a, Vec<Observed>>;

    /// What lists of all these tenants show, without the objects themselves.
    fn marks<'a>(
        &'a self,
        installation: &'a str,
        tenants: &'a [TenantId],
    ) -> ProviderFuture<'a, Vec<Marked>> {
        Box::pin(async move {
            let mut marked = Vec::new();
            for tenant in tenants {
                let found = self.list(installation, tenant).await?.into_iter();
                marked.extend(found.filter_map(|found| {
                    Some(Marked {
                        owner: found.owner?,
                        remote_id: found.remote_id,
                    })
                }));
            }
            Ok(marked)
        })
    }

    /// What lies in these objects of ours and bears no mark, but for what controllers make
    /// themselves. Most objects hold nothing.
    fn unmarked<'a>(&'a self, _holders: &'a [RemoteId]) -> ProviderFuture<'a, Vec<Unmarked>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Answers what would come of each create and update, in order; see [`crate::rehearsal`].
    fn rehearse<'a>(&'a self, requests: &'a [Rehearse<'a>]) -> ProviderFuture<'a, Vec<Rehearsal>> {
        Box::pin(async move { Ok(vec![Rehearsal::default(); requests.len()]) })
    }

    /// The states of an object that the outside system remembers, newest first.
    fn history<'a>(&'a self, _remote_id: &'a RemoteId) -> ProviderFuture<'a, Vec<Revision>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Makes an object, or adopts our own.
    fn create<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, Applied>;

    /// Alters an object.
    fn update<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, Applied>;

    /// Takes an object away and waits until it is gone.
    fn delete<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, ()>;

    /// Looks. An error means that it could not look; findings mean that it looked.
    fn check<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, CheckReport>;
}

/// Two providers serve one kind.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("kind `{kind}` is served by `{first}` and by `{second}`")]
pub struct RegistryError {
    /// The kind.
    pub kind: Kind,
    /// Who came first.
    pub first: String,
    /// Who came second.
    pub second: String,
}

/// Which provider serves which kind.
#[derive(Clone, Default)]
pub struct Registry {
    by_kind: BTreeMap<Kind, Arc<dyn Provider>>,
    providers: Vec<Arc<dyn Provider>>,
    catalog: Arc<Catalog>,
}

impl Registry {
    /// Gathers providers.
    ///
    /// # Errors
    /// Two of them serve one kind.
    pub fn new(providers: Vec<Arc<dyn Provider>>) -> Result<Self, RegistryError> {
        let mut by_kind: BTreeMap<Kind, Arc<dyn Provider>> = BTreeMap::new();
        let mut schemas = Vec::new();
        for provider in &providers {
            for schema in provider.kinds() {
                let kind = schema.kind.clone();
                if let Some(first) = by_kind.insert(kind.clone(), provider.clone()) {
                    let (first, second) = (first.name().to_owned(), provider.name().to_owned());
                    return Err(RegistryError {
                        kind,
                        first,
                        second,
                    });
                }
                schemas.push(schema);
            }
        }
        // Kinds are unique by now, so the catalog cannot refuse them.
        let catalog = Arc::new(Catalog::new(schemas).unwrap_or_default());
        Ok(Self {
            by_kind,
            providers,
            catalog,
        })
    }

    /// Who serves a kind.
    pub fn provider(&self, kind: &Kind) -> Option<&Arc<dyn Provider>> {
        self.by_kind.get(kind)
    }

    /// All providers, in the order given.
    pub fn providers(&self) -> &[Arc<dyn Provider>] {
        &self.providers
    }

    /// The schemas of all kinds.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }
}
