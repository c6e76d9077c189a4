//! What a kind allows: which attributes it has, what a change of each means, what undo costs.
//!
//! Schemas are pure data that a provider declares. The compiler refuses attributes that a schema
//! does not know, the planner decides update or replace by it, the guard decides by its undo
//! class. Nothing here knows how a provider does any of that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::address::Kind;
use crate::path::AttributePath;
use crate::value::{Attributes, Text, Value};

/// Whether a kind stands for a thing that exists or for a look at the world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KindRole {
    /// Something that is created, recorded and deleted.
    #[default]
    Resource,
    /// Looks and touches nothing (quota, credentials, the connectivity gate): run at every apply
    /// that changes anything in the tenant, never drift, never recorded.
    Check,
}

/// What it means to undo the creation of a resource, from cheap to impossible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UndoClass {
    /// Delete and it is as before.
    #[default]
    Reversible,
    /// Deleting loses data: refused without a separate approval.
    DataBearing,
    /// Cannot be undone at all (a mail that was sent).
    OneWay,
}

/// A rule that gives some resources of a kind another undo class, by one attribute's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UndoRule {
    /// Where to look.
    pub path: AttributePath,
    /// The value that makes the rule hold.
    pub equals: Value,
    /// The class it then has.
    pub undo: UndoClass,
}

/// The type of an attribute's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// True or false.
    Bool,
    /// A list of anything.
    List,
    /// A table of anything: its inside is not checked here (a manifest, Helm values, an ARM body).
    Map,
    /// Anything.
    Any,
}

impl ValueType {
    /// Whether a value has this type. References, secrets and unknown values may become any type.
    pub fn admits(self, value: &Value) -> bool {
        match value {
            Value::Ref(_) | Value::Secret(_) | Value::Unknown => true,
            Value::String(_) => matches!(self, Self::String | Self::Any),
            Value::Integer(_) => matches!(self, Self::Integer | Self::Any),
            Value::Bool(_) => matches!(self, Self::Bool | Self::Any),
            Value::List(_) => matches!(self, Self::List | Self::Any),
            Value::Map(_) => matches!(self, Self::Map | Self::Any),
            Value::Null => matches!(self, Self::Any),
        }
    }
}

/// What a schema says of one attribute, or of all attributes that a path pattern covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributeSchema {
    /// Top-level name, or a pattern that reaches inside (`manifest.spec.selector`).
    pub path: AttributePath,
    /// The type of the value there.
    #[serde(rename = "type")]
    pub value_type: ValueType,
    /// One sentence for people.
    pub doc: Text,
    /// Must be set.
    #[serde(default)]
    pub required: bool,
    /// Cannot be changed on a living resource: a change means replace.
    #[serde(default)]
    pub immutable: bool,
    /// The server may fill it in; a value of its own is not a difference where we set none.
    #[serde(default)]
    pub computed: bool,
    /// Shown as `(sensitive value)`.
    #[serde(default)]
    pub sensitive: bool,
    /// A list whose order does not count.
    #[serde(default)]
    pub set_like: bool,
    /// A limit on what depends on the resource, as an amount: an update that takes it down comes
    /// after what has to fit below it.
    #[serde(default)]
    pub limit: bool,
}

/// What a provider tells back of a resource of this kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputSchema {
    /// The key in the outputs.
    pub name: Text,
    /// One sentence for people.
    pub doc: Text,
    /// May differ after an update; others stay for the life of the resource.
    #[serde(default)]
    pub volatile: bool,
}

/// All that is known of a kind without asking a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindSchema {
    /// The kind itself.
    pub kind: Kind,
    /// One sentence for people.
    pub doc: Text,
    /// Resource or check.
    #[serde(default)]
    pub role: KindRole,
    /// What undo costs, where no rule says otherwise.
    #[serde(default)]
    pub undo: UndoClass,
    /// Exceptions, the first that holds wins.
    #[serde(default)]
    pub undo_rules: Vec<UndoRule>,
    /// A failure to make it is told as a warning and does not fail the run (domain.md section
    /// 3.4, step 55, the mail of welcome). What waits for it waits for the next run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub best_effort: bool,
    /// Attributes that may be set.
    #[serde(default, rename = "attribute")]
    pub attributes: Vec<AttributeSchema>,
    /// Outputs that may be referred to.
    #[serde(default, rename = "output")]
    pub outputs: Vec<OutputSchema>,
}

impl KindSchema {
    /// The undo class of a resource with these attributes.
    pub fn undo_of(&self, attributes: &Attributes) -> UndoClass {
        self.undo_rules
            .iter()
            .find(|rule| rule.path.find(attributes) == Some(&rule.equals))
            .map_or(self.undo, |rule| rule.undo)
    }

    /// The schema of a top-level attribute.
    pub fn attribute(&self, name: &str) -> Option<&AttributeSchema> {
        self.attributes
            .iter()
            .find(|schema| matches!(schema.path.parts(), [only] if **only == *name))
    }

    /// Whether a change at `path` forces replacement.
    pub fn is_immutable(&self, path: &AttributePath) -> bool {
        self.any(path, |schema| schema.immutable)
    }

    /// Whether the value at `path` must not be shown.
    pub fn is_sensitive(&self, path: &AttributePath) -> bool {
        self.any(path, |schema| schema.sensitive)
    }

    /// Whether the order of the list at exactly `path` does not count.
    pub fn is_set_like(&self, path: &AttributePath) -> bool {
        self.attributes.iter().any(|schema| {
            schema.set_like
                && schema.path.parts().len() == path.parts().len()
                && schema.path.covers(path)
        })
    }

    /// Whether the value at `path` limits what depends on the resource.
    pub fn is_limit(&self, path: &AttributePath) -> bool {
        self.any(path, |schema| schema.limit)
    }

    /// The schema of an output.
    pub fn output(&self, name: &str) -> Option<&OutputSchema> {
        self.outputs.iter().find(|output| &*output.name == name)
    }

    fn any(&self, path: &AttributePath, holds: impl Fn(&AttributeSchema) -> bool) -> bool {
        self.attributes
            .iter()
            .any(|schema| holds(schema) && schema.path.covers(path))
    }
}

/// A kind was declared twice.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("kind `{0}` is declared twice")]
pub struct CatalogError(pub Kind);

/// All kinds that a platform has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Catalog(BTreeMap<Kind, KindSchema>);

impl Catalog {
    /// Gathers schemas.
    ///
    /// # Errors
    /// One kind is there twice.
    pub fn new(schemas: impl IntoIterator<Item = KindSchema>) -> Result<Self, CatalogError> {
        let mut kinds = BTreeMap::new();
        for schema in schemas {
            let kind = schema.kind.clone();
            if kinds.insert(kind.clone(), schema).is_some() {
                return Err(CatalogError(kind));
            }
        }
        Ok(Self(kinds))
    }

    /// The schema of a kind.
    pub fn get(&self, kind: &Kind) -> Option<&KindSchema> {
        self.0.get(kind)
    }

    /// All schemas by kind.
    pub fn iter(&self) -> impl Iterator<Item = &KindSchema> {
        self.0.values()
    }

    /// Whether a kind is a check; an unknown kind is not.
    pub fn is_check(&self, kind: &Kind) -> bool {
        self.get(kind)
            .is_some_and(|schema| schema.role == KindRole::Check)
    }

    /// The digest of all schemas: part of what a compile depends on.
    pub fn digest(&self) -> crate::Digest {
        crate::Digest::of("matih catalog v1", self)
    }
}
