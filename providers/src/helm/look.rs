//! Reading what is there: one list of the outsides of all revisions, and only what looks different
//! is opened.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use matih_model::{Marked, Observed, ProviderError, ReadRequest, Reading, TenantId};

use super::content::{DEPLOYED, reached, version};
use super::marks::{self, Stamp};
use super::objects::{self, Drift};
use super::observed::Seen;
use super::outputs::{address, services};
use super::provider::HelmProvider;
use super::site::Place;
use super::view::{self, Releases, Revision};
use crate::kubernetes::{Cluster, Hands, Made, hands};

/// In so many namespaces releases are listed namespace by namespace.
const FEW_NAMESPACES: usize = 4;

/// How many revisions are opened at once.
pub(super) const OPEN_AT_ONCE: usize = 16;

/// One question, by its index among all.
struct Question<'a> {
    index: usize,
    request: &'a ReadRequest<'a>,
    /// Where to look; without it, by the mark.
    place: Option<Place>,
}

/// Answers each request, in order.
pub(super) async fn read(provider: &HelmProvider, requests: &[ReadRequest<'_>]) -> Vec<Reading> {
    let unasked = || Reading::Unknown("it was not read".to_owned());
    let mut readings: Vec<Reading> = requests.iter().map(|_| unasked()).collect();
    let mut groups: BTreeMap<String, Vec<Question<'_>>> = BTreeMap::new();
    for (index, request) in requests.iter().enumerate() {
        match question(provider, request) {
            Ok((target, place)) => groups.entry(target).or_default().push(Question {
                index,
                request,
                place,
            }),
            Err(error) => set(&mut readings, index, Reading::Unknown(error.message)),
        }
    }
    let groups = groups.iter().map(|(target, questions)| async move {
        let answers = group(provider, target, questions).await;
        answers.unwrap_or_else(|error| {
            let unknown = |it: &Question<'_>| (it.index, Reading::Unknown(error.message.clone()));
            questions.iter().map(unknown).collect()
        })
    });
    for (index, reading) in join_all(groups).await.into_iter().flatten() {
        set(&mut readings, index, reading);
    }
    readings
}

fn set(readings: &mut [Reading], index: usize, reading: Reading) {
    if let Some(place) = readings.get_mut(index) {
        *place = reading;
    }
}

/// Which cluster a question goes to, and which release it is about.
fn question(
    provider: &HelmProvider,
    request: &ReadRequest<'_>,
) -> Result<(String, Option<Place>), ProviderError> {
    provider.serves(&request.address.kind)?;
    match request.remote_id {
        Some(id) => {
            let place = Place::parse(id)?;
            let target = provider.kubernetes.target(&place.target)?;
            Ok((target, Some(place)))
        }
        None => {
            let cluster = request.attributes.text("cluster").unwrap_or_default();
            Ok((provider.kubernetes.target(cluster)?, None))
        }
    }
}

type Answers = Vec<(usize, Reading)>;

/// Answers all questions about one cluster.
async fn group(
    provider: &HelmProvider,
    target: &str,
    questions: &[Question<'_>],
) -> Result<Answers, ProviderError> {
    let cluster = provider.kubernetes.cluster(target).await?;
    let places = questions
        .iter()
        .filter_map(|question| question.place.as_ref());
    let namespaces: BTreeSet<&str> = places
        .clone()
        .map(|place| place.namespace.as_str())
        .collect();
    let scopes: Vec<Option<&str>> = if namespaces.len() <= FEW_NAMESPACES {
        namespaces.into_iter().map(Some).collect()
    } else {
        vec![None]
    };
    let lists = scopes
        .iter()
        .map(|scope| view::newest(&cluster, *scope, ""));
    let mut releases = Releases::new();
    for list in join_all(lists).await {
        releases.extend(list?);
    }
    let asked = places.filter_map(|place| releases.get(&key(place)));
    let noted: Vec<Made> = asked.filter_map(objects::noted).flatten().collect();
    let scopes: Vec<&str> = scopes.into_iter().flatten().collect();
    let hands = hands(
        &cluster,
        &noted.iter().collect(),
        &scopes,
        objects::SELECTOR,
        objects::MAKER,
    )
    .await?;
    let (releases, hands, cluster) = (&releases, &hands, &*cluster);
    let answers = questions.iter().map(|question| async move {
        let reading = match &question.place {
            Some(place) => match releases.get(&key(place)) {
                Some(revision) => answer(cluster, place, revision, question.request, hands).await,
                None => Ok(Reading::Missing),
            },
            None => by_mark(cluster, target, question.request).await,
        };
        let reading = reading.unwrap_or_else(|error| Reading::Unknown(error.message));
        (question.index, reading)
    });
    let answers = stream::iter(answers.collect::<Vec<_>>());
    Ok(answers.buffer_unordered(OPEN_AT_ONCE).collect().await)
}

fn key(place: &Place) -> (String, String) {
    (place.namespace.clone(), place.release.clone())
}

/// The release that bears the mark of an address, whatever it is called.
async fn by_mark(
    cluster: &Cluster,
    target: &str,
    request: &ReadRequest<'_>,
) -> Result<Reading, ProviderError> {
    let address = request.address;
    let selector = marks::selector_of_address(address);
    let found = view::newest(cluster, None, &selector).await?;
    let ours: Vec<Revision> = found
        .into_values()
        .filter(|it| marks::owner(&it.labels).is_some_and(|mark| mark.address == *address))
        .collect();
    match &ours[..] {
        [] => Ok(Reading::Missing),
        [revision] => {
            let place = place_of(target, revision);
            answer(cluster, &place, revision, request, &Hands::default()).await
        }
        several => Ok(Reading::Unknown(format!(
            "{address} is there {} times",
            several.len()
        ))),
    }
}

fn place_of(target: &str, revision: &Revision) -> Place {
    Place {
        target: target.to_owned(),
        namespace: revision.namespace.clone(),
        release: revision.release.clone(),
    }
}

/// The answer to a question, from the release of its name.
async fn answer(
    cluster: &Cluster,
    place: &Place,
    revision: &Revision,
    request: &ReadRequest<'_>,
    hands: &Hands,
) -> Result<Reading, ProviderError> {
    let as_made = objects::are_as_made(revision, hands);
    let stamp = Stamp::of(&revision.labels, revision.number);
    let stamp = stamp.filter(|_| as_made && revision.status == DEPLOYED);
    let is_recorded = |token: &str| request.version == Some(&version(token));
    if stamp.as_ref().is_some_and(|it| is_recorded(&it.content)) {
        return Ok(Reading::Unchanged);
    }
    let Some(release) = view::open(cluster, revision).await? else {
        let text = "another revision came while it was read".to_owned();
        return Ok(Reading::Unknown(text));
    };
    let address = address_of(cluster, place, &release.manifest).await?;
    if stamp.is_some_and(|it| is_recorded(&reached(&it.content, &address))) {
        return Ok(Reading::Unchanged);
    }
    let drift = if as_made || revision.status != DEPLOYED {
        Drift::default()
    } else {
        objects::drift(cluster, &place.namespace, &release).await?
    };
    let seen = Seen {
        place,
        revision,
        release: &release,
        address: &address,
        drift: &drift,
    };
    let observed = seen.observed(Some(request.attributes));
    if request.version == Some(&observed.version) {
        return Ok(Reading::Unchanged);
    }
    Ok(Reading::Present(Box::new(observed)))
}

/// The address outside of the cluster; empty if there is none.
async fn address_of(
    cluster: &Cluster,
    place: &Place,
    manifest: &str,
) -> Result<String, ProviderError> {
    let services = services(manifest);
    let Some(first) = services.first().filter(|service| service.balanced) else {
        return Ok(String::new());
    };
    let service = view::service(cluster, &place.namespace, &first.name).await?;
    Ok(service.as_ref().and_then(address).unwrap_or_default())
}

/// All releases of a cluster that bear the mark of a tenant of an installation.
pub(super) async fn list(
    provider: &HelmProvider,
    target: &str,
    installation: &str,
    tenant: &TenantId,
) -> Result<Vec<Observed>, ProviderError> {
    let cluster = provider.kubernetes.cluster(target).await?;
    let selector = marks::selector_of_tenant(installation, tenant);
    let releases = view::newest(&cluster, None, &selector).await?;
    let cluster = &*cluster;
    let found = releases.into_values().map(|revision| async move {
        if marks::owner(&revision.labels).is_none() {
            return Ok(None);
        }
        let place = place_of(target, &revision);
        let Some(release) = view::open(cluster, &revision).await? else {
            return Ok(None);
        };
        let address = address_of(cluster, &place, &release.manifest).await?;
        let seen = Seen {
            place: &place,
            revision: &revision,
            release: &release,
            address: &address,
            drift: &Drift::default(),
        };
        Ok(Some(seen.observed(None)))
    });
    let found = stream::iter(found.collect::<Vec<_>>());
    let found: Vec<Result<Option<Observed>, ProviderError>> =
        found.buffer_unordered(OPEN_AT_ONCE).collect().await;
    found.into_iter().filter_map(Result::transpose).collect()
}

/// The marks of all releases of a cluster that belong to these tenants.
pub(super) async fn marks(
    provider: &HelmProvider,
    target: &str,
    installation: &str,
    tenants: &[TenantId],
) -> Result<Vec<Marked>, ProviderError> {
    let cluster = provider.kubernetes.cluster(target).await?;
    let selector = match tenants {
        [tenant] => marks::selector_of_tenant(installation, tenant),
        _ => marks::selector_of_installation(installation),
    };
    let releases = view::newest(&cluster, None, &selector).await?;
    let marked = releases.into_values().filter_map(|revision| {
        let owner = marks::owner(&revision.labels)?;
        let remote_id = place_of(target, &revision).id();
        let asked = tenants.contains(owner.tenant());
        asked.then_some(Marked { owner, remote_id })
    });
    Ok(marked.collect())
}
