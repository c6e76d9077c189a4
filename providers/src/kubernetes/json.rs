//! Between JSON as the server speaks it and our own tree of values.

use matih_model::{Attributes, Value};

/// The server's JSON as our tree: nulls are nothing, and a number with a fraction is its text.
pub(super) fn plain(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(truth) => Value::Bool(truth),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(number) => Value::Integer(number),
            None => Value::from(number.to_string()),
        },
        serde_json::Value::String(text) => Value::from(text),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(plain).collect()),
        serde_json::Value::Object(map) => Value::Map(table(map)),
    }
}

/// The same of a table.
pub(super) fn table(map: serde_json::Map<String, serde_json::Value>) -> Attributes {
    map.into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.into(), plain(value)))
        .collect()
}

/// The value at a path of keys.
pub(super) fn at<'a>(tree: &'a Attributes, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let find = |value: &'a Value, part: &&str| value.as_map()?.get(part);
    rest.iter().try_fold(tree.get(first)?, find)
}

/// The text at a path of keys; empty if there is none.
pub(super) fn text<'a>(tree: &'a Attributes, path: &[&str]) -> &'a str {
    at(tree, path).and_then(Value::as_str).unwrap_or_default()
}

/// The number at a path of keys.
pub(super) fn number(tree: &Attributes, path: &[&str]) -> Option<i64> {
    at(tree, path).and_then(Value::as_integer)
}

/// The tables in the list at a path of keys.
pub(super) fn tables<'a>(
    tree: &'a Attributes,
    path: &[&str],
) -> impl Iterator<Item = &'a Attributes> + use<'a> {
    let items = at(tree, path).and_then(Value::as_list).unwrap_or_default();
    items.iter().filter_map(Value::as_map)
}
