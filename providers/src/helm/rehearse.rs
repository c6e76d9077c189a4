//! What would become of the objects of releases: charts rendered while planning.
//!
//! Promises to touch no cluster but for questions, and to reveal no secret: the values that a chart
//! is rendered with have words in the place of secrets, and what stands in the deployed manifest at
//! their places is hidden. A chart that does not render with values that are all known, or whose
//! objects are not what the server's schemas say, does not fit; with a word in the place of a
//! value, that says nothing.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use matih_model::{Answer, Attributes, ChangeKind, ErrorKind, ProviderError, Rehearsal, Rehearse};
use serde_json::Value as Json;

use super::chart::Wish;
use super::child::Helm;
use super::deed::values_of;
use super::manifest::{changes, has_stand_ins, objects, secrets_in, stand_ins};
use super::outputs::documents;
use super::provider::HelmProvider;
use super::release::Release;
use super::site::{Site, required};
use super::view;
use crate::kubernetes::{ALL_KINDS, Cluster};

/// How long one rendering may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a chart may ask of a server: its version, and what it serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Capabilities(Vec<OsString>);

/// Answers each request, in order; as many at once as helms may run.
pub(super) async fn rehearse(
    provider: &HelmProvider,
    requests: &[Rehearse<'_>],
) -> Result<Vec<Rehearsal>, ProviderError> {
    let answers = requests.iter().map(|request| async move {
        match one(provider, request).await {
            Ok(rehearsal) => rehearsal,
            Err(error) => Answer::not_yet(error.message).into(),
        }
    });
    let answers = stream::iter(answers.collect::<Vec<_>>());
    Ok(answers.buffered(provider.settings.parallel).collect().await)
}

/// # Errors
/// It cannot be asked.
async fn one(provider: &HelmProvider, request: &Rehearse<'_>) -> Result<Rehearsal, ProviderError> {
    provider.serves(&request.owner.address.kind)?;
    let attributes = request.attributes;
    let cluster = required(attributes, "cluster")?;
    let namespace = required(attributes, "namespace")?;
    let release = required(attributes, "release")?;
    let helm = provider.helm().await?;
    let site = provider.site(cluster, namespace, release).await?;
    let capabilities = provider.capabilities(&site).await?;
    let rendering = |asked| render(provider, &helm, &site, asked, request.kind, &capabilities);
    let all_known = !has_stand_ins(values_of(attributes));
    let after = match rendering(attributes).await {
        Err(error) if error.kind == ErrorKind::Invalid && all_known => {
            return Ok(Answer::Misfit(error).into());
        }
        rendered => rendered?,
    };
    let mut checked = false;
    if all_known {
        match fits(&site.cluster, &after).await {
            Ok(all) => checked = all,
            Err(misfit) => return Ok(Answer::Misfit(misfit).into()),
        }
    }
    let after = objects(&after, namespace, &[]);
    let before = match request
        .before
        .filter(|_| request.kind == ChangeKind::Update)
    {
        None => Default::default(),
        Some(asked) => match deployed(&site).await? {
            Some(there) => {
                let secrets = secrets_in(&there.config, values_of(asked));
                objects(&there.manifest, namespace, &secrets)
            }
            None => objects(&rendering(asked).await?, namespace, &[]),
        },
    };
    let why = "the chart renders, and the server sees its objects when it is applied".into();
    Ok(Rehearsal {
        objects: changes(before, after, namespace),
        ..Answer::NotYet { why, checked }.into()
    })
}

/// Whether the objects of a rendered chart could all be held against the server's schemas; how the
/// first that does not fit does not.
async fn fits(cluster: &Cluster, manifest: &str) -> Result<bool, ProviderError> {
    let mut all = true;
    for document in documents(manifest) {
        if let Json::Object(object) = document {
            let fits = cluster.fits(object).await;
            all &= fits.is_some();
            fits.transpose().map_err(misfit)?;
        }
    }
    Ok(all)
}

fn misfit(message: String) -> ProviderError {
    ProviderError::new(ErrorKind::Invalid, message)
        .with_hint("correct the chart or its values; fields are told by: kubectl explain KIND")
}

/// What was sent to the cluster last.
async fn deployed(site: &Site) -> Result<Option<Release>, ProviderError> {
    let place = &site.place;
    let found = view::newest_of(&site.cluster, &place.namespace, &place.release).await?;
    match found {
        Some(revision) => view::open(&site.cluster, &revision).await,
        None => Ok(None),
    }
}

/// A chart with values, as Helm writes it for this cluster.
async fn render(
    provider: &HelmProvider,
    helm: &Helm,
    site: &Site,
    attributes: &Attributes,
    kind: ChangeKind,
    capabilities: &Capabilities,
) -> Result<String, ProviderError> {
    let chart = provider.charts.ready(helm, Wish::of(attributes)?).await?;
    let mut arguments: Vec<OsString> = ["template", "--values", "-", "--no-hooks", "--skip-tests"]
        .iter()
        .map(OsString::from)
        .collect();
    if kind == ChangeKind::Update {
        arguments.push("--is-upgrade".into());
    }
    arguments.extend(["--namespace".into(), site.place.namespace.clone().into()]);
    arguments.extend(capabilities.0.iter().cloned());
    arguments.push("--".into());
    arguments.push(site.place.release.clone().into());
    arguments.push(chart.path.into_os_string());
    let values = Json::Object(stand_ins(values_of(attributes))).to_string();
    let _room = provider.room.acquire().await;
    let what = format!("rendering {}", chart.name);
    helm.ask(&what, &arguments, Some(values.into_bytes()), PATIENCE)
        .await
}

impl Capabilities {
    /// Asks a server.
    ///
    /// # Errors
    /// It does not answer.
    pub(super) async fn ask(cluster: &Cluster) -> Result<Arc<Self>, ProviderError> {
        let version = cluster.wire.look("/version").await?;
        let mut served = Vec::new();
        for path in ["/api", "/apis"] {
            served.extend(serves(&cluster.wire.look_as(path, ALL_KINDS).await?));
        }
        Ok(Arc::new(Self::of(&version, &served)))
    }

    fn of(version: &Json, served: &[String]) -> Self {
        let mut arguments = Vec::new();
        if let Some(version) = version.get("gitVersion").and_then(Json::as_str) {
            arguments.extend(["--kube-version".into(), version.into()]);
        }
        if !served.is_empty() {
            arguments.extend(["--api-versions".into(), served.join(",").into()]);
        }
        Self(arguments)
    }
}

/// The versions, and the kinds of each, in a server's account of itself: `apps/v1` and
/// `apps/v1/Deployment`. An old server tells the versions of groups only.
fn serves(told: &Json) -> Vec<String> {
    let list = |json: &Json, key: &str| json.get(key).and_then(Json::as_array).cloned();
    let text = |json: &Json, path: &str| json.pointer(path)?.as_str().map(str::to_owned);
    let mut found: Vec<String> = Vec::new();
    for group in list(told, "items").unwrap_or_default() {
        let name = text(&group, "/metadata/name").unwrap_or_default();
        for version in list(&group, "versions").unwrap_or_default() {
            let Some(word) = text(&version, "/version") else {
                continue;
            };
            let version_of = if name.is_empty() {
                word
            } else {
                format!("{name}/{word}")
            };
            for resource in list(&version, "resources").unwrap_or_default() {
                let kind = text(&resource, "/responseKind/kind");
                found.extend(kind.map(|kind| format!("{version_of}/{kind}")));
            }
            found.push(version_of);
        }
    }
    for group in list(told, "groups").unwrap_or_default() {
        let versions = list(&group, "versions").unwrap_or_default();
        found.extend(versions.iter().filter_map(|it| text(it, "/groupVersion")));
    }
    let versions = list(told, "versions").unwrap_or_default();
    found.extend(
        versions
            .iter()
            .filter_map(|it| Some(it.as_str()?.to_owned())),
    );
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use matih_model::{OwnerMark, RunId};
    use serde_json::json;

    use super::super::settings::HelmSettings;
    use super::*;
    use crate::kubernetes::{Kubernetes, KubernetesSettings};

    #[tokio::test]
    async fn a_plan_without_a_helm_says_so_and_refuses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let settings = HelmSettings {
            binary: Some(folder.path().join("no-helm")),
            registries: None,
            environment: Vec::new(),
            force_conflicts: false,
            parallel: 1,
            history: 2,
            folder: folder.path().to_owned(),
            base: folder.path().to_owned(),
            embedded: Vec::new(),
        };
        let kubernetes = Kubernetes::new(KubernetesSettings {
            concurrency: 1,
            force_conflicts: false,
            timeout: Duration::from_secs(1),
            clusters: BTreeMap::new(),
        });
        let provider = HelmProvider::new(settings, kubernetes.unwrap()).unwrap();
        let owner = OwnerMark {
            installation: "here".to_owned(),
            address: "acme/helm.release/web".parse().unwrap(),
            generation: 1,
            run: RunId::new("run-1"),
        };
        let attributes = json!({ "cluster": "c", "namespace": "ns", "release": "web",
            "chart": { "name": "web" } });
        let request = Rehearse {
            owner: &owner,
            kind: ChangeKind::Create,
            attributes: &serde_json::from_value(attributes).unwrap(),
            before: None,
            remote_id: None,
        };
        let answers = rehearse(&provider, &[request]).await.unwrap();
        match &answers[..] {
            [
                Rehearsal {
                    answer:
                        Answer::NotYet {
                            why,
                            checked: false,
                        },
                    ..
                },
            ] => {
                assert!(why.starts_with("Helm cannot be used"), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_server_serves_becomes_what_helm_is_told() {
        let resource = json!({ "resource": "deployments", "responseKind": { "group": "apps", "version": "v1", "kind": "Deployment" } });
        let told = json!({ "kind": "APIGroupDiscoveryList", "items": [
            { "metadata": { "name": "apps" }, "versions": [{ "version": "v1", "resources": [resource] }] },
            { "metadata": {}, "versions": [{ "version": "v1", "resources": [] }] }] });
        assert_eq!(serves(&told), ["apps/v1", "apps/v1/Deployment", "v1"]);
        let old = json!({ "groups": [{ "name": "apps", "versions": [{ "groupVersion": "apps/v1", "version": "v1" }] }] });
        assert_eq!(serves(&old), ["apps/v1"]);
        assert_eq!(serves(&json!({ "versions": ["v1"] })), ["v1"]);
        let version = json!({ "gitVersion": "v1.34.1" });
        let told = Capabilities::of(&version, &["a".to_owned(), "b".to_owned()]);
        let words = ["--kube-version", "v1.34.1", "--api-versions", "a,b"];
        assert_eq!(told.0, words.map(OsString::from));
        assert_eq!(Capabilities::of(&json!({}), &[]), Capabilities::default());
    }
}
