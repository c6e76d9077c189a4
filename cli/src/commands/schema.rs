//! `matih schema`: what editors need to complete and check a spec while it is typed.

use crate::args::SchemaArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::render::document::Notation;

/// Runs the command.
pub(crate) fn run(context: &Context, args: &SchemaArgs) -> Outcome {
    let schema = if args.platform_file {
        matih_specs::platform_schema()
    } else {
        matih_specs::tenant_schema()
    };
    match &args.output {
        None => context.screen.print_document(Notation::Json, &schema),
        Some(path) => {
            let text = format!("{schema:#}\n");
            std::fs::write(path, text).map_err(|error| Failure::file("written", path, &error))?;
            context
                .screen
                .print(&format!("Wrote {}.\n", path.display()));
        }
    }
    Ok(Exit::Ok)
}
