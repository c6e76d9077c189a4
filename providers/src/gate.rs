//! The gate before a tenant is activated (`check.connectivity`), where a part of the tenant is in
//! real clusters and the rest in the simulated world: both are asked, each about its own.
//!
//! Promises that nothing passes which one of them finds wrong. Refuses to know what either looks
//! at. Without a target there is no such part, and the simulated world answers alone.

use std::sync::Arc;

use matih_model::{
    Applied, Call, CheckReport, ErrorKind, KindSchema, Observed, Provider, ProviderError,
    ProviderFuture, ReadRequest, Reading, TenantId,
};

use crate::kinds::{self, KindsError};
use crate::kubernetes::{Kubernetes, findings};
use crate::simulated::Simulated;

/// The kind that it serves.
const KIND: &str = "check.connectivity";

/// The clusters and the simulated world behind one check.
pub(crate) struct Gate {
    clusters: Arc<Kubernetes>,
    world: Arc<Simulated>,
    schemas: Vec<KindSchema>,
}

impl Gate {
    /// Speaks to nobody yet.
    ///
    /// # Errors
    /// A table of kinds is broken.
    pub(crate) fn new(
        clusters: Arc<Kubernetes>,
        world: Arc<Simulated>,
    ) -> Result<Arc<Self>, KindsError> {
        Ok(Arc::new(Self {
            clusters,
            world,
            schemas: Self::schemas()?,
        }))
    }

    /// What it serves.
    ///
    /// # Errors
    /// A table of kinds is broken.
    pub(crate) fn schemas() -> Result<Vec<KindSchema>, KindsError> {
        let mut schemas = kinds::all()?;
        schemas.retain(|schema| schema.kind.as_str() == KIND);
        Ok(schemas)
    }
}

/// Nothing of a check is ever made, found or taken away.
fn refused<T>(call: &Call<'_>) -> Result<T, ProviderError> {
    let text = format!("{}: a check is only looked at", call.owner.address);
    Err(ProviderError::new(ErrorKind::Invalid, text))
}

impl Provider for Gate {
    fn name(&self) -> &str {
        "gate"
    }

    fn kinds(&self) -> Vec<KindSchema> {
        self.schemas.clone()
    }

    fn read<'a>(&'a self, requests: &'a [ReadRequest<'a>]) -> ProviderFuture<'a, Vec<Reading>> {
        Box::pin(async move { Ok(vec![Reading::Missing; requests.len()]) })
    }

    fn list<'a>(&'a self, _: &'a str, _: &'a TenantId) -> ProviderFuture<'a, Vec<Observed>> {
        Box::pin(async move { Ok(Vec::new()) })
    }

    fn create<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, Applied> {
        Box::pin(async move { refused(call) })
    }

    fn update<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, Applied> {
        Box::pin(async move { refused(call) })
    }

    fn delete<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, ()> {
        Box::pin(async move { refused(call) })
    }

    fn check<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, CheckReport> {
        Box::pin(async move {
            let mut report = self.world.check(call).await?;
            report
                .failures
                .extend(findings(&self.clusters, call).await?);
            Ok(report)
        })
    }
}
