//! [`Kubernetes`]: from a call to the cluster that it is about.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use matih_model::{
    Address, Applied, Attributes, Call, CheckReport, ErrorKind, Kind, KindSchema, Marked, Observed,
    Provider, ProviderError, ProviderFuture, ReadRequest, Reading, Rehearsal, Rehearse, RemoteId,
    TenantId, Unmarked,
};
use tokio::sync::OnceCell;

use super::call::Deed;
use super::cluster::Cluster;
use super::connect::connect;
use super::discovery::{Api, Discovery};
use super::manifest::Wanted;
use super::openapi::Schemas;
use super::place::{Gvk, Place};
use super::settings::{ClusterSettings, KubernetesSettings, NAME};
use super::wire::Wire;
use super::{create, delete, list, look, rehearse, unmarked, update, wait};
use crate::kinds::{self, KindsError};

/// What a list has shown may stand for another look so long: a drift asks for both within a moment.
const FRESH: Duration = Duration::from_secs(5);

/// The kind that it serves.
const KIND: &str = "kubernetes.manifest";

/// Clusters as a provider of `kubernetes.manifest`.
pub struct Kubernetes {
    settings: KubernetesSettings,
    schemas: Vec<KindSchema>,
    /// By target, those that were spoken to.
    clusters: Mutex<BTreeMap<String, Connected>>,
    /// What creates of this run asked for.
    asked: Mutex<BTreeMap<Address, Attributes>>,
    /// What whole lists have just shown, by target and kind.
    marks: Mutex<BTreeMap<(String, Gvk), Shown>>,
    /// Beginnings and ends of changes so far.
    changes: AtomicU64,
}

/// A cluster, once it is connected to.
type Connected = Arc<OnceCell<Arc<Cluster>>>;

/// What a list has shown.
struct Shown {
    when: Instant,
    changes: u64,
    marks: Vec<Marked>,
}

impl Kubernetes {
    /// Speaks to nobody: each cluster is connected to when the first call is about it.
    ///
    /// # Errors
    /// A table of kinds is broken.
    pub fn new(settings: KubernetesSettings) -> Result<Arc<Self>, KindsError> {
        let schemas = kinds::all()?.into_iter();
        Ok(Arc::new(Self {
            schemas: schemas.filter(|it| it.kind.as_str() == KIND).collect(),
            clusters: Mutex::default(),
            settings,
            asked: Mutex::default(),
            marks: Mutex::default(),
            changes: AtomicU64::default(),
        }))
    }

    /// Refuses what is not our kind.
    pub(super) fn serves(&self, kind: &Kind) -> Result<(), ProviderError> {
        if kind.as_str() == KIND {
            return Ok(());
        }
        let message = format!("a cluster does not serve `{kind}`");
        Err(ProviderError::new(ErrorKind::Invalid, message))
    }

    /// The names of all targets.
    pub(crate) fn targets(&self) -> Vec<String> {
        self.settings.targets()
    }

    /// The target that stands for a cluster.
    pub(crate) fn target(&self, cluster: &str) -> Result<String, ProviderError> {
        self.settings.target(cluster).ok_or_else(|| {
            let message = format!("no target of the platform file stands for cluster `{cluster}`");
            let hint = format!(
                "add [targets.{}] with provider = \"{NAME}\" to matih.toml, or write `default = true` into one",
                if cluster.contains('/') { "NAME" } else { cluster }
            );
            ProviderError::new(ErrorKind::Invalid, message).with_hint(hint)
        })
    }

    /// The cluster of a target, connected to.
    pub(crate) async fn cluster(&self, target: &str) -> Result<Arc<Cluster>, ProviderError> {
        let Some(settings) = self.settings(target) else {
            let message = format!("the platform file has no target `{target}` for clusters");
            let name = target.split('@').next().unwrap_or(target);
            let hint = format!("add [targets.{name}] to matih.toml again");
            return Err(ProviderError::new(ErrorKind::Invalid, message).with_hint(hint));
        };
        let connected = {
            let mut known = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(target.to_owned()).or_default().clone()
        };
        let connect = async || {
            let client = connect(target, &settings).await?;
            Ok::<_, ProviderError>(Arc::new(Cluster {
                name: target.to_owned(),
                wire: Wire::new(client, self.settings.concurrency, self.settings.timeout),
                discovery: Discovery::default(),
                schemas: Schemas::default(),
            }))
        };
        connected.get_or_try_init(connect).await.cloned()
    }

    /// How a target is reached.
    pub(crate) fn settings(&self, target: &str) -> Option<ClusterSettings> {
        self.settings.cluster(target)
    }

    /// Whether what others own is taken over.
    pub(super) fn force(&self) -> bool {
        self.settings.force_conflicts
    }

    /// What a create of this run asked for at an address.
    pub(super) fn asked(&self, address: &Address) -> Option<Attributes> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.get(address).cloned()
    }

    /// Remembers what a create asks for.
    fn remember(&self, call: &Call<'_>) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert(call.owner.address.clone(), call.attributes.clone());
    }

    /// A number that is another one after every change by this process.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Remembers the marks of a kind that a list of all of them has just shown; `changes` is from
    /// before the list.
    pub(super) fn remember_marks(&self, target: &str, gvk: &Gvk, changes: u64, marks: Vec<Marked>) {
        let mut known = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let when = Instant::now();
        let shown = Shown {
            when,
            changes,
            marks,
        };
        known.insert((target.to_owned(), gvk.clone()), shown);
    }

    /// Those marks, once, while they are fresh and nothing was changed here.
    pub(super) fn known_marks(&self, target: &str, gvk: &Gvk) -> Option<Vec<Marked>> {
        let mut known = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = known.remove(&(target.to_owned(), gvk.clone()))?;
        let holds = shown.when.elapsed() < FRESH && shown.changes == self.changes();
        holds.then_some(shown.marks)
    }

    /// The cluster that a call is about.
    async fn cluster_of(
        &self,
        call: &Call<'_>,
        place: Option<&Place>,
    ) -> Result<Arc<Cluster>, ProviderError> {
        let target = match place {
            Some(place) => place.target.clone(),
            None => self.target(call.attributes.text("cluster").unwrap_or_default())?,
        };
        self.cluster(&target).await
    }

    /// Does something that changes objects.
    async fn counted<T>(&self, change: impl Future<Output = T>) -> T {
        self.changes.fetch_add(1, Ordering::SeqCst);
        let done = change.await;
        self.changes.fetch_add(1, Ordering::SeqCst);
        done
    }

    async fn change(&self, call: &Call<'_>, is_new: bool) -> Result<Applied, ProviderError> {
        self.serves(&call.owner.address.kind)?;
        let wanted = Wanted::of(call.attributes)?;
        let known = call.remote_id.filter(|_| !is_new);
        let known = known.map(Place::parse).transpose()?;
        let cluster = self.cluster_of(call, known.as_ref()).await?;
        let api = cluster.api(&wanted.gvk).await?;
        let place = match known {
            Some(place) => same_object(place, &wanted)?,
            None => named(&api, &cluster.name, &wanted)?,
        };
        let deed = Deed::new(call, cluster, api, place, self.settings.force_conflicts);
        let (applied, live) = if is_new {
            self.remember(call);
            create::create(&deed, &wanted).await?
        } else {
            update::update(&deed, &wanted).await?
        };
        let (live, unready) = wait::wait(&deed, live, wanted.wait).await?;
        Ok(Applied {
            unready,
            ..deed.applied(&live, applied.adopted)
        })
    }

    async fn take_away(&self, call: &Call<'_>) -> Result<(), ProviderError> {
        self.serves(&call.owner.address.kind)?;
        let wanted = Wanted::of(call.attributes)?;
        let known = call.remote_id.map(Place::parse).transpose()?;
        let cluster = self.cluster_of(call, known.as_ref()).await?;
        // What no longer has a kind is no longer there.
        let Some(api) = cluster.discovery.find(&cluster.wire, &wanted.gvk).await? else {
            return Ok(());
        };
        let place = match known {
            Some(place) => place,
            None => named(&api, &cluster.name, &wanted)?,
        };
        let deed = Deed::new(call, cluster, api, place, false);
        delete::delete(&deed).await
    }
}

/// Where a manifest says that its object is.
pub(super) fn named(api: &Api, target: &str, wanted: &Wanted<'_>) -> Result<Place, ProviderError> {
    let refused = match (api.namespaced, wanted.namespace.is_empty()) {
        (true, true) => Some(("names no namespace", "write `metadata.namespace`")),
        (false, false) => Some((
            "names a namespace, and its kind has none",
            "leave out `metadata.namespace`",
        )),
        _ => None,
    };
    if let Some((what, hint)) = refused {
        let message = format!("the manifest of {} {} {what}", wanted.gvk, wanted.name);
        return Err(ProviderError::new(ErrorKind::Invalid, message).with_hint(hint));
    }
    Ok(Place {
        target: target.to_owned(),
        group: wanted.gvk.group.clone(),
        kind: wanted.gvk.kind.clone(),
        namespace: wanted.namespace.to_owned(),
        name: wanted.name.to_owned(),
        uid: String::new(),
    })
}

/// An update is of the very object that the manifest names.
pub(super) fn same_object(place: Place, wanted: &Wanted<'_>) -> Result<Place, ProviderError> {
    let same = wanted.gvk.is(&place.group, &place.kind)
        && wanted.name == place.name
        && wanted.namespace == place.namespace;
    if same {
        return Ok(place);
    }
    let message = format!("the manifest is of another object than {place}");
    Err(ProviderError::new(ErrorKind::Invalid, message))
}

impl Provider for Kubernetes {
    fn name(&self) -> &str {
        NAME
    }

    fn kinds(&self) -> Vec<KindSchema> {
        self.schemas.clone()
    }

    fn questions(&self) -> Option<usize> {
        Some(usize::MAX)
    }

    fn read<'a>(&'a self, requests: &'a [ReadRequest<'a>]) -> ProviderFuture<'a, Vec<Reading>> {
        Box::pin(look::read(self, requests))
    }

    fn list<'a>(
        &'a self,
        installation: &'a str,
        tenant: &'a TenantId,
    ) -> ProviderFuture<'a, Vec<Observed>> {
        Box::pin(list::list(self, installation, tenant))
    }

    fn marks<'a>(
        &'a self,
        installation: &'a str,
        tenants: &'a [TenantId],
    ) -> ProviderFuture<'a, Vec<Marked>> {
        Box::pin(list::marks(self, installation, tenants))
    }

    fn unmarked<'a>(&'a self, holders: &'a [RemoteId]) -> ProviderFuture<'a, Vec<Unmarked>> {
        Box::pin(unmarked::unmarked(self, holders))
    }

    fn rehearse<'a>(&'a self, requests: &'a [Rehearse<'a>]) -> ProviderFuture<'a, Vec<Rehearsal>> {
        Box::pin(async move { Ok(rehearse::rehearse(self, requests).await) })
    }

    fn create<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, Applied> {
        Box::pin(self.counted(self.change(call, true)))
    }

    fn update<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, Applied> {
        Box::pin(self.counted(self.change(call, false)))
    }

    fn delete<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, ()> {
        Box::pin(self.counted(self.take_away(call)))
    }

    fn check<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, CheckReport> {
        Box::pin(async move {
            self.serves(&call.owner.address.kind)?;
            let message = "an object of a cluster is no check";
            Err(ProviderError::new(ErrorKind::Invalid, message))
        })
    }
}
