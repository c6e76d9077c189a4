//! `matih explain`: a finding's code, a kind of resource, or one of its attributes, in words.

use std::fmt::Write;

use matih_model::{AttributePath, Catalog, Kind, KindRole, KindSchema, UndoClass};
use matih_specs::{Rule, rules};
use serde_json::json;

use crate::args::ExplainArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::platform::catalog;
use crate::render::style::{STRONG, paint};
use crate::render::table::Table;

/// Runs the command.
pub(crate) fn run(context: &Context, args: &ExplainArgs) -> Outcome {
    let catalog = catalog()?;
    let Some(what) = &args.what else {
        context.print(
            args.output,
            || everything_text(&catalog),
            || everything_json(&catalog),
        );
        return Ok(Exit::Ok);
    };
    let code = what.to_ascii_uppercase();
    if let Some(rule) = rules::all().find(|rule| rule.code == code || rule.name == what) {
        context.print(args.output, || rule_text(rule), || rule_json(rule));
        return Ok(Exit::Ok);
    }
    let (schema, inside) = kind(&catalog, what).ok_or_else(|| {
        Failure::error(format!("Nothing is called `{what}`."))
            .hint("`matih explain` lists all codes and kinds")
    })?;
    let text = || kind_text(schema, inside.as_ref());
    context.print(args.output, text, || schema);
    Ok(Exit::Ok)
}

fn everything_text(catalog: &Catalog) -> String {
    let mut kinds = Table::new(&["KIND", "WHAT IT IS"]);
    for schema in catalog.iter() {
        kinds.row([schema.kind.as_str(), &schema.doc]);
    }
    let mut codes = Table::new(&["CODE", "RULE", "WEIGHT"]);
    for rule in rules::all() {
        codes.row([rule.code, rule.name, rule.severity.as_str()]);
    }
    format!("{}\n{}", kinds.render(), codes.render())
}

fn everything_json(catalog: &Catalog) -> serde_json::Value {
    json!({ "rules": rules::all().map(rule_json).collect::<Vec<_>>(), "kinds": catalog })
}

/// The kind that a text names, and the path inside of it that follows the kind's two words.
fn kind<'a>(catalog: &'a Catalog, text: &str) -> Option<(&'a KindSchema, Option<AttributePath>)> {
    let mut parts = text.splitn(3, '.');
    let name = format!("{}.{}", parts.next()?, parts.next()?);
    let schema = catalog.get(&Kind::new(name).ok()?)?;
    match parts.next() {
        None => Some((schema, None)),
        Some(path) => Some((schema, Some(path.parse().ok()?))),
    }
}

fn rule_text(rule: &Rule) -> String {
    format!(
        "{} {} ({})\n\n{}\n",
        paint(STRONG, rule.code),
        rule.name,
        rule.severity.as_str(),
        rule.doc
    )
}

fn rule_json(rule: &Rule) -> serde_json::Value {
    json!({ "code": rule.code, "rule": rule.name, "severity": rule.severity, "doc": rule.doc })
}

fn kind_text(schema: &KindSchema, inside: Option<&AttributePath>) -> String {
    let mut text = format!("{}: {}\n", paint(STRONG, &schema.kind), schema.doc);
    let undo = match (schema.role, schema.undo) {
        (KindRole::Check, _) => "A check: it looks and touches nothing.",
        (_, UndoClass::Reversible) => "Undo: delete it and it is as before.",
        (_, UndoClass::DataBearing) => "Undo: deleting it loses data.",
        (_, UndoClass::OneWay) => "Undo: impossible.",
    };
    let _ = writeln!(text, "{undo}");
    for rule in &schema.undo_rules {
        let value = crate::render::value::one_line(&rule.equals, 60);
        let class = match rule.undo {
            UndoClass::Reversible => "delete it and it is as before",
            UndoClass::DataBearing => "deleting it loses data",
            UndoClass::OneWay => "impossible",
        };
        let _ = writeln!(text, "  where {} is {value}: {class}", rule.path);
    }
    let wanted = |path: &AttributePath| inside.is_none_or(|it| it.covers(path) || path.covers(it));
    let mut attributes = Table::new(&["ATTRIBUTE", "TYPE", "", "WHAT IT IS"]);
    for attribute in schema.attributes.iter().filter(|it| wanted(&it.path)) {
        let remarks = [
            (attribute.required, "required"),
            (attribute.immutable, "a change replaces"),
            (attribute.computed, "filled in by the server"),
            (attribute.sensitive, "sensitive"),
            (attribute.set_like, "any order"),
            (attribute.limit, "goes down last"),
        ];
        let remarks: Vec<_> = remarks.iter().filter(|it| it.0).map(|it| it.1).collect();
        let of_type = format!("{:?}", attribute.value_type).to_lowercase();
        attributes.row([
            attribute.path.to_string(),
            of_type,
            remarks.join(", "),
            attribute.doc.to_string(),
        ]);
    }
    let _ = write!(text, "\n{}", attributes.render());
    if inside.is_none() && !schema.outputs.is_empty() {
        let mut outputs = Table::new(&["OUTPUT", "", "WHAT IT IS"]);
        for output in &schema.outputs {
            let remark = if output.volatile {
                "may differ after an update"
            } else {
                ""
            };
            outputs.row([&*output.name, remark, &*output.doc]);
        }
        let _ = write!(text, "\n{}", outputs.render());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_and_an_attribute_of_it_are_found() {
        let catalog = catalog().map_err(|it| it.message).unwrap();
        let (schema, inside) = kind(&catalog, "kubernetes.manifest").unwrap();
        assert!(inside.is_none());
        assert!(kind_text(schema, None).contains("cluster"));
        let (_, inside) = kind(&catalog, "kubernetes.manifest.manifest.metadata.name").unwrap();
        assert_eq!(inside.unwrap().to_string(), "manifest.metadata.name");
        assert!(kind(&catalog, "kubernetes.nothing").is_none());
        assert!(kind(&catalog, "kubernetes").is_none());
    }
}
