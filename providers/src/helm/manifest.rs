//! What a manifest holds, object by object, in a form that two manifests can be compared in: pure.
//!
//! Each object is written anew, keys in order, since charts write the same in many ways. What is in
//! a Secret and what came from one never gets into that form.

use std::collections::BTreeMap;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use matih_model::{Attributes, ObjectChange, Value};
use serde_json::{Map, Value as Json};

use super::outputs::documents;

/// What stands in the place of a secret.
pub(super) const SENSITIVE: &str = "(sensitive value)";

/// What stands in the place of what is known only after an apply.
pub(super) const UNKNOWN: &str = "(known after apply)";

/// The tables of a Secret that hold what is secret.
const DATA: [&str; 2] = ["data", "stringData"];

/// Kind, namespace and name.
type Key = (String, String, String);

/// An object before and after.
type Sides = (Option<String>, Option<String>);

/// Objects by key.
type Objects = BTreeMap<Key, String>;

/// The objects of a manifest, masked: `secrets` are the values that are secret. What is in no
/// namespace of its own is in the release's.
pub(super) fn objects(manifest: &str, namespace: &str, secrets: &[String]) -> Objects {
    let hidden: Vec<String> = secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .flat_map(|secret| [secret.clone(), STANDARD.encode(secret)])
        .collect();
    let mut objects = Objects::new();
    for mut document in documents(manifest) {
        let text = |path: &str| document.pointer(path)?.as_str().map(str::to_owned);
        let Some(kind) = text("/kind") else {
            continue;
        };
        let own = text("/metadata/namespace").unwrap_or_else(|| namespace.to_owned());
        let key = (kind, own, text("/metadata/name").unwrap_or_default());
        if key.0 == "Secret" {
            hide_data(&mut document);
        }
        hide(&mut document, &hidden);
        let mut text = String::new();
        write(&mut text, &document, 0);
        objects.insert(key, text);
    }
    objects
}

/// What differs between two manifests, by object.
pub(super) fn changes(before: Objects, mut after: Objects, namespace: &str) -> Vec<ObjectChange> {
    let mut all: BTreeMap<Key, Sides> = BTreeMap::new();
    for (key, text) in before {
        let now = after.remove(&key);
        if now.as_ref() != Some(&text) {
            all.insert(key, (Some(text), now));
        }
    }
    all.extend(
        after
            .into_iter()
            .map(|(key, text)| (key, (None, Some(text)))),
    );
    let change = |((kind, own, name), (before, after)): (Key, Sides)| {
        let place = if own == namespace {
            String::new()
        } else {
            format!("{own}/")
        };
        ObjectChange {
            name: format!("{kind} {place}{name}").into(),
            before: before.map(Into::into),
            after: after.map(Into::into),
        }
    };
    all.into_iter().map(change).collect()
}

/// The values that stand where the tree has secrets, as they are in what Helm has.
pub(super) fn secrets_in(there: &Map<String, Json>, asked: &Attributes) -> Vec<String> {
    fn find(there: &Json, asked: &Value, found: &mut Vec<String>) {
        match (asked, there) {
            (Value::Secret(_), Json::String(text)) => found.push(text.clone()),
            (Value::Secret(_), other) => found.push(other.to_string()),
            (Value::Map(asked), Json::Object(there)) => {
                for (key, asked) in asked.iter() {
                    if let Some(there) = there.get(&**key) {
                        find(there, asked, found);
                    }
                }
            }
            (Value::List(asked), Json::Array(there)) => {
                for (asked, there) in asked.iter().zip(there) {
                    find(there, asked, found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    for (key, asked) in asked.iter() {
        if let Some(there) = there.get(&**key) {
            find(there, asked, &mut found);
        }
    }
    // A secret that is part of another one is hidden after it.
    found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    found
}

/// Values for a rendering that reveals nothing: a word in the place of what is secret or unknown.
pub(super) fn stand_ins(values: &Attributes) -> Map<String, Json> {
    fn stand_in(value: &Value) -> Json {
        match value {
            Value::Null => Json::Null,
            Value::Bool(truth) => Json::Bool(*truth),
            Value::Integer(number) => Json::from(*number),
            Value::String(text) => Json::from(&**text),
            Value::List(items) => items.iter().map(stand_in).collect(),
            Value::Map(map) => Json::Object(stand_ins(map)),
            Value::Secret(_) => Json::from(SENSITIVE),
            Value::Ref(_) | Value::Unknown => Json::from(UNKNOWN),
        }
    }
    let pairs = values.iter();
    pairs
        .map(|(key, value)| (key.to_string(), stand_in(value)))
        .collect()
}

/// Whether a rendering has a word in the place of a value, so that what it comes to says little.
pub(super) fn has_stand_ins(values: &Attributes) -> bool {
    let mut found = false;
    for value in values.values() {
        value.walk(&mut |it| {
            found |= matches!(it, Value::Secret(_) | Value::Ref(_) | Value::Unknown);
        });
    }
    found
}

fn hide_data(secret: &mut Json) {
    for table in DATA {
        if let Some(Json::Object(data)) = secret.get_mut(table) {
            for value in data.values_mut() {
                *value = Json::from(SENSITIVE);
            }
        }
    }
}

fn hide(value: &mut Json, hidden: &[String]) {
    match value {
        Json::String(text) => {
            for secret in hidden
                .iter()
                .filter(|secret| text.contains(secret.as_str()))
                .collect::<Vec<_>>()
            {
                *text = text.replace(secret.as_str(), SENSITIVE);
            }
        }
        Json::Number(number) if hidden.contains(&number.to_string()) => {
            *value = Json::from(SENSITIVE);
        }
        Json::Array(items) => items.iter_mut().for_each(|item| hide(item, hidden)),
        Json::Object(map) => map.values_mut().for_each(|value| hide(value, hidden)),
        _ => {}
    }
}

/// Writes a value as a block like YAML.
fn write(text: &mut String, value: &Json, depth: usize) {
    match value {
        Json::Object(map) if !map.is_empty() => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by_key(|(key, _)| *key);
            for (key, value) in keys {
                let _ = write!(text, "{:indent$}{key}:", "", indent = depth * 2);
                inside(text, value, depth, depth + 1);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            for item in items {
                let _ = write!(text, "{:indent$}-", "", indent = depth * 2);
                match item {
                    Json::Object(map) if !map.is_empty() => {
                        // The first key stands beside the hyphen, the others below it.
                        let mut block = String::new();
                        write(&mut block, item, depth + 1);
                        let _ = write!(text, " {}", block.trim_start());
                    }
                    _ => inside(text, item, depth + 1, depth + 1),
                }
            }
        }
        plain => {
            let _ = writeln!(text, "{:indent$}{}", "", scalar(plain), indent = depth * 2);
        }
    }
}

fn inside(text: &mut String, value: &Json, list_depth: usize, depth: usize) {
    match value {
        Json::Object(map) if !map.is_empty() => {
            text.push('\n');
            write(text, value, depth);
        }
        Json::Array(items) if !items.is_empty() => {
            text.push('\n');
            write(text, value, list_depth);
        }
        Json::String(lines) if lines.trim_end().contains('\n') => {
            text.push_str(" |\n");
            for line in lines.lines() {
                let _ = writeln!(text, "{:indent$}{line}", "", indent = depth * 2);
            }
        }
        plain => {
            let _ = writeln!(text, " {}", scalar(plain));
        }
    }
}

/// Text as YAML takes it: quoted where it would read as something else.
fn scalar(value: &Json) -> String {
    let plain = |text: &str| {
        let word = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
        let other = ["true", "false", "null", "yes", "no", "on", "off"];
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
            && text.chars().all(word)
            && !text.ends_with(':')
            && !other.contains(&text.to_ascii_lowercase().as_str())
    };
    match value {
        Json::String(text) if plain(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "---\n# Source: a\napiVersion: v1\nkind: Secret\nmetadata: { name: s }\n\
        data: { key: aHVudGVyMg== }\nstringData: { other: hunter2 }\n\
        ---\napiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web }\n\
        spec:\n  replicas: 1\n  env:\n  - { name: A, value: \"user:hunter2@db\" }\n  - { name: B, value: aHVudGVyMg== }\n  - { name: P, value: 4711 }\n\
        ---\napiVersion: v1\nkind: Service\nmetadata: { name: web, namespace: other }\nspec: { type: ClusterIP }\n";

    fn tree(json: &str) -> Attributes {
        serde_json::from_str(json).unwrap()
    }

    const ASKED: &str = r#"{"password":{"$secret":{"env":"P"}},"deep":[{"pin":{"$secret":{"env":"Q"}}}],"plain":"x"}"#;

    fn there() -> Map<String, Json> {
        let there =
            serde_json::json!({ "password": "hunter2", "deep": [{ "pin": 4711 }], "plain": "x" });
        there.as_object().unwrap().clone()
    }

    #[test]
    fn nothing_secret_is_in_an_object() {
        let secrets = secrets_in(&there(), &tree(ASKED));
        assert_eq!(secrets, ["hunter2", "4711"]);
        let all: String = objects(BEFORE, "ns", &secrets).into_values().collect();
        for secret in ["hunter2", "aHVudGVyMg==", "4711"] {
            assert!(!all.contains(secret), "{all}");
        }
        assert!(
            all.contains("value: \"user:(sensitive value)@db\""),
            "{all}"
        );
        assert!(all.contains("key: \"(sensitive value)\""), "{all}");
    }

    #[test]
    fn a_rendering_gets_words_in_the_place_of_what_is_secret_or_unknown() {
        let asked = tree(r#"{"a":{"$secret":{"env":"P"}},"b":[{"$unknown":true}],"c":1}"#);
        let words = Json::Object(stand_ins(&asked)).to_string();
        assert_eq!(
            words,
            r#"{"a":"(sensitive value)","b":["(known after apply)"],"c":1}"#
        );
        assert!(has_stand_ins(&asked) && !has_stand_ins(&tree(r#"{"a":[1]}"#)));
    }

    #[test]
    fn what_is_written_otherwise_is_the_same_and_the_rest_is_told_by_object() {
        let after = "kind: Deployment\napiVersion: apps/v1\nmetadata:\n  name: web\n  namespace: ns\nspec: { replicas: 2 }\n\
            ---\nkind: Service\nmetadata: { namespace: other, name: web }\nspec:\n  type: ClusterIP\napiVersion: v1\n\
            ---\nkind: ConfigMap\nmetadata: { name: c }\ndata: { text: \"a\\nb\\n\", list: [[1], [], {}] }\n";
        let changed = changes(objects(BEFORE, "ns", &[]), objects(after, "ns", &[]), "ns");
        let told = |it: &ObjectChange| {
            let sides = (it.before.is_some(), it.after.is_some());
            (it.name.to_string(), sides)
        };
        let told: Vec<_> = changed.iter().map(told).collect();
        let expected = [
            ("ConfigMap c", (false, true)),
            ("Deployment web", (true, true)),
            ("Secret s", (true, false)),
        ];
        assert_eq!(told, expected.map(|(name, sides)| (name.to_owned(), sides)));
        let map = changed[0].after.as_deref().unwrap();
        let expected = "data:\n  list:\n  -\n    - 1\n  - []\n  - {}\n  text: |\n    a\n    b\nkind: ConfigMap\nmetadata:\n  name: c\n";
        assert_eq!(map, expected);
        let service = changes(objects(BEFORE, "ns", &[]), Objects::new(), "ns");
        assert!(service.iter().any(|it| &*it.name == "Service other/web"));
    }
}
