//! [`HelmProvider`]: the trait's calls, and what they share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::try_join_all;
use matih_model::{
    Applied, Call, CheckReport, ErrorKind, Kind, KindSchema, Marked, Observed, Provider,
    ProviderError, ProviderFuture, ReadRequest, Reading, Rehearsal, Rehearse, RemoteId, Revision,
    TenantId,
};
use tokio::sync::{Mutex, OnceCell, Semaphore};

use super::binary::Binary;
use super::chart::Charts;
use super::child::{Access, Helm};
use super::rehearse::{self, Capabilities};
use super::settings::{HelmSettings, NAME};
use super::site::{Place, Site};
use super::{KIND, acts, look, past};
use crate::kinds::{self, KindsError};
use crate::kubernetes::Kubernetes;

/// Helm as a provider of releases.
pub struct HelmProvider {
    schema: Vec<KindSchema>,
    pub(super) settings: HelmSettings,
    pub(super) kubernetes: Arc<Kubernetes>,
    pub(super) charts: Charts,
    /// How many helms may run at once.
    pub(super) room: Semaphore,
    helm: OnceCell<Arc<Helm>>,
    /// What each target's server serves, asked once.
    capabilities: Mutex<BTreeMap<String, Arc<Capabilities>>>,
}

impl HelmProvider {
    /// Speaks to nobody yet; releases are installed into the clusters of `kubernetes`.
    ///
    /// # Errors
    /// The tables of kinds are broken.
    pub fn new(
        settings: HelmSettings,
        kubernetes: Arc<Kubernetes>,
    ) -> Result<Arc<Self>, KindsError> {
        let schema = kinds::all()?
            .into_iter()
            .filter(|schema| schema.kind.as_str() == KIND);
        let embedded = settings.embedded.iter().cloned();
        let embedded: BTreeMap<_, _> = embedded.map(|it| (it.name, it.files)).collect();
        Ok(Arc::new(Self {
            schema: schema.collect(),
            charts: Charts {
                embedded,
                base: settings.base.clone(),
                cache: settings.folder.join("charts"),
            },
            room: Semaphore::new(settings.parallel),
            helm: OnceCell::new(),
            capabilities: Mutex::default(),
            kubernetes,
            settings,
        }))
    }

    /// The folder of the locks.
    pub(super) fn turns(&self) -> PathBuf {
        self.settings.folder.join("turns")
    }

    /// The program, looked for once.
    pub(super) async fn helm(&self) -> Result<Arc<Helm>, ProviderError> {
        let find = async || {
            let binary = Binary::find(self.settings.binary.as_deref()).await?;
            Ok(Arc::new(Helm {
                binary,
                folder: self.settings.folder.clone(),
                environment: self.settings.environment.clone(),
                registries: self.settings.registries.clone(),
            }))
        };
        self.helm.get_or_try_init(find).await.cloned()
    }

    /// A release of a cluster, by the name that a resource gives the cluster.
    pub(super) async fn site(
        &self,
        cluster: &str,
        namespace: &str,
        release: &str,
    ) -> Result<Site, ProviderError> {
        let target = self.kubernetes.target(cluster)?;
        self.at(Place {
            target,
            namespace: namespace.to_owned(),
            release: release.to_owned(),
        })
        .await
    }

    /// A release by its place.
    pub(super) async fn at(&self, place: Place) -> Result<Site, ProviderError> {
        let cluster = self.kubernetes.cluster(&place.target).await?;
        let settings = self.kubernetes.settings(&place.target);
        let access = settings.map(|settings| Access {
            kubeconfig: settings.kubeconfig,
            context: settings.context,
            in_cluster: settings.in_cluster,
        });
        Ok(Site {
            place,
            cluster,
            access: access.unwrap_or_default(),
        })
    }

    /// What the server of a release serves, as charts may ask for it.
    pub(super) async fn capabilities(
        &self,
        site: &Site,
    ) -> Result<Arc<Capabilities>, ProviderError> {
        // Held while it is asked, so that many releases of one cluster ask once.
        let mut known = self.capabilities.lock().await;
        if let Some(known) = known.get(&site.place.target) {
            return Ok(known.clone());
        }
        let asked = Capabilities::ask(&site.cluster).await?;
        known.insert(site.place.target.clone(), asked.clone());
        Ok(asked)
    }

    /// Whether a kind is served here.
    pub(super) fn serves(&self, kind: &Kind) -> Result<(), ProviderError> {
        if kind.as_str() == KIND {
            return Ok(());
        }
        let text = format!("Helm does not serve `{kind}`");
        Err(ProviderError::new(ErrorKind::Invalid, text))
    }
}

impl Provider for HelmProvider {
    fn name(&self) -> &str {
        NAME
    }

    fn kinds(&self) -> Vec<KindSchema> {
        self.schema.clone()
    }

    fn questions(&self) -> Option<usize> {
        Some(usize::MAX)
    }

    fn read<'a>(&'a self, requests: &'a [ReadRequest<'a>]) -> ProviderFuture<'a, Vec<Reading>> {
        Box::pin(async move { Ok(look::read(self, requests).await) })
    }

    fn list<'a>(
        &'a self,
        installation: &'a str,
        tenant: &'a TenantId,
    ) -> ProviderFuture<'a, Vec<Observed>> {
        Box::pin(async move {
            let targets = self.kubernetes.targets();
            let lists = targets
                .iter()
                .map(|target| look::list(self, target, installation, tenant));
            let found = try_join_all(lists).await?;
            Ok(found.into_iter().flatten().collect())
        })
    }

    fn marks<'a>(
        &'a self,
        installation: &'a str,
        tenants: &'a [TenantId],
    ) -> ProviderFuture<'a, Vec<Marked>> {
        Box::pin(async move {
            let targets = self.kubernetes.targets();
            let marks = targets
                .iter()
                .map(|target| look::marks(self, target, installation, tenants));
            let marks = try_join_all(marks).await?;
            Ok(marks.into_iter().flatten().collect())
        })
    }

    fn rehearse<'a>(&'a self, requests: &'a [Rehearse<'a>]) -> ProviderFuture<'a, Vec<Rehearsal>> {
        Box::pin(rehearse::rehearse(self, requests))
    }

    fn history<'a>(&'a self, remote_id: &'a RemoteId) -> ProviderFuture<'a, Vec<Revision>> {
        Box::pin(past::history(self, remote_id))
    }

    fn create<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, Applied> {
        Box::pin(acts::create(self, call))
    }

    fn update<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, Applied> {
        Box::pin(acts::update(self, call))
    }

    fn delete<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, ()> {
        Box::pin(acts::delete(self, call))
    }

    fn check<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, CheckReport> {
        Box::pin(async move {
            self.serves(&call.owner.address.kind)?;
            let text = format!("{}: a release is not checked", call.owner.address);
            Err(ProviderError::new(ErrorKind::Invalid, text))
        })
    }
}
