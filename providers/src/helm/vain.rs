//! Waiting for the pods of a release: how far they are, and when and why it is in vain.
//!
//! Helm waits to the end of its time whatever happens. Pods that cannot heal, or have not healed in
//! a while, end the wait early, with their own words. Those that were there before do not count: an
//! upgrade may be what heals them. Nor does a lack of room: nodes may be on their way.

use std::collections::BTreeSet;
use std::time::Duration;

use matih_model::{ErrorKind, ProviderError, Telling};
use tokio::time::Instant;

use super::deed::Deed;
use crate::kubernetes::{Coming, Why, coming, pods};

/// How long after helm's start the pods are looked at for the first time, and how often then.
const PAUSE: Duration = Duration::from_secs(2);

/// How long trouble has to pass.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pods of the release as they are now.
pub(super) async fn before(deed: &Deed<'_>) -> BTreeSet<String> {
    let place = &deed.site.place;
    pods(&deed.site.cluster, &place.namespace, &selector(deed)).await
}

/// Tells how far the release is, whenever that is another, and ends when it waits in vain.
pub(super) async fn in_vain(deed: &Deed<'_>, before: &BTreeSet<String>) -> ProviderError {
    let mut since: Option<Instant> = None;
    let mut last = String::new();
    loop {
        tokio::time::sleep(PAUSE).await;
        let seen = find(deed, before).await;
        let text = seen.to_string();
        if !text.is_empty() && text != last {
            deed.call.crossing.tell(Telling::Waiting(&text));
            last = text;
        }
        let Some(found) = seen.why.filter(|found| !found.is_room) else {
            since = None;
            continue;
        };
        let first = since.get_or_insert_with(Instant::now);
        // What is merely not ready yet has all of helm's time.
        let stuck = found.is_trouble && first.elapsed() >= PATIENCE;
        if found.is_final || stuck {
            return told(deed, &found, ErrorKind::Invalid);
        }
    }
}

/// The same failure in the words of the pods, where those have any.
pub(super) async fn explained(deed: &Deed<'_>, error: ProviderError) -> ProviderError {
    if error.kind != ErrorKind::Unavailable {
        return error;
    }
    match find(deed, &BTreeSet::new()).await.why {
        Some(found) => told(deed, &found, error.kind),
        None => error,
    }
}

async fn find(deed: &Deed<'_>, but: &BTreeSet<String>) -> Coming {
    let place = &deed.site.place;
    coming(&deed.site.cluster, &place.namespace, &selector(deed), but).await
}

/// What the pods of a release have in common, by the convention of charts.
fn selector(deed: &Deed<'_>) -> String {
    format!("app.kubernetes.io/instance={}", deed.site.place.release)
}

fn told(deed: &Deed<'_>, found: &Why, kind: ErrorKind) -> ProviderError {
    let text = format!(
        "release {} is installed as wanted and does not work: {}",
        deed.site.place, found.text
    );
    ProviderError::new(kind, text).with_hint(found.hint)
}
