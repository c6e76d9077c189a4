//! `matih graph`: the resources of a spec and what they wait for, as a picture.

use std::sync::Arc;

use matih_model::Phase;

use crate::args::{GraphArgs, GraphFormat};
use crate::compiler::Compiler;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::find;
use crate::platform::Platform;
use crate::render::document::Notation;
use crate::render::graph::{self, Picture};

/// Runs the command. It asks nobody, so secrets need not be there.
pub(crate) fn run(context: &Context, args: &GraphArgs) -> Outcome {
    let platform = Arc::new(Platform::load(context)?);
    let compiler = Compiler::new(context, &platform)?;
    let source = find::spec(args.spec.as_deref())?;
    let desired = compiler.compile_alone(context, &source)?;
    let only = args.phase.and_then(|number| Phase::new(number).ok());
    let picture = Picture::new(&desired.graph, only);
    let screen = &context.screen;
    match args.output {
        GraphFormat::Dot => screen.print(&graph::dot(&picture)),
        GraphFormat::Mermaid => screen.print(&graph::mermaid(&picture)),
        GraphFormat::Svg => screen.print(&graph::svg(&picture)),
        GraphFormat::Json => screen.print_document(Notation::Json, &graph::json(&picture)),
        GraphFormat::Yaml => screen.print_document(Notation::Yaml, &graph::json(&picture)),
    }
    Ok(Exit::Ok)
}
