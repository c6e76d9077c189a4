//! A draft held against the schema of its kind.

use matih_model::{AttributeSchema, Attributes, Catalog, KindSchema, Text, Value, ValueType};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expand::Draft;
use crate::nearest::nearest;
use crate::rule::rules;

rules! {
    /// The rules that the schema of a kind makes.
    CATALOG:
    /// A resource is of a kind that some provider knows.
    UNKNOWN_KIND = "MTH-3301" "catalog.unknown-kind" Error;
    /// A resource sets attributes that its kind has.
    UNKNOWN_ATTRIBUTE = "MTH-3302" "catalog.unknown-attribute" Error;
    /// A resource sets all attributes that its kind must have.
    MISSING_ATTRIBUTE = "MTH-3303" "catalog.missing-attribute" Error;
    /// The value of an attribute has the type that its kind says.
    WRONG_TYPE = "MTH-3304" "catalog.wrong-type" Error;
}

/// Reports all that the catalog does not allow of a draft.
pub(super) fn check(draft: &Draft, catalog: &Catalog, diagnostics: &mut Diagnostics) {
    let kind = &draft.name.kind;
    let Some(schema) = catalog.get(kind) else {
        let message = format!("no provider knows the kind `{kind}`");
        let near = nearest(
            kind.as_str(),
            catalog.iter().map(|schema| schema.kind.as_str()),
        );
        let hint = near.map(|near| format!("did you mean `{near}`?"));
        let place = draft.origin.place(&format!("{}.kind", draft.path));
        let diagnostic = Diagnostic {
            hint,
            ..Diagnostic::new(UNKNOWN_KIND, message)
        };
        return diagnostics.push(diagnostic.at(place));
    };
    let mut report = |path: &str, diagnostic: Diagnostic| {
        let place = draft
            .origin
            .place(&format!("{}.attributes.{path}", draft.path));
        diagnostics.push(diagnostic.at(place));
    };
    for (name, _) in draft.attributes.iter() {
        if !has(schema, name) {
            let message = format!("{kind} has no attribute `{name}`");
            report(
                name,
                Diagnostic::new(UNKNOWN_ATTRIBUTE, message).hint(hint(schema, name)),
            );
        }
    }
    for attribute in &schema.attributes {
        let found = values_at(&draft.attributes, attribute.path.parts());
        if attribute.required && found.is_empty() && parent_is_there(draft, attribute) {
            let message = format!("{} needs the attribute `{}`", draft.name, attribute.path);
            report(
                "",
                Diagnostic::new(MISSING_ATTRIBUTE, message).hint(&*attribute.doc),
            );
        }
        if let Some(value) = found
            .iter()
            .find(|value| !attribute.value_type.admits(value))
        {
            let wanted = type_name(attribute.value_type);
            let message = format!(
                "`{}` of {} must be {wanted}, and is {}",
                attribute.path,
                draft.name,
                name_of(value)
            );
            report(
                &attribute.path.to_string(),
                Diagnostic::new(WRONG_TYPE, message).hint(&*attribute.doc),
            );
        }
    }
}

fn has(schema: &KindSchema, name: &str) -> bool {
    let mut first = schema
        .attributes
        .iter()
        .filter_map(|attribute| attribute.path.parts().first());
    first.any(|part| **part == *name)
}

fn hint(schema: &KindSchema, name: &str) -> String {
    let tops = schema
        .attributes
        .iter()
        .filter_map(|it| match it.path.parts() {
            [only] => Some(&**only),
            _ => None,
        });
    let tops: Vec<&str> = tops.collect();
    match nearest(name, tops.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it has {}", tops.join(", ")),
    }
}

/// A required attribute deep inside is required where the table around it is there.
fn parent_is_there(draft: &Draft, attribute: &AttributeSchema) -> bool {
    match attribute.path.parts().split_last() {
        Some((_, parent)) => parent.is_empty() || !values_at(&draft.attributes, parent).is_empty(),
        None => false,
    }
}

/// All values that a path with wildcards leads to.
fn values_at<'a>(attributes: &'a Attributes, path: &[Text]) -> Vec<&'a Value> {
    let Some((first, rest)) = path.split_first() else {
        return Vec::new();
    };
    let start: Vec<&Value> = match &**first {
        "*" => attributes.values().collect(),
        name => attributes.get(name).into_iter().collect(),
    };
    rest.iter().fold(start, |values, part| {
        let inside = |value: &'a Value| -> Vec<&'a Value> {
            match (value, &**part) {
                (Value::Map(map), "*") => map.values().collect(),
                (Value::Map(map), name) => map.get(name).into_iter().collect(),
                (Value::List(items), "*") => items.iter().collect(),
                (Value::List(items), index) => index
                    .parse()
                    .ok()
                    .and_then(|it: usize| items.get(it))
                    .into_iter()
                    .collect(),
                _ => Vec::new(),
            }
        };
        values.into_iter().flat_map(inside).collect()
    })
}

fn type_name(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::String => "text",
        ValueType::Integer => "a whole number",
        ValueType::Bool => "true or false",
        ValueType::List => "a list",
        ValueType::Map => "a table",
        ValueType::Any => "anything",
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Integer(_) => "a whole number",
        Value::String(_) => "text",
        Value::List(_) => "a list",
        Value::Map(_) => "a table",
        Value::Ref(_) => "a reference",
        Value::Secret(_) => "a secret",
        Value::Unknown => "not known",
    }
}
