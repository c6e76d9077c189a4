//! `matih validate`: every finding of every spec, also those between resources and between specs.
//! Nothing is touched, nobody is asked, secrets need not be there.

use std::sync::Arc;

use matih_specs::{Diagnostics, Severity};

use crate::args::{Report, ValidateArgs};
use crate::compiler::Compiler;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::find;
use crate::platform::Platform;
use crate::render::document::Notation;

/// Runs the command.
pub(crate) fn run(context: &Context, args: &ValidateArgs) -> Outcome {
    let sources = find::specs(&args.specs)?;
    let platform = Arc::new(Platform::load(context)?);
    let compiler = Compiler::new(context, &platform)?;
    compiler.ready(context)?;
    let (specs, mut findings) = compiler.parse(&sources);
    for spec in &specs {
        findings.extend(match compiler.compile(spec, &|_| None) {
            Ok(desired) => desired.warnings,
            Err(mut found) => {
                found.extend(spec.warnings.clone());
                found
            }
        });
    }
    let report = if context.global.json {
        Report::Json
    } else {
        args.output
    };
    let screen = &context.screen;
    match report {
        Report::Text => screen.print(&text(&findings, sources.len())),
        Report::Json => screen.print_document(Notation::Json, &findings.to_json()),
        Report::Yaml => screen.print_document(Notation::Yaml, &findings.to_json()),
        Report::Sarif => screen.print_document(Notation::Json, &findings.to_sarif()),
    }
    let failed = findings.has_errors() || args.strict && findings.count(Severity::Warning) > 0;
    Ok(if failed { Exit::Invalid } else { Exit::Ok })
}

fn text(findings: &Diagnostics, specs: usize) -> String {
    let specs = match specs {
        1 => "1 spec".to_owned(),
        many => format!("{many} specs"),
    };
    if findings.is_empty() {
        format!("{specs}: valid.\n")
    } else {
        format!(
            "{}\n\n{specs}: {}.\n",
            findings.to_text(true),
            findings.summary()
        )
    }
}
