//! Findings as text for people, as JSON for programs, and as SARIF 2.1.0 for code review tools.
//!
//! The renderer of the text is named in this file only, so that it can be changed in one place.

use std::iter;

use annotate_snippets::{
    Annotation, AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet,
};
use serde_json::{Value, json};

use crate::diagnostic::{Diagnostic, Diagnostics, Label, Place};
use crate::rule::{Rule, Severity};

impl Diagnostics {
    /// The findings with the lines they are about, one blank line between two findings.
    pub fn to_text(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let texts: Vec<_> = self
            .iter()
            .map(|diagnostic| renderer.render(&self.report(diagnostic)))
            .collect();
        texts.join("\n\n")
    }

    fn report<'a>(&'a self, diagnostic: &'a Diagnostic) -> Vec<Group<'a>> {
        let level = match diagnostic.rule.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level
            .primary_title(&*diagnostic.message)
            .id(format!("{} {}", diagnostic.rule.code, diagnostic.rule.name));
        let mut group = Group::with_title(title);
        if let Some(place) = &diagnostic.place {
            let here = |label: &&Label| label.place.file == place.file;
            let labels = diagnostic.labels.iter().filter(here).map(context);
            let primary = AnnotationKind::Primary.span(place.range());
            group = group.element(self.snippet(place, iter::once(primary).chain(labels)));
            for label in diagnostic.labels.iter().filter(|label| !here(label)) {
                group = group.element(self.snippet(&label.place, iter::once(context(label))));
            }
        }
        if let Some(hint) = &diagnostic.hint {
            group = group.element(Level::HELP.message(&**hint));
        }
        vec![group]
    }

    /// The lines around annotations, or the bare place if the text is not at hand.
    fn snippet<'a>(
        &'a self,
        place: &'a Place,
        annotations: impl Iterator<Item = Annotation<'a>>,
    ) -> Element<'a> {
        let Some(source) = self.source(&place.file) else {
            let origin = Origin::path(&*place.file).line(place.line as usize);
            return origin.char_column(place.column as usize).into();
        };
        Snippet::source(&*source.text)
            .path(&*source.name)
            .annotations(annotations)
            .into()
    }

    /// `{"diagnostics": [{code, rule, severity, message, place, hint, labels}]}`; lines and
    /// columns count from 1, `start` and `end` are byte offsets.
    pub fn to_json(&self) -> Value {
        json!({ "diagnostics": self.iter().collect::<Vec<_>>() })
    }

    /// A SARIF 2.1.0 log of one run (OASIS Standard, 27 March 2020), with the rules that were
    /// broken.
    pub fn to_sarif(&self) -> Value {
        let mut rules: Vec<&Rule> = self.iter().map(|diagnostic| diagnostic.rule).collect();
        rules.sort_by_key(|rule| rule.code);
        rules.dedup();
        let results = self.iter().map(|diagnostic| {
            let message = match &diagnostic.hint {
                Some(hint) => format!("{}. {hint}.", diagnostic.message),
                None => format!("{}.", diagnostic.message),
            };
            json!({
                "ruleId": diagnostic.rule.code,
                "ruleIndex": rules.iter().position(|rule| *rule == diagnostic.rule),
                "level": diagnostic.rule.severity.as_str(),
                "message": { "text": message },
                "locations": diagnostic.place.iter().map(location).collect::<Vec<_>>(),
                "relatedLocations": diagnostic.labels.iter().map(related).collect::<Vec<_>>(),
            })
        });
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "matih",
                    "version": env!("CARGO_PKG_VERSION"),
                    "rules": rules.iter().map(|rule| sarif_rule(rule)).collect::<Vec<_>>(),
                } },
                "columnKind": "unicodeCodePoints",
                "results": results.collect::<Vec<_>>(),
            }],
        })
    }
}

fn context(label: &Label) -> Annotation<'_> {
    AnnotationKind::Context
        .span(label.place.range())
        .label(&*label.text)
}

fn sarif_rule(rule: &Rule) -> Value {
    json!({
        "id": rule.code,
        "name": rule.name,
        "shortDescription": { "text": rule.name },
        "fullDescription": { "text": rule.doc },
        "defaultConfiguration": { "level": rule.severity.as_str() },
    })
}

fn location(place: &Place) -> Value {
    json!({
        "physicalLocation": {
            "artifactLocation": { "uri": &*place.file },
            "region": {
                "startLine": place.line,
                "startColumn": place.column,
                "endLine": place.end_line,
                "endColumn": place.end_column,
                "byteOffset": place.start,
                "byteLength": place.end - place.start,
            },
        },
    })
}

fn related(label: &Label) -> Value {
    let mut value = location(&label.place);
    if let Some(object) = value.as_object_mut() {
        object.insert("message".to_owned(), json!({ "text": label.text }));
    }
    value
}
