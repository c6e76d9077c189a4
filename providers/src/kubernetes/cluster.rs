//! One cluster: its connection, what it serves, and the questions that are asked of it.

use std::sync::Arc;

use http::Method;
use matih_model::{ErrorKind, ProviderError};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::discovery::{Api, Discovery};
use super::failure::Failure;
use super::live::{Live, MANAGER};
use super::openapi::Schemas;
use super::pages::{Outside, pages};
use super::place::{Gvk, Place, collection};
use super::wire::{APPLY, Ask, JSON, METADATA, Reply, Wire, encoded};

/// Only try it.
const DRY: &str = "&dryRun=All";
/// How often a look is repeated that the server contradicts.
const LOOKS: u32 = 3;

/// A cluster that is connected to.
pub(crate) struct Cluster {
    /// Its name as a target.
    pub(super) name: String,
    pub(crate) wire: Wire,
    pub(super) discovery: Discovery,
    pub(super) schemas: Schemas,
}

impl Cluster {
    /// The kind that a manifest names.
    ///
    /// # Errors
    /// The cluster does not serve it, or cannot be asked.
    pub(super) async fn api(&self, gvk: &Gvk) -> Result<Arc<Api>, ProviderError> {
        let found = self.discovery.find(&self.wire, gvk).await?;
        found.ok_or_else(|| {
            let message = format!("cluster `{}` does not serve {gvk}", self.name);
            ProviderError::new(ErrorKind::Invalid, message)
                .with_hint("install what defines this kind, or correct `apiVersion` and `kind`")
        })
    }

    /// An object as it is now; `None` if it is not there.
    pub(super) async fn get(&self, api: &Api, place: &Place) -> Result<Option<Live>, Failure> {
        match self.wire.look(&self.path(api, place)).await {
            Ok(json) => Ok(Some(live(json)?)),
            Err(failure) if failure.is_absent() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The same, where much hangs on it that this life of the object is over: then the server is
    /// asked to try its deletion, and only to try it. A look may be answered by somebody who is
    /// behind, such as a cache on the way; a change is decided by the server's storage.
    pub(super) async fn get_surely(
        &self,
        api: &Api,
        place: &Place,
    ) -> Result<Option<Live>, Failure> {
        for _ in 0..LOOKS {
            let found = self.get(api, place).await?;
            let is_meant = |live: &Live| live.uid() == place.uid;
            if place.uid.is_empty() || found.as_ref().is_some_and(is_meant) {
                return Ok(found);
            }
            match self.try_removal(api, place).await {
                Err(failure) if failure.is_absent() => return Ok(None),
                // Who may not delete it has only the look to go by.
                Err(failure) if failure.kind == ErrorKind::Denied => return Ok(found),
                Err(failure) if failure.is_other_life() && found.is_some() => return Ok(found),
                // It could be deleted, or something is there after all: the look was behind.
                Ok(_) => {}
                Err(failure) if failure.code == Some(409) => {}
                Err(failure) => return Err(failure),
            }
        }
        let message = format!("the server does not show {place}, and could delete it");
        Err(Failure::new(ErrorKind::Unavailable, message))
    }

    /// Whether this life of an object could be taken away; nothing is.
    async fn try_removal(&self, api: &Api, place: &Place) -> Result<Reply, Failure> {
        // With a body, the server does not look at the query; it stands there for the audit log.
        let body = serde_json::json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "dryRun": ["All"],
            "preconditions": { "uid": place.uid },
        });
        let ask = Ask {
            method: Method::DELETE,
            path: format!("{}?dryRun=All", self.path(api, place)),
            body: Some(body.to_string().into_bytes()),
            form: JSON,
            accept: JSON,
        };
        self.wire.repeat(&ask).await
    }

    /// The path of an object.
    pub(super) fn path(&self, api: &Api, place: &Place) -> String {
        let all = collection(&api.gvk, &api.plural, &place.namespace);
        format!("{all}/{}", encoded(&place.name))
    }

    /// All objects of a kind that a selector of labels finds, page by page. An empty namespace
    /// stands for all.
    pub(super) async fn list(
        &self,
        api: &Api,
        namespace: &str,
        selector: &str,
    ) -> Result<Vec<Live>, Failure> {
        self.pages(api, namespace, selector, JSON).await
    }

    /// The same of all namespaces, with nothing but the metadata of each object.
    pub(super) async fn list_marks(&self, api: &Api, selector: &str) -> Result<Vec<Live>, Failure> {
        self.pages(api, "", selector, METADATA).await
    }

    /// The metadata of what [`Cluster::list`] finds.
    pub(super) async fn outsides(
        &self,
        api: &Api,
        namespace: &str,
        selector: &str,
    ) -> Result<Vec<Live>, Failure> {
        self.pages(api, namespace, selector, METADATA).await
    }

    async fn pages(
        &self,
        api: &Api,
        namespace: &str,
        selector: &str,
        form: &'static str,
    ) -> Result<Vec<Live>, Failure> {
        let mut found = Vec::new();
        let mut take = |object: Option<Listed<'_>>| {
            match object {
                Some(object) => found.push(object.open()?),
                None => found.clear(),
            }
            Ok(())
        };
        self.visit(api, namespace, selector, form, &mut take)
            .await?;
        Ok(found)
    }

    /// Shows each object of a list, and keeps no more than a page of them; nothing means that the
    /// list begins anew.
    pub(super) async fn visit(
        &self,
        api: &Api,
        namespace: &str,
        selector: &str,
        form: &'static str,
        visit: &mut (dyn FnMut(Option<Listed<'_>>) -> Result<(), Failure> + Send),
    ) -> Result<(), Failure> {
        let all = collection(&api.gvk, &api.plural, namespace);
        let all = format!("{all}?labelSelector={}", encoded(selector));
        let mut show = |raw: Option<&RawValue>| visit(raw.map(|raw| Listed { raw, api }));
        pages(&self.wire, &all, form, &mut show).await
    }

    /// A server-side apply under strict validation.
    pub(super) async fn apply(
        &self,
        api: &Api,
        place: &Place,
        body: &Value,
        how: How,
        until: Instant,
    ) -> Result<Reply, Failure> {
        self.wire
            .send(self.applying(api, place, body, how), until)
            .await
    }

    /// What would come of an apply; asked again where that may help.
    pub(super) async fn try_apply(
        &self,
        api: &Api,
        place: &Place,
        body: &Value,
        force: bool,
    ) -> Result<Reply, Failure> {
        let how = How { force, dry: true };
        self.wire
            .repeat(&self.applying(api, place, body, how))
            .await
    }

    fn applying(&self, api: &Api, place: &Place, body: &Value, how: How) -> Ask {
        let (force, dry) = (how.force, if how.dry { DRY } else { "" });
        let path = self.path(api, place);
        Ask {
            method: Method::PATCH,
            path: format!(
                "{path}?fieldManager={MANAGER}&fieldValidation=Strict&force={force}{dry}"
            ),
            body: Some(body.to_string().into_bytes()),
            form: APPLY,
            accept: JSON,
        }
    }

    /// What would come of making an object. That its name is taken is said last of all.
    pub(super) async fn try_post(
        &self,
        api: &Api,
        place: &Place,
        body: &Value,
    ) -> Result<Reply, Failure> {
        let all = collection(&api.gvk, &api.plural, &place.namespace);
        let ask = Ask {
            method: Method::POST,
            path: format!("{all}?fieldManager={MANAGER}&fieldValidation=Strict{DRY}"),
            body: Some(body.to_string().into_bytes()),
            form: JSON,
            accept: JSON,
        };
        self.wire.repeat(&ask).await
    }

    /// Takes away this life of an object, if it still is as it was read.
    pub(super) async fn remove(
        &self,
        api: &Api,
        place: &Place,
        live: &Live,
        until: Instant,
    ) -> Result<Reply, Failure> {
        let body = serde_json::json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Foreground",
            "preconditions": { "uid": live.uid(), "resourceVersion": live.resource_version() },
        });
        let ask = Ask {
            method: Method::DELETE,
            path: self.path(api, place),
            body: Some(body.to_string().into_bytes()),
            form: JSON,
            accept: JSON,
        };
        self.wire.send(ask, until).await
    }
}

/// How an apply is meant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct How {
    /// Take over what others own.
    pub(super) force: bool,
    /// Only tell what would be.
    pub(super) dry: bool,
}

/// An object of a list, as it came.
#[derive(Clone, Copy)]
pub(super) struct Listed<'a> {
    raw: &'a RawValue,
    api: &'a Api,
}

impl<'a> Listed<'a> {
    /// What it is called, and which state of it this is.
    pub(super) fn outside(self) -> Result<Outside<'a>, Failure> {
        Outside::of(self.raw)
    }

    /// All of it. Items of a list do not say what they are, and metadata alone says that it is
    /// metadata.
    pub(super) fn open(self) -> Result<Live, Failure> {
        let mut json: Value = serde_json::from_str(self.raw.get()).map_err(|_| no_object())?;
        if let Some(json) = json.as_object_mut() {
            json.insert("apiVersion".to_owned(), self.api.gvk.api_version().into());
            json.insert("kind".to_owned(), self.api.gvk.kind.clone().into());
        }
        live(json)
    }
}

/// An answer that must be an object.
pub(super) fn live(json: Value) -> Result<Live, Failure> {
    Live::read(json).ok_or_else(no_object)
}

fn no_object() -> Failure {
    Failure::new(ErrorKind::Unavailable, "the answer is no object")
}
