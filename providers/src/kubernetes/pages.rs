//! Lists, page by page. No more than a page of objects is held at once, and each is read from its
//! outside first: who knows enough by then does not have it opened.

use std::borrow::Cow;
use std::collections::BTreeMap;

use matih_model::{ErrorKind, OwnerMark};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::failure::Failure;
use super::mark;
use super::wire::{Wire, encoded};

/// How many objects a page of a list holds.
const PAGE: usize = 500;
/// How often a list that is too old to go on with begins anew, and one that is of an earlier time.
const RESTARTS: u32 = 3;

/// A page, its objects unread.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    metadata: Next,
    items: Option<Vec<Box<RawValue>>>,
}

#[derive(Default, Deserialize)]
struct Next {
    #[serde(rename = "continue", default)]
    token: String,
    #[serde(rename = "resourceVersion", default)]
    revision: String,
}

/// Shows each object of a list; nothing means that the list begins anew. `all` is the path with all
/// of the query but for what is of pages.
pub(crate) async fn pages(
    wire: &Wire,
    all: &str,
    form: &'static str,
    visit: &mut (dyn FnMut(Option<&RawValue>) -> Result<(), Failure> + Send),
) -> Result<(), Failure> {
    let mut next = String::new();
    let mut restarts = 0;
    let mut behind = 0;
    let mut first = wire.revisions.wait_for_first().await;
    loop {
        let asked = wire.revisions.newest();
        let path = format!("{all}&limit={PAGE}&continue={}", encoded(&next));
        let page: Page = match wire.look_as(&path, form).await {
            Ok(page) => page,
            Err(failure) if failure.code == Some(410) && restarts < RESTARTS => {
                restarts += 1;
                next.clear();
                visit(None)?;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        let is_behind = wire.revisions.is_behind(&page.metadata.revision, asked);
        drop(first.take());
        // The later pages of a list are of the time of its first.
        if is_behind && next.is_empty() && behind < RESTARTS {
            behind += 1;
            continue;
        }
        let items = match page.items {
            Some(items) => items,
            // An empty list may be an explicit nothing.
            None if page.kind.ends_with("List") => Vec::new(),
            None => return Err(unreadable("the answer is no list")),
        };
        for item in &items {
            visit(Some(item))?;
        }
        next = page.metadata.token;
        if next.is_empty() {
            return Ok(());
        }
    }
}

/// What an object is called, and which state of it this is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outside<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    /// Empty for what is cluster-wide.
    #[serde(borrow, default)]
    pub(super) namespace: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) uid: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) resource_version: Cow<'a, str>,
    #[serde(borrow)]
    labels: Option<&'a RawValue>,
    #[serde(borrow)]
    annotations: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    metadata: Outside<'a>,
}

impl<'a> Outside<'a> {
    /// Of an unread object.
    pub(super) fn of(object: &'a RawValue) -> Result<Self, Failure> {
        let object: Result<Object<'_>, _> = serde_json::from_str(object.get());
        let object = object.map_err(|_| unreadable("the answer is no object"))?;
        Ok(object.metadata)
    }

    /// The mark that it bears.
    pub(super) fn mark(&self) -> Option<OwnerMark> {
        type Texts = BTreeMap<String, String>;
        let texts =
            |raw: Option<&RawValue>| -> Option<Texts> { serde_json::from_str(raw?.get()).ok() };
        let (labels, notes) = (texts(self.labels)?, texts(self.annotations)?);
        mark::read(
            |name| labels.get(name).map_or("", String::as_str),
            |name| notes.get(name).map_or("", String::as_str),
        )
    }
}

fn unreadable(message: &str) -> Failure {
    Failure::new(ErrorKind::Unavailable, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &serde_json::Value) -> Box<RawValue> {
        RawValue::from_string(json.to_string()).unwrap()
    }

    #[test]
    fn an_object_is_known_by_its_outside() {
        let object = raw(&serde_json::json!({
            "spec": { "metadata": { "name": "other" } },
            "metadata": { "name": "a\"b", "uid": "u", "resourceVersion": "7",
                "labels": { "matih.ai/installation": "here" },
                "annotations": { "matih.ai/address": "acme/kubernetes.manifest/a",
                    "matih.ai/generation": "2", "matih.ai/run": "run-1", "quoted": "\"" } },
        }));
        let outside = Outside::of(&object).unwrap();
        assert_eq!((&*outside.name, &*outside.namespace), ("a\"b", ""));
        assert_eq!((&*outside.uid, &*outside.resource_version), ("u", "7"));
        let mark = outside.mark().unwrap();
        assert_eq!(mark.address.to_string(), "acme/kubernetes.manifest/a");
        assert_eq!((&*mark.installation, mark.generation), ("here", 2));
    }

    #[test]
    fn what_is_no_object_has_no_outside() {
        for json in [
            serde_json::json!(1),
            serde_json::json!({ "metadata": { "name": "a" } }),
        ] {
            assert!(Outside::of(&raw(&json)).is_err(), "{json}");
        }
    }
}
