//! `matih validate`: every finding of every spec, nothing touched, nothing asked of the world.

use matih_specs::{Diagnostics, Severity};

use crate::args::{Report, ValidateArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::find;
use crate::platform::Platform;

/// Runs the command.
pub(crate) fn run(context: &Context, args: &ValidateArgs) -> Outcome {
    let platform = Platform::load(context)?;
    let sources = find::specs(&args.specs)?;
    let mut findings = Diagnostics::default();
    for source in &sources {
        findings.extend(platform.findings(source));
    }
    let report = if context.global.json {
        Report::Json
    } else {
        args.output
    };
    match report {
        Report::Text => {
            if !findings.is_empty() {
                context
                    .screen
                    .print(&format!("{}\n\n", findings.to_text(true)));
            }
            let specs = match sources.len() {
                1 => "1 spec".to_owned(),
                many => format!("{many} specs"),
            };
            let dot = if findings.is_empty() {
                "valid".to_owned()
            } else {
                findings.summary()
            };
            context.screen.print(&format!("{specs}: {dot}.\n"));
        }
        Report::Json => context.screen.print_json(&findings.to_json(), true),
        Report::Sarif => context.screen.print_json(&findings.to_sarif(), true),
    }
    let failed = findings.has_errors() || args.strict && findings.count(Severity::Warning) > 0;
    Ok(if failed { Exit::Invalid } else { Exit::Ok })
}
