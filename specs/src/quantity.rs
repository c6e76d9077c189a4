//! Kubernetes quantities: `80`, `7500m`, `1.5`, `160Gi`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

/// An amount, kept as it was written and comparable as a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Quantity(String);

/// The suffixes of a Kubernetes quantity and their thousandths.
const SUFFIXES: &[(&str, u128)] = &[
    ("m", 1),
    ("Ki", 1000 << 10),
    ("Mi", 1000 << 20),
    ("Gi", 1000 << 30),
    ("Ti", 1000 << 40),
    ("Pi", 1000 << 50),
    ("k", 1_000_000),
    ("M", 1_000_000_000),
    ("G", 1_000_000_000_000),
    ("T", 1_000_000_000_000_000),
    ("P", 1_000_000_000_000_000_000),
    ("", 1000),
];

impl Quantity {
    /// Takes the text if it is a positive quantity with at most 15 digits before the dot and 3
    /// after it.
    pub fn new(text: &str) -> Option<Self> {
        millis(text)
            .filter(|amount| *amount > 0)
            .map(|_| Self(text.to_owned()))
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The amount in thousandths: of a core for processors, of a byte for memory.
    pub fn millis(&self) -> u128 {
        millis(&self.0).unwrap_or_default()
    }
}

fn millis(text: &str) -> Option<u128> {
    let (number, factor) = SUFFIXES
        .iter()
        .find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str, longest: usize| {
        (1..=longest).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    };
    if !digits(whole, 15) || !digits(fraction, 3) {
        return None;
    }
    let thousandths: u128 = format!("{whole}{fraction:0<3}").parse().ok()?;
    Some(thousandths * factor / 1000)
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A Kubernetes quantity, such as 80, \"7500m\" or \"160Gi\".",
            "oneOf": [
                { "type": "integer", "minimum": 1 },
                { "type": "string", "pattern": r"^[0-9]{1,15}(\.[0-9]{1,3})?(m|[kMGTP]|[KMGTP]i)?$" },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_count() {
        for (text, amount) in [
            ("80", 80_000),
            ("7500m", 7_500),
            ("1.5", 1_500),
            ("2k", 2_000_000),
            ("1Gi", 1000 << 30),
            ("0.5Gi", 500 << 30),
        ] {
            assert_eq!(
                Quantity::new(text).map(|q| q.millis()),
                Some(amount),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "", "0", "-1", "Gi", "1.", ".5", "1.2345", "1gi", "1 Gi", "1e3", "٣",
        ] {
            assert_eq!(Quantity::new(text), None, "{text}");
        }
    }
}
