//! Differences as text: one line for a plain value, a unified diff for a tree.

use std::collections::BTreeSet;
use std::fmt::Write;

use matih_model::{AttributeChange, Attributes, KindSchema, Text, Value};
use similar::{ChangeTag, TextDiff};

use super::style::{ADD, BAD, CHANGE, FAINT, REMOVE, paint};
use super::value::{SENSITIVE, masked, one_line, value_block};

/// How many lines around a change are shown.
const CONTEXT: usize = 3;
/// How long a value on one line may be.
const WIDTH: usize = 80;

/// The changed attributes of one resource, each line after `indent`.
///
/// `before` is the whole of what was applied; trees of which it has a part are shown as a unified
/// diff, all else as `name = before -> after`. What `schema` calls sensitive is not shown.
pub(crate) fn attributes(
    schema: Option<&KindSchema>,
    before: &Attributes,
    changes: &[AttributeChange],
    indent: &str,
) -> String {
    let before = masked(schema, before);
    let mut text = String::new();
    let tops: BTreeSet<&Text> = changes
        .iter()
        .filter_map(|it| it.path.parts().first())
        .collect();
    for top in tops {
        let inside: Vec<&AttributeChange> = changes
            .iter()
            .filter(|change| change.path.parts().first() == Some(top))
            .collect();
        let deep = inside.iter().any(|change| change.path.parts().len() > 1);
        match before.get(top) {
            Some(tree @ (Value::Map(_) | Value::List(_))) if deep => {
                text.push_str(&tree_diff(top, tree, &inside, indent));
            }
            _ => inside
                .iter()
                .for_each(|change| line(&mut text, change, indent)),
        }
    }
    text + &causes(changes, indent)
}

/// Who made it so, a line for each hand on each part.
fn causes(changes: &[AttributeChange], indent: &str) -> String {
    let touches: BTreeSet<_> = changes.iter().filter_map(|it| it.cause.as_ref()).collect();
    let line = |touch: &matih_model::Touch| {
        let words = paint(FAINT, format!("# {} {touch}", touch.path));
        format!("{indent}{words}\n")
    };
    touches.into_iter().map(line).collect()
}

fn line(text: &mut String, change: &AttributeChange, indent: &str) {
    let shown = |value: &Value| {
        if change.sensitive {
            SENSITIVE.to_owned()
        } else {
            one_line(value, WIDTH)
        }
    };
    let (sign, values) = match (&change.before, &change.after) {
        (None, Some(after)) => (paint(ADD, "+").to_string(), shown(after)),
        (Some(before), None) => (paint(REMOVE, "-").to_string(), shown(before)),
        (before, after) => {
            let [before, after] =
                [before, after].map(|it| it.as_ref().map(&shown).unwrap_or_default());
            (
                paint(CHANGE, "~").to_string(),
                format!("{before} -> {after}"),
            )
        }
    };
    let _ = writeln!(
        text,
        "{indent}{sign} {} = {values}{}",
        change.path,
        forces(change)
    );
}

fn forces(change: &AttributeChange) -> String {
    if change.forces_replacement {
        format!("  {}", paint(BAD, "# forces replacement"))
    } else {
        String::new()
    }
}

fn tree_diff(top: &str, tree: &Value, changes: &[&AttributeChange], indent: &str) -> String {
    let mut before = tree.clone();
    let mut after = tree.clone();
    for change in changes {
        let shown = |value: &Option<Value>, sign: &str| match value {
            Some(_) if change.sensitive => Some(Value::string(format!("{SENSITIVE}{sign}"))),
            other => other.clone(),
        };
        let path = change.path.parts().get(1..).unwrap_or_default();
        set(&mut before, path, shown(&change.before, ""));
        set(&mut after, path, shown(&change.after, " (new)"));
    }
    let forced: Vec<String> = changes
        .iter()
        .filter(|change| change.forces_replacement)
        .map(|change| change.path.to_string())
        .collect();
    let mut text = format!("{indent}{} {top}:", paint(CHANGE, "~"));
    if !forced.is_empty() {
        let remark = format!("# {} forces replacement", forced.join(", "));
        let _ = write!(text, "  {}", paint(BAD, remark));
    }
    text.push('\n');
    text + &unified(
        &value_block(&before),
        &value_block(&after),
        &format!("{indent}    "),
    )
}

/// Puts a value, or nothing, at a path of a tree; tables on the way are made.
///
/// A list grows by one at its end, and shrinks from its end: a diff of lists by index says so.
fn set(tree: &mut Value, path: &[Text], value: Option<Value>) {
    let Some((first, rest)) = path.split_first() else {
        *tree = value.unwrap_or(Value::Null);
        return;
    };
    if let Value::List(values) = tree {
        let Ok(index) = first.parse::<usize>() else {
            return;
        };
        match (values.get_mut(index), rest.is_empty(), value) {
            (Some(_), true, None) => values.truncate(index),
            (Some(inner), _, value) => set(inner, rest, value),
            (None, true, Some(value)) => values.push(value),
            (None, ..) => {}
        }
        return;
    }
    if !matches!(tree, Value::Map(_)) {
        if value.is_none() {
            return;
        }
        *tree = Value::Map(Attributes::new());
    }
    let Value::Map(map) = tree else { return };
    match (rest.is_empty(), value) {
        (true, Some(value)) => {
            map.insert(first, value);
        }
        (true, None) => {
            map.remove(first);
        }
        (false, value) => {
            if map.get(first).is_none() && value.is_some() {
                map.insert(first, Attributes::new());
            }
            if let Some(inner) = map.get_mut(first) {
                set(inner, rest, value);
            }
        }
    }
}

/// A unified diff of two texts with three lines around each change, without a file heading.
pub(crate) fn unified(before: &str, after: &str, indent: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    let mut text = String::new();
    for (index, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if index > 0 {
            let _ = writeln!(text, "{indent}{}", paint(FAINT, "..."));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let line = change.value().trim_end_matches('\n');
            let _ = match change.tag() {
                ChangeTag::Equal => writeln!(text, "{indent}  {line}"),
                ChangeTag::Delete => {
                    writeln!(text, "{indent}{}", paint(REMOVE, format!("- {line}")))
                }
                ChangeTag::Insert => writeln!(text, "{indent}{}", paint(ADD, format!("+ {line}"))),
            };
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &str, before: Option<Value>, after: Option<Value>) -> AttributeChange {
        AttributeChange {
            path: path.parse().unwrap(),
            before,
            after,
            forces_replacement: false,
            sensitive: false,
            cause: None,
        }
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn plain_values_stand_on_one_line() {
        let mut sensitive = change("password", Some("a".into()), Some("b".into()));
        sensitive.sensitive = true;
        let mut forced = change("zone", Some("x".into()), Some(Value::Unknown));
        forced.forces_replacement = true;
        let changes = [
            change("ttl", Some(Value::Integer(60)), Some(Value::Integer(300))),
            change("note", None, Some("new".into())),
            sensitive,
            forced,
        ];
        assert_eq!(
            plain(&attributes(None, &Attributes::new(), &changes, "  ")),
            "  + note = \"new\"\n\
             \x20 ~ password = (sensitive value) -> (sensitive value)\n\
             \x20 ~ ttl = 60 -> 300\n\
             \x20 ~ zone = \"x\" -> (known after apply)  # forces replacement\n"
        );
    }

    #[test]
    fn a_tree_is_a_unified_diff() {
        let before: Attributes = serde_json::from_str(
            r#"{"manifest":{"a":1,"b":2,"c":3,"d":4,"spec":{"replicas":2,"z":[1,2]}}}"#,
        )
        .unwrap();
        let changes = [
            change(
                "manifest.spec.replicas",
                Some(Value::Integer(2)),
                Some(Value::Integer(3)),
            ),
            change("manifest.spec.z.1", Some(Value::Integer(2)), None),
            change("manifest.spec.new.key", None, Some("x".into())),
        ];
        assert_eq!(
            plain(&attributes(None, &before, &changes, "")),
            "~ manifest:\n      c: 3\n      d: 4\n      spec:\n    -   replicas: 2\n    +   new:\n    +     key: x\n    +   replicas: 3\n        z:\n        - 1\n    -   - 2\n"
        );
    }

    #[test]
    fn a_sensitive_value_in_a_tree_is_masked_and_still_shows_as_a_change() {
        let before: Attributes =
            serde_json::from_str(r#"{"values":{"key":"hunter2","other":1}}"#).unwrap();
        let mut secret = change("values.key", Some("hunter2".into()), Some("hunter3".into()));
        secret.sensitive = true;
        let text = plain(&attributes(None, &before, &[secret], ""));
        assert!(!text.contains("hunter"), "{text}");
        assert!(text.contains("(sensitive value) (new)"), "{text}");
    }
}
