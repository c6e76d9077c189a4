//! Values as people read them: one line, or a block like YAML.

use std::fmt::Write;

use matih_model::{AttributePath, Attributes, KindSchema, Value};
use serde_json::json;

/// What stands in the place of a value that is known only after apply.
pub(crate) const UNKNOWN: &str = "(known after apply)";
/// What stands in the place of a value that nobody may see.
pub(crate) const SENSITIVE: &str = "(sensitive value)";

/// A value on one line, cut after `limit` characters.
pub(crate) fn one_line(value: &Value, limit: usize) -> String {
    let mut text = String::new();
    flow(&mut text, value);
    if text.chars().count() > limit {
        text = text.chars().take(limit.saturating_sub(1)).collect();
        text.push('…');
    }
    text
}

fn flow(text: &mut String, value: &Value) {
    match value {
        Value::String(string) => text.push_str(&quoted(string)),
        Value::List(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { ", " });
                flow(text, value);
            }
            text.push(']');
        }
        Value::Map(map) => {
            text.push('{');
            for (index, (key, value)) in map.iter().enumerate() {
                let _ = write!(text, "{}{key}: ", if index == 0 { "" } else { ", " });
                flow(text, value);
            }
            text.push('}');
        }
        plain => text.push_str(&scalar(plain)),
    }
}

/// A value with no value inside of it.
fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::String(text) => plain_or_quoted(text),
        Value::Ref(reference) => format!("${{{reference}}}"),
        Value::Secret(secret) => format!("{SENSITIVE} from {}", secret.reference),
        Value::Unknown => UNKNOWN.to_owned(),
        Value::List(_) => "[]".to_owned(),
        Value::Map(_) => "{}".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Text as YAML takes it: quoted where it would read as something else.
fn plain_or_quoted(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_alphabetic() || c == '/' || c == '_')
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.contains(['\n', '\t', '"', '\\'])
        && !matches!(
            text,
            "true" | "false" | "null" | "yes" | "no" | "on" | "off"
        );
    if plain { text.to_owned() } else { quoted(text) }
}

/// Attributes as a block like YAML, each line with a line break.
pub(crate) fn block(attributes: &Attributes) -> String {
    let mut text = String::new();
    write_map(&mut text, attributes, 0);
    text
}

/// One value as a block like YAML.
pub(crate) fn value_block(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Map(map) if !map.is_empty() => write_map(&mut text, map, 0),
        Value::List(values) if !values.is_empty() => write_list(&mut text, values, 0),
        Value::String(lines) if lines.contains('\n') => {
            lines.lines().for_each(|line| {
                let _ = writeln!(text, "{line}");
            });
        }
        plain => {
            let _ = writeln!(text, "{}", scalar(plain));
        }
    }
    text
}

fn write_map(text: &mut String, map: &Attributes, depth: usize) {
    for (key, value) in map.iter() {
        let _ = write!(text, "{:indent$}{key}:", "", indent = depth * 2);
        write_inside(text, value, depth, depth + 1);
    }
}

fn write_list(text: &mut String, values: &[Value], depth: usize) {
    for value in values {
        let _ = write!(text, "{:indent$}-", "", indent = depth * 2);
        match value {
            Value::Map(map) if !map.is_empty() => {
                // The first key stands beside the hyphen, the others below it.
                let mut inner = String::new();
                write_map(&mut inner, map, depth + 1);
                let _ = write!(text, " {}", inner.trim_start());
            }
            other => write_inside(text, other, depth, depth + 1),
        }
    }
}

fn write_inside(text: &mut String, value: &Value, list_depth: usize, depth: usize) {
    match value {
        Value::Map(map) if !map.is_empty() => {
            text.push('\n');
            write_map(text, map, depth);
        }
        Value::List(values) if !values.is_empty() => {
            text.push('\n');
            write_list(text, values, list_depth);
        }
        Value::String(lines) if lines.contains('\n') => {
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

/// Attributes with everything that their schema calls sensitive taken out.
pub(crate) fn masked(schema: Option<&KindSchema>, attributes: &Attributes) -> Attributes {
    match schema {
        Some(schema)
            if schema
                .attributes
                .iter()
                .any(|attribute| attribute.sensitive) =>
        {
            mask_map(schema, attributes, &AttributePath::root())
        }
        _ => attributes.clone(),
    }
}

fn mask_map(schema: &KindSchema, map: &Attributes, path: &AttributePath) -> Attributes {
    let mask = |(key, value): (&matih_model::Text, &Value)| {
        (key.clone(), mask(schema, value, &path.join(key)))
    };
    map.iter().map(mask).collect()
}

fn mask(schema: &KindSchema, value: &Value, path: &AttributePath) -> Value {
    match value {
        Value::Secret(_) | Value::Unknown => value.clone(),
        _ if schema.is_sensitive(path) => Value::string(SENSITIVE),
        Value::Map(map) => Value::Map(mask_map(schema, map, path)),
        Value::List(values) => (0..)
            .zip(values)
            .map(|(index, value): (usize, _)| mask(schema, value, &path.join(index.to_string())))
            .collect::<Vec<_>>()
            .into(),
        plain => plain.clone(),
    }
}

/// A value for programs: `{"$sensitive": true}` where nobody may see it.
pub(crate) fn json(value: Option<&Value>, sensitive: bool) -> serde_json::Value {
    match value {
        None => serde_json::Value::Null,
        Some(_) if sensitive => json!({ "$sensitive": true }),
        Some(value) => json!(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_block_reads_like_yaml() {
        let manifest = value(
            r#"{"kind":"Job","spec":{"args":["-c","1"],"containers":[{"image":"a:1","name":"x"}],
                "empty":{},"note":"two\nlines","on":"true","key":{"$secret":{"env":"K"}}}}"#,
        );
        let expected = "kind: Job\nspec:\n  args:\n  - \"-c\"\n  - \"1\"\n  containers:\n  - image: a:1\n    name: x\n  empty: {}\n  key: (sensitive value) from env:K\n  note: |\n    two\n    lines\n  on: \"true\"\n";
        assert_eq!(value_block(&manifest), expected);
    }

    #[test]
    fn one_line_is_short() {
        let list = value(r#"["a",{"b":1,"c":[]},{"$unknown":true}]"#);
        assert_eq!(
            one_line(&list, 80),
            r#"["a", {b: 1, c: []}, (known after apply)]"#
        );
        assert_eq!(one_line(&list, 6), "[\"a\",…");
    }

    #[test]
    fn programs_do_not_see_what_is_sensitive() {
        let secret = value(r#""hunter2""#);
        assert_eq!(json(Some(&secret), true), json!({ "$sensitive": true }));
        assert_eq!(json(Some(&secret), false), json!("hunter2"));
        assert_eq!(json(None, true), serde_json::Value::Null);
    }
}
