//! `matih steps`: the 56 steps as a table, for a spec.

use std::sync::Arc;

use crate::args::StepsArgs;
use crate::compiler::Compiler;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::find;
use crate::platform::Platform;
use crate::render;

/// Runs the command. It asks nobody, so secrets need not be there.
pub(crate) fn run(context: &Context, args: &StepsArgs) -> Outcome {
    let platform = Arc::new(Platform::load(context)?);
    let compiler = Compiler::new(context, &platform)?;
    let source = find::spec(args.spec.as_deref())?;
    let desired = compiler.compile_alone(context, &source)?;
    let steps = desired.steps;
    context.print(
        args.output,
        || render::steps::text(&steps, context.screen.is_verbose()),
        || render::steps::json(&steps),
    );
    Ok(Exit::Ok)
}
