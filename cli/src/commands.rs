//! One verb, one file: each takes its options and gives back how it ended.

mod about;
mod apply;
mod destroy;
mod diff;
mod drift;
mod explain;
mod fmt;
mod graph;
mod history;
mod import;
mod init;
mod lock;
mod plan;
mod release;
mod resume;
mod rollback;
mod sandbox;
mod schema;
mod show;
mod state;
mod status;
mod steps;
mod validate;

use crate::args::Command;
use crate::context::Context;
use crate::failure::Outcome;

/// Runs what was typed.
pub(crate) async fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::Init(args) => init::run(context, args),
        Command::Validate(args) => validate::run(context, args),
        Command::Fmt(args) => fmt::run(context, args),
        Command::Schema(args) => schema::run(context, args),
        Command::Steps(args) => steps::run(context, args),
        Command::Plan(args) => plan::run(context, args).await,
        Command::Apply(args) => apply::run(context, args).await,
        Command::Resume(args) => resume::run(context, args).await,
        Command::Rollback(args) => rollback::run(context, args).await,
        Command::Destroy(args) => destroy::run(context, args).await,
        Command::Drift(args) => drift::run(context, args).await,
        Command::Diff(args) => diff::run(context, args).await,
        Command::History(args) => history::history(context, args),
        Command::Snapshot(command) => history::snapshot(context, command),
        Command::Release(command) => release::run(context, command).await,
        Command::State(command) => state::run(context, command).await,
        Command::Import(args) => import::run(context, args).await,
        Command::Lock(command) => lock::run(context, command),
        Command::Show(args) => show::run(context, args),
        Command::Graph(args) => graph::run(context, args),
        Command::Status(args) => status::run(context, args),
        Command::Explain(args) => explain::run(context, args),
        Command::Completion(args) => about::completion(context, args),
        Command::Man(args) => about::man(context, args),
        Command::Version { output } => about::version(context, *output),
        Command::Sandbox(command) => sandbox::run(context, command),
    }
}
