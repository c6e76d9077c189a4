//! From attributes to what is sent: the manifest, the owner's mark, and secrets at the last moment.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use matih_model::{Attributes, ErrorKind, OwnerMark, ProviderError, SecretSource, Value};
use serde_json::{Map, Value as Json, json};

use super::json::{at, text};
use super::mark;
use super::place::Gvk;

/// What only the server says of an object.
const SERVERS_OWN: &[&[&str]] = &[
    &["status"],
    &["metadata", "uid"],
    &["metadata", "resourceVersion"],
    &["metadata", "generation"],
    &["metadata", "creationTimestamp"],
    &["metadata", "deletionTimestamp"],
    &["metadata", "managedFields"],
    &["metadata", "generateName"],
];

/// A manifest that can be sent.
pub(super) struct Wanted<'a> {
    pub(super) gvk: Gvk,
    pub(super) name: &'a str,
    /// Empty where the manifest names none.
    pub(super) namespace: &'a str,
    /// The cluster as the resource names it.
    pub(super) cluster: &'a str,
    /// What to wait for, if the resource says so.
    pub(super) wait: Option<&'a str>,
    /// As asked for.
    pub(super) manifest: &'a Attributes,
}

impl<'a> Wanted<'a> {
    /// Reads the attributes of a resource.
    ///
    /// # Errors
    /// They do not say which object is meant.
    pub(super) fn of(attributes: &'a Attributes) -> Result<Self, ProviderError> {
        let manifest = attributes.get("manifest").and_then(Value::as_map);
        let manifest = manifest.ok_or_else(|| invalid("it has no `manifest`"))?;
        let gvk = Gvk::of(manifest);
        let gvk = gvk.ok_or_else(|| invalid("its manifest names no `apiVersion` and `kind`"))?;
        let name = text(manifest, &["metadata", "name"]);
        if name.is_empty() {
            return Err(invalid("its manifest has no `metadata.name`"));
        }
        for path in SERVERS_OWN {
            if at(manifest, path).is_some() {
                let message = format!("`manifest.{}` is the server's to say", path.join("."));
                return Err(invalid(message).with_hint("leave it out"));
            }
        }
        Ok(Self {
            gvk,
            name,
            namespace: text(manifest, &["metadata", "namespace"]),
            cluster: attributes.text("cluster").unwrap_or_default(),
            wait: attributes.text("wait"),
            manifest,
        })
    }

    /// Whether it holds secrets.
    pub(super) fn is_secret(&self) -> bool {
        self.gvk.is("", "Secret")
    }

    /// All of it, secrets revealed, with its mark.
    ///
    /// # Errors
    /// A secret cannot be read, a value is not known, or the manifest has a label of ours.
    pub(super) fn body(
        &self,
        secrets: &dyn SecretSource,
        owner: &OwnerMark,
    ) -> Result<Json, ProviderError> {
        let mut body = Map::new();
        for (key, value) in self.manifest.iter() {
            body.insert(key.to_string(), revealed(value, secrets)?);
        }
        if self.is_secret()
            && let Some(Json::Object(plain)) = body.remove("stringData")
        {
            // The server turns it into `data` too, but keeps its books on `stringData`, so a key
            // that is taken out would stay.
            let data = body.entry("data").or_insert_with(|| json!({}));
            for (key, value) in plain {
                let bytes = value.as_str().unwrap_or_default().as_bytes();
                data[key] = json!(STANDARD.encode(bytes));
            }
        }
        let mut body = Json::Object(body);
        self.marked(&mut body, owner)?;
        Ok(body)
    }

    fn marked(&self, body: &mut Json, owner: &OwnerMark) -> Result<(), ProviderError> {
        let mut notes = mark::annotations(owner);
        notes.push((mark::CLUSTER, self.cluster.to_owned()));
        if let Some(wait) = self.wait {
            notes.push((mark::WAIT, wait.to_owned()));
        }
        for (table, pairs) in [
            ("labels", mark::labels(owner).to_vec()),
            ("annotations", notes),
        ] {
            for (key, value) in pairs {
                let there = &mut body["metadata"][table][key];
                if there.as_str().is_some_and(|there| there != value) {
                    let message = format!("`{key}` among its {table} is matih's own mark");
                    return Err(invalid(message).with_hint("leave it out of the manifest"));
                }
                *there = Json::String(value);
            }
        }
        let managed = &mut body["metadata"]["labels"][mark::MANAGED_BY];
        if managed.is_null() {
            *managed = json!("matih");
        }
        Ok(())
    }
}

fn invalid(message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorKind::Invalid, message)
}

/// A value as the server reads it.
fn revealed(value: &Value, secrets: &dyn SecretSource) -> Result<Json, ProviderError> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => json!(truth),
        Value::Integer(number) => json!(number),
        Value::String(text) => json!(&**text),
        Value::List(items) => {
            let items = items.iter().map(|item| revealed(item, secrets));
            Json::Array(items.collect::<Result<_, _>>()?)
        }
        Value::Map(map) => {
            let pairs = map.iter().map(|(key, value)| {
                Ok::<_, ProviderError>((key.to_string(), revealed(value, secrets)?))
            });
            Json::Object(pairs.collect::<Result<_, _>>()?)
        }
        Value::Secret(secret) => {
            let value = secrets
                .reveal(&secret.reference)
                .map_err(|error| invalid(error.to_string()))?;
            json!(value.expose())
        }
        Value::Ref(reference) => {
            return Err(invalid(format!(
                "{reference} was not looked up before the call"
            )));
        }
        Value::Unknown => return Err(invalid("a value is not known")),
    })
}

/// The manifest as the server will say it: what it is asked to turn into something else is
/// turned before. The shape that tokens are made over.
pub(super) fn shape(manifest: &Attributes) -> Attributes {
    let mut shape = manifest.clone();
    let secret = Gvk::of(manifest).is_some_and(|gvk| gvk.is("", "Secret"));
    if secret && let Some(Value::Map(plain)) = shape.remove("stringData") {
        let mut data = match shape.remove("data") {
            Some(Value::Map(data)) => data,
            _ => Attributes::new(),
        };
        for (key, value) in plain {
            data.insert(key, value);
        }
        shape.insert("data", data);
    }
    shape
}

#[cfg(test)]
mod tests {
    use matih_model::{RunId, SecretError, SecretRef, SecretValue};

    use super::*;

    struct One;

    impl SecretSource for One {
        fn reveal(&self, _: &SecretRef) -> Result<SecretValue, SecretError> {
            Ok(SecretValue::new("hush".to_owned()))
        }
    }

    fn body(attributes: &str) -> Result<Json, ProviderError> {
        let attributes: Attributes = serde_json::from_str(attributes).unwrap();
        let owner = OwnerMark {
            installation: "here".to_owned(),
            address: "acme/kubernetes.manifest/x".parse().unwrap(),
            generation: 2,
            run: RunId::new("run-1"),
        };
        Wanted::of(&attributes)?.body(&One, &owner)
    }

    #[test]
    fn a_manifest_is_marked_and_its_secrets_are_told_as_data() {
        let body = body(
            r#"{"cluster":"c","wait":"Ready","manifest":{"apiVersion":"v1","kind":"Secret",
            "metadata":{"name":"x","namespace":"n","labels":{"app.kubernetes.io/managed-by":"us"}},
            "data":{"b":"eA=="},"stringData":{"a":{"$secret":{"env":"X"}}}}}"#,
        )
        .unwrap();
        assert_eq!(
            body["data"],
            json!({"a": STANDARD.encode("hush"), "b": "eA=="})
        );
        assert!(body.get("stringData").is_none());
        let labels = &body["metadata"]["labels"];
        assert_eq!(labels["app.kubernetes.io/managed-by"], "us");
        assert_eq!(labels["matih.ai/tenant-slug"], "acme");
        let notes = &body["metadata"]["annotations"];
        assert_eq!(notes["matih.ai/generation"], "2");
        assert_eq!(
            (&notes["matih.ai/wait"], &notes["matih.ai/cluster"]),
            (&json!("Ready"), &json!("c"))
        );
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for (attributes, word) in [
            ("{}", "manifest"),
            (
                r#"{"manifest":{"kind":"X","metadata":{"name":"x"}}}"#,
                "apiVersion",
            ),
            (
                r#"{"manifest":{"apiVersion":"v1","kind":"X"}}"#,
                "metadata.name",
            ),
            (
                r#"{"manifest":{"apiVersion":"v1","kind":"X","metadata":{"name":"x"},"status":{}}}"#,
                "manifest.status",
            ),
            (
                r#"{"manifest":{"apiVersion":"v1","kind":"X","metadata":{"name":"x","uid":"y"}}}"#,
                "metadata.uid",
            ),
            (
                r#"{"manifest":{"apiVersion":"v1","kind":"X","metadata":{"name":"x","labels":{"matih.ai/installation":"other"}}}}"#,
                "matih.ai/installation",
            ),
            (
                r#"{"manifest":{"apiVersion":"v1","kind":"X","metadata":{"name":"x"},"spec":{"$unknown":true}}}"#,
                "not known",
            ),
        ] {
            let error = body(attributes).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Invalid, "{attributes}");
            assert!(error.message.contains(word), "{attributes}: {error}");
        }
    }
}
