//! The revisions of a release that Helm keeps: what each held, and whose hand made it.

use futures_util::stream::{self, StreamExt};
use matih_model::{ProviderError, RemoteId, Revision};

use super::look::OPEN_AT_ONCE;
use super::marks::{self, Attempt};
use super::observed::said;
use super::provider::HelmProvider;
use super::release::Release;
use super::site::Place;
use super::view;
use crate::kubernetes::Cluster;

/// All revisions of a release, newest first.
///
/// # Errors
/// They cannot be listed, or one of them cannot be read.
pub(super) async fn history(
    provider: &HelmProvider,
    remote_id: &RemoteId,
) -> Result<Vec<Revision>, ProviderError> {
    let place = Place::parse(remote_id)?;
    let target = provider.kubernetes.target(&place.target)?;
    let cluster = provider.kubernetes.cluster(&target).await?;
    let cluster: &Cluster = &cluster;
    let kept = view::history(cluster, &place.namespace, &place.release).await?;
    let opened = kept.iter().map(|revision| async move {
        let release = view::open(cluster, revision).await?;
        // One that is gone meanwhile was the oldest: Helm keeps so many.
        Ok(release.map(|release| told(revision, &release)))
    });
    let opened = stream::iter(opened.collect::<Vec<_>>()).buffered(OPEN_AT_ONCE);
    let opened: Vec<Result<Option<Revision>, ProviderError>> = opened.collect().await;
    opened.into_iter().filter_map(Result::transpose).collect()
}

fn told(revision: &view::Revision, release: &Release) -> Revision {
    let info = &release.info;
    let metadata = &release.chart.metadata;
    // Helm copies our labels to what others make; whose helm it was, it does not copy.
    let ours = Attempt::of(&revision.labels, revision.number).is_some();
    Revision {
        number: revision.number,
        updated: Some(info.last_deployed.as_str().into())
            .filter(|_| !info.last_deployed.is_empty()),
        status: info.status.as_str().into(),
        made_of: format!("{} {}", metadata.name, metadata.version).into(),
        app_version: metadata.app_version.as_str().into(),
        description: said(&info.description).into(),
        maker: marks::owner(&revision.labels).filter(|_| ours),
    }
}

#[cfg(test)]
mod tests {
    use matih_model::{OwnerMark, RunId};
    use serde_json::json;

    use super::*;

    #[test]
    fn who_made_a_revision_is_told_by_the_labels_of_that_revision_alone() {
        let owner = OwnerMark {
            installation: "here".to_owned(),
            address: "acme/helm.release/web".parse().unwrap(),
            generation: 1,
            run: RunId::new("run-01"),
        };
        let mut labels = marks::ownership(&owner, "lab");
        let attempt = Attempt {
            host: "h".to_owned(),
            until: 7,
        };
        labels.extend(attempt.labels(3));
        let release = json!({ "version": 3, "info": { "status": "superseded", "description": "Upgrade complete",
                "last_deployed": "2026-11-22T10:00:00Z" },
            "chart": { "metadata": { "name": "web", "version": "1.0.0" } } });
        let release: Release = serde_json::from_value(release).unwrap();
        let ours = view::Revision::of_test(3, "superseded", 0, labels.clone());
        let ours = told(&ours, &release);
        assert_eq!(ours.maker, Some(owner));
        assert_eq!(
            (&*ours.made_of, &*ours.description),
            ("web 1.0.0", "Upgrade complete")
        );
        let others = view::Revision::of_test(4, "deployed", 0, labels);
        assert_eq!(told(&others, &release).maker, None);
    }
}
