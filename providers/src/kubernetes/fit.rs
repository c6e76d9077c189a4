//! Whether a manifest fits the schema of its kind, as far as its structure goes.
//!
//! Looked at are fields that the schema does not have, values of another type, and required fields
//! that are missing. Not looked at are patterns, formats, bounds and rules of a schema, what the
//! server fills in, what it says of fields together, and all of admission: whoever wants to know
//! that has to ask the server. What is not known yet fits everywhere.

use matih_model::{AttributePath, Attributes, Value};
use serde_json::Value as Json;

use super::place::Gvk;

/// Required fields that the server fills in all the same; its schema does not say so.
const FILLED_IN: &[(&str, &str)] = &[
    (".RoleRef", "apiGroup"),
    (".StatefulSetSpec", "serviceName"),
    (".PriorityClass", "value"),
];
/// So many faults of one manifest are told.
const TOLD: usize = 3;
/// What every object has, whether its schema says so or not.
const EVERY: &[&str] = &["apiVersion", "kind", "metadata"];

/// All that does not fit, for people, without any value. `schemas` is what references lead into.
pub(super) fn misfits(schemas: &Json, root: &Json, manifest: &Attributes) -> Vec<String> {
    let mut fit = Fit {
        schemas,
        faults: Vec::new(),
    };
    let schema = fit.followed(root);
    let path = AttributePath::root();
    fit.table(schema, manifest, &path, EVERY);
    fit.faults
}

/// An object that has these faults, in a sentence.
pub(super) fn misfit_of(gvk: &Gvk, name: &str, faults: &[String]) -> String {
    let mut told: Vec<&str> = faults.iter().take(TOLD).map(String::as_str).collect();
    let more = format!("and {} more", faults.len().saturating_sub(TOLD));
    if faults.len() > TOLD {
        told.push(&more);
    }
    let (kind, told) = (&gvk.kind, told.join(", "));
    format!("{kind} {name} does not fit the server's schema of {gvk}: {told}")
}

/// A schema, and the name that a reference gave it.
#[derive(Clone, Copy)]
struct Schema<'a> {
    name: &'a str,
    json: &'a Json,
}

struct Fit<'a> {
    schemas: &'a Json,
    faults: Vec<String>,
}

impl<'a> Fit<'a> {
    /// The schema that references lead to.
    fn followed(&self, mut json: &'a Json) -> Schema<'a> {
        let mut name = "";
        // A reference stands alone, or as the only one of `allOf` beside a description.
        loop {
            let only = match json["allOf"].as_array().map(Vec::as_slice) {
                Some([only]) => only,
                _ => json,
            };
            let reference = only["$ref"].as_str().or(json["$ref"].as_str());
            let Some(to) = reference.and_then(|it| it.strip_prefix("#/components/schemas/")) else {
                return Schema { name, json };
            };
            (name, json) = (to, &self.schemas[to]);
        }
    }

    fn table(
        &mut self,
        schema: Schema<'a>,
        table: &Attributes,
        path: &AttributePath,
        known: &[&str],
    ) {
        let json = schema.json;
        let properties = json["properties"].as_object();
        let others = &json["additionalProperties"];
        let is_open = json["x-kubernetes-preserve-unknown-fields"] == true
            || *others == true
            || (properties.is_none() && others.is_null());
        let embedded = json["x-kubernetes-embedded-resource"] == true;
        for (key, value) in table.iter() {
            let path = path.join(key);
            match properties.and_then(|all| all.get(&**key)) {
                Some(schema) => self.value(schema, value, &path),
                None if others.is_object() => self.value(others, value, &path),
                None if is_open || known.contains(&&**key) => {}
                None if embedded && EVERY.contains(&&**key) => {}
                None => self
                    .faults
                    .push(format!("`{path}` is no field of its kind")),
            }
        }
        let required = json["required"].as_array().into_iter().flatten();
        for key in required.filter_map(Json::as_str) {
            let there = table.get(key).is_some_and(|it| *it != Value::Null);
            let default = &json["properties"][key]["default"];
            if !there && !is_default(default) && !is_filled_in(schema.name, key) {
                let path = path.join(key);
                self.faults.push(format!("`{path}` is missing"));
            }
        }
    }

    fn value(&mut self, schema: &'a Json, value: &Value, path: &AttributePath) {
        let schema = self.followed(schema);
        let is = match value {
            Value::Null | Value::Ref(_) | Value::Unknown => return,
            Value::Bool(_) => "boolean",
            Value::Integer(_) => "integer",
            Value::String(_) | Value::Secret(_) => "string",
            Value::List(_) => "array",
            Value::Map(_) => "object",
        };
        let types = types(schema.json);
        let fits = |wanted: &&str| *wanted == is || (*wanted == "number" && is == "integer");
        if !types.is_empty() && !types.iter().any(fits) {
            let wanted = types.join(" or ");
            self.faults
                .push(format!("`{path}` must be {wanted} and is {is}"));
            return;
        }
        match value {
            Value::Map(table) => self.table(schema, table, path, &[]),
            Value::List(items) if schema.json["items"].is_object() => {
                for (index, item) in items.iter().enumerate() {
                    let path = path.join(index.to_string());
                    self.value(&schema.json["items"], item, &path);
                }
            }
            _ => {}
        }
    }
}

/// The types that a schema allows; none: any.
fn types(schema: &Json) -> Vec<&str> {
    if schema["x-kubernetes-int-or-string"] == true {
        return vec!["integer", "string"];
    }
    if let Some(one) = schema["type"].as_str() {
        return vec![one];
    }
    let mut some = ["oneOf", "anyOf"].iter();
    let some = some.find_map(|key| schema[*key].as_array());
    let types = some.map(|all| all.iter().map(|it| it["type"].as_str()).collect());
    types.flatten().unwrap_or_default()
}

/// Whether a default fills a field in; the zero of a type does not.
fn is_default(default: &Json) -> bool {
    match default {
        Json::Null => false,
        Json::String(text) => !text.is_empty(),
        Json::Object(map) => !map.is_empty(),
        Json::Array(items) => !items.is_empty(),
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::Bool(truth) => *truth,
    }
}

fn is_filled_in(schema: &str, key: &str) -> bool {
    let is = |(name, field): &&(&str, &str)| schema.ends_with(name) && key == *field;
    FILLED_IN.iter().any(|it| is(&it))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::json::table;
    use super::*;

    fn schemas() -> Json {
        json!({
            "x.Deployment": {"type": "object", "properties": {
                "apiVersion": {"type": "string"}, "kind": {"type": "string"},
                "metadata": {"allOf": [{"$ref": "#/components/schemas/x.Meta"}], "default": {}},
                "spec": {"description": "it", "allOf": [{"$ref": "#/components/schemas/x.Spec"}]},
            }},
            "x.Meta": {"type": "object", "properties": {
                "name": {"type": "string"},
                "labels": {"type": "object", "additionalProperties": {"type": "string", "default": ""}},
            }},
            "x.Spec": {"type": "object", "required": ["selector", "strategy", "roleRef"], "properties": {
                "replicas": {"type": "integer", "format": "int32"},
                "selector": {"type": "object", "default": {}},
                "strategy": {"type": "string", "default": "Rolling"},
                "port": {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"},
                "anything": {},
                "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"a": {"type": "boolean"}}},
                "items": {"type": "array", "items": {"$ref": "#/components/schemas/x.RoleRef"}},
                "roleRef": {"$ref": "#/components/schemas/x.RoleRef"},
            }},
            "x.RoleRef": {"type": "object", "required": ["apiGroup", "name"], "properties": {
                "apiGroup": {"type": "string", "default": ""}, "name": {"type": "string", "default": ""},
            }},
        })
    }

    fn faults(spec: Json) -> Vec<String> {
        let manifest = json!({"apiVersion": "x/v1", "kind": "Deployment",
            "metadata": {"name": "web", "labels": {"a": "b"}}, "spec": spec});
        let Json::Object(manifest) = manifest else {
            unreachable!()
        };
        let schemas = schemas();
        misfits(&schemas, &schemas["x.Deployment"], &table(manifest))
    }

    #[test]
    fn what_fits_has_no_faults() {
        let faults = faults(json!({
            "replicas": 2, "selector": {"any": {"thing": 1}}, "port": "http", "anything": [1, "x"],
            "open": {"a": true, "b": {"c": 1}}, "items": [{"name": "n"}], "roleRef": {"name": "n"},
        }));
        assert!(faults.is_empty(), "{faults:?}");
    }

    #[test]
    fn every_fault_is_told_by_its_place() {
        let faults = faults(json!({
            "replicas": "2", "replica": 2, "port": true, "open": {"a": 1},
            "items": [{"name": "n"}, {"nam": "n"}], "roleRef": {"name": "n"},
        }));
        assert_eq!(
            faults,
            [
                "`spec.items.1.nam` is no field of its kind",
                "`spec.items.1.name` is missing",
                "`spec.open.a` must be boolean and is integer",
                "`spec.port` must be integer or string and is boolean",
                "`spec.replica` is no field of its kind",
                "`spec.replicas` must be integer and is string",
                "`spec.selector` is missing",
            ]
        );
    }

    #[test]
    fn what_is_not_known_yet_fits() {
        let manifest: Attributes = serde_json::from_str(
            r#"{"spec":{"replicas":{"$unknown":true},"selector":{},"roleRef":{"name":{"$secret":{"env":"X"}}}}}"#,
        )
        .unwrap();
        let schemas = schemas();
        let faults = misfits(&schemas, &schemas["x.Deployment"], &manifest);
        assert!(faults.is_empty(), "{faults:?}");
    }
}
