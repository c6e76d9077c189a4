//! All that is known before the first dry run: what each request is about, which kinds the cluster
//! serves, which namespaces can take something, and what the plan itself brings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use matih_model::{
    Abandoned, Answer, AttributePath, Attributes, Call, ChangeKind, Crossing, Point, ProviderError,
    Rehearse, SecretError, SecretRef, SecretSource, SecretValue, Text, Value,
};
use serde_json::Value as Json;

use super::cluster::Cluster;
use super::discovery::Api;
use super::json::{tables, text};
use super::manifest::Wanted;
use super::place::{Gvk, Place};
use super::provider::{Kubernetes, named, same_object};
use super::wire::encoded;

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

/// All that is known before the first dry run.
pub(super) struct Stage {
    pub(super) force: bool,
    brought: Brought,
    apis: Apis,
    homes: Homes,
}

/// Why a request is not sent.
pub(super) enum Unasked {
    /// For this reason; it can be held against a schema.
    For(Text),
    /// Since the answer is known.
    With(Answer),
}

impl Stage {
    /// Looks at all that has to be known before the first dry run.
    pub(super) async fn set(parts: &[Result<Part<'_>, Answer>], force: bool) -> Self {
        let known: Vec<&Part<'_>> = parts.iter().filter_map(|it| it.as_ref().ok()).collect();
        let brought = Brought::of(&known);
        let apis = apis(&known).await;
        let homes = homes(&known, &apis, &brought).await;
        Self {
            force,
            brought,
            apis,
            homes,
        }
    }

    /// Where a request would be sent.
    pub(super) fn place(&self, part: &Part<'_>) -> Result<(&Arc<Api>, Place), Unasked> {
        let kind = part.kind();
        let api = match self.apis.get(&kind) {
            Some(Ok(Some(api))) => api,
            Some(Err(why)) => {
                let answer = Answer::not_yet(format!("the server cannot be asked: {why}"));
                return Err(Unasked::With(answer));
            }
            _ if self.brought.kinds.contains_key(&kind) => {
                return Err(Unasked::For("its kind is defined in this plan".into()));
            }
            _ => {
                let why = "the cluster does not serve its kind yet";
                return Err(Unasked::For(why.into()));
            }
        };
        if let Some(path) = &part.unknown {
            return Err(Unasked::For(comes_later(path).into()));
        }
        let place = match &part.known {
            Some(place) => same_object(place.clone(), &part.wanted).map_err(Answer::Refused),
            None => named(api, part.target(), &part.wanted).map_err(Answer::Misfit),
        };
        let place = place.map_err(Unasked::With)?;
        let home = (place.target.clone(), place.namespace.clone());
        if part.is_new() && self.brought.namespaces.contains(&home) {
            let why = format!("its namespace {} is in this plan", home.1);
            return Err(Unasked::For(why.into()));
        }
        match self.homes.get(&home).filter(|_| part.is_new()) {
            Some(why) => Err(Unasked::For(why.clone())),
            None => Ok((api, place)),
        }
    }

    /// The schema that the plan itself gives to a request's kind.
    pub(super) fn own_schema(&self, part: &Part<'_>) -> Option<&Json> {
        self.brought.kinds.get(&part.kind())
    }
}

/// One request, as far as it says whom it is about.
pub(super) struct Part<'a> {
    pub(super) request: &'a Rehearse<'a>,
    pub(super) wanted: Wanted<'a>,
    pub(super) cluster: Arc<Cluster>,
    /// The object that is recorded; none for what is made.
    known: Option<Place>,
    /// The first place whose value comes with the plan itself.
    unknown: Option<AttributePath>,
}

impl<'a> Part<'a> {
    pub(super) async fn of(
        provider: &Kubernetes,
        request: &'a Rehearse<'a>,
    ) -> Result<Self, Answer> {
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
            None => provider.target(wanted.cluster).map_err(refused)?,
        };
        let cluster = provider.cluster(&target).await;
        let cluster = cluster.map_err(|error| Answer::not_yet(error.message))?;
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

    /// Its kind, at its target.
    fn kind(&self) -> (String, Gvk) {
        (self.target().to_owned(), self.wanted.gvk.clone())
    }

    pub(super) fn is_new(&self) -> bool {
        self.request.kind != ChangeKind::Update
    }

    /// Whether a stand-in is sent in place of something.
    pub(super) fn has_secrets(&self) -> bool {
        !self.request.attributes.secrets().is_empty()
    }

    pub(super) fn call(&self) -> Call<'_> {
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
    type Kinds<'k> = (Arc<Cluster>, BTreeSet<&'k Gvk>);
    let mut versions: BTreeMap<(&str, String), Kinds<'_>> = BTreeMap::new();
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
        let namespaced = matches!(apis.get(&part.kind()), Some(Ok(Some(api))) if api.namespaced);
        let home = (part.target().to_owned(), part.wanted.namespace.to_owned());
        if namespaced && !home.1.is_empty() && !brought.namespaces.contains(&home) {
            asked.insert(home, &part.cluster);
        }
    }
    let looks = asked.into_iter().map(|(home, cluster)| async move {
        let path = format!("/api/v1/namespaces/{}", encoded(&home.1));
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
