//! Makes calls for the cases, with as little said as they need.

use std::sync::Arc;
use std::time::Duration;

use matih_model::{
    Abandoned, Address, Applied, Attributes, Call, Crossing, ErrorKind, Name, Observed, OwnerMark,
    Point, Provider, ProviderError, ReadRequest, Reading, RemoteId, RunId, SecretError, SecretRef,
    SecretSource, SecretValue, TenantId, Value, Version,
};

use super::{Bench, Sample};

/// No case sends a secret.
struct NoSecrets;

impl SecretSource for NoSecrets {
    fn reveal(&self, reference: &SecretRef) -> Result<SecretValue, SecretError> {
        Err(SecretError {
            reference: reference.clone(),
            cause: "the suite has no secrets".to_owned(),
        })
    }
}

/// Abandons at one point, or nowhere.
pub(super) struct Stop(pub(super) Option<Point>);

impl Crossing for Stop {
    fn cross(&self, point: Point) -> Result<(), Abandoned> {
        if self.0 == Some(point) {
            Err(Abandoned)
        } else {
            Ok(())
        }
    }
}

/// The provider in the hand of one tenant of one installation.
#[derive(Clone)]
pub(super) struct Hand {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) sample: Sample,
    pub(super) owner: OwnerMark,
}

impl Hand {
    /// Tenant `acme` of installation `here`, first generation.
    pub(super) fn new(bench: &dyn Bench) -> Result<Self, String> {
        let sample = bench.sample();
        let tenant = TenantId::new("acme").map_err(|error| error.to_string())?;
        let name = Name::new("sample").map_err(|error| error.to_string())?;
        Ok(Self {
            provider: bench.provider(),
            owner: OwnerMark {
                installation: "here".to_owned(),
                address: Address::new(tenant, sample.kind.clone(), name),
                generation: 1,
                run: RunId::new("run-1"),
            },
            sample,
        })
    }

    /// The same, in another life of the address.
    pub(super) fn in_generation(&self, generation: u64) -> Self {
        let mut other = self.clone();
        other.owner.generation = generation;
        other
    }

    /// The same address in another installation.
    pub(super) fn in_installation(&self, installation: &str) -> Self {
        let mut other = self.clone();
        installation.clone_into(&mut other.owner.installation);
        other
    }

    /// The same name at another tenant.
    pub(super) fn of_tenant(&self, tenant: &str) -> Result<Self, String> {
        let mut other = self.clone();
        other.owner.address.tenant = TenantId::new(tenant).map_err(|error| error.to_string())?;
        Ok(other)
    }

    /// Another address that nothing was made at.
    pub(super) fn nowhere(&self) -> Result<Self, String> {
        let mut other = self.clone();
        other.owner.address.name = Name::new("nowhere").map_err(|error| error.to_string())?;
        Ok(other)
    }

    fn call<'b>(&'b self, attributes: &'b Attributes, stop: &'b Stop) -> Call<'b> {
        Call {
            owner: &self.owner,
            attributes,
            before: None,
            remote_id: None,
            expects: None,
            timeout: Duration::from_secs(60),
            secrets: &NoSecrets,
            crossing: stop,
        }
    }

    pub(super) async fn create(&self, attributes: &Attributes) -> Result<Applied, ProviderError> {
        self.create_until(attributes, None).await
    }

    pub(super) async fn create_until(
        &self,
        attributes: &Attributes,
        point: Option<Point>,
    ) -> Result<Applied, ProviderError> {
        let stop = Stop(point);
        self.provider.create(&self.call(attributes, &stop)).await
    }

    pub(super) async fn update(
        &self,
        remote_id: &RemoteId,
        attributes: &Attributes,
        expects: Option<&Version>,
    ) -> Result<Applied, ProviderError> {
        let stop = Stop(None);
        let call = Call {
            before: Some(&self.sample.first),
            remote_id: Some(remote_id),
            expects,
            ..self.call(attributes, &stop)
        };
        self.provider.update(&call).await
    }

    pub(super) async fn delete(
        &self,
        remote_id: Option<&RemoteId>,
        expects: Option<&Version>,
    ) -> Result<(), ProviderError> {
        let stop = Stop(None);
        let call = Call {
            before: Some(&self.sample.first),
            remote_id,
            expects,
            ..self.call(&self.sample.first, &stop)
        };
        self.provider.delete(&call).await
    }

    pub(super) async fn read(
        &self,
        remote_id: Option<&RemoteId>,
        version: Option<&Version>,
    ) -> Result<Reading, String> {
        self.read_as(&self.sample.first, remote_id, version).await
    }

    async fn read_as(
        &self,
        attributes: &Attributes,
        remote_id: Option<&RemoteId>,
        version: Option<&Version>,
    ) -> Result<Reading, String> {
        let request = ReadRequest {
            address: &self.owner.address,
            remote_id,
            attributes,
            version,
        };
        let readings = self.provider.read(&[request]).await;
        let mut readings = readings.map_err(|error| format!("read failed: {error}"))?;
        match (readings.pop(), readings.is_empty()) {
            (Some(reading), true) => Ok(reading),
            _ => Err("one question did not get one answer".to_owned()),
        }
    }

    /// The object, which must be there.
    pub(super) async fn observe(&self, remote_id: &RemoteId) -> Result<Observed, String> {
        self.observe_as(&self.sample.first, remote_id).await
    }

    /// The object, which must be there, as somebody sees it who applied these attributes.
    pub(super) async fn observe_as(
        &self,
        attributes: &Attributes,
        remote_id: &RemoteId,
    ) -> Result<Observed, String> {
        match self.read_as(attributes, Some(remote_id), None).await? {
            Reading::Present(observed) => Ok(*observed),
            other => Err(format!(
                "{remote_id} should be there, but it reads {other:?}"
            )),
        }
    }

    /// The outputs that stay for the life of the object.
    pub(super) fn lasting(&self, outputs: &Attributes) -> Attributes {
        let kinds = self.provider.kinds();
        let schema = kinds.iter().find(|schema| schema.kind == self.sample.kind);
        let stays = |name: &str| {
            schema.is_none_or(|schema| schema.output(name).is_none_or(|output| !output.volatile))
        };
        let pairs = outputs.iter().filter(|(name, _)| stays(name));
        pairs
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// An outcome without what may differ at any time.
    pub(super) fn settled(&self, applied: &Applied) -> Applied {
        Applied {
            outputs: self.lasting(&applied.outputs),
            ..applied.clone()
        }
    }

    /// The remote ids that a list shows.
    pub(super) async fn list(&self) -> Result<Vec<RemoteId>, String> {
        let found = self
            .provider
            .list(&self.owner.installation, self.owner.tenant())
            .await;
        let found = found.map_err(|error| format!("list failed: {error}"))?;
        Ok(found.into_iter().map(|it| it.remote_id).collect())
    }
}

/// The call must have worked.
pub(super) fn worked<T>(result: Result<T, ProviderError>) -> Result<T, String> {
    result.map_err(|error| format!("failed with {:?}: {error}", error.kind))
}

/// The call must have failed with this kind.
pub(super) fn failed<T>(
    result: Result<T, ProviderError>,
    kind: ErrorKind,
) -> Result<ProviderError, String> {
    match result {
        Ok(_) => Err(format!("worked, and should have failed with {kind:?}")),
        Err(error) if error.kind == kind => Ok(error),
        Err(error) => Err(format!(
            "failed with {:?}, not {kind:?}: {error}",
            error.kind
        )),
    }
}

/// What must hold.
pub(super) fn holds(truth: bool, otherwise: impl Into<String>) -> Result<(), String> {
    if truth { Ok(()) } else { Err(otherwise.into()) }
}

/// Two things that must be the same.
pub(super) fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    seen: &T,
    wanted: &T,
) -> Result<(), String> {
    holds(
        seen == wanted,
        format!("{what}: {seen:?}, and it should be {wanted:?}"),
    )
}

/// Every value that `wanted` sets stands in `seen`, which may hold more, also in items of lists.
pub(super) fn contains(seen: &Attributes, wanted: &Attributes) -> Result<(), String> {
    for (key, value) in wanted.iter() {
        holds(
            seen.get(key).is_some_and(|seen| covers(seen, value)),
            format!("{key}: {:?}, and it should be {value:?}", seen.get(key)),
        )?;
    }
    Ok(())
}

fn covers(seen: &Value, wanted: &Value) -> bool {
    match (seen, wanted) {
        (Value::Map(seen), Value::Map(wanted)) => contains(seen, wanted).is_ok(),
        (Value::List(seen), Value::List(wanted)) => {
            let mut pairs = seen.iter().zip(wanted);
            seen.len() == wanted.len() && pairs.all(|(seen, wanted)| covers(seen, wanted))
        }
        (seen, wanted) => seen == wanted,
    }
}
