//! What is set on a resource: a tree of plain values, references and secrets.
//!
//! The tree has no floating point, so that its encoding is canonical; a fraction is a string, as
//! Kubernetes quantities are. Its form in JSON is told in `value/json.rs`.

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

    /// Whether this value or one inside of it is a reference.
    fn has_ref(&self) -> bool {
        match self {
            Self::Ref(_) => true,
            Self::List(values) => values.iter().any(Self::has_ref),
            Self::Map(map) => map.values().any(Self::has_ref),
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
///
/// A tree is shared: a copy costs a counter, and only a copy that is changed gets entries of its
/// own. So what was compiled, planned, sent, recorded and kept of one resource is one tree.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attributes(
    /// In key order, each key once.
    Arc<Vec<(Text, Value)>>,
);

impl Attributes {
    /// None at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where a key is, or where it would have to be.
    fn place(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(key))
    }

    /// The value of one key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let place = self.place(key).ok()?;
        self.0.get(place).map(|(_, value)| value)
    }

    /// The text of one key, if it is there and is text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }

    /// Sets one key and returns what it was before.
    pub fn insert(&mut self, key: impl AsRef<str>, value: impl Into<Value>) -> Option<Value> {
        let key = key.as_ref();
        match self.place(key) {
            Ok(_) => self
                .get_mut(key)
                .map(|before| std::mem::replace(before, value.into())),
            Err(place) => {
                Arc::make_mut(&mut self.0).insert(place, (key.into(), value.into()));
                None
            }
        }
    }

    /// Takes one key out.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let place = self.place(key).ok()?;
        Some(Arc::make_mut(&mut self.0).remove(place).1)
    }

    /// A mutable view of one key.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        let place = self.place(key).ok()?;
        let entry = Arc::make_mut(&mut self.0).get_mut(place);
        entry.map(|(_, value)| value)
    }

    /// Keys and values by key order.
    pub fn iter(&self) -> impl Iterator<Item = (&Text, &Value)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// Values by key order.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().map(|(_, value)| value)
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

    /// A copy with every reference replaced by what `resolve` says, the rest shared.
    pub fn map_refs(&self, resolve: &mut impl FnMut(&OutputRef) -> Value) -> Attributes {
        if !self.values().any(Value::has_ref) {
            return self.clone();
        }
        let resolved = self
            .iter()
            .map(|(key, value)| (key.clone(), value.map_refs(resolve)));
        Self(Arc::new(resolved.collect()))
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Of equal keys the last one counts.
impl FromIterator<(Text, Value)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (Text, Value)>>(pairs: I) -> Self {
        let mut entries: Vec<_> = pairs.into_iter().collect();
        if !entries.is_sorted_by(|(before, _), (after, _)| before < after) {
            entries.reverse();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            entries.dedup_by(|(later, _), (first, _)| later == first);
        }
        Self(Arc::new(entries))
    }
}

impl IntoIterator for Attributes {
    type Item = (Text, Value);
    type IntoIter = std::vec::IntoIter<(Text, Value)>;
    fn into_iter(self) -> Self::IntoIter {
        Arc::unwrap_or_clone(self.0).into_iter()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(map: &Attributes) -> Vec<&str> {
        map.iter().map(|(key, _)| &**key).collect()
    }

    #[test]
    fn keys_stand_in_order_and_once_however_they_came() {
        let pairs = [("b", 1), ("a", 2), ("c", 3), ("a", 4)];
        let collected: Attributes = pairs
            .iter()
            .map(|(key, number)| (Text::from(*key), Value::from(*number)))
            .collect();
        let mut inserted = Attributes::new();
        let before: Vec<_> = pairs
            .iter()
            .map(|(key, number)| inserted.insert(key, *number))
            .collect();
        assert_eq!(keys(&collected), ["a", "b", "c"]);
        assert_eq!(collected, inserted);
        assert_eq!(collected.get("a"), Some(&Value::Integer(4)));
        assert_eq!(before, [None, None, None, Some(Value::Integer(2))]);
        assert_eq!(inserted.remove("b"), Some(Value::Integer(1)));
        assert_eq!(
            (inserted.remove("b"), keys(&inserted)),
            (None, vec!["a", "c"])
        );
    }

    #[test]
    fn a_copy_that_is_changed_leaves_the_other_alone() {
        let mut one = Attributes::new();
        one.insert("a", 1);
        let mut two = one.clone();
        if let Some(value) = two.get_mut("a") {
            *value = Value::Null;
        }
        two.insert("b", true);
        assert_eq!((one.get("a"), one.len()), (Some(&Value::Integer(1)), 1));
        assert_eq!((two.get("a"), two.len()), (Some(&Value::Null), 2));
    }

    #[test]
    fn references_are_replaced_wherever_they_stand() {
        let json = r#"{"l":[{"x":{"$ref":"acme/dns.zone/z","output":"id"}}],"m":{"k":1}}"#;
        let map: Attributes = serde_json::from_str(json).unwrap();
        let mapped = map.map_refs(&mut |reference| Value::string(&reference.output));
        let expected: Attributes =
            serde_json::from_str(r#"{"l":[{"x":"id"}],"m":{"k":1}}"#).unwrap();
        assert_eq!(mapped, expected);
    }
}
