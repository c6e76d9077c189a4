//! `matih version`, `completion` and `man`: what the binary says of itself.

use std::path::Path;

use serde_json::json;

use crate::args::{self, CompletionArgs, ManArgs, Output};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// `matih version`.
pub(crate) fn version(context: &Context, output: Output) -> Outcome {
    let version = env!("CARGO_PKG_VERSION");
    let document = || {
        let exit = |exit: Exit| json!({ "code": exit.code(), "meaning": exit.meaning() });
        json!({
            "version": version,
            "plan_format": crate::plan_file::FORMAT,
            "exit_codes": Exit::ALL.map(exit),
        })
    };
    context.print(output, || format!("matih {version}\n"), document);
    Ok(Exit::Ok)
}

/// `matih completion`.
pub(crate) fn completion(context: &Context, args: &CompletionArgs) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::command(), "matih", &mut script);
    context.screen.print(&String::from_utf8_lossy(&script));
    Ok(Exit::Ok)
}

/// `matih man`.
pub(crate) fn man(context: &Context, args: &ManArgs) -> Outcome {
    let failed = |error: std::io::Error| {
        let path = args.dir.as_deref().unwrap_or(Path::new("standard output"));
        Failure::file("written", path, &error)
    };
    match &args.dir {
        Some(dir) => {
            std::fs::create_dir_all(dir).map_err(failed)?;
            clap_mangen::generate_to(args::command(), dir).map_err(failed)?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(args::command())
                .render(&mut page)
                .map_err(failed)?;
            context.screen.print(&String::from_utf8_lossy(&page));
        }
    }
    Ok(Exit::Ok)
}
