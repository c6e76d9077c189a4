//! Reading what is there: many questions, few requests.
//!
//! Questions are sorted by cluster and kind. A few objects are asked for by name; more of them by
//! one list of a kind, in a namespace or in all. Where a list does not show an object, it is asked
//! for by name before it counts as missing: somebody may have taken our labels off. What cannot be
//! read is unknown, with the reason, and never missing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;
use matih_model::{
    Address, Attributes, ErrorKind, Marked, Observed, ProviderError, ReadRequest, Reading, Value,
};

use super::call::{id, outputs, shape_of};
use super::cluster::{Cluster, Listed};
use super::discovery::Api;
use super::live::Live;
use super::manifest::shape;
use super::mark;
use super::pages::Outside;
use super::place::{Gvk, Place};
use super::project::project;
use super::provider::Kubernetes;
use super::ready::{Readiness, readiness};
use super::shown::{shown, whole};
use super::token::token;
use super::wire::JSON;

/// So many objects of a kind are asked for by name rather than by a list: a plan takes one request
/// for each kind and page.
const FEW: usize = 1;
/// So many objects that a list by labels does not show are worth a list of all.
const MANY: usize = 20;
/// In so many namespaces a kind is listed namespace by namespace.
pub(super) const FEW_NAMESPACES: usize = 4;

/// One question, by its index among all.
struct Question<'a> {
    index: usize,
    request: &'a ReadRequest<'a>,
    place: Place,
}

impl Question<'_> {
    /// Namespace and name.
    fn name(&self) -> (&str, &str) {
        (&self.place.namespace, &self.place.name)
    }
}

/// Answers each request, in order.
pub(super) async fn read(
    provider: &Kubernetes,
    requests: &[ReadRequest<'_>],
) -> Result<Vec<Reading>, ProviderError> {
    let mut readings: Vec<Option<Reading>> = vec![None; requests.len()];
    let mut groups: BTreeMap<(String, Gvk), Vec<Question<'_>>> = BTreeMap::new();
    for (index, request) in requests.iter().enumerate() {
        match place(provider, request) {
            Ok((gvk, place)) => {
                groups
                    .entry((place.target.clone(), gvk))
                    .or_default()
                    .push(Question {
                        index,
                        request,
                        place,
                    })
            }
            Err(error) => readings[index] = Some(Reading::Unknown(error.message)),
        }
    }
    let groups = groups
        .into_iter()
        .map(|((target, gvk), questions)| async move {
            let answers = group(provider, &target, &gvk, &questions).await;
            answers.unwrap_or_else(|error| {
                let unknown =
                    |it: &Question<'_>| (it.index, Reading::Unknown(error.message.clone()));
                questions.iter().map(unknown).collect()
            })
        });
    for (index, reading) in join_all(groups).await.into_iter().flatten() {
        readings[index] = Some(reading);
    }
    let unasked = || Reading::Unknown("it was not read".to_owned());
    Ok(readings
        .into_iter()
        .map(|it| it.unwrap_or_else(unasked))
        .collect())
}

/// Which object a question is about.
fn place(provider: &Kubernetes, request: &ReadRequest<'_>) -> Result<(Gvk, Place), ProviderError> {
    provider.serves(&request.address.kind)?;
    let manifest = request.attributes.get("manifest").and_then(Value::as_map);
    let named = manifest.and_then(Gvk::of);
    let Some(remote_id) = request.remote_id else {
        let gvk = named.ok_or_else(|| {
            let message = "neither a remote id nor a manifest says which object is meant";
            ProviderError::new(ErrorKind::Invalid, message)
        })?;
        let target = provider.target(request.attributes.text("cluster").unwrap_or_default())?;
        let place = Place {
            target,
            group: gvk.group.clone(),
            kind: gvk.kind.clone(),
            namespace: String::new(),
            name: String::new(),
            uid: String::new(),
        };
        return Ok((gvk, place));
    };
    let place = Place::parse(remote_id)?;
    let gvk = named.filter(|gvk| gvk.is(&place.group, &place.kind));
    // An import knows no version: the server prefers one.
    let gvk = gvk.unwrap_or_else(|| Gvk {
        group: place.group.clone(),
        version: String::new(),
        kind: place.kind.clone(),
    });
    Ok((gvk, place))
}

type Answers = Vec<(usize, Reading)>;

/// Answers all questions about one kind of one cluster.
async fn group(
    provider: &Kubernetes,
    target: &str,
    gvk: &Gvk,
    questions: &[Question<'_>],
) -> Result<Answers, ProviderError> {
    let cluster = provider.cluster(target).await?;
    let recorded = questions.iter().filter_map(|it| it.request.version);
    cluster.wire.revisions.remember(recorded);
    let Some(api) = find(&cluster, gvk).await? else {
        // What no longer has a kind is no longer there.
        let missing = questions.iter().map(|it| (it.index, Reading::Missing));
        return Ok(missing.collect());
    };
    let (marked, named): (Vec<_>, Vec<_>) = questions
        .iter()
        .partition(|question| question.place.name.is_empty());
    let mut answers = Vec::new();
    for question in marked {
        answers.push((question.index, by_mark(&cluster, &api, question).await));
    }
    let mut listed = BTreeMap::new();
    if named.len() > FEW {
        let marks = selector(&named);
        listed = list(provider, &cluster, &api, &named, &marks).await?;
        let hidden = named.iter().filter(|it| !listed.contains_key(&it.index));
        if hidden.count() > MANY {
            listed = list(provider, &cluster, &api, &named, "").await?;
        }
    }
    let mut hidden = Vec::new();
    for question in named {
        match listed.remove(&question.index) {
            Some(reading) => answers.push((question.index, reading)),
            None => hidden.push(by_name(&cluster, &api, question)),
        }
    }
    answers.extend(join_all(hidden).await);
    Ok(answers)
}

/// Asks for one object by its name.
async fn by_name(cluster: &Cluster, api: &Api, question: &Question<'_>) -> (usize, Reading) {
    let reading = match cluster.get_surely(api, &question.place).await {
        Ok(Some(live)) => answer(&live, question),
        Ok(None) => Reading::Missing,
        Err(failure) => Reading::Unknown(failure.message),
    };
    (question.index, reading)
}

async fn find(cluster: &Cluster, gvk: &Gvk) -> Result<Option<Arc<Api>>, ProviderError> {
    if !gvk.version.is_empty() {
        return Ok(cluster.discovery.find(&cluster.wire, gvk).await?);
    }
    let preferred = cluster
        .discovery
        .preferred(&cluster.wire, &gvk.group)
        .await?;
    let Some(version) = preferred else {
        return Ok(None);
    };
    let gvk = Gvk::new(&version, &gvk.kind);
    Ok(cluster.discovery.find(&cluster.wire, &gvk).await?)
}

/// The labels that the objects in question bear, if nobody took them off.
fn selector(questions: &[&Question<'_>]) -> String {
    let tenants = questions.iter().map(|it| &it.request.address.tenant);
    let tenants: BTreeSet<_> = tenants.collect();
    match tenants.first() {
        Some(tenant) if tenants.len() == 1 => format!("{}={tenant}", mark::TENANT),
        _ => mark::INSTALLATION.to_owned(),
    }
}

/// The answers to those questions whose objects a selector finds, by their index. An object is
/// forgotten as soon as it has answered, so a fleet takes no more room than its answers.
async fn list(
    provider: &Kubernetes,
    cluster: &Cluster,
    api: &Api,
    questions: &[&Question<'_>],
    selector: &str,
) -> Result<BTreeMap<usize, Reading>, ProviderError> {
    let namespaces = questions.iter().map(|it| it.place.namespace.as_str());
    let namespaces: BTreeSet<&str> = namespaces.collect();
    let places: Vec<&str> = if api.namespaced && namespaces.len() <= FEW_NAMESPACES {
        namespaces.into_iter().collect()
    } else {
        vec![""]
    };
    let mut by_name: BTreeMap<(&str, &str), Vec<&Question<'_>>> = BTreeMap::new();
    for question in questions {
        by_name.entry(question.name()).or_default().push(question);
    }
    // A list of all that bears a mark tells what `list::marks` asks for, too.
    let changes = provider.changes();
    let is_whole = places == [""] && selector == mark::INSTALLATION;
    let lists = places.iter().map(|namespace| {
        let by_name = &by_name;
        async move {
            let (mut answers, mut marks) = (BTreeMap::new(), Vec::new());
            let mut visit = |object: Option<Listed<'_>>| {
                let Some(object) = object else {
                    answers.clear();
                    marks.clear();
                    return Ok(());
                };
                let outside = object.outside()?;
                let asked = by_name.get(&(&*outside.namespace, &*outside.name));
                for question in asked.into_iter().flatten() {
                    let reading = match at_a_glance(&outside, question) {
                        Some(reading) => reading,
                        None => answer(&object.open()?, question),
                    };
                    answers.insert(question.index, reading);
                }
                if is_whole {
                    marks.extend(mark_of(&outside, api, &cluster.name));
                }
                Ok(())
            };
            cluster
                .visit(api, namespace, selector, JSON, &mut visit)
                .await?;
            Ok::<_, ProviderError>((answers, marks))
        }
    });
    let mut found = BTreeMap::new();
    for list in join_all(lists).await {
        let (answers, marks) = list?;
        found.extend(answers);
        if is_whole {
            provider.remember_marks(&cluster.name, &api.gvk, changes, marks);
        }
    }
    Ok(found)
}

/// The object that bears the mark of an address, whatever it is called.
async fn by_mark(cluster: &Cluster, api: &Api, question: &Question<'_>) -> Reading {
    let address = question.request.address;
    let selector = format!("{}={}", mark::ADDRESS_HASH, mark::address_hash(address));
    let found = match cluster.list(api, "", &selector).await {
        Ok(found) => found,
        Err(failure) => return Reading::Unknown(failure.message),
    };
    let ours = found.iter().filter(|live| bears(live, address));
    match ours.collect::<Vec<_>>()[..] {
        [] => Reading::Missing,
        [live] => Reading::Present(Box::new(observed(
            live,
            question,
            question.request.attributes,
        ))),
        [_, _, ..] => Reading::Unknown(format!("{address} is there more than once")),
    }
}

fn bears(live: &Live, address: &Address) -> bool {
    live.mark
        .as_ref()
        .is_some_and(|mark| mark.address == *address)
}

/// The answer to a question, where the outside of the object of its name suffices: it is the very
/// state of it that the record is of.
fn at_a_glance(outside: &Outside<'_>, question: &Question<'_>) -> Option<Reading> {
    let recorded = question.request.version?;
    let same = question.place.uid == outside.uid && recorded.is_whole(&outside.resource_version);
    same.then_some(Reading::Unchanged)
}

/// The mark of an object, and its remote id, from its outside.
fn mark_of(outside: &Outside<'_>, api: &Api, target: &str) -> Option<Marked> {
    let place = Place {
        target: target.to_owned(),
        group: api.gvk.group.clone(),
        kind: api.gvk.kind.clone(),
        namespace: outside.namespace.clone().into_owned(),
        name: outside.name.clone().into_owned(),
        uid: outside.uid.clone().into_owned(),
    };
    Some(Marked {
        owner: outside.mark()?,
        remote_id: place.id(),
    })
}

/// The answer to a question, from the object of its name.
fn answer(live: &Live, question: &Question<'_>) -> Reading {
    let (request, place) = (question.request, &question.place);
    // Another life of the name that does not even bear our mark is another object.
    let other = !place.uid.is_empty() && place.uid != live.uid();
    if other && !bears(live, request.address) {
        return Reading::Missing;
    }
    if let Some(version) = request.version
        && *version == token(live, Some(&shape_of(request.attributes)))
    {
        return Reading::Unchanged;
    }
    Reading::Present(Box::new(observed(live, question, request.attributes)))
}

/// An object in the words of what was asked for.
fn observed(live: &Live, question: &Question<'_>, attributes: &Attributes) -> Observed {
    let place = of(live, &question.place.target);
    let Some(manifest) = attributes.get("manifest").and_then(Value::as_map) else {
        return imported(live, place);
    };
    let mut seen = in_words_of(live, manifest, &place);
    // Asked without a token, the question is whether all is as wanted: readiness too.
    let wait = attributes.text("wait");
    let exactly = question.request.version.is_none();
    for (key, value) in attributes.iter().filter(|(key, _)| &***key != "manifest") {
        let waits = &**key == "wait" && exactly;
        if !waits || readiness(live, wait) == Readiness::Ready {
            seen.attributes.insert(key, value.clone());
        }
    }
    seen
}

/// An object over a manifest that was asked for; only the manifest is set.
pub(super) fn in_words_of(live: &Live, manifest: &Attributes, place: &Place) -> Observed {
    let shape = shape(manifest);
    let seen = project(live, &shape);
    let (shown, touches) = shown(live, seen, manifest);
    let mut attributes = Attributes::new();
    attributes.insert("manifest", shown);
    Observed {
        remote_id: id(place, live),
        outputs: outputs(live),
        version: token(live, Some(&shape)),
        owner: live.mark.clone(),
        attributes,
        touches,
    }
}

/// An object that nothing is known of: all of it that could have been asked for.
fn imported(live: &Live, place: Place) -> Observed {
    let mut attributes = Attributes::new();
    attributes.insert("cluster", place.target.as_str());
    attributes.insert("manifest", whole(live));
    Observed {
        remote_id: id(&place, live),
        outputs: outputs(live),
        // Made over less than will be asked for: to be looked at closely, once, by its manifest.
        version: token(live, None).of_ours(),
        owner: live.mark.clone(),
        attributes,
        touches: Vec::new(),
    }
}

/// The place of a live object.
pub(super) fn of(live: &Live, target: &str) -> Place {
    Place {
        target: target.to_owned(),
        group: live.group().to_owned(),
        kind: live.kind().to_owned(),
        namespace: live.namespace().to_owned(),
        name: live.name().to_owned(),
        uid: live.uid().to_owned(),
    }
}
