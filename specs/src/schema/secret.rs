//! A secret field: a reference and nothing but a reference.

use std::borrow::Cow;

use matih_model::SecretRef;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// Where the value of a secret field is kept: `{ env = "NAME" }`, `{ file = "path" }` or
/// `{ secret = "store/name" }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret(pub SecretRef);

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("$secret", &self.0)?;
        map.end()
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = |key: &str, description: &str| {
            json_schema!({
                "type": "object",
                "properties": { key: { "type": "string", "description": description } },
                "required": [key],
                "additionalProperties": false,
            })
        };
        json_schema!({
            "description": "A reference to a secret. The value itself never stands in a spec.",
            "oneOf": [
                one("env", "An environment variable of the process that applies."),
                one("file", "A file, read whole, one trailing newline dropped."),
                one("secret", "A name in the platform's secret store: `store/name`."),
            ],
        })
    }
}
