//! What the server of each kind does by itself: names, ids, defaults, outputs (`servers.toml`).
//!
//! Everything that a server makes up follows from the object's birth, the digest of the world's
//! seed, its name, and how many of that name were there before: the same ids whatever the order in
//! which objects are made, and others for what is made again.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use matih_model::{AttributePath, Attributes, Digest, Kind, OwnerMark, Value};
use serde::Deserialize;

use super::tree;
use crate::kinds::KindsError;

/// One row of the table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    kind: Kind,
    #[serde(default)]
    named_by: Vec<String>,
    id: String,
    /// How long a change takes in reality, in seconds.
    pub(super) seconds: u64,
    #[serde(default)]
    outputs: Attributes,
    #[serde(default)]
    fill: Attributes,
    #[serde(default)]
    variants: Vec<Variant>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variant {
    path: AttributePath,
    equals: Value,
    id: Option<String>,
    #[serde(default)]
    outputs: Attributes,
    #[serde(default)]
    fill: Attributes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    server: Vec<Server>,
}

static SERVERS: LazyLock<Result<BTreeMap<Kind, Server>, KindsError>> = LazyLock::new(|| {
    let table: Table =
        toml::from_str(include_str!("servers.toml")).map_err(|error| KindsError {
            file: "servers.toml",
            cause: error.to_string(),
        })?;
    let by_kind = |server: Server| (server.kind.clone(), server);
    Ok(table.server.into_iter().map(by_kind).collect())
});

/// The whole table, read once.
pub(super) fn servers() -> Result<&'static BTreeMap<Kind, Server>, KindsError> {
    SERVERS.as_ref().map_err(Clone::clone)
}

/// What there is to know of an object when its server speaks.
pub(super) struct Scope<'a> {
    /// As asked for.
    pub(super) attributes: &'a Attributes,
    /// Whose it is, if anybody's.
    pub(super) owner: Option<&'a OwnerMark>,
    /// What its ids are made of.
    pub(super) birth: Digest,
    /// Its place among all objects ever made, from 1.
    pub(super) serial: i64,
    /// How often it was changed, from 1.
    pub(super) revision: i64,
    /// Its remote id, once it has one.
    pub(super) id: &'a str,
}

impl Server {
    /// The object's name in the world, unique by kind.
    pub(super) fn name(&self, attributes: &Attributes, owner: Option<&OwnerMark>) -> String {
        let part = |name: &String| match name.strip_prefix('@') {
            Some(_) => owner.map(|owner| owner.tenant().to_string()),
            None => name
                .parse::<AttributePath>()
                .ok()
                .and_then(|path| path.find(attributes).map(text)),
        };
        let parts: Vec<Option<String>> = self.named_by.iter().map(part).collect();
        let own =
            |(name, part): (&String, &Option<String>)| !name.starts_with('@') && part.is_some();
        match owner {
            Some(owner) if !self.named_by.iter().zip(&parts).any(own) => {
                format!("{}/{}", owner.tenant(), owner.address.name)
            }
            _ => parts
                .into_iter()
                .map(Option::unwrap_or_default)
                .collect::<Vec<_>>()
                .join("/"),
        }
    }

    /// Whether the value at `path` is part of the object's name.
    pub(super) fn is_named_by(&self, path: &AttributePath) -> bool {
        let path = path.to_string();
        self.named_by.contains(&path)
    }

    /// The remote id that a new object gets.
    pub(super) fn id(&self, scope: &Scope<'_>) -> String {
        let special = self.holding(scope).find_map(|variant| variant.id.as_ref());
        text(&expanded(special.unwrap_or(&self.id), scope))
    }

    /// What the server tells back.
    pub(super) fn outputs(&self, scope: &Scope<'_>) -> Attributes {
        self.holding(scope)
            .fold(grown(&self.outputs, scope), |outputs, variant| {
                tree::merged(&outputs, &grown(&variant.outputs, scope))
            })
    }

    /// What the server fills in.
    pub(super) fn fill(&self, scope: &Scope<'_>) -> Attributes {
        self.holding(scope)
            .fold(grown(&self.fill, scope), |fill, variant| {
                tree::merged(&fill, &grown(&variant.fill, scope))
            })
    }

    fn holding<'a>(&'a self, scope: &'a Scope<'_>) -> impl Iterator<Item = &'a Variant> {
        self.variants
            .iter()
            .filter(|variant| variant.path.find(scope.attributes) == Some(&variant.equals))
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Null => String::new(),
        // A list or table as part of a name: its digest is as good a name as its text.
        other => Digest::of("matih simulated name v1", other).short(),
    }
}

/// A tree of templates with every text expanded.
fn grown(templates: &Attributes, scope: &Scope<'_>) -> Attributes {
    fn value(template: &Value, scope: &Scope<'_>) -> Value {
        match template {
            Value::String(text) => expanded(text, scope),
            Value::List(list) => list
                .iter()
                .map(|it| value(it, scope))
                .collect::<Vec<_>>()
                .into(),
            Value::Map(map) => grown(map, scope).into(),
            other => other.clone(),
        }
    }
    templates
        .iter()
        .map(|(key, template)| (key.clone(), value(template, scope)))
        .collect()
}

/// A text with its braces filled. One pair of braces that is the whole text keeps the value's type.
fn expanded(template: &str, scope: &Scope<'_>) -> Value {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((word, after)) = after.split_once('}') else {
            break;
        };
        let value = scope.word(word);
        if before.is_empty() && after.is_empty() && out.is_empty() {
            return value;
        }
        out.push_str(before);
        out.push_str(&text(&value));
        rest = after;
    }
    out.push_str(rest);
    out.into()
}

impl Scope<'_> {
    fn word(&self, word: &str) -> Value {
        let birth = self.birth.as_bytes();
        let hex = |from: usize, to: usize| -> String {
            let bytes = birth.get(from..to).unwrap_or_default();
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        match word {
            "@id" => self.id.into(),
            "@hex" => hex(0, 8).into(),
            "@short" => hex(0, 2).into(),
            "@uid" => uuid(&hex(8, 24)).into(),
            "@uid2" => uuid(&hex(16, 32)).into(),
            "@ip" => format!("20.{}.{}.{}", birth[0], birth[1], birth[2]).into(),
            "@ip_tail" => format!("{}.{}", birth[1], birth[2]).into(),
            "@created" => timestamp(self.serial).into(),
            "@revision" => self.revision.into(),
            "@run" => self
                .owner
                .map_or_else(String::new, |it| it.run.to_string())
                .into(),
            path => path
                .parse::<AttributePath>()
                .ok()
                .and_then(|path| path.find(self.attributes).cloned())
                .unwrap_or_else(|| "".into()),
        }
    }
}

/// 32 hex digits in the form of a UUID.
fn uuid(hex: &str) -> String {
    let part = |from, to| hex.get(from..to).unwrap_or_default();
    let parts = [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ];
    parts.join("-")
}

/// The world's time: one second an object, from the first day of 2026. It has no other clock.
fn timestamp(serial: i64) -> String {
    let (day, second) = (serial / 86_400, serial % 86_400);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let (month, day) = (1 + day / 28 % 12, 1 + day % 28);
    format!(
        "2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z",
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use matih_model::{KindRole, KindSchema};

    use super::*;
    use crate::kinds;

    fn resources() -> Vec<KindSchema> {
        let mut kinds = kinds::all().unwrap();
        kinds.retain(|schema| schema.role == KindRole::Resource);
        kinds
    }

    fn leaves(tree: &Attributes, at: &AttributePath, found: &mut Vec<AttributePath>) {
        for (key, value) in tree.iter() {
            match value {
                Value::Map(map) => leaves(map, &at.join(key), found),
                _ => found.push(at.join(key)),
            }
        }
    }

    #[test]
    fn there_is_one_server_for_each_kind_of_resource() {
        let served: BTreeSet<_> = servers().unwrap().keys().cloned().collect();
        let kinds: BTreeSet<_> = resources().into_iter().map(|schema| schema.kind).collect();
        assert_eq!(served, kinds);
    }

    #[test]
    fn servers_say_what_the_schemas_promise() {
        for schema in resources() {
            let server = &servers().unwrap()[&schema.kind];
            let promised: BTreeSet<_> = schema.outputs.iter().map(|output| &output.name).collect();
            let told: BTreeSet<_> = server.outputs.iter().map(|(name, _)| name).collect();
            assert_eq!(told, promised, "{}", schema.kind);
            let mut filled = Vec::new();
            leaves(&server.fill, &AttributePath::root(), &mut filled);
            for variant in &server.variants {
                leaves(&variant.fill, &AttributePath::root(), &mut filled);
                assert!(
                    variant
                        .outputs
                        .iter()
                        .all(|(name, _)| promised.contains(name))
                );
            }
            for path in filled {
                assert!(
                    schema.attribute(&path.parts()[0]).is_some(),
                    "{} {path}",
                    schema.kind
                );
            }
            for name in server.named_by.iter().filter(|name| !name.starts_with('@')) {
                let path: AttributePath = name.parse().unwrap();
                assert!(schema.is_immutable(&path), "{} {path}", schema.kind);
            }
        }
    }

    #[test]
    fn a_text_of_one_brace_keeps_the_type_and_others_are_text() {
        let attributes: Attributes =
            serde_json::from_str(r#"{"name":"x","list":[1],"number":7}"#).unwrap();
        let scope = Scope {
            attributes: &attributes,
            owner: None,
            birth: Digest::from_bytes([0xab; 32]),
            serial: 1,
            revision: 3,
            id: "id",
        };
        assert_eq!(expanded("{@revision}", &scope), Value::Integer(3));
        assert_eq!(
            expanded("{list}", &scope),
            Value::List(vec![Value::Integer(1)])
        );
        assert_eq!(
            expanded("{name}-{number}-{@hex}", &scope),
            "x-7-abababababababab".into()
        );
        assert_eq!(expanded("a{missing}b", &scope), "ab".into());
        assert_eq!(
            expanded("{@created}", &scope),
            "2026-01-01T00:00:01Z".into()
        );
    }
}
