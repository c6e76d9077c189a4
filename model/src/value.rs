//! What is set on a resource: a tree of plain values, references and secrets.
//!
//! The tree has no floating point, so that its encoding is canonical; a fraction is a string, as
//! Kubernetes quantities are. Its form in JSON is told in `value/json.rs`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::digest::Digest;
use crate::secret::SecretUse;

mod json;

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
