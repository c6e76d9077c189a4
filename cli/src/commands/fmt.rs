//! `matih fmt`: TOML files in their usual form. Comments and the order of keys stay.

use std::path::{Path, PathBuf};

use matih_specs::Source;

use crate::args::FmtArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::find;
use crate::render::diff::unified;

/// Runs the command.
pub(crate) fn run(context: &Context, args: &FmtArgs) -> Outcome {
    let mut named = args.paths.clone();
    if named.is_empty() {
        named.push(PathBuf::from("."));
    }
    let platforms: Vec<PathBuf> = named
        .iter()
        .map(|path| path.join(find::PLATFORM))
        .filter(|path| path.is_file())
        .collect();
    named.extend(platforms);
    let mut changed = false;
    for source in find::specs(&named)? {
        changed |= changes(context, args, &source)?;
    }
    Ok(if changed && args.check {
        Exit::Error
    } else {
        Exit::Ok
    })
}

fn changes(context: &Context, args: &FmtArgs, source: &Source) -> Result<bool, Failure> {
    let formatted = matih_specs::format(&source.name, &source.text)
        .map_err(|findings| context.invalid(&findings))?;
    if *formatted == *source.text {
        return Ok(false);
    }
    context.screen.print(&format!("{}\n", source.name));
    if args.diff {
        context.screen.print(&unified(&source.text, &formatted, ""));
    }
    if !args.check {
        let path = Path::new(&*source.name);
        std::fs::write(path, formatted).map_err(|error| Failure::file("written", path, &error))?;
    }
    Ok(true)
}
