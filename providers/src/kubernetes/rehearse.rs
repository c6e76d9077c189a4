//! What would come of creates and updates, asked of the server as dry runs.
//!
//! A dry run is the very request of the apply, but for one word: it passes validation, admission
//! and quota, and ends before it is stored. The second half of a replacement is tried as a create,
//! although its name is taken still: the server says that after everything else. What cannot be
//! asked yet, because its namespace, its kind or a value of it comes with the same plan, is held
//! against the schema that the server publishes. No secret is read: a stand-in goes in its place,
//! and a refusal that may be about the stand-in counts for nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use matih_model::{
    Abandoned, Answer, AttributePath, Attributes, Call, ChangeKind, Crossing, ErrorKind, Point,
    ProviderError, Rehearsal, Rehearse, SecretError, SecretRef, SecretSource, SecretValue, Text,
    Value,
};
use serde_json::Value as Json;

use super::answer::{filled, immutable, is_misfit, is_over_quota, knows_no_dry_run};
use super::call::{Deed, TRIES};
use super::cluster::{Cluster, live};
use super::create::{may_adopt, onto};
use super::discovery::Api;
use super::failure::Failure;
use super::fit::misfits;
use super::json::{tables, text};
use super::live::Live;
use super::manifest::Wanted;
use super::openapi::schema;
use super::place::{Gvk, Place};
use super::provider::{Kubernetes, named, same_object};
use super::update::marked;
use super::wire::Reply;

/// So many faults of one manifest are told.
const TOLD: usize = 3;
/// The time of one rehearsal; each request has its own limit beside it.
const TIME: Duration = Duration::from_secs(60);

/// What is sent in place of a secret: text, and base64 of text.
struct StandIn;

impl SecretSource for StandIn {
    fn reveal(&self, _: &SecretRef) -> Result<SecretValue, SecretError> {
        Ok(SecretValue::new("c3RhbmQtaW4=".to_owned()))
    }
}

impl Crossing for StandIn {
    fn cross(&self, _: Point) -> Result<(), Abandoned> {
        Ok(())
    }
}

/// Answers each request, in order.
pub(super) async fn rehearse(provider: &Kubernetes, requests: &[Rehearse<'_>]) -> Vec<Rehearsal> {
    let parts = requests.iter().map(|request| Part::of(provider, request));
    let parts = join_all(parts).await;
    let known: Vec<&Part<'_>> = parts.iter().filter_map(|it| it.as_ref().ok()).collect();
    let brought = Brought::of(&known);
    let apis = apis(&known).await;
    let homes = homes(&known, &apis, &brought).await;
    let stage = Stage {
        force: provider.force(),
        brought,
        apis,
        homes,
    };
    let answers = parts.iter().map(|part| async {
        match part {
            Ok(part) => stage.rehearsal(part).await,
            Err(answer) => answer.clone().into(),
        }
    });
    join_all(answers).await
}

/// One request, as far as it says whom it is about.
struct Part<'a> {
    request: &'a Rehearse<'a>,
    wanted: Wanted<'a>,
    cluster: Arc<Cluster>,
    /// The object that is recorded; none for what is made.
    known: Option<Place>,
    /// The first place whose value comes with the plan itself.
    unknown: Option<AttributePath>,
}

impl<'a> Part<'a> {
    async fn of(provider: &Kubernetes, request: &'a Rehearse<'a>) -> Result<Self, Answer> {
        let refused = |error: ProviderError| Answer::Refused(error);
        provider
            .serves(&request.owner.address.kind)
            .map_err(refused)?;
        let unknown = unknown(request.attributes);
        let wanted = Wanted::of(request.attributes).map_err(|error| match &unknown {
            Some(path) => Answer::not_yet(comes_later(path)),
            None => Answer::Misfit(error),
        })?;
        let is_update = request.kind == ChangeKind::Update;
        let known = request.remote_id.filter(|_| is_update);
        let known = known.map(Place::parse).transpose().map_err(refused)?;
        let target = match &known {
            Some(place) => place.target.clone(),
            None => provider.target(wanted.cluster).map_err(refused)?.to_owned(),
        };
        let cluster = provider.cluster(&target).await.map_err(|error| {
            Answer::not_yet(format!("cluster `{target}` cannot be asked: {error}"))
        })?;
        Ok(Self {
            request,
            wanted,
            cluster,
            known,
            unknown,
        })
    }

    fn target(&self) -> &str {
        &self.cluster.name
    }

    fn is_new(&self) -> bool {
        self.request.kind != ChangeKind::Update
    }

    /// Whether a stand-in is sent in place of something.
    fn has_secrets(&self) -> bool {
        !self.request.attributes.secrets().is_empty()
    }

    fn call(&self) -> Call<'_> {
        Call {
            owner: self.request.owner,
            attributes: self.request.attributes,
            before: self.request.before,
            remote_id: self.request.remote_id,
            expects: None,
            timeout: TIME,
            secrets: &StandIn,
            crossing: &StandIn,
        }
    }
}

/// The first place at which a value is not known before the apply.
fn unknown(attributes: &Attributes) -> Option<AttributePath> {
    fn within(value: &Value, path: AttributePath) -> Option<AttributePath> {
        match value {
            Value::Ref(_) | Value::Unknown => Some(path),
            Value::Map(map) => map
                .iter()
                .find_map(|(key, value)| within(value, path.join(key))),
            Value::List(items) => {
                let mut items = items.iter().enumerate();
                items.find_map(|(index, value)| within(value, path.join(index.to_string())))
            }
            _ => None,
        }
    }
    within(&Value::Map(attributes.clone()), AttributePath::root())
}

fn comes_later(path: &AttributePath) -> String {
    format!("`{path}` is known only after apply")
}

/// What the plan itself brings.
struct Brought {
    /// Namespaces, by target and name.
    namespaces: BTreeSet<(String, String)>,
    /// Kinds with their schemas, by target.
    kinds: BTreeMap<(String, Gvk), Json>,
}

impl Brought {
    fn of(parts: &[&Part<'_>]) -> Self {
        let mut brought = Self {
            namespaces: BTreeSet::new(),
            kinds: BTreeMap::new(),
        };
        for part in parts {
            let target = part.target().to_owned();
            if part.wanted.gvk.is("", "Namespace") && part.is_new() {
                let name = part.wanted.name.to_owned();
                brought.namespaces.insert((target, name));
            } else if part
                .wanted
                .gvk
                .is("apiextensions.k8s.io", "CustomResourceDefinition")
            {
                for (gvk, schema) in defined(part.wanted.manifest) {
                    brought.kinds.insert((target.clone(), gvk), schema);
                }
            }
        }
        brought
    }
}

/// The kinds that a definition defines, each with its schema.
fn defined(definition: &Attributes) -> Vec<(Gvk, Json)> {
    let group = text(definition, &["spec", "group"]);
    let kind = text(definition, &["spec", "names", "kind"]);
    let versions = tables(definition, &["spec", "versions"]);
    let of = |version: &Attributes| {
        let schema = version.get("schema")?.as_map()?.get("openAPIV3Schema")?;
        let gvk = Gvk {
            group: group.to_owned(),
            version: version.text("name")?.to_owned(),
            kind: kind.to_owned(),
        };
        Some((gvk, serde_json::to_value(schema).ok()?))
    };
    versions.filter_map(of).collect()
}

type Apis = BTreeMap<(String, Gvk), Result<Option<Arc<Api>>, Text>>;

/// Looks each kind up, once; a version of a group is one question.
async fn apis(parts: &[&Part<'_>]) -> Apis {
    let mut versions: BTreeMap<(&str, String), (Arc<Cluster>, BTreeSet<&Gvk>)> = BTreeMap::new();
    for part in parts {
        let gvk = &part.wanted.gvk;
        let entry = versions.entry((part.target(), gvk.api_version()));
        let (_, kinds) = entry.or_insert_with(|| (part.cluster.clone(), BTreeSet::new()));
        kinds.insert(gvk);
    }
    let found = versions
        .into_iter()
        .map(|((target, _), (cluster, kinds))| async move {
            let mut found = Vec::new();
            for gvk in kinds {
                let api = cluster.discovery.find(&cluster.wire, gvk).await;
                let api = api.map_err(|failure| failure.message.into());
                found.push(((target.to_owned(), gvk.clone()), api));
            }
            found
        });
    join_all(found).await.into_iter().flatten().collect()
}

/// Why namespaces cannot take anything yet, by target and name.
type Homes = BTreeMap<(String, String), Text>;

/// Looks at the namespaces that something is to be made in.
async fn homes(parts: &[&Part<'_>], apis: &Apis, brought: &Brought) -> Homes {
    let mut asked: BTreeMap<(String, String), &Arc<Cluster>> = BTreeMap::new();
    for part in parts.iter().filter(|part| part.is_new()) {
        let kind = (part.target().to_owned(), part.wanted.gvk.clone());
        let namespaced = matches!(apis.get(&kind), Some(Ok(Some(api))) if api.namespaced);
        let home = (part.target().to_owned(), part.wanted.namespace.to_owned());
        if namespaced && !home.1.is_empty() && !brought.namespaces.contains(&home) {
            asked.insert(home, &part.cluster);
        }
    }
    let looks = asked.into_iter().map(|(home, cluster)| async move {
        let path = format!("/api/v1/namespaces/{}", super::wire::encoded(&home.1));
        let why = match cluster.wire.look(&path).await {
            Ok(json) if json["metadata"]["deletionTimestamp"].is_string() => {
                format!("its namespace {} is being deleted", home.1)
            }
            Err(failure) if failure.is_absent() => {
                format!("its namespace {} is not there yet", home.1)
            }
            // It is there; or it cannot be told, and the server says so again when it is asked.
            Ok(_) | Err(_) => return None,
        };
        Some((home, why.into()))
    });
    join_all(looks).await.into_iter().flatten().collect()
}

/// All that is known before the first dry run.
struct Stage {
    force: bool,
    brought: Brought,
    apis: Apis,
    homes: Homes,
}

impl Stage {
    async fn rehearsal(&self, part: &Part<'_>) -> Rehearsal {
        let kind = (part.target().to_owned(), part.wanted.gvk.clone());
        let api = match self.apis.get(&kind) {
            Some(Ok(Some(api))) => api,
            Some(Err(why)) => {
                return Answer::not_yet(format!("the server cannot be asked: {why}")).into();
            }
            _ => {
                let why = if self.brought.kinds.contains_key(&kind) {
                    "its kind is defined in this plan"
                } else {
                    "the cluster does not serve its kind yet"
                };
                return self.instead(part, why.into()).await.into();
            }
        };
        if let Some(path) = &part.unknown {
            return self.instead(part, comes_later(path).into()).await.into();
        }
        let place = match &part.known {
            Some(place) => same_object(place.clone(), &part.wanted).map_err(Answer::Refused),
            None => named(api, part.target(), &part.wanted).map_err(Answer::Misfit),
        };
        let place = match place {
            Ok(place) => place,
            Err(answer) => return answer.into(),
        };
        let home = (place.target.clone(), place.namespace.clone());
        if part.is_new() && self.brought.namespaces.contains(&home) {
            let why = format!("its namespace {} is in this plan", home.1);
            return self.instead(part, why.into()).await.into();
        }
        if let Some(why) = self.homes.get(&home).filter(|_| part.is_new()) {
            return self.instead(part, why.clone()).await.into();
        }
        let call = part.call();
        let deed = Deed::new(&call, part.cluster.clone(), api.clone(), place, self.force);
        let tried = match part.request.kind {
            ChangeKind::Update => self.update(&deed, part).await,
            ChangeKind::Replace => self.anew(&deed, part).await,
            _ => self.create(&deed, part).await,
        };
        tried.unwrap_or_else(Rehearsal::from)
    }

    /// An apply to what should not be there, or is ours.
    async fn create(&self, deed: &Deed<'_>, part: &Part<'_>) -> Result<Rehearsal, Answer> {
        let body = body(deed, part)?;
        let cluster = &deed.cluster;
        let ask = || cluster.try_apply(&deed.api, &deed.place, &body, deed.force);
        let mut tried = ask().await;
        for _ in 1..TRIES {
            if !matches!(&tried, Err(failure) if failure.is_stale()) {
                break;
            }
            tried = ask().await;
        }
        let is_there = match &tried {
            Ok(reply) => reply.code != 201,
            Err(failure) => failure.has_cause("FieldManagerConflict"),
        };
        let mut there = None;
        if is_there {
            there = deed.look().await.map_err(not_asked)?;
            if let Some(there) = &there {
                match may_adopt(deed, there) {
                    Err(error) if there.is_going() => return Err(not_asked(error)),
                    adoptable => adoptable.map_err(Answer::Refused)?,
                }
            }
        }
        match tried {
            Ok(reply) => accepted(reply, None, part),
            Err(failure) => Err(self.refusal(deed, part, failure, there.as_ref()).await),
        }
    }

    /// An apply to the object as it was looked at.
    async fn update(&self, deed: &Deed<'_>, part: &Part<'_>) -> Result<Rehearsal, Answer> {
        for _ in 0..TRIES {
            // A look alone may be behind, and what is not there is refused.
            let there = deed.cluster.get_surely(&deed.api, &deed.place).await;
            let there = there.map_err(|failure| not_asked(failure.into()))?;
            let Some(there) = there.filter(|there| deed.is_meant(there)) else {
                let message = format!("{} is not there", deed.place);
                let error = ProviderError::new(ErrorKind::NotFound, message);
                return Err(Answer::Refused(
                    error.with_hint("plan with a look at the world"),
                ));
            };
            deed.may_touch(&there).map_err(Answer::Refused)?;
            if there.is_going() {
                return Err(not_asked(deed.going(&there)));
            }
            let owner = marked(deed.call.owner, &there);
            let body = part.wanted.body(deed.call.secrets, &owner);
            let body = onto(&body.map_err(Answer::Misfit)?, &there);
            let cluster = &deed.cluster;
            match cluster
                .try_apply(&deed.api, &deed.place, &body, deed.force)
                .await
            {
                Ok(reply) => return accepted(reply, Some(&there), part),
                Err(failure) if failure.is_stale() => {}
                Err(failure) => return Err(self.refusal(deed, part, failure, Some(&there)).await),
            }
        }
        Err(Answer::not_yet(format!(
            "{} is changed all the time",
            deed.place
        )))
    }

    /// A create of what has a namesake still, which goes first.
    async fn anew(&self, deed: &Deed<'_>, part: &Part<'_>) -> Result<Rehearsal, Answer> {
        let body = body(deed, part)?;
        match deed.cluster.try_post(&deed.api, &deed.place, &body).await {
            Ok(reply) => accepted(reply, None, part),
            Err(failure) if failure.status.reason == "AlreadyExists" => {
                Ok(Answer::Accepted { filled: Vec::new() }.into())
            }
            Err(failure) if is_over_quota(&failure) => {
                let why = "what it replaces still counts against the quota";
                Err(Answer::not_yet(why))
            }
            Err(failure) => Err(self.refusal(deed, part, failure, None).await),
        }
    }

    /// What a dry run that did not succeed means.
    async fn refusal(
        &self,
        deed: &Deed<'_>,
        part: &Part<'_>,
        failure: Failure,
        there: Option<&Live>,
    ) -> Answer {
        let going = failure.has_cause("NamespaceTerminating");
        if failure.is_absent() || going {
            let state = if going {
                "being deleted"
            } else {
                "not there yet"
            };
            let why = format!("its namespace {} is {state}", deed.place.namespace);
            return self.instead(part, why.into()).await;
        }
        if knows_no_dry_run(&failure) {
            return Answer::not_yet(format!("a webhook knows no dry runs: {}", failure.message));
        }
        let told = matches!(
            failure.kind,
            ErrorKind::Denied | ErrorKind::Conflict | ErrorKind::Invalid
        );
        if !told || failure.is_stale() {
            return not_asked(failure.into());
        }
        let fixed = immutable(&failure).filter(|_| !part.is_new());
        let of_secrets = failure.kind == ErrorKind::Invalid && part.has_secrets();
        if let Some((paths, told)) = fixed
            && !(of_secrets && paths.iter().any(holds_values))
        {
            return Answer::Immutable { paths, told };
        }
        if of_secrets && !is_misfit(&failure) {
            let why = "stand-ins went in place of its secrets, and the server does not take them";
            return Answer::not_yet(why);
        }
        let kind = (part.target().to_owned(), part.wanted.gvk.clone());
        let misfit = is_misfit(&failure) && !self.brought.kinds.contains_key(&kind);
        let error = deed.refused(failure, there);
        if misfit {
            Answer::Misfit(error)
        } else {
            Answer::Refused(error)
        }
    }

    /// The answer where the server cannot be asked, for this reason.
    async fn instead(&self, part: &Part<'_>, why: Text) -> Answer {
        let gvk = &part.wanted.gvk;
        let kind = (part.target().to_owned(), gvk.clone());
        let manifest = part.wanted.manifest;
        let faults = if let Some(own) = self.brought.kinds.get(&kind) {
            Some(misfits(&Json::Null, own, manifest))
        } else {
            let cluster = &part.cluster;
            let document = cluster.schemas.document(&cluster.wire, gvk).await.ok();
            let schema = document.as_deref().and_then(|it| schema(it, gvk));
            schema.map(|(schemas, root)| misfits(schemas, root, manifest))
        };
        match faults {
            None => Answer::NotYet {
                why,
                checked: false,
            },
            Some(faults) if faults.is_empty() => Answer::NotYet { why, checked: true },
            Some(faults) => Answer::Misfit(misfit(part, &faults)),
        }
    }
}

fn misfit(part: &Part<'_>, faults: &[String]) -> ProviderError {
    let (gvk, name) = (&part.wanted.gvk, part.wanted.name);
    let mut told: Vec<&str> = faults.iter().take(TOLD).map(String::as_str).collect();
    let more = format!("and {} more", faults.len().saturating_sub(TOLD));
    if faults.len() > TOLD {
        told.push(&more);
    }
    let message = format!(
        "{} {name} does not fit the server's schema of {gvk}: {}",
        gvk.kind,
        told.join(", ")
    );
    ProviderError::new(ErrorKind::Invalid, message)
        .with_hint("correct the manifest; its fields are told by: kubectl explain KIND")
}

/// Whether a path may be about what a secret stands for.
fn holds_values(path: &AttributePath) -> bool {
    let data = path.parts().get(1);
    data.is_none_or(|part| matches!(&**part, "data" | "stringData"))
}

fn body(deed: &Deed<'_>, part: &Part<'_>) -> Result<Json, Answer> {
    let body = part.wanted.body(deed.call.secrets, deed.call.owner);
    body.map_err(Answer::Misfit)
}

/// A look or a dry run that was not answered.
fn not_asked(error: ProviderError) -> Answer {
    Answer::not_yet(format!("the server cannot be asked: {error}"))
}

fn accepted(reply: Reply, before: Option<&Live>, part: &Part<'_>) -> Result<Rehearsal, Answer> {
    let warnings = reply.warnings.into_iter().map(Text::from).collect();
    let now = live(reply.json).map_err(|failure| not_asked(failure.into()))?;
    let filled = filled(&now, before, part.wanted.manifest);
    Ok(Rehearsal {
        answer: Answer::Accepted { filled },
        objects: Vec::new(),
        warnings,
    })
}
