//! Values for attributes: made up by the schema of their kind, and changed by chance.
//!
//! Every text holds the name of its resource, so that no two objects of a world ever ask for one
//! name: a clash of names is a story of its own, told by the hand from outside.

use matih_model::{AttributeSchema, Attributes, Digest, SecretRef, SecretUse, Value, ValueType};

use super::vault::KEY;
use crate::seed::Seed;

/// A value of the type that the schema asks for. `name` is the resource's.
pub(super) fn made(schema: &AttributeSchema, name: &str, seed: &mut Seed) -> Value {
    let attribute = schema.path.parts().last().map_or("value", |part| part);
    match schema.value_type {
        ValueType::String if schema.sensitive => secret(attribute, name, seed),
        ValueType::String => text(attribute, name, seed),
        ValueType::Integer => number(seed),
        ValueType::Bool => Value::Bool(seed.below(2) == 0),
        ValueType::List | ValueType::Any => list(attribute, name, seed),
        ValueType::Map => Value::Map(map(name, 2, seed)),
    }
}

/// A use of one of the vault's secrets, with the digest of what it holds at first.
fn secret(attribute: &str, name: &str, seed: &mut Seed) -> Value {
    let reference = SecretRef::Store(format!("{name}/{attribute}/{}", seed.below(2)));
    let digest = Some(Digest::keyed(
        &KEY,
        super::vault::content(&reference, 0).as_bytes(),
    ));
    Value::Secret(SecretUse { reference, digest })
}

fn text(attribute: &str, name: &str, seed: &mut Seed) -> Value {
    Value::from(format!("{attribute}-{name}-{}", seed.below(1000)))
}

fn number(seed: &mut Seed) -> Value {
    Value::Integer(i64::try_from(seed.below(1000)).unwrap_or_default())
}

fn list(attribute: &str, name: &str, seed: &mut Seed) -> Value {
    let length = 1 + seed.below(3);
    Value::List((0..length).map(|_| text(attribute, name, seed)).collect())
}

/// A table of plain values, with tables in it as far as `depth` goes.
pub(super) fn map(name: &str, depth: usize, seed: &mut Seed) -> Attributes {
    let mut map = Attributes::new();
    for key in ["alpha", "beta", "matih.ai/gamma", "delta"] {
        let value = match seed.below(6) {
            0 => number(seed),
            1 => text(key, name, seed),
            2 => list(key, name, seed),
            3 if depth > 1 => Value::Map(self::map(name, depth - 1, seed)),
            _ => continue,
        };
        map.insert(key, value);
    }
    map
}

/// Another value of the same type; a table or list is changed in one place.
pub(super) fn changed(value: &Value, name: &str, seed: &mut Seed) -> Value {
    match value {
        Value::Integer(number) => Value::Integer(number + 1),
        Value::Bool(truth) => Value::Bool(!truth),
        Value::List(values) => changed_list(values, name, seed),
        Value::Map(map) => Value::Map(changed_map(map, name, seed)),
        Value::Secret(SecretUse { .. }) => secret("other", name, seed),
        Value::String(_) | Value::Ref(_) | Value::Null | Value::Unknown => text("new", name, seed),
    }
}

fn changed_list(values: &[Value], name: &str, seed: &mut Seed) -> Value {
    let mut values = values.to_vec();
    match seed.below(3) {
        0 if values.len() > 1 => {
            values.remove(seed.below(values.len()));
        }
        1 => values.reverse(),
        _ => values.push(text("item", name, seed)),
    }
    Value::List(values)
}

fn changed_map(map: &Attributes, name: &str, seed: &mut Seed) -> Attributes {
    let mut map = map.clone();
    let keys: Vec<_> = map.iter().map(|(key, _)| key.clone()).collect();
    let key = keys.get(seed.below(keys.len()));
    match (seed.below(4), key) {
        (0, Some(key)) if keys.len() > 1 => {
            map.remove(key);
        }
        (1, Some(key)) => {
            let value = map.get(key).map(|value| changed(value, name, seed));
            map.insert(key, value.unwrap_or(Value::Null));
        }
        _ => {
            map.insert(format!("extra{}", seed.below(3)), number(seed));
        }
    }
    map
}
