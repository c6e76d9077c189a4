//! A tree of values as JSON, and back.
//!
//! A reference is `{"$ref": ADDRESS, "output": NAME}`, a secret `{"$secret": {...}}`, a value not
//! known yet `{"$unknown": true}`. A plain map with any other key that starts with `$` is refused,
//! so nothing can pose as one of them; so is a number with a fraction.

use std::fmt;

use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::secret::{SecretRef, SecretUse};
use crate::value::{Attributes, OutputRef, Value};

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
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
