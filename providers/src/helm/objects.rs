//! The objects of a release, and whether they still are as helm made them.
//!
//! Helm itself never looks. Which objects there are is noted on the revision, so that one list of
//! each kind tells which releases are worth a closer look.

use futures_util::future::try_join_all;
use matih_model::{Attributes, ProviderError, Touch};
use serde::{Deserialize, Serialize};

use super::outputs::documents;
use super::release::Release;
use super::view::Revision;
use crate::kubernetes::{Cluster, Hands, Made, manifest, otherwise};

/// What all objects of helm bear.
pub(super) const SELECTOR: &str = "app.kubernetes.io/managed-by=Helm";

/// Helm's name as a manager of fields.
pub(super) const MAKER: &str = "helm";

/// What is noted on a revision.
#[derive(Serialize, Deserialize)]
struct Note {
    revision: u64,
    objects: Vec<Made>,
}

fn manifests(release: &Release) -> impl Iterator<Item = Attributes> {
    documents(&release.manifest).filter_map(manifest)
}

/// The note for a revision.
pub(super) fn note(release: &Release) -> String {
    let note = Note {
        revision: release.version,
        objects: manifests(release).filter_map(|it| Made::of(&it)).collect(),
    };
    serde_json::to_string(&note).unwrap_or_default()
}

/// The objects of a revision, if they are noted on it.
pub(super) fn noted(revision: &Revision) -> Option<Vec<Made>> {
    let note: Note = serde_json::from_str(revision.objects.as_deref()?).ok()?;
    (note.revision == revision.number).then_some(note.objects)
}

/// Whether nobody but helm has touched any object of a release.
pub(super) fn are_as_made(revision: &Revision, hands: &Hands) -> bool {
    let as_made = |made: &Made| hands.is_as_made(made, &revision.namespace);
    noted(revision).is_some_and(|objects| objects.iter().all(as_made))
}

/// How the objects of a release are otherwise than helm made them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Drift {
    /// For people, an object a line.
    pub(super) texts: Vec<String>,
    /// Whose hands it was, on the status of the release.
    pub(super) touches: Vec<Touch>,
}

/// Looks at every object of a release.
///
/// # Errors
/// One cannot be looked at.
pub(super) async fn drift(
    cluster: &Cluster,
    namespace: &str,
    release: &Release,
) -> Result<Drift, ProviderError> {
    let manifests: Vec<Attributes> = manifests(release).collect();
    let looks = manifests
        .iter()
        .map(|manifest| otherwise(cluster, manifest, namespace));
    let mut drift = Drift::default();
    for found in try_join_all(looks).await?.into_iter().flatten() {
        drift.texts.push(found.text);
        drift.touches.extend(found.by.and_then(|touch| {
            let path = "status".parse().ok()?;
            Some(Touch { path, ..touch })
        }));
    }
    Ok(drift)
}
