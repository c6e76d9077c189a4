//! From references to values: pure, over the outputs that are known by now.

use std::collections::BTreeMap;

use matih_model::{Address, Attributes, OutputRef, Value};

/// Attributes with nothing left to look up, and what each reference stood for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// Ready for the wire, but for secrets.
    pub(crate) attributes: Attributes,
    /// Every reference in them, with its value: kept in the record.
    pub(crate) references: BTreeMap<OutputRef, Value>,
}

/// Replaces every reference by the output that it names.
///
/// # Errors
/// The first reference, by key order, whose resource or output is not known.
pub(crate) fn resolve<'a>(
    attributes: &Attributes,
    outputs: impl Fn(&Address) -> Option<&'a Attributes>,
) -> Result<Resolved, OutputRef> {
    let mut references = BTreeMap::new();
    let mut missing = None;
    let attributes = attributes.map_refs(&mut |reference| {
        let value = outputs(&reference.address).and_then(|told| told.get(&reference.output));
        match value {
            Some(value) => {
                references.insert(reference.clone(), value.clone());
                value.clone()
            }
            None => {
                missing.get_or_insert_with(|| reference.clone());
                Value::Unknown
            }
        }
    });
    match missing {
        None => Ok(Resolved {
            attributes,
            references,
        }),
        Some(reference) => Err(reference),
    }
}

/// Whether what was read has all that was wanted. What the server added counts for nothing, and
/// a secret that the provider does not tell is taken for the wanted one.
///
/// It errs on one side only: a list in another order, or a value in another notation, counts as
/// different. The price is one more update, which is idempotent.
pub(crate) fn holds(wanted: &Attributes, observed: &Attributes) -> bool {
    wanted
        .iter()
        .all(|(key, value)| matches(value, observed.get(key)))
}

fn matches(wanted: &Value, observed: Option<&Value>) -> bool {
    match (wanted, observed) {
        (Value::Secret(_) | Value::Null, None) => true,
        (Value::Map(wanted), Some(Value::Map(observed))) => holds(wanted, observed),
        (Value::List(wanted), Some(Value::List(observed))) => {
            wanted.len() == observed.len()
                && wanted
                    .iter()
                    .zip(observed)
                    .all(|(wanted, observed)| matches(wanted, Some(observed)))
        }
        (wanted, Some(observed)) => wanted == observed,
        (_, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(json: &str) -> Attributes {
        serde_json::from_str(json).unwrap()
    }

    const INGRESS: &str = "acme/helm.release/ingress";

    #[test]
    fn references_become_values_and_are_kept() {
        let wanted = attributes(
            r#"{"ttl":60,"values":[{"$ref":"acme/helm.release/ingress","output":"ip"}]}"#,
        );
        let told = attributes(r#"{"ip":"10.0.0.1"}"#);
        let resolved = resolve(&wanted, |address| {
            (address.to_string() == INGRESS).then_some(&told)
        })
        .unwrap();
        assert_eq!(
            resolved.attributes,
            attributes(r#"{"ttl":60,"values":["10.0.0.1"]}"#)
        );
        let kept: Vec<_> = resolved.references.iter().collect();
        assert_eq!(kept[0].0.to_string(), format!("{INGRESS}#ip"));
        assert_eq!(kept[0].1, &Value::from("10.0.0.1"));
    }

    #[test]
    fn what_nobody_told_is_an_error() {
        let wanted = attributes(r#"{"ip":{"$ref":"acme/helm.release/ingress","output":"ip"}}"#);
        let told = attributes(r#"{"name":"x"}"#);
        let missing = resolve(&wanted, |_| Some(&told)).unwrap_err();
        assert_eq!(missing.to_string(), format!("{INGRESS}#ip"));
        assert!(resolve(&wanted, |_| None).is_err());
    }

    #[test]
    fn wanted_within_observed() {
        for (wanted, observed, answer) in [
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, true),
            (r#"{"a":1}"#, r#"{"a":2}"#, false),
            (r#"{"a":1}"#, r#"{}"#, false),
            (r#"{"a":{"b":1}}"#, r#"{"a":{"b":1,"uid":"x"}}"#, true),
            (r#"{"a":[{"b":1}]}"#, r#"{"a":[{"b":1,"c":2}]}"#, true),
            (r#"{"a":[1]}"#, r#"{"a":[1,2]}"#, false),
            (r#"{"a":null}"#, r#"{}"#, true),
            (r#"{"a":{"$secret":{"env":"X"}}}"#, r#"{}"#, true),
            (
                r#"{"a":{"$secret":{"env":"X"}}}"#,
                r#"{"a":{"$secret":{"env":"Y"}}}"#,
                false,
            ),
        ] {
            let answered = holds(&attributes(wanted), &attributes(observed));
            assert_eq!(answered, answer, "{wanted} in {observed}");
        }
    }
}
