//! What is set on a resource: a tree of plain values, references and secrets.
//!
//! The tree has no floating point, so that its encoding is canonical; a fraction is a string, as
//! Kubernetes quantities are. In JSON a reference is `{"$ref": ADDRESS, "output": PATH}`, a
//! secret `{"$secret": {...}}`, a value not known yet `{"$unknown": true}`; a plain map with a key
//! that starts with `$` is refused, so nothing can pose as one of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::digest::Digest;
use crate::secret::{SecretRef, SecretUse};

/// Shared immutable text.
pub type Text = Arc<str>;

/// A reference to what a provider told back about another resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OutputRef {
    /// Whose output.
    #[serde(rename = "$ref")]
    pub address: Address,
    /// Which one: a key of its outputs.
    pub output: Text,
}

impl fmt::Display for OutputRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.address, self.output)
    }
}

/// One value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Explicitly nothing (a Helm default switched off).
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    String(Text),
    /// Values in order.
    List(Vec<Value>),
    /// Values by key.
    Map(Attributes),
    /// The output of another resource.
    Ref(OutputRef),
    /// A secret, by reference.
    Secret(SecretUse),
    /// Known only after apply. Stands in plans, never in a desired or recorded resource.
    Unknown,
}

impl Value {
    /// Text as a value.
    pub fn string(text: impl AsRef<str>) -> Self {
        Self::String(text.as_ref().into())
    }

    /// The text, if this is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if this is a number.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth value, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The list, if this is one.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(values) => Some(values),
            _ => None,
        }
    }

    /// The map, if this is one.
    pub fn as_map(&self) -> Option<&Attributes> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Whether this value or one inside of it is not known yet.
    pub fn has_unknown(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::List(values) => values.iter().any(Self::has_unknown),
            Self::Map(map) => map.values().any(Self::has_unknown),
            _ => false,
        }
    }

    /// Calls `visit` for this value and each one inside of it, outer before inner.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Value)) {
        visit(self);
        match self {
            Self::List(values) => values.iter().for_each(|value| value.walk(visit)),
            Self::Map(map) => map.values().for_each(|value| value.walk(visit)),
            _ => {}
        }
    }

    /// This value with every reference replaced by what `resolve` says, the rest shared.
    pub fn map_refs(&self, resolve: &mut impl FnMut(&OutputRef) -> Value) -> Value {
        match self {
            Self::Ref(reference) => resolve(reference),
            Self::List(values) => {
                Self::List(values.iter().map(|value| value.map_refs(resolve)).collect())
            }
            Self::Map(map) => Self::Map(map.map_refs(resolve)),
            other => other.clone(),
        }
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::string(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::string(text)
    }
}

/// Values by name: what we set on a resource, or what a provider told back.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attributes(BTreeMap<Text, Value>);

impl Attributes {
    /// None at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of one key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// The text of one key, if it is there and is text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }

    /// Sets one key and returns what it was before.
    pub fn insert(&mut self, key: impl AsRef<str>, value: impl Into<Value>) -> Option<Value> {
        self.0.insert(key.as_ref().into(), value.into())
    }

    /// Takes one key out.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key)
    }

    /// A mutable view of one key.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.0.get_mut(key)
    }

    /// Keys and values by key order.
    pub fn iter(&self) -> impl Iterator<Item = (&Text, &Value)> {
        self.0.iter()
    }

    /// Values by key order.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.0.values()
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The digest of the whole tree.
    pub fn digest(&self) -> Digest {
        Digest::of("matih attributes v1", self)
    }

    /// Every reference to an output, with repeats, by key order.
    pub fn refs(&self) -> Vec<&OutputRef> {
        let mut found = Vec::new();
        for value in self.values() {
            value.walk(&mut |value| {
                if let Value::Ref(reference) = value {
                    found.push(reference);
                }
            });
        }
        found
    }

    /// Every secret in use, with repeats, by key order.
    pub fn secrets(&self) -> Vec<&SecretUse> {
        let mut found = Vec::new();
        for value in self.values() {
            value.walk(&mut |value| {
                if let Value::Secret(secret) = value {
                    found.push(secret);
                }
            });
        }
        found
    }

    /// A copy with every reference replaced by what `resolve` says.
    pub fn map_refs(&self, resolve: &mut impl FnMut(&OutputRef) -> Value) -> Attributes {
        Self(
            self.0
                .iter()
                .map(|(key, value)| (key.clone(), value.map_refs(resolve)))
                .collect(),
        )
    }
}

impl FromIterator<(Text, Value)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (Text, Value)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl IntoIterator for Attributes {
    type Item = (Text, Value);
    type IntoIter = std::collections::btree_map::IntoIter<Text, Value>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<Attributes> for Value {
    fn from(map: Attributes) -> Self {
        Self::Map(map)
    }
}

impl From<Vec<Value>> for Value {
    fn from(values: Vec<Value>) -> Self {
        Self::List(values)
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::String(text) => serializer.serialize_str(text),
            Self::List(values) => serializer.collect_seq(values),
            Self::Map(map) => map.serialize(serializer),
            Self::Ref(reference) => reference.serialize(serializer),
            Self::Secret(secret) => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("$secret", &secret.reference)?;
                if let Some(digest) = &secret.digest {
                    map.serialize_entry("digest", digest)?;
                }
                map.end()
            }
            Self::Unknown => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("$unknown", &true)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Map(map) => Ok(map),
            _ => Err(de::Error::custom("attributes must be a table")),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a whole number, true or false, a list or a table")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Integer(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number)
            .map(Value::Integer)
            .map_err(|_| E::custom("a whole number must fit in 64 bits with a sign"))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Err(E::custom(format_args!(
            "`{number}` has a fraction: write it as text, in quotes"
        )))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::string(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Attributes::new();
        let mut secret: Option<SecretRef> = None;
        let mut reference: Option<Address> = None;
        let mut unknown = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "$secret" => secret = Some(map.next_value()?),
                "$ref" => reference = Some(map.next_value()?),
                "$unknown" => unknown = map.next_value()?,
                key if key.starts_with('$') => {
                    return Err(de::Error::custom(format_args!(
                        "key `{key}`: names that start with `$` are matih's own"
                    )));
                }
                key => {
                    entries.insert(key, map.next_value::<Value>()?);
                }
            }
        }
        tagged(secret, reference, unknown, entries).map_err(de::Error::custom)
    }
}

fn tagged(
    secret: Option<SecretRef>,
    reference: Option<Address>,
    unknown: bool,
    mut entries: Attributes,
) -> Result<Value, &'static str> {
    let value = match (secret, reference, unknown) {
        (None, None, false) => return Ok(Value::Map(entries)),
        (Some(reference), None, false) => {
            let digest = match entries.remove("digest") {
                None => None,
                Some(Value::String(text)) => Some(
                    text.parse()
                        .map_err(|_| "`digest` of a secret is not a digest")?,
                ),
                Some(_) => return Err("`digest` of a secret is not text"),
            };
            Value::Secret(SecretUse { reference, digest })
        }
        (None, Some(address), false) => match entries.remove("output") {
            Some(Value::String(output)) => Value::Ref(OutputRef { address, output }),
            _ => return Err("`$ref` needs `output`, the name of the output that is meant"),
        },
        (None, None, true) => Value::Unknown,
        _ => return Err("only one of `$ref`, `$secret` and `$unknown` may stand in a table"),
    };
    if entries.is_empty() {
        Ok(value)
    } else {
        Err("a `$` table has a key too many")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(json: &str) -> Value {
        let value: Value = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&value).unwrap(), json);
        value
    }

    #[test]
    fn json_goes_both_ways() {
        round_trip(r#"{"a":1,"b":[true,"x",null],"c":{}}"#);
        let value = round_trip(r#"{"ip":{"$ref":"acme/helm.release/ingress","output":"ip"}}"#);
        assert_eq!(value.as_map().unwrap().refs().len(), 1);
        round_trip(r#"{"$secret":{"env":"X"}}"#);
        round_trip(r#"{"$unknown":true}"#);
    }

    #[test]
    fn nothing_can_pose_as_a_tag_and_fractions_are_refused() {
        for json in [
            r#"{"$other":1}"#,
            r#"{"$ref":"acme/helm.release/ingress"}"#,
            r#"{"$secret":{"env":"X"},"more":1}"#,
            r#"{"$ref":"acme/helm.release/ingress","output":"x","$unknown":true}"#,
            "1.5",
        ] {
            assert!(serde_json::from_str::<Value>(json).is_err(), "{json}");
        }
    }
}
