//! What would come of an action, as its provider was told: a line under its row, and for programs.

use std::fmt::Write;

use matih_model::{Address, Answer, ObjectChange, Rehearsal};
use serde_json::{Value, json};

use super::PlanView;
use crate::render::style::{ADD, BAD, CHANGE, FAINT, REMOVE, WARN, paint};
use crate::render::{diff, value};

/// How long a value on one line may be.
const WIDTH: usize = 80;

/// So many objects inside of one resource are shown without being asked for.
const MANY: usize = 8;

/// The lines under a row, each after `indent`.
pub(super) fn text(view: &PlanView<'_>, address: &Address, indent: &str) -> String {
    let Some(rehearsal) = of(view, address) else {
        return String::new();
    };
    let mut text = String::new();
    if view.detail || rehearsal.objects.len() <= MANY {
        for object in &rehearsal.objects {
            text += &inside(object, view.detail, indent);
        }
    } else {
        text += &summary(&rehearsal.objects, indent);
    }
    let answer = &rehearsal.answer;
    let (style, more) = match answer {
        Answer::Refused(_) if !blocks(view, address) => (WARN, "; what comes first may cure it"),
        Answer::Refused(_) | Answer::Misfit(_) | Answer::Immutable { .. } => (BAD, ""),
        _ => (FAINT, ""),
    };
    let line = format!("# {answer}{more}");
    let _ = writeln!(text, "{indent}{}", paint(style, line));
    if let Answer::Accepted { filled } = answer
        && view.detail
    {
        for it in filled {
            let value = value::one_line(&it.value, WIDTH);
            let line = format!("# the server sets {} = {value}", it.path);
            let _ = writeln!(text, "{indent}{}", paint(FAINT, line));
        }
    }
    for warning in &rehearsal.warnings {
        let line = format!("# the server warns: {warning}");
        let _ = writeln!(text, "{indent}{}", paint(WARN, line));
    }
    text
}

/// One object inside of a resource; one that comes or goes is shown whole only in detail.
fn inside(object: &ObjectChange, detail: bool, indent: &str) -> String {
    let (symbol, style) = match (&object.before, &object.after) {
        (None, _) => ("+", ADD),
        (_, None) => ("-", REMOVE),
        _ => ("~", CHANGE),
    };
    let mut text = format!("{indent}{} {}\n", paint(style, symbol), object.name);
    let deeper = format!("{indent}  ");
    if detail || symbol == "~" {
        let of = |side: &Option<matih_model::Text>| side.as_deref().unwrap_or_default().to_owned();
        text += &diff::unified(&of(&object.before), &of(&object.after), &deeper);
    }
    text
}

/// Many objects, counted.
fn summary(objects: &[ObjectChange], indent: &str) -> String {
    let count = |wanted: fn(&ObjectChange) -> bool| objects.iter().filter(|it| wanted(it)).count();
    let line = format!(
        "# {} objects: {} come, {} change, {} go; --detail shows them",
        objects.len(),
        count(|it| it.before.is_none()),
        count(|it| it.before.is_some() && it.after.is_some()),
        count(|it| it.after.is_none())
    );
    format!("{indent}{}\n", paint(FAINT, line))
}

/// For programs; null where nobody was asked.
pub(super) fn json(view: &PlanView<'_>, address: &Address) -> Option<Value> {
    let rehearsal = of(view, address)?;
    let mut document = match &rehearsal.answer {
        Answer::Silent => json!({ "answer": "silent" }),
        Answer::Accepted { filled } => json!({ "answer": "accepted", "filled": filled }),
        Answer::NotYet { why, checked } => {
            json!({ "answer": "not_yet", "why": why, "checked": checked })
        }
        Answer::Refused(error) => {
            let blocks = blocks(view, address);
            json!({ "answer": "refused", "why": error.message, "hint": error.hint, "blocks": blocks })
        }
        Answer::Misfit(error) => {
            json!({ "answer": "misfit", "why": error.message, "hint": error.hint, "blocks": true })
        }
        Answer::Immutable { paths, told } => {
            json!({ "answer": "immutable", "why": told, "paths": paths })
        }
    };
    if let Some(fields) = document.as_object_mut() {
        fields.insert("objects".to_owned(), json!(rehearsal.objects));
        fields.insert("warnings".to_owned(), json!(rehearsal.warnings));
    }
    Some(document)
}

/// Whether a refusal keeps the plan from being carried out.
fn blocks(view: &PlanView<'_>, address: &Address) -> bool {
    let refusals = view.rehearsed.map(|it| it.refusals(view.plan));
    refusals.is_some_and(|all| all.iter().any(|(refused, _)| *refused == address))
}

fn of<'a>(view: &PlanView<'a>, address: &Address) -> Option<&'a Rehearsal> {
    view.rehearsed?.0.get(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_objects_are_counted_and_one_is_shown_with_what_differs() {
        let object = |before: Option<&str>, after: Option<&str>| ObjectChange {
            name: "Deployment web".into(),
            before: before.map(Into::into),
            after: after.map(Into::into),
        };
        let changed = object(Some("a: 1\nb: 2\n"), Some("a: 1\nb: 3\n"));
        let plain = |text: String| anstream::adapter::strip_str(&text).to_string();
        assert_eq!(
            plain(inside(&changed, false, "")),
            "~ Deployment web\n    a: 1\n  - b: 2\n  + b: 3\n"
        );
        assert_eq!(
            plain(inside(&object(None, Some("a: 1\n")), false, "")),
            "+ Deployment web\n"
        );
        let all = [changed, object(None, Some("")), object(Some(""), None)];
        assert_eq!(
            plain(summary(&all, " ")),
            " # 3 objects: 1 come, 1 change, 1 go; --detail shows them\n"
        );
    }
}
