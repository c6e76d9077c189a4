//! `state verify`, `state backup`, `state restore`.

use std::fmt::Write;
use std::path::Path;

use matih_state::{Restore, VerifyReport};

use crate::args::Output;
use crate::clock::now_ms;
use crate::confirm::{Asking, confirm};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::installation::{Installation, holder, of_state};
use crate::render::style::{BAD, STRONG, paint};

/// Checks everything; the file need not be one that opens.
pub(super) fn verify(context: &Context, output: Output) -> Outcome {
    let installation = Installation::open(context)?;
    let report = matih_state::verify(&installation.path).map_err(|error| of_state(&error))?;
    context.print(output, || text(&report), || &report);
    Ok(if report.is_sound() {
        Exit::Ok
    } else {
        Exit::Error
    })
}

fn text(report: &VerifyReport) -> String {
    let mut text = String::new();
    for problem in report.problems.iter().chain(&report.anchor) {
        let about = problem
            .tenant
            .as_ref()
            .map(|it| format!("{it}: "))
            .unwrap_or_default();
        let _ = writeln!(text, "{} {about}{}", paint(BAD, "wrong:"), problem.message);
    }
    let verdict = if report.is_sound() {
        "The state is sound."
    } else {
        "The state is damaged."
    };
    let _ = writeln!(
        text,
        "{} {} tenants, {} snapshots, {} records, {} runs, {} journal rows, {} audit rows.",
        paint(STRONG, verdict),
        report.tenants,
        report.snapshots,
        report.records,
        report.runs,
        report.journal,
        report.audit
    );
    text
}

/// Saves a copy; others may be at work.
pub(super) fn backup(context: &Context, file: &Path) -> Outcome {
    let installation = Installation::open(context)?;
    let store = installation.existing_store()?;
    store.backup(file).map_err(|error| of_state(&error))?;
    let key = installation.path.with_file_name("secret.key");
    context
        .screen
        .print(&format!("Saved {}.\n", file.display()));
    context.screen.say(&format!(
        "Keep {} too: a state without its key is worth little.",
        key.display()
    ));
    Ok(Exit::Ok)
}

/// Puts a copy in place, or accepts the file as it is found.
pub(super) fn restore(context: &Context, file: Option<&Path>, approved: bool) -> Outcome {
    let installation = Installation::open(context)?;
    let path = &installation.path;
    let question = match file {
        Some(file) => format!("Put {} in the place of {}?", file.display(), path.display()),
        None => format!("Accept {} as it is?", path.display()),
    };
    confirm(
        &context.screen,
        Asking::new(approved, context.global.asks_nobody()),
        &question,
    )?;
    let request = Restore {
        from: file.map(Path::to_owned),
        by: holder("state restore"),
        reason: "restored by hand".to_owned(),
        now_ms: now_ms(),
    };
    matih_state::restore(path, &request).map_err(|error| of_state(&error))?;
    context
        .screen
        .print("The state is in place. What was there is kept beside it.\n");
    context
        .screen
        .say("Next: matih drift shows what the world has that this state does not know.");
    Ok(Exit::Ok)
}
