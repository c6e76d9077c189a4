//! `matih init`: a first spec, commented, with the answers of a person or with defaults.

mod answers;
mod wizard;

use std::io::Write;
use std::path::Path;

use crate::args::{InitArgs, InitCloud};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

use answers::Answers;

/// Runs the command.
pub(crate) fn run(context: &Context, args: &InitArgs) -> Outcome {
    let path = &args.path;
    if path.exists() && !args.force {
        return Err(Failure::error(format!(
            "{} is already there. Nothing was changed.",
            path.display()
        ))
        .hint("choose another name, or write over it with --force"));
    }
    let mut answers = Answers::new(&args.tier, cloud(args.cloud), path);
    if args.interactive {
        if context.global.asks_nobody() {
            return Err(
                Failure::new(Exit::Approval, "The wizard asks, and nobody may be asked.")
                    .hint("leave out --interactive, or --no-input"),
            );
        }
        wizard::ask(&mut answers)?;
    }
    write(path, &answers.spec(), args.force)?;
    let path = path.display();
    context.screen.print(&format!("Wrote {path}.\n"));
    context.screen.say(&format!(
        "Next: matih validate {path}, then matih plan {path}"
    ));
    Ok(Exit::Ok)
}

fn cloud(cloud: InitCloud) -> &'static str {
    match cloud {
        InitCloud::Azure => "azure",
        InitCloud::Aws => "aws",
        InitCloud::Gcp => "gcp",
    }
}

/// Writes a new file; one that appeared in the meantime is not written over.
fn write(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::file("written", path, &error);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    if !force {
        options.create_new(true);
    }
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}
