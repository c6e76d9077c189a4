//! Waiting until an object does what it is for, and giving up early where that is in vain.

use std::collections::BTreeMap;
use std::time::Duration;

use matih_model::{Attributes, ErrorKind, ProviderError, Telling, Value};
use tokio::time::Instant;

use super::call::Deed;
use super::cluster::Cluster;
use super::json::at;
use super::live::Live;
use super::place::Gvk;
use super::ready::{Readiness, has_pods, readiness};
use super::trouble::{Trouble, trouble};
use super::wire::encoded;

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Trouble that might pass has so long to do so.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits, and tells what for; an answer is why the object does not work.
///
/// # Errors
/// The object is gone, or cannot be looked at.
pub(super) async fn wait(
    deed: &Deed<'_>,
    mut live: Live,
    asked: Option<&str>,
) -> Result<(Live, Option<ProviderError>), ProviderError> {
    let mut wait = FIRST_WAIT;
    let mut since: BTreeMap<String, Instant> = BTreeMap::new();
    loop {
        let why = match readiness(&live, asked) {
            Readiness::Ready => return Ok((live, None)),
            Readiness::Failed(why) => {
                let why = unready(deed, ErrorKind::Invalid, &why, None);
                return Ok((live, Some(why)));
            }
            Readiness::Waiting(why) => why,
        };
        let found = why_not(deed, &live, &why).await;
        let in_vain = found.as_ref().is_some_and(|found| {
            let first = since.entry(found.why.clone()).or_insert_with(Instant::now);
            found.is_final || first.elapsed() >= PATIENCE
        });
        if in_vain || Instant::now() + wait >= deed.until {
            let kind = if in_vain {
                ErrorKind::Invalid
            } else {
                ErrorKind::Unavailable
            };
            let (why, hint) = told(deed, found, why).await;
            return Ok((live, Some(unready(deed, kind, &why, hint))));
        }
        if wait > FIRST_WAIT {
            let why = found.as_ref().map_or(&why, |found| &found.why);
            deed.call.crossing.tell(Telling::Waiting(why));
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
        let there = deed.look().await?;
        live = there.filter(|now| now.uid() == live.uid()).ok_or_else(|| {
            let message = format!("{} went away while it was waited for", deed.place);
            ProviderError::new(ErrorKind::Unknown, message)
        })?;
    }
}

fn unready(deed: &Deed<'_>, kind: ErrorKind, why: &str, hint: Option<&str>) -> ProviderError {
    let message = format!("{} is not ready: {why}", deed.place);
    let hint = hint.unwrap_or("when the cause is gone, apply again: it is looked at anew");
    ProviderError::new(kind, message).with_hint(hint)
}

/// What keeps a workload: its quota or its pods.
async fn why_not(deed: &Deed<'_>, live: &Live, why: &str) -> Option<Trouble> {
    if why.contains("exceeded quota") {
        return Some(Trouble {
            pod: String::new(),
            container: None,
            why: why.to_owned(),
            hint: "raise the quota of the tenant, or ask for less",
            is_final: false,
            has_crashed: false,
        });
    }
    if !has_pods(live) {
        return None;
    }
    let labels = at(&live.body, &["spec", "selector", "matchLabels"])?;
    let selector = selector(labels.as_map()?);
    let pods = Gvk::new("v1", "Pod");
    let api = deed.cluster.api(&pods).await.ok()?;
    // Not to see the pods is no reason to stop waiting.
    let pods = deed
        .cluster
        .list(&api, live.namespace(), &selector)
        .await
        .ok()?;
    trouble(&pods)
}

fn selector(labels: &Attributes) -> String {
    let pairs = labels.iter().filter_map(|(key, value)| match value {
        Value::String(value) => Some(format!("{key}={value}")),
        _ => None,
    });
    pairs.collect::<Vec<_>>().join(",")
}

/// The reason in full: with the last words of what crashed.
async fn told(
    deed: &Deed<'_>,
    found: Option<Trouble>,
    why: String,
) -> (String, Option<&'static str>) {
    let Some(found) = found else {
        return (why, None);
    };
    let mut text = found.why.clone();
    if let (true, Some(container)) = (found.has_crashed, &found.container) {
        let last = last_words(&deed.cluster, &deed.place.namespace, &found.pod, container).await;
        if let Some(last) = last {
            text = format!("{text}; its last words: {last}");
        }
    }
    (text, Some(found.hint))
}

pub(super) async fn last_words(
    cluster: &Cluster,
    namespace: &str,
    pod: &str,
    container: &str,
) -> Option<String> {
    let (namespace, pod, container) = (encoded(namespace), encoded(pod), encoded(container));
    let path = format!(
        "/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}&previous=true&tailLines=1"
    );
    let text = cluster.wire.text(&path).await.ok()?;
    let line = text.lines().last()?.trim();
    (!line.is_empty()).then(|| line.chars().take(200).collect())
}
