//! JSON Schema 2020-12 of the two files, for editors: completion, help, and red lines while
//! typing. The rules that cross fields are not in it; `matih validate` has them.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use crate::platform::PlatformFile;
use crate::schema::TenantSpec;

/// The schema of a tenant spec.
pub fn tenant_schema() -> Value {
    schema_of::<TenantSpec>("matih tenant spec")
}

/// The schema of `matih.toml`.
pub fn platform_schema() -> Value {
    schema_of::<PlatformFile>("matih platform file")
}

fn schema_of<T: JsonSchema>(title: &str) -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(tidy));
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}

/// TOML has no null: a key that may be left out is simply not required. And a description is one
/// paragraph.
fn tidy(schema: &mut Schema) {
    let null = |value: &Value| value == "null" || value["type"] == "null";
    for key in ["type", "anyOf", "enum"] {
        if let Some(Value::Array(choices)) = schema.get_mut(key) {
            choices.retain(|choice| !null(choice) && !choice.is_null());
            if let [only] = choices.as_slice() {
                let only = only.clone();
                collapse(schema, key, only);
            }
        }
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace('\n', " ");
    }
}

/// Puts the one choice that is left in place of the list of choices.
fn collapse(schema: &mut Schema, key: &str, only: Value) {
    match (key, only) {
        ("type", only) => {
            schema.insert(key.to_owned(), only);
        }
        ("anyOf", Value::Object(only)) => {
            schema.remove(key);
            for (key, value) in only {
                if schema.get(&key).is_none() {
                    schema.insert(key, value);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every property of every object, with the name of its type.
    fn properties(schema: &Value) -> Vec<(String, String, Value)> {
        let defs = schema["$defs"].as_object().unwrap();
        let types = defs.iter().map(|(name, schema)| (name.as_str(), schema));
        let mut found = Vec::new();
        for (name, schema) in types.chain([("root", schema)]) {
            for (key, property) in schema["properties"].as_object().into_iter().flatten() {
                found.push((name.to_owned(), key.clone(), property.clone()));
            }
        }
        found
    }

    #[test]
    fn every_key_is_described() {
        for schema in [tenant_schema(), platform_schema()] {
            let properties = properties(&schema);
            assert!(properties.len() > 20);
            for (name, key, property) in properties {
                let text = property["description"].as_str().unwrap_or_default();
                assert!(
                    text.len() > 5,
                    "{name}.{key} has no description: {property}"
                );
            }
        }
    }

    #[test]
    fn nothing_is_null_and_only_what_has_no_default_is_required() {
        let schema = tenant_schema();
        assert_eq!(
            schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
        assert!(!schema.to_string().contains("null"), "{schema:#}");
        assert_eq!(schema["required"], serde_json::json!(["tenant"]));
        let tenant = &schema["$defs"]["Tenant"];
        assert_eq!(
            tenant["required"],
            serde_json::json!(["name", "slug", "admin_email"])
        );
        assert_eq!(tenant["additionalProperties"], false);
        assert!(!platform_schema().to_string().contains("null"));
    }
}
