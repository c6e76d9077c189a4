//! What a release holds: as it is asked for, as Helm has it, and whether the two are the same.
//!
//! Numbers are compared as numbers, since Helm reads all of them as fractions, and an explicit
//! nothing counts as nothing. A secret's value goes to Helm and is compared there; in attributes,
//! tokens and labels its reference and keyed digest stand for it.

use matih_model::{
    Attributes, Digest, ErrorKind, ProviderError, SecretSource, SecretUse, Value, Version,
};
use serde_json::{Map, Value as Json};

use super::release::Release;

/// How many characters of a digest stand in a label.
const DIGEST: usize = 40;

/// Helm's word for a release that works.
pub(super) const DEPLOYED: &str = "deployed";

/// A release by its names, and what it is asked to hold.
pub(super) struct Asked<'a> {
    pub(super) namespace: &'a str,
    pub(super) release: &'a str,
    pub(super) chart: &'a str,
    pub(super) version: &'a str,
    /// The values, secrets by reference.
    pub(super) values: &'a Attributes,
}

impl Asked<'_> {
    /// The token of a release that holds just this and works.
    pub(super) fn token(&self) -> String {
        token(
            (self.namespace, self.release),
            (self.chart, self.version),
            &without_nothing(self.values),
            DEPLOYED,
        )
    }
}

/// The token of a revision. `asked` says which of its values are secrets.
pub(super) fn token_of(
    (namespace, name): (&str, &str),
    release: &Release,
    asked: Option<&Attributes>,
) -> String {
    let metadata = &release.chart.metadata;
    token(
        (namespace, name),
        (&metadata.name, &metadata.version),
        &without_nothing(&masked(&release.config, asked)),
        &release.info.status,
    )
}

fn token(release: (&str, &str), chart: (&str, &str), values: &Attributes, status: &str) -> String {
    let mut text =
        Digest::of("matih helm release v1", &(release, chart, values, status)).to_string();
    text.truncate(DIGEST);
    text
}

/// The token of a release with this token that is to have an address, by the address that it has:
/// others refer to it, and it can change while nothing else does. No label has this token, so such
/// a release is opened at each look.
pub(super) fn reached(token: &str, address: &str) -> String {
    let mut text = Digest::of("matih helm address v1", &(token, address)).to_string();
    text.truncate(DIGEST);
    text
}

/// The token of a release with this token whose objects are otherwise than it says.
pub(super) fn drifted(token: &str, how: &[String]) -> String {
    let mut text = Digest::of("matih helm drift v1", &(token, how)).to_string();
    text.truncate(DIGEST);
    text
}

/// A token as the rest of matih knows it.
pub(super) fn version(token: &str) -> Version {
    Version::new(token)
}

/// The values with every secret revealed: for Helm and nobody else.
///
/// # Errors
/// A secret cannot be read, or a value is not known yet.
pub(super) fn revealed(
    values: &Attributes,
    secrets: &dyn SecretSource,
) -> Result<Map<String, Json>, ProviderError> {
    let pair =
        |(key, value): (&matih_model::Text, &Value)| Ok((key.to_string(), reveal(value, secrets)?));
    values.iter().map(pair).collect()
}

fn reveal(value: &Value, secrets: &dyn SecretSource) -> Result<Json, ProviderError> {
    let invalid = |text: String| ProviderError::new(ErrorKind::Invalid, text);
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Integer(number) => Json::from(*number),
        Value::String(text) => Json::from(&**text),
        Value::List(values) => {
            let values = values.iter().map(|value| reveal(value, secrets));
            Json::Array(values.collect::<Result<_, _>>()?)
        }
        Value::Map(map) => Json::Object(revealed(map, secrets)?),
        Value::Secret(secret) => {
            let value = secrets.reveal(&secret.reference);
            let value = value.map_err(|error| invalid(error.to_string()))?;
            Json::from(value.expose())
        }
        Value::Ref(reference) => return Err(invalid(format!("{reference} is not known yet"))),
        Value::Unknown => return Err(invalid("a value is not known yet".to_owned())),
    })
}

/// An error of Helm's without the secrets that it may quote: those that stand in the values.
pub(super) fn hushed(
    error: ProviderError,
    values: &Attributes,
    secrets: &dyn SecretSource,
) -> ProviderError {
    let mut message = error.message;
    for value in values.values() {
        value.walk(&mut |value| {
            if let Value::Secret(secret) = value
                && let Ok(value) = secrets.reveal(&secret.reference)
                && !value.expose().is_empty()
            {
                message = message.replace(value.expose(), "(sensitive value)");
            }
        });
    }
    ProviderError { message, ..error }
}

/// Whether two tables of values are the same to Helm.
pub(super) fn same(one: &Map<String, Json>, other: &Map<String, Json>) -> bool {
    let within = |one: &Map<String, Json>, other: &Map<String, Json>| {
        let set = one.iter().filter(|(_, value)| !value.is_null());
        let mut set = set.map(|(key, value)| (value, other.get(key)));
        set.all(|(value, there)| there.is_some_and(|there| same_value(value, there)))
    };
    within(one, other) && within(other, one)
}

fn same_value(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Object(one), Json::Object(other)) => same(one, other),
        (Json::Array(one), Json::Array(other)) => {
            let mut pairs = one.iter().zip(other);
            one.len() == other.len() && pairs.all(|(one, other)| same_value(one, other))
        }
        (Json::Number(one), Json::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (one, other) => one == other,
    }
}

/// Helm's values as our tree, with a secret wherever `asked` has one.
pub(super) fn masked(there: &Map<String, Json>, asked: Option<&Attributes>) -> Attributes {
    let value = |(key, value): (&String, &Json)| {
        let asked = asked.and_then(|asked| asked.get(key));
        (key.as_str().into(), mask(value, asked))
    };
    there.iter().map(value).collect()
}

fn mask(there: &Json, asked: Option<&Value>) -> Value {
    match (there, asked) {
        (Json::Null, _) => Value::Null,
        (_, Some(Value::Secret(secret))) => Value::Secret(SecretUse::clone(secret)),
        (Json::Bool(truth), _) => Value::Bool(*truth),
        (Json::Number(number), _) => whole(number),
        (Json::String(text), _) => Value::from(text.as_str()),
        (Json::Array(items), asked) => {
            let asked = asked.and_then(Value::as_list).unwrap_or_default();
            let items = items.iter().enumerate();
            Value::List(items.map(|(at, it)| mask(it, asked.get(at))).collect())
        }
        (Json::Object(map), asked) => Value::Map(masked(map, asked.and_then(Value::as_map))),
    }
}

/// A number that is whole however it is written; a fraction as text, as everywhere in matih.
fn whole(number: &serde_json::Number) -> Value {
    // Beyond this, neighbouring whole numbers look alike to Helm.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(whole) = number.as_i64() {
        return Value::Integer(whole);
    }
    let fraction = number
        .as_f64()
        .filter(|it| it.fract() == 0.0 && it.abs() < EXACT);
    let whole = fraction.and_then(|it| format!("{it:.0}").parse().ok());
    whole.map_or_else(|| Value::from(number.to_string()), Value::Integer)
}

/// The tree without its explicit nothings.
fn without_nothing(tree: &Attributes) -> Attributes {
    fn inside(value: &Value) -> Value {
        match value {
            Value::Map(map) => Value::Map(without_nothing(map)),
            Value::List(items) => Value::List(items.iter().map(inside).collect()),
            other => other.clone(),
        }
    }
    let set = tree.iter().filter(|(_, value)| **value != Value::Null);
    set.map(|(key, value)| (key.clone(), inside(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use matih_model::{SecretError, SecretRef, SecretValue};
    use serde_json::json;

    use super::super::release::{Chart, Info, Metadata};
    use super::*;

    fn attributes(json: &str) -> Attributes {
        serde_json::from_str(json).unwrap()
    }

    fn map(json: Json) -> Map<String, Json> {
        json.as_object().unwrap().clone()
    }

    struct Always(&'static str);

    impl SecretSource for Always {
        fn reveal(&self, _: &SecretRef) -> Result<SecretValue, SecretError> {
            Ok(SecretValue::new(self.0.to_owned()))
        }
    }

    fn release(config: Json, status: &str) -> Release {
        Release {
            version: 1,
            info: Info {
                status: status.to_owned(),
                description: String::new(),
                last_deployed: String::new(),
            },
            chart: Chart {
                metadata: Metadata {
                    name: "c".to_owned(),
                    version: "1.0.0".to_owned(),
                    app_version: String::new(),
                },
            },
            config: map(config),
            manifest: String::new(),
        }
    }

    const VALUES: &str = r#"{"port":80,"on":true,"none":null,"deep":{"list":[1,"x"],"none":null},
        "password":{"$secret":{"env":"P"},"digest":"0000000000000000000000000000000000000000000000000000000000000001"}}"#;

    fn asked(values: &Attributes) -> Asked<'_> {
        Asked {
            namespace: "ns",
            release: "r",
            chart: "c",
            version: "1.0.0",
            values,
        }
    }

    #[test]
    fn what_was_asked_for_and_what_helm_has_bear_one_token() {
        let values = attributes(VALUES);
        let there = |port: f64| json!({ "port": port, "on": true, "deep": { "list": [1, "x"] }, "password": "s3cret" });
        let token = |config, status| token_of(("ns", "r"), &release(config, status), Some(&values));
        let wanted = asked(&values).token();
        assert_eq!(token(there(80.0), DEPLOYED), wanted);
        assert_ne!(token(there(81.0), DEPLOYED), wanted);
        assert_ne!(token(there(80.0), "failed"), wanted);
        let other = Asked {
            version: "1.0.1",
            ..asked(&values)
        };
        assert_ne!(other.token(), wanted);
        let changed = attributes(&VALUES.replace("0001", "0002"));
        assert_ne!(asked(&changed).token(), wanted, "another secret");
    }

    #[test]
    fn secrets_go_to_helm_and_stay_there() {
        let values = attributes(VALUES);
        let sent = revealed(&values, &Always("s3cret")).unwrap();
        assert_eq!(sent["password"], "s3cret");
        assert_eq!(sent["deep"]["list"], json!([1, "x"]));
        let shown = masked(&sent, Some(&values));
        assert!(!serde_json::to_string(&shown).unwrap().contains("s3cret"));
        assert_eq!(shown, values);
    }

    #[test]
    fn an_error_of_helm_quotes_no_secret() {
        let error = ProviderError::new(ErrorKind::Invalid, "at '/password': got s3cret");
        let hushed = hushed(error, &attributes(VALUES), &Always("s3cret"));
        assert_eq!(hushed.message, "at '/password': got (sensitive value)");
    }

    #[test]
    fn what_is_not_known_is_not_sent() {
        for json in [
            r#"{"a":[{"$ref":"acme/helm.release/x","output":"ip"}]}"#,
            r#"{"a":{"b":{"$unknown":true}}}"#,
        ] {
            let error = revealed(&attributes(json), &Always("")).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Invalid);
        }
    }

    #[test]
    fn values_are_compared_as_helm_reads_them() {
        for (one, other, alike) in [
            (json!({ "a": 1 }), json!({ "a": 1.0 }), true),
            (json!({ "a": 1 }), json!({ "a": "1" }), false),
            (json!({ "a": 1, "b": null }), json!({ "a": 1 }), true),
            (json!({ "a": 1 }), json!({ "a": 1, "b": 2 }), false),
            (json!({ "a": [1, 2] }), json!({ "a": [2, 1] }), false),
            (json!({ "a": { "b": {} } }), json!({ "a": {} }), false),
        ] {
            assert_eq!(
                same(&map(one.clone()), &map(other.clone())),
                alike,
                "{one} {other}"
            );
            assert_eq!(same(&map(other), &map(one)), alike);
        }
    }

    #[test]
    fn fractions_are_text_and_whole_numbers_are_numbers() {
        let there = map(json!({ "a": 1e6, "b": 0.5, "c": 1e300, "d": -3.0 }));
        let shown = masked(&there, None);
        assert_eq!(shown.get("a"), Some(&Value::Integer(1_000_000)));
        assert_eq!(shown.get("b"), Some(&Value::from("0.5")));
        assert_eq!(shown.get("c"), Some(&Value::from("1e+300")));
        assert_eq!(shown.get("d"), Some(&Value::Integer(-3)));
    }
}
