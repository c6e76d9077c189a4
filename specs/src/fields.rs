//! How each type of value is read from TOML.

use std::time::Duration;

use matih_model::{AttributePath, Kind, Name, ResourceName, SecretRef, TenantId};
use serde_json::{Map, Value};
use toml::de::{DeInteger, DeTable, DeValue};

use crate::diagnostic::Diagnostic;
use crate::nearest::nearest;
use crate::quantity::Quantity;
use crate::read::{Field, NUMBER_RANGE, Node, UNKNOWN_WORD};
use crate::rules::{extra, platform, quota, secret, tenant};
use crate::schema::Secret;
use crate::words::Word;

impl Field for String {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        match node.value {
            DeValue::String(text) => Some(text.to_string()),
            _ => node.wrong_type("text"),
        }
    }
}

impl Field for bool {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        match node.value {
            DeValue::Boolean(truth) => Some(*truth),
            _ => node.wrong_type("true or false"),
        }
    }
}

fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// Reads a whole number between two bounds, both included.
pub(crate) fn ranged<T: TryFrom<i64>>(node: Node<'_, '_>, low: i64, high: i64) -> Option<T> {
    let DeValue::Integer(written) = node.value else {
        return node.wrong_type("a whole number");
    };
    let number = integer(written).filter(|number| (low..=high).contains(number));
    if let Some(number) = number.and_then(|number| T::try_from(number).ok()) {
        return Some(number);
    }
    let message = format!("`{}` must be {low} to {high}, and is {written}", node.path);
    let hint = format!("write a whole number from {low} to {high}");
    node.refuse(Diagnostic::new(NUMBER_RANGE, message).hint(hint))
}

impl Field for u32 {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        ranged(node, 0, u32::MAX.into())
    }
}

impl<T: Word> Field for T {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let DeValue::String(written) = node.value else {
            return node.wrong_type("text");
        };
        if let Some(word) = T::ALL.iter().find(|word| word.as_str() == written) {
            return Some(*word);
        }
        let words = || T::ALL.iter().map(|word| word.as_str());
        let all = words().collect::<Vec<_>>().join(", ");
        let hint = match nearest(written, words()) {
            Some(near) => format!("did you mean `{near}`? The words are {all}"),
            None => format!("write one of {all}"),
        };
        let message = format!("`{}`: `{written}` is not a {}", node.path, T::WHAT);
        node.refuse(Diagnostic::new(UNKNOWN_WORD, message).hint(hint))
    }
}

impl<T: Field> Field for Vec<T> {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let DeValue::Array(items) = node.value else {
            return node.wrong_type("a list");
        };
        let mut found = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{}[{index}]", node.path);
            node.findings.locate(&path, item.span());
            found.extend(T::read(Node {
                findings: node.findings,
                path,
                value: item.get_ref(),
            }));
        }
        Some(found)
    }
}

/// Reads text and lets `parse` judge it.
fn parsed<T>(node: Node<'_, '_>, parse: impl FnOnce(&str) -> Result<T, Diagnostic>) -> Option<T> {
    match node.value {
        DeValue::String(text) => match parse(text) {
            Ok(value) => Some(value),
            Err(diagnostic) => node.refuse(diagnostic),
        },
        _ => node.wrong_type("text"),
    }
}

impl Field for TenantId {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        parsed(node, tenant::slug)
    }
}

impl Field for Kind {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        parsed(node, extra::kind)
    }
}

impl Field for Name {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        parsed(node, extra::name)
    }
}

impl Field for ResourceName {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        parsed(node, extra::resource_name)
    }
}

impl Field for AttributePath {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        parsed(node, extra::attribute_path)
    }
}

impl Field for Duration {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        parsed(node, platform::duration)
    }
}

impl Field for Quantity {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let text = match node.value {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => integer(number).unwrap_or_default().to_string(),
            _ => return node.wrong_type("a quantity such as 80, \"7500m\" or \"160Gi\""),
        };
        match Quantity::new(&text) {
            Some(quantity) => Some(quantity),
            None => {
                let diagnostic = quota::not_a_quantity(&node.path, &text);
                node.refuse(diagnostic)
            }
        }
    }
}

impl Field for Secret {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let judged = match node.value {
            DeValue::Table(entries) => match secret_ref(entries) {
                Some(reference) => secret::check(&node.path, reference),
                None => Err(secret::not_a_reference(&node.path)),
            },
            _ => Err(secret::literal(&node.path)),
        };
        match judged {
            Ok(reference) => Some(Secret(reference)),
            Err(diagnostic) => {
                // Whatever stands here may be a secret, so no report may quote the line.
                node.findings.mask(&node.path);
                node.refuse(diagnostic)
            }
        }
    }
}

/// The reference that a table of one key is.
fn secret_ref(entries: &DeTable<'_>) -> Option<SecretRef> {
    let (key, value) = entries.iter().next().filter(|_| entries.len() == 1)?;
    let text = value.get_ref().as_str()?.to_owned();
    match key.get_ref().as_ref() {
        "env" => Some(SecretRef::Env(text)),
        "file" => Some(SecretRef::File(text)),
        "secret" => Some(SecretRef::Store(text)),
        _ => None,
    }
}

/// Any value of the blueprint's value language; its templates are judged when it is expanded.
impl Field for Value {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        match node.value {
            DeValue::String(text) => Some(Value::from(text.as_ref())),
            DeValue::Boolean(truth) => Some(Value::from(*truth)),
            DeValue::Integer(_) => ranged::<i64>(node, i64::MIN, i64::MAX).map(Value::from),
            DeValue::Array(_) => Vec::<Value>::read(node).map(Value::from),
            DeValue::Table(_) => Map::read(node).map(Value::from),
            DeValue::Float(_) | DeValue::Datetime(_) => {
                let diagnostic = extra::not_a_value(&node.path);
                node.refuse(diagnostic)
            }
        }
    }
}

impl Field for Map<String, Value> {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let DeValue::Table(entries) = node.value else {
            return node.wrong_type("a table");
        };
        let mut found = Map::new();
        for (key, value) in entries {
            let path = format!("{}.{}", node.path, key.get_ref());
            node.findings.locate(&path, value.span());
            let inner = Node {
                findings: node.findings,
                path,
                value: value.get_ref(),
            };
            found.extend(Value::read(inner).map(|value| (key.get_ref().to_string(), value)));
        }
        Some(found)
    }
}
