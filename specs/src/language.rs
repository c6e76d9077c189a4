//! The expressions and templates of a blueprint: minijinja, made strict.
//!
//! Promises that nothing is silently absent: `table.key` is an error wherever it stands if the key
//! is not there, and text can be made of text, whole numbers and truth values only.
//! Adds nothing to minijinja's grammar, and two filters to its library, `hash6` and `uuid`, which
//! make names out of names.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use matih_model::{
    Attributes, Digest, OutputRef, ResourceName, SecretRef, SecretUse, TenantId, Value,
};
use minijinja::value::{Enumerator, Object, Value as Term, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Expression, Output, State, UndefinedBehavior};

use crate::nearest::nearest;

/// An expression that keeps the type of its result.
pub(crate) type Formula = Expression<'static, 'static>;

/// Grammar and filters. It holds no template, so expressions are compiled against it for good.
static LANGUAGE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut language = Environment::new();
    language.set_debug(true);
    language.set_undefined_behavior(UndefinedBehavior::Strict);
    language.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    language.set_formatter(print);
    language.add_filter("hash6", hash6);
    language.add_filter("uuid", uuid);
    language
});

/// Grammar and filters, to add templates to.
pub(crate) fn language() -> Environment<'static> {
    LANGUAGE.clone()
}

/// Compiles an expression.
pub(crate) fn formula(source: &str) -> Result<Formula, Error> {
    LANGUAGE.compile_expression_owned(source.to_owned())
}

/// Whether minijinja itself knows this name (`range`, `dict`).
pub(crate) fn is_builtin(name: &str) -> bool {
    LANGUAGE.globals().any(|(global, _)| global == name)
}

/// The first six hex digits of a digest: what makes a short name unique in the world.
fn hash6(text: &str) -> String {
    let mut digits = Digest::of_bytes("matih hash6 v1", text.as_bytes()).to_string();
    digits.truncate(6);
    digits
}

/// A UUID of version 8 (RFC 9562) made of a digest: for names that must be UUIDs.
fn uuid(text: &str) -> String {
    let mut bytes = [0; 16];
    let digest = Digest::of_bytes("matih uuid v1", text.as_bytes());
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    let number = u128::from_be_bytes(bytes) & !(0xf << 76) & !(0b11 << 62);
    let hex = format!("{:032x}", number | (8 << 76) | (0b10 << 62));
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

fn print(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Term) -> Result<(), Error> {
    let what = match value.kind() {
        ValueKind::String | ValueKind::Number | ValueKind::Bool => {
            return minijinja::escape_formatter(out, state, value);
        }
        ValueKind::Undefined => return Err(ErrorKind::UndefinedError.into()),
        ValueKind::None => "a value that is not set",
        ValueKind::Map => "a table",
        _ => "a list",
    };
    Err(Error::new(
        ErrorKind::InvalidOperation,
        format!("{what} cannot be part of a text"),
    ))
}

/// What went wrong, in one line without minijinja's listing of the source.
pub(crate) fn explain(error: &Error) -> String {
    match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    }
}

/// A table whose `.key` must be there. `in` and `[key]` may ask for what is not: that is undefined,
/// and of no use in a text or as a result.
#[derive(Debug)]
struct Table(BTreeMap<Arc<str>, Term>);

impl Object for Table {
    fn get_value(self: &Arc<Self>, key: &Term) -> Option<Term> {
        self.0.get(key.as_str()?).cloned()
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Term> {
        Some(self.0.get(key).cloned().unwrap_or_else(|| {
            let names = || self.0.keys().map(|name| &**name);
            let hint = match nearest(key, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there is {}", names().collect::<Vec<_>>().join(", ")),
            };
            let detail = format!("`{key}` is not defined here; {hint}");
            Term::from(Error::new(ErrorKind::UndefinedError, detail))
        }))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(
            self.0
                .keys()
                .map(|key| Term::from(Arc::clone(key)))
                .collect(),
        )
    }
}

/// A strict table of terms.
pub(crate) fn table<K: Into<Arc<str>>>(entries: impl IntoIterator<Item = (K, Term)>) -> Term {
    Term::from_object(Table(
        entries
            .into_iter()
            .map(|(key, term)| (key.into(), term))
            .collect(),
    ))
}

/// JSON as terms; its tables are strict.
pub(crate) fn term(json: &serde_json::Value) -> Term {
    use serde_json::Value as Json;
    match json {
        Json::Null => Term::from(()),
        Json::Bool(truth) => Term::from(*truth),
        Json::Number(number) => number
            .as_i64()
            .map_or_else(|| Term::from(number.to_string()), Term::from),
        Json::String(text) => Term::from(text.as_str()),
        Json::Array(items) => items.iter().map(term).collect(),
        Json::Object(entries) => table(
            entries
                .iter()
                .map(|(key, value)| (key.as_str(), term(value))),
        ),
    }
}

/// What a value needs to know to become a resource's: whose it is, and what its secrets are now.
pub(crate) struct Scope<'a> {
    /// Whose resources refer to each other.
    pub(crate) tenant: &'a TenantId,
    /// The keyed digest of a secret's value, if it can be read.
    pub(crate) secret: &'a dyn Fn(&SecretRef) -> Option<Digest>,
}

impl Scope<'_> {
    /// A result as a value; `None` where it is nothing, and its key is then left out.
    pub(crate) fn value(&self, term: &Term) -> Result<Option<Value>, String> {
        let fault = |error: Error| explain(&error);
        Ok(Some(match term.kind() {
            ValueKind::None => return Ok(None),
            ValueKind::Undefined => return Err(
                "a name here is not defined; a key in brackets must be there, ask with `in` before"
                    .to_owned(),
            ),
            ValueKind::Bool => Value::Bool(term.is_true()),
            ValueKind::Number if term.is_integer() => match term.as_i64() {
                Some(number) => Value::Integer(number),
                None => {
                    return Err(format!(
                        "`{term}` does not fit in 64 bits with a sign; make it text"
                    ));
                }
            },
            ValueKind::Number => {
                return Err(format!(
                    "`{term}` has a fraction; make it text with `| string`, or divide with `//`"
                ));
            }
            ValueKind::String => Value::String(term.to_str().unwrap_or_default()),
            ValueKind::Map => {
                let mut entries = Attributes::new();
                for key in term.try_iter().map_err(fault)? {
                    let Some(name) = key.as_str() else {
                        return Err(format!("`{key}` cannot be a key; keys are text"));
                    };
                    if let Some(value) = self.value(&term.get_item(&key).map_err(fault)?)? {
                        entries.insert(name, value);
                    }
                }
                self.understood(entries)?
            }
            ValueKind::Seq | ValueKind::Iterable => {
                let mut items = Vec::new();
                for item in term.try_iter().map_err(fault)? {
                    items.extend(self.value(&item)?);
                }
                Value::List(items)
            }
            kind => {
                return Err(format!(
                    "a resource cannot hold a {kind}; write text, a number, a list or a table"
                ));
            }
        }))
    }

    /// A table as it is, or the reference or secret that its `$` key makes of it.
    pub(crate) fn understood(&self, mut entries: Attributes) -> Result<Value, String> {
        let tag = entries
            .iter()
            .map(|(key, _)| key)
            .find(|key| key.starts_with('$'))
            .cloned();
        let Some(tag) = tag else {
            return Ok(Value::Map(entries));
        };
        let meant = entries.remove(&tag);
        let value = match (&*tag, meant) {
            ("$ref", Some(Value::String(name))) => {
                let name: ResourceName = name
                    .parse()
                    .map_err(|_| format!("`$ref` names `{name}`; write `kind/name`"))?;
                match entries.remove("output") {
                    Some(Value::String(output)) => Value::Ref(OutputRef {
                        address: name.of(self.tenant),
                        output,
                    }),
                    _ => return Err(
                        "`$ref` is alone; put `output = \"…\"` beside it, the name of an output"
                            .to_owned(),
                    ),
                }
            }
            ("$secret", Some(Value::Map(place))) => {
                let reference = secret_ref(&place).ok_or(
                    "`$secret` names no secret; write one of { env = \"…\" }, { file = \"…\" } and { secret = \"…\" }",
                )?;
                let digest = (self.secret)(&reference);
                Value::Secret(SecretUse { reference, digest })
            }
            ("$ref" | "$secret", _) => {
                return Err(format!(
                    "`{tag}` has the wrong form; `$ref` is text, `$secret` a table"
                ));
            }
            _ => {
                return Err(format!(
                    "`{tag}` is not known; there are `$ref` and `$secret`"
                ));
            }
        };
        match entries.iter().next() {
            None => Ok(value),
            Some((key, _)) => Err(format!(
                "`{key}` cannot stand beside `{tag}`; take one of them away"
            )),
        }
    }
}

fn secret_ref(place: &Attributes) -> Option<SecretRef> {
    let mut entries = place.iter();
    match (entries.next()?, entries.next()) {
        ((key, Value::String(name)), None) => match &**key {
            "env" => Some(SecretRef::Env(name.to_string())),
            "file" => Some(SecretRef::File(name.to_string())),
            "secret" => Some(SecretRef::Store(name.to_string())),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eval(source: &str) -> Result<Option<Value>, String> {
        let tenant = TenantId::new("acme").unwrap();
        let scope = Scope {
            tenant: &tenant,
            secret: &|_| None,
        };
        let json = serde_json::json!({"t": {"a": 1, "none": null, "list": [1, null, 2]}});
        let terms = formula(source).and_then(|formula| formula.eval(term(&json)));
        scope.value(&terms.map_err(|error| explain(&error))?)
    }

    #[test]
    fn an_expression_keeps_its_type_and_nothing_is_left_out() {
        assert_eq!(eval("t.a + 1"), Ok(Some(Value::Integer(2))));
        assert_eq!(eval("t.a == 1"), Ok(Some(Value::Bool(true))));
        assert_eq!(eval("t.none"), Ok(None));
        assert_eq!(
            eval("t.list"),
            Ok(Some(Value::List(vec![1.into(), 2.into()])))
        );
        assert_eq!(
            eval("{'a': t.none}"),
            Ok(Some(Value::Map(Attributes::new())))
        );
    }

    #[test]
    fn a_key_that_is_not_there_is_an_error_wherever_it_stands() {
        for source in [
            "t.b",
            "t.b == 1",
            "t.b is defined",
            "t.b or 1",
            "[t.b]",
            "'x' ~ t.b",
        ] {
            let message = eval(source).unwrap_err();
            assert!(
                message.starts_with("`b` is not defined here; "),
                "{source}: {message}"
            );
        }
        assert_eq!(eval("'b' in t or 'a' in t"), Ok(Some(Value::Bool(true))));
        assert!(eval("t['b']").is_err());
    }

    #[test]
    fn references_and_secrets_may_come_from_expressions() {
        let reference = eval("{'$ref': 'dns.zone/z', 'output': 'name'}")
            .unwrap()
            .unwrap();
        assert!(matches!(reference, Value::Ref(it) if it.to_string() == "acme/dns.zone/z#name"));
        let secret = eval("{'$secret': {'env': 'X'}}").unwrap().unwrap();
        assert!(matches!(secret, Value::Secret(it) if it.reference == SecretRef::Env("X".into())));
        assert!(eval("{'$ref': 'dns.zone/z', 'output': 'name', 'more': 1}").is_err());
    }

    #[test]
    fn names_of_names_stay_the_same_for_good() {
        // Objects in the world bear these: another digest would orphan them.
        assert_eq!(hash6("matih/acme"), "ca5b5b");
        assert_eq!(uuid("acme/storage"), "61e93775-6969-8f76-b7c8-5189c3d23b0c");
    }
}
