//! Amounts and times as Kubernetes writes them: one value, many spellings.
//!
//! The server gives quantities back in a spelling of its own (`0.5` as `500m`). Whether a place
//! holds one is decided by where it is: the same texts in a label are two texts.

use matih_model::{Amount, Text, Value};

/// Tables whose values are quantities, in the kinds that Kubernetes itself serves.
const TABLES: &[&str] = &[
    "allocatable",
    "capacity",
    "default",
    "defaultRequest",
    "hard",
    "limits",
    "max",
    "maxLimitRequestRatio",
    "min",
    "overhead",
    "podFixed",
    "requests",
];

/// Single fields that are quantities.
const FIELDS: &[&str] = &["averageValue", "divisor", "sizeLimit"];

/// Ends of the names of fields that hold a time span, in any kind.
const SPANS: &[&str] = &["duration", "interval", "timeout", "renewBefore", "period"];

/// Whether two values at a path of an object of this API group mean the same.
pub(super) fn same(group: &str, path: &[Text], one: &Value, other: &Value) -> bool {
    if one == other {
        return true;
    }
    let at = |from_end: usize| {
        let index = path.len().checked_sub(from_end)?;
        path.get(index).map(|part| &**part)
    };
    let in_metadata = path.iter().any(|part| &**part == "metadata");
    let (Some(name), false) = (at(1), in_metadata) else {
        return false;
    };
    let amounts = is_own(group)
        && path.len() > 2
        && (FIELDS.contains(&name) || at(2).is_some_and(|table| TABLES.contains(&table)));
    if amounts {
        return Amount::of(one).is_some_and(|one| Some(one) == Amount::of(other));
    }
    let lower = name.to_ascii_lowercase();
    let spans = SPANS
        .iter()
        .any(|end| lower.ends_with(&end.to_ascii_lowercase()));
    if spans && let (Value::String(one), Value::String(other)) = (one, other) {
        return matches!((nanoseconds(one), nanoseconds(other)), (Some(a), Some(b)) if a == b);
    }
    false
}

/// Whether a group is of Kubernetes itself.
fn is_own(group: &str) -> bool {
    !group.contains('.') || group.ends_with(".k8s.io")
}

/// A time span as Go writes it: `1h30m`, `720h0m0s`.
fn nanoseconds(text: &str) -> Option<u128> {
    let mut rest = text;
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(end);
        let units: [(&str, u128); 6] = [
            ("ns", 1),
            ("us", 1_000),
            ("ms", 1_000_000),
            ("s", 1_000_000_000),
            ("m", 60_000_000_000),
            ("h", 3_600_000_000_000),
        ];
        let (unit, size) = units.into_iter().find(|(unit, _)| tail.starts_with(unit))?;
        let part = number.parse::<u128>().ok()?.checked_mul(size)?;
        total = total.checked_add(part)?;
        rest = &tail[unit.len()..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same_at(group: &str, path: &str, one: &str, other: &str) -> bool {
        let path: Vec<Text> = path.split('.').map(Into::into).collect();
        same(group, &path, &one.into(), &other.into())
    }

    #[test]
    fn quantities_are_what_they_amount_to() {
        for (one, other, answer) in [
            ("0.5", "500m", true),
            ("1", "1000m", true),
            ("1Gi", "1024Mi", true),
            ("1Gi", "1G", false),
            ("1.5Gi", "1536Mi", true),
            ("1e3", "1k", true),
            ("2E", "2e18", true),
            ("0", "0m", true),
            ("-1", "-1000m", true),
            ("1", "2", false),
            ("x", "y", false),
            ("", "0", false),
            (".", "0", false),
            (
                "9999999999999999999999Ei",
                "9999999999999999999999Ei0",
                false,
            ),
        ] {
            assert_eq!(
                same_at("", "manifest.spec.hard.cpu", one, other),
                answer,
                "{one} {other}"
            );
        }
        let path: Vec<Text> = ["manifest", "spec", "hard", "pods"]
            .map(Into::into)
            .to_vec();
        assert!(same("", &path, &Value::Integer(10), &"10".into()));
    }

    #[test]
    fn a_place_decides_what_a_text_is() {
        assert!(same_at(
            "apps",
            "manifest.spec.template.spec.containers.0.resources.limits.cpu",
            "1",
            "1000m"
        ));
        assert!(!same_at("", "manifest.metadata.labels.cpu", "1", "1000m"));
        assert!(!same_at(
            "",
            "manifest.metadata.annotations.limits.cpu",
            "1",
            "1000m"
        ));
        assert!(!same_at("", "manifest.data.cpu", "1", "1000m"));
        assert!(!same_at(
            "example.com",
            "manifest.spec.limits.cpu",
            "1",
            "1000m"
        ));
        assert!(same_at(
            "networking.k8s.io",
            "manifest.spec.limits.cpu",
            "1",
            "1000m"
        ));
    }

    #[test]
    fn spans_are_what_they_last() {
        assert!(same_at(
            "cert-manager.io",
            "manifest.spec.duration",
            "2160h",
            "2160h0m0s"
        ));
        assert!(same_at(
            "x.io",
            "manifest.spec.refreshInterval",
            "1h",
            "60m"
        ));
        assert!(!same_at(
            "x.io",
            "manifest.spec.refreshInterval",
            "1h",
            "61m"
        ));
        assert!(!same_at("x.io", "manifest.spec.name", "1h", "60m"));
        assert!(!same_at("x.io", "manifest.spec.interval", "", "0s"));
    }
}
