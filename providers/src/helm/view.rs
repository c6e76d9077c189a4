//! The revisions of releases as the cluster shows them: lists of what Helm's Secrets say on the
//! outside, and single ones opened.
//!
//! A list asks for the outside only, so it stays small however large the charts are.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use matih_model::{ErrorKind, ProviderError};
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::marks::Labels;
use super::release::Release;
use crate::kubernetes::{Ask, Cluster, Failure, METADATA, encoded, pages};

/// All Secrets that Helm keeps revisions in, but for those that another revision has followed.
const CURRENT: &str = "owner=helm,status!=superseded";

/// The annotation with the objects of a revision.
const OBJECTS: &str = "helm.matih.ai/objects";

/// The media type of a merge.
const MERGE: &str = "application/merge-patch+json";

/// One revision of a release, from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Revision {
    pub(super) namespace: String,
    pub(super) release: String,
    /// Its number, from 1.
    pub(super) number: u64,
    /// Helm's word for its state.
    pub(super) status: String,
    /// When it was last touched, in seconds since the Unix epoch.
    pub(super) touched: u64,
    pub(super) labels: Labels,
    /// What is noted on it of its objects.
    pub(super) objects: Option<String>,
    /// The name of its Secret.
    secret: String,
}

impl Revision {
    fn read(json: &Json) -> Option<Self> {
        let metadata = json.get("metadata")?;
        let text = |key: &str| metadata.get(key)?.as_str().map(str::to_owned);
        let labels: Labels = serde_json::from_value(metadata.get("labels")?.clone()).ok()?;
        let number = |key: &str| labels.get(key)?.parse().ok();
        Some(Self {
            namespace: text("namespace")?,
            release: labels.get("name")?.clone(),
            number: number("version")?,
            status: labels.get("status")?.clone(),
            touched: number("modifiedAt")
                .or_else(|| number("createdAt"))
                .unwrap_or(0),
            objects: metadata
                .get("annotations")
                .and_then(|notes| notes.get(OBJECTS)?.as_str())
                .map(str::to_owned),
            secret: text("name")?,
            labels,
        })
    }

    /// Whether a helm is at work on it, or was when it was killed.
    pub(super) fn is_pending(&self) -> bool {
        self.status.starts_with("pending-")
    }

    /// Whether it says that the release is gone.
    fn is_gone(&self) -> bool {
        self.status == "uninstalled"
    }
}

/// Releases by namespace and name.
pub(super) type Releases = BTreeMap<(String, String), Revision>;

/// The newest revision of each release in a namespace, or in all, that a selector finds. What is
/// uninstalled is not there.
pub(super) async fn newest(
    cluster: &Cluster,
    namespace: Option<&str>,
    selector: &str,
) -> Result<Releases, Failure> {
    let selector = match selector {
        "" => CURRENT.to_owned(),
        selector => format!("{CURRENT},{selector}"),
    };
    let mut newest = Releases::new();
    for revision in list(cluster, namespace, &selector).await? {
        let key = (revision.namespace.clone(), revision.release.clone());
        match newest.get(&key) {
            Some(there) if there.number >= revision.number => {}
            _ => drop(newest.insert(key, revision)),
        }
    }
    newest.retain(|_, revision| !revision.is_gone());
    Ok(newest)
}

/// The newest revision of one release.
pub(super) async fn newest_of(
    cluster: &Cluster,
    namespace: &str,
    release: &str,
) -> Result<Option<Revision>, Failure> {
    let found = newest(cluster, Some(namespace), &format!("name={release}")).await?;
    Ok(found.into_values().next())
}

/// All revisions of one release, newest first.
pub(super) async fn history(
    cluster: &Cluster,
    namespace: &str,
    release: &str,
) -> Result<Vec<Revision>, Failure> {
    let selector = format!("owner=helm,name={release}");
    let mut found = list(cluster, Some(namespace), &selector).await?;
    found.sort_by_key(|revision| std::cmp::Reverse(revision.number));
    Ok(found)
}

async fn list(
    cluster: &Cluster,
    namespace: Option<&str>,
    selector: &str,
) -> Result<Vec<Revision>, Failure> {
    let (selector, kind) = (encoded(selector), encoded("type=helm.sh/release.v1"));
    let all = secrets(namespace);
    let all = format!("{all}?labelSelector={selector}&fieldSelector={kind}");
    let mut found = Vec::new();
    let mut visit = |secret: Option<&RawValue>| {
        match secret {
            Some(secret) => {
                let secret: Result<Json, _> = serde_json::from_str(secret.get());
                found.extend(secret.ok().as_ref().and_then(Revision::read));
            }
            None => found.clear(),
        }
        Ok(())
    };
    pages(&cluster.wire, &all, METADATA, &mut visit).await?;
    Ok(found)
}

/// Opens a revision; `None` if it is not there any more.
pub(super) async fn open(
    cluster: &Cluster,
    revision: &Revision,
) -> Result<Option<Release>, ProviderError> {
    let json = match cluster.wire.look(&path_of(revision)).await {
        Ok(json) => json,
        Err(failure) if failure.is_absent() => return Ok(None),
        Err(failure) => return Err(failure.into()),
    };
    let broken = |cause: String| {
        let text = format!(
            "revision {} of {}/{} cannot be read: {cause}",
            revision.number, revision.namespace, revision.release
        );
        ProviderError::new(ErrorKind::Invalid, text)
    };
    let data = json.pointer("/data/release").and_then(Json::as_str);
    let data = data.ok_or_else(|| broken("it has no data".to_owned()))?;
    let data = STANDARD
        .decode(data)
        .map_err(|error| broken(error.to_string()))?;
    let release = Release::decode(&data).map_err(|error| broken(error.to_string()))?;
    Ok(Some(release))
}

/// Writes labels on a revision.
pub(super) async fn relabel(
    cluster: &Cluster,
    revision: &Revision,
    labels: &Labels,
    until: Instant,
) -> Result<(), Failure> {
    merge(cluster, revision, &json!({ "labels": labels }), until).await
}

/// Notes the objects of a revision on it.
pub(super) async fn note_objects(
    cluster: &Cluster,
    revision: &Revision,
    objects: &str,
    until: Instant,
) -> Result<(), Failure> {
    let notes = json!({ "annotations": { OBJECTS: objects } });
    merge(cluster, revision, &notes, until).await
}

async fn merge(
    cluster: &Cluster,
    revision: &Revision,
    metadata: &Json,
    until: Instant,
) -> Result<(), Failure> {
    let body = json!({ "metadata": metadata });
    let ask = Ask {
        method: Method::PATCH,
        path: path_of(revision),
        body: Some(body.to_string().into_bytes()),
        form: MERGE,
        accept: "application/json",
    };
    cluster.wire.send(ask, until).await?;
    Ok(())
}

/// A live Service, if it is there.
pub(super) async fn service(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
) -> Result<Option<Json>, Failure> {
    let (namespace, name) = (encoded(namespace), encoded(name));
    let path = format!("/api/v1/namespaces/{namespace}/services/{name}");
    match cluster.wire.look(&path).await {
        Ok(service) => Ok(Some(service)),
        Err(failure) if failure.is_absent() => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn secrets(namespace: Option<&str>) -> String {
    match namespace {
        None => "/api/v1/secrets".to_owned(),
        Some(namespace) => format!("/api/v1/namespaces/{}/secrets", encoded(namespace)),
    }
}

fn path_of(revision: &Revision) -> String {
    let all = secrets(Some(&revision.namespace));
    format!("{all}/{}", encoded(&revision.secret))
}

#[cfg(test)]
impl Revision {
    /// A revision for the tests of who looks at them.
    pub(super) fn of_test(number: u64, status: &str, touched: u64, labels: Labels) -> Self {
        Self {
            namespace: "ns".to_owned(),
            release: "r".to_owned(),
            number,
            status: status.to_owned(),
            touched,
            labels,
            objects: None,
            secret: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(labels: &Json) -> Json {
        json!({ "metadata": { "namespace": "matih", "name": "sh.helm.release.v1.a.v7", "labels": labels } })
    }

    #[test]
    fn a_revision_is_read_from_its_labels() {
        let labels = json!({ "owner": "helm", "name": "a", "version": "7", "status": "pending-upgrade",
            "createdAt": "1700000000", "modifiedAt": "1700000001" });
        let read = Revision::read(&secret(&labels)).unwrap();
        assert_eq!((read.number, read.touched), (7, 1_700_000_001));
        assert!(read.is_pending() && !read.is_gone());
        assert_eq!(
            path_of(&read),
            "/api/v1/namespaces/matih/secrets/sh.helm.release.v1.a.v7"
        );
        assert_eq!(Revision::read(&secret(&json!({ "owner": "helm" }))), None);
    }
}
