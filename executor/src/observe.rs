//! Reading what is there, for many tenants at once: grouped by provider, in chunks, side by side.
//!
//! Promises a reading for every recorded resource. What could not be read is
//! [`Reading::Unknown`] with the reason, never missing and never unchanged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use matih_model::{
    Address, ErrorKind, Observation, Provider, ProviderError, ReadRequest, Reading, Registry,
    Snapshot, TenantId,
};

/// How to go about reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObserveOptions {
    /// At most this many questions in one call, where the provider says nothing else.
    pub chunk: usize,
    /// At most this many calls at once.
    pub concurrency: usize,
    /// The time that one try of a call may take.
    pub timeout: Duration,
}

impl Default for ObserveOptions {
    /// 1,000 questions a call, 8 calls at once, 60 seconds each.
    fn default() -> Self {
        Self {
            chunk: 1000,
            concurrency: 8,
            timeout: Duration::from_secs(60),
        }
    }
}

/// Waits before the second and third try of a read.
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// Reads everything that these heads record.
///
/// Each tenant of `heads` has an observation, with a reading for each of its recorded resources.
pub async fn observe<'a>(
    registry: &Registry,
    heads: impl IntoIterator<Item = &'a Arc<Snapshot>> + Clone,
    options: &ObserveOptions,
) -> BTreeMap<TenantId, Observation> {
    let recorded = heads.clone().into_iter().flat_map(|head| head.resources());
    let requests = recorded.map(|(address, it)| ReadRequest {
        address,
        remote_id: Some(&it.remote_id),
        attributes: &it.resource.attributes,
        version: it.version.as_ref(),
    });
    let mut observations = ask(registry, requests, options).await;
    for head in heads {
        observations.entry(head.tenant().clone()).or_default();
    }
    observations
}

/// Asks any questions, of any number of tenants.
///
/// Each address asked about has a reading.
pub async fn ask<'a>(
    registry: &'a Registry,
    requests: impl IntoIterator<Item = ReadRequest<'a>>,
    options: &ObserveOptions,
) -> BTreeMap<TenantId, Observation> {
    let mut answers = Answers::default();
    let by_provider = group(registry, requests, &mut answers);
    let mut chunks = by_provider.iter().flat_map(|(provider, requests)| {
        let most = provider.questions().unwrap_or(options.chunk);
        let chunks = requests.chunks(most.max(1));
        chunks.map(move |chunk| (*provider, chunk))
    });
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < options.concurrency.max(1) {
            let Some((provider, chunk)) = chunks.next() else {
                break;
            };
            running.push(async move { (chunk, read(provider, chunk, options.timeout).await) });
        }
        let Some((chunk, readings)) = running.next().await else {
            return answers.0;
        };
        for (request, reading) in chunk.iter().zip(readings) {
            answers.add(request.address, reading);
        }
    }
}

#[derive(Default)]
struct Answers(BTreeMap<TenantId, Observation>);

impl Answers {
    fn add(&mut self, address: &Address, reading: Reading) {
        // Looked up before it is inserted: nearly every tenant is there already.
        let tenant = &address.tenant;
        if !self.0.contains_key(tenant) {
            self.0.insert(tenant.clone(), Observation::default());
        }
        if let Some(observation) = self.0.get_mut(tenant) {
            observation.readings.insert(address.clone(), reading);
        }
    }
}

/// Sorts questions by who can answer them; those that nobody can are answered at once.
fn group<'a>(
    registry: &'a Registry,
    requests: impl IntoIterator<Item = ReadRequest<'a>>,
    answers: &mut Answers,
) -> Vec<(&'a dyn Provider, Vec<ReadRequest<'a>>)> {
    let providers = registry.providers();
    let mut groups: Vec<_> = providers
        .iter()
        .map(|provider| (provider.as_ref(), Vec::new()))
        .collect();
    let mut places = BTreeMap::new();
    for request in requests {
        let kind = &request.address.kind;
        let place = *places.entry(kind).or_insert_with(|| {
            let provider = registry.provider(kind)?;
            providers.iter().position(|it| Arc::ptr_eq(it, provider))
        });
        match place.and_then(|place| groups.get_mut(place)) {
            Some((_, requests)) => requests.push(request),
            None => {
                let why = format!("no provider serves kind `{kind}`");
                answers.add(request.address, Reading::Unknown(why));
            }
        }
    }
    groups
}

/// As many readings as requests, whatever happens.
async fn read(
    provider: &dyn Provider,
    requests: &[ReadRequest<'_>],
    timeout: Duration,
) -> Vec<Reading> {
    let unknown = |why: String| vec![Reading::Unknown(why); requests.len()];
    match patiently(timeout, || provider.read(requests)).await {
        Ok(readings) if readings.len() == requests.len() => readings,
        Ok(readings) => unknown(format!(
            "provider `{}` gave {} answers to {} questions",
            provider.name(),
            readings.len(),
            requests.len()
        )),
        Err(error) => unknown(error.message),
    }
}

/// Asks up to three times. A look changes nothing, so whatever may pass is worth another try; a
/// server that asks for more patience than one try may take is not waited for.
pub(crate) async fn patiently<T, F>(
    timeout: Duration,
    mut question: impl FnMut() -> F,
) -> Result<T, ProviderError>
where
    F: Future<Output = Result<T, ProviderError>>,
{
    for wait in WAITS {
        let error = match within(timeout, question()).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let asked = match error.kind {
            ErrorKind::Throttled(after) => after.unwrap_or_default(),
            ErrorKind::Unavailable | ErrorKind::Unknown => Duration::ZERO,
            _ => return Err(error),
        };
        if asked > timeout {
            return Err(error);
        }
        tokio::time::sleep(asked.max(wait)).await;
    }
    within(timeout, question()).await
}

/// Bounds a question; one that was not answered in time counts as unavailable.
pub(crate) async fn within<T>(
    timeout: Duration,
    question: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, ProviderError> {
    match tokio::time::timeout(timeout, question).await {
        Ok(answer) => answer,
        Err(_) => Err(ProviderError::new(
            ErrorKind::Unavailable,
            format!("no answer within {} s", timeout.as_secs()),
        )),
    }
}
