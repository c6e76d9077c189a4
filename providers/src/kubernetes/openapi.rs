//! The schemas that a server publishes (OpenAPI v3): one document for each group and version, read
//! once in a run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value as Json};
use tokio::sync::OnceCell;

use super::cluster::Cluster;
use super::failure::Failure;
use super::fit::{misfit_of, misfits};
use super::json::{table, text};
use super::place::Gvk;
use super::wire::Wire;

/// A document, once it was asked for.
type Document = Arc<OnceCell<Arc<Json>>>;

/// What is known of a cluster's schemas.
#[derive(Default)]
pub(super) struct Schemas(Mutex<BTreeMap<String, Document>>);

impl Schemas {
    /// The document of a kind's group and version.
    ///
    /// # Errors
    /// The server does not serve it, or our role may not read it.
    pub(super) async fn document(&self, wire: &Wire, gvk: &Gvk) -> Result<Arc<Json>, Failure> {
        let version = gvk.api_version();
        let cell = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(version.clone()).or_default().clone()
        };
        let root = if gvk.group.is_empty() { "api" } else { "apis" };
        let path = format!("/openapi/v3/{root}/{version}");
        let ask = || async { Ok(Arc::new(wire.look(&path).await?)) };
        cell.get_or_try_init(ask).await.cloned()
    }
}

/// All schemas of a document, and that of a kind.
pub(super) fn schema<'a>(document: &'a Json, gvk: &Gvk) -> Option<(&'a Json, &'a Json)> {
    let schemas = &document["components"]["schemas"];
    let is = |kind: &Json| {
        kind["group"] == gvk.group && kind["version"] == gvk.version && kind["kind"] == gvk.kind
    };
    let found = schemas.as_object()?.values().find(|schema| {
        let kinds = schema["x-kubernetes-group-version-kind"].as_array();
        // A document of options for many kinds names all of them; an object's names its own.
        kinds.is_some_and(|kinds| matches!(kinds.as_slice(), [only] if is(only)))
    });
    found.map(|schema| (schemas, schema))
}

impl Cluster {
    /// Whether an object fits the schema of its kind: how it does not, in a sentence without any
    /// value. `None`: the server publishes no schema for it.
    pub(crate) async fn fits(&self, object: Map<String, Json>) -> Option<Result<(), String>> {
        let object = table(object);
        let gvk = Gvk::of(&object)?;
        let document = self.schemas.document(&self.wire, &gvk).await.ok()?;
        let (schemas, root) = schema(&document, &gvk)?;
        let faults = misfits(schemas, root, &object);
        let name = text(&object, &["metadata", "name"]);
        Some(match &faults[..] {
            [] => Ok(()),
            faults => Err(misfit_of(&gvk, name, faults)),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_kind_is_found_by_its_name() {
        let kind = |kind: &str| json!({"group": "apps", "version": "v1", "kind": kind});
        let document = json!({"components": {"schemas": {
            "Options": {"x-kubernetes-group-version-kind": [kind("Deployment"), kind("Scale")]},
            "Spec": {"type": "object"},
            "Deployment": {"type": "object", "x-kubernetes-group-version-kind": [kind("Deployment")]},
        }}});
        let (schemas, found) = schema(&document, &Gvk::new("apps/v1", "Deployment")).unwrap();
        assert_eq!(
            (found, schemas.as_object().unwrap().len()),
            (&document["components"]["schemas"]["Deployment"], 3)
        );
        assert!(schema(&document, &Gvk::new("apps/v2", "Deployment")).is_none());
    }
}
