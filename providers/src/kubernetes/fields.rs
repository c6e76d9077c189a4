//! Sets of fields as the server keeps them (`fieldsV1`), and the way down into them.
//!
//! Promises to find, in an object, what a part of such a set stands for. Refuses to know who owns
//! what: that is said beside the set.

use std::collections::BTreeMap;
use std::fmt;

use matih_model::{Attributes, Text, Value};

use super::json::plain;

/// One step into an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// A field of a table.
    Field(Text),
    /// The item of a list that has these values.
    Key(Attributes),
    /// The item of a list that is this value.
    Item(Value),
    /// The item of a list at this place.
    Place(usize),
}

impl Part {
    fn parse(text: &str) -> Option<Self> {
        let (form, rest) = text.split_once(':')?;
        let json = || Some(plain(serde_json::from_str(rest).ok()?));
        match form {
            "f" => Some(Self::Field(rest.into())),
            "k" => match json()? {
                Value::Map(keys) => Some(Self::Key(keys)),
                _ => None,
            },
            "v" => Some(Self::Item(json()?)),
            "i" => Some(Self::Place(rest.parse().ok()?)),
            _ => None,
        }
    }

    /// What stands there in a live object.
    pub(super) fn find<'a>(&self, live: &'a Value) -> Option<&'a Value> {
        match (self, live) {
            (Self::Field(name), Value::Map(map)) => map.get(name),
            (Self::Key(keys), Value::List(items)) => items.iter().find(|item| has_all(item, keys)),
            (Self::Item(value), Value::List(items)) => items.iter().find(|item| *item == value),
            (Self::Place(place), Value::List(items)) => items.get(*place),
            _ => None,
        }
    }

    /// What stands there in a table.
    pub(super) fn find_in<'a>(&self, table: &'a Attributes) -> Option<&'a Value> {
        match self {
            Self::Field(name) => table.get(name),
            _ => None,
        }
    }

    /// Whether a wanted item may be the one with these keys. It may leave out keys that the
    /// server fills in, such as the protocol of a port.
    pub(super) fn may_be(&self, wanted: &Value) -> bool {
        match (self, wanted) {
            (Self::Key(keys), Value::Map(map)) => {
                let mut met = 0;
                keys.iter().all(|(key, value)| match map.get(key) {
                    Some(there) => {
                        met += 1;
                        there == value
                    }
                    None => true,
                }) && met > 0
            }
            (Self::Item(value), wanted) => value == wanted,
            _ => false,
        }
    }
}

fn has_all(item: &Value, keys: &Attributes) -> bool {
    let has = |map: &Attributes| keys.iter().all(|(key, value)| map.get(key) == Some(value));
    item.as_map().is_some_and(has)
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Key(keys) => f.write_str(&serde_json::to_string(keys).unwrap_or_default()),
            Self::Item(value) => {
                write!(f, "={}", serde_json::to_string(value).unwrap_or_default())
            }
            Self::Place(place) => write!(f, "[{place}]"),
        }
    }
}

/// A set of fields. Without parts, all that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSet {
    parts: BTreeMap<Part, FieldSet>,
}

impl FieldSet {
    /// Reads `fieldsV1`. What has no meaning to us is left out.
    pub(super) fn parse(fields: &serde_json::Value) -> Self {
        let mut set = Self::default();
        for (name, inside) in fields.as_object().into_iter().flatten() {
            // The dot says that the table or item itself is owned, beside what is in it.
            if let Some(part) = Part::parse(name) {
                set.parts.insert(part, Self::parse(inside));
            }
        }
        set
    }

    /// Whether all that is there is in the set.
    pub(super) fn is_whole(&self) -> bool {
        self.parts.is_empty()
    }

    /// Its parts.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&Part, &FieldSet)> {
        self.parts.iter()
    }

    /// The set inside of a part; a whole is whole in every part.
    pub(super) fn inside(&self, part: &Part) -> Option<&FieldSet> {
        if self.is_whole() {
            Some(self)
        } else {
            self.parts.get(part)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(json: serde_json::Value) -> Value {
        plain(json)
    }

    #[test]
    fn parts_find_what_they_stand_for() {
        let ports = value(json!([
            {"containerPort": 80, "protocol": "TCP", "name": "http"},
            {"containerPort": 80, "protocol": "UDP"}
        ]));
        let part = Part::parse(r#"k:{"containerPort":80,"protocol":"UDP"}"#).unwrap();
        assert_eq!(part.find(&ports), Some(&ports.as_list().unwrap()[1]));
        assert!(part.may_be(&value(json!({"containerPort": 80}))));
        assert!(!part.may_be(&value(json!({"containerPort": 80, "protocol": "TCP"}))));
        assert!(!part.may_be(&value(json!({"name": "x"}))));
        let item = Part::parse(r#"v:"a""#).unwrap();
        assert_eq!(item.find(&value(json!(["b", "a"]))), Some(&"a".into()));
    }

    #[test]
    fn sets_are_read_and_walked() {
        let set = FieldSet::parse(&json!({
            "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
            "f:spec": {"f:ports": {"k:{\"port\":80}": {".": {}, "f:port": {}}}},
            "x": {}
        }));
        let field = |name: &str| Part::Field(name.into());
        let labels = set
            .inside(&field("metadata"))
            .and_then(|it| it.inside(&field("labels")))
            .unwrap();
        assert!(!labels.is_whole() && labels.inside(&field("b")).is_none());
        let a = labels.inside(&field("a")).unwrap();
        assert!(a.is_whole() && a.inside(&field("anything")).is_some());
        assert_eq!(set.parts().count(), 2);
    }
}
