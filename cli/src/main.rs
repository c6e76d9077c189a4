//! The binary `matih`: words in, words out.
//!
//! This crate reads the command line, the environment and the clock, asks people, and prints.
//! What should be, what was applied and the way between them is known by the other crates; here
//! they are only put together. [`args`] says what may be typed, [`commands`] has one file a verb,
//! [`render`] makes every text, [`exit`] every exit code.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod args;
mod clock;
mod commands;
mod compiler;
mod confirm;
mod context;
mod estimate;
mod exit;
mod failpoint;
mod failure;
mod find;
mod installation;
mod interrupt;
mod logging;
mod plan_file;
mod platform;
mod progress;
mod render;
mod screen;
mod secrets;
mod tenants;
mod work;

use std::process::ExitCode;

use context::Context;
use exit::Exit;
use failure::{Failure, Outcome};
use screen::Screen;

fn main() -> ExitCode {
    tell_panics_in_one_line();
    // HTTP clients take the process's one provider of cryptography; a second install cannot be.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = match args::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err((error, exit)) => {
            // Help goes to standard output, a wrong line to standard error; a closed pipe is the
            // reader's business.
            let _ = error.print();
            return exit.into();
        }
    };
    logging::start(cli.global.verbose);
    let screen = Screen::new(&cli.global);
    let context = match Context::new(cli.global) {
        Ok(context) => context,
        Err(failure) => {
            screen.complain(&failure);
            return failure.exit.into();
        }
    };
    let exit = run(&context, &cli.command).unwrap_or_else(|failure| {
        context.complain(&failure);
        failure.exit
    });
    exit.into()
}

fn run(context: &Context, command: &args::Command) -> Outcome {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::error(format!("the runtime does not start: {error}")))?;
    let outcome = runtime.block_on(commands::run(context, command));
    // A question that nobody answered still waits for its line: the process does not.
    runtime.shutdown_background();
    outcome
}

/// A defect is told in one line, with exit code 1; state is safe, since nothing is written
/// outside of transactions.
fn tell_panics_in_one_line() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let cause = panic
            .payload_as_str()
            .unwrap_or("no cause given")
            .replace('\n', " ");
        let line = format!("error: matih has a defect at {place}: {cause}");
        Screen::new(&args::Global::default()).note(&line);
        std::process::exit(Exit::Error.code().into());
    }));
}
