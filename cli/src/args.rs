//! The command line as a tree of types: what may be typed, and what each word means.
//!
//! Only words are decided here; no file is opened. [`parse`] also takes Terraform's spellings
//! (see [`normalise`]), because fingers know them. The doc comments of this tree are the help
//! texts and the man pages.

mod administer;
mod formats;
mod inspect;
mod look;
mod normalise;
mod release;
mod run;
mod selection;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

pub(crate) use administer::{
    FaultCommand, ImportArgs, LockCommand, SandboxCommand, SnapshotCommand, StateCommand,
};
pub(crate) use formats::{ColorChoice, GraphFormat, InitCloud, Output, Report, Shell, Summary};
pub(crate) use inspect::{
    CompletionArgs, DiffArgs, DriftArgs, ExplainArgs, FmtArgs, GraphArgs, HistoryArgs, InitArgs,
    ManArgs, SchemaArgs, ShowArgs, StatusArgs, StepsArgs, ValidateArgs,
};
pub(crate) use look::Look;
pub(crate) use release::{
    OneRelease, ReleaseCommand, ReleaseHistoryArgs, ReleaseListArgs, ReleaseRollbackArgs,
    ReleaseUpgradeArgs,
};
pub(crate) use run::{Approvals, Execution, OnFailure, Run};
pub(crate) use selection::{ApplyArgs, DestroyArgs, PlanArgs, ResumeArgs, RollbackArgs, Selection};

use crate::exit::Exit;

/// matih brings a SaaS tenant from a spec to a running platform, and keeps it there.
///
/// A tenant spec and the blueprint of 56 steps say what should be; the state says what was
/// applied; a plan is the way from one to the other.
#[derive(Debug, Parser)]
#[command(
    name = "matih",
    version,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command takes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Work in this folder.
    #[arg(short = 'C', long, global = true, value_name = "DIR")]
    pub(crate) chdir: Option<PathBuf>,
    /// The tenant, where no spec names it.
    #[arg(long, global = true, value_name = "SLUG", env = "MATIH_TENANT")]
    pub(crate) tenant: Option<String>,
    /// The state file [default: `.matih/state.db`, or what the platform file says].
    #[arg(long, global = true, value_name = "FILE", env = "MATIH_STATE")]
    pub(crate) state: Option<PathBuf>,
    /// The platform file [default: `matih.toml` if it is there].
    #[arg(long, global = true, value_name = "FILE", env = "MATIH_PLATFORM")]
    pub(crate) platform: Option<PathBuf>,
    /// A folder that overlays the embedded blueprint.
    #[arg(long, global = true, value_name = "DIR", env = "MATIH_BLUEPRINT")]
    pub(crate) blueprint: Option<PathBuf>,
    /// Runs print one JSON event a line, everything else one JSON document.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// When to colour output.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorChoice,
    /// Never ask; what needs an answer fails with exit code 9. MATIH_INPUT=0 does the same.
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// Print results and errors only.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Print more; twice: logs too.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented tenant spec.
    #[command(after_help = "Examples:\n  matih init acme.toml\n  matih init --interactive")]
    Init(InitArgs),
    /// Check specs, and tell every finding at once.
    #[command(
        after_help = "Examples:\n  matih validate acme.toml\n  matih validate tenants/ -o sarif > findings.sarif"
    )]
    Validate(ValidateArgs),
    /// Bring spec files into their usual form; comments stay.
    #[command(after_help = "Examples:\n  matih fmt acme.toml\n  matih fmt --check --diff tenants/")]
    Fmt(FmtArgs),
    /// Write the JSON Schema of tenant specs, for editors.
    #[command(
        after_help = "Example:\n  matih schema --output matih.schema.json\nThen make `#:schema ./matih.schema.json` the first line of a spec."
    )]
    Schema(SchemaArgs),
    /// List the 56 steps: which run for a spec, which are skipped and why.
    #[command(after_help = "Example:\n  matih steps acme.toml")]
    Steps(StepsArgs),
    /// Show what an apply would do; changes nothing and takes no lock.
    #[command(
        after_help = "Examples:\n  matih plan acme.toml\n  matih plan acme.toml --out acme.plan\n  matih plan tenants/ --detailed-exitcode\n\nWith --detailed-exitcode: 0 no changes, 2 changes."
    )]
    Plan(Box<PlanArgs>),
    /// Bring tenants to their specs, or carry out a saved plan.
    #[command(
        after_help = "Examples:\n  matih apply acme.toml\n  matih apply acme.plan\n  matih apply tenants/ --auto-approve --jobs 8\n\nExit codes 3 (partly applied, go on with `matih resume`) and 4 (locked) are worth a test in scripts."
    )]
    Apply(Box<ApplyArgs>),
    /// Go on with a run that was cut short.
    #[command(after_help = "Example:\n  matih resume acme.toml")]
    Resume(Box<ResumeArgs>),
    /// Bring a tenant back to an older snapshot; shows a plan first.
    #[command(
        after_help = "Examples:\n  matih rollback acme\n  matih rollback acme --to 17\n  matih rollback acme --last-good --dry-run"
    )]
    Rollback(Box<RollbackArgs>),
    /// Take everything of a tenant down.
    #[command(
        after_help = "Examples:\n  matih destroy acme\n  matih destroy acme --allow-data-loss all"
    )]
    Destroy(Box<DestroyArgs>),
    /// Tell what differs between what was applied and what is there.
    #[command(
        after_help = "Examples:\n  matih drift\n  matih drift acme --detailed-exitcode\n  matih drift --schedule '*/15 * * * *' --notify https://hooks.example/drift\n\nWith --detailed-exitcode: 0 in sync, 2 drift."
    )]
    Drift(DriftArgs),
    /// Compare two specs, or two snapshots, or a snapshot with the world.
    #[command(
        after_help = "Examples:\n  matih diff old.toml new.toml\n  matih diff --tenant acme --snapshot 17\n  matih diff --tenant acme --live\n\nExit codes: 0 no difference, 2 a difference."
    )]
    Diff(DiffArgs),
    /// List the snapshots of a tenant, newest last.
    History(HistoryArgs),
    /// Look at snapshots.
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
    /// Charts that are installed: list them, upgrade and roll back one by one.
    #[command(subcommand)]
    Release(ReleaseCommand),
    /// Look into the state, repair it, save it.
    #[command(subcommand)]
    State(StateCommand),
    /// Record an object that is already there.
    #[command(after_help = "Example:\n  matih import acme.toml dns.record/www 4f3c --write")]
    Import(ImportArgs),
    /// Look at a tenant's lock, or release it.
    #[command(subcommand)]
    Lock(LockCommand),
    /// Show a saved plan, a snapshot or a resource.
    #[command(
        after_help = "Examples:\n  matih show acme.plan\n  matih show acme/dns.zone/tenant\n  matih show 17 --tenant acme"
    )]
    Show(ShowArgs),
    /// Draw the resources of a spec and what they wait for.
    #[command(after_help = "Example:\n  matih graph acme.toml -o svg > acme.svg")]
    Graph(GraphArgs),
    /// Tell how far a tenant's provisioning is.
    #[command(after_help = "Example:\n  matih status acme -o json")]
    Status(StatusArgs),
    /// Explain a finding's code or a kind of resource.
    #[command(after_help = "Examples:\n  matih explain MTH-1007\n  matih explain dns.record")]
    Explain(ExplainArgs),
    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  matih completion bash > /etc/bash_completion.d/matih")]
    Completion(CompletionArgs),
    /// Write the man pages.
    Man(ManArgs),
    /// Print the version and the exit codes.
    Version {
        /// How to print it.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Look into the simulated world, change it behind matih's back, make it fail.
    #[command(subcommand)]
    Sandbox(SandboxCommand),
}

/// What is typed becomes a [`Cli`], or the text to print and the code to end with.
///
/// # Errors
/// Help and version are asked for (code 0), or the words make no sense (code 64).
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, (clap::Error, Exit)> {
    let parsed = command()
        .try_get_matches_from(normalise::normalise(words))
        .and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.map_err(|error| {
        let exit = if error.use_stderr() {
            Exit::Usage
        } else {
            Exit::Ok
        };
        (error, exit)
    })
}

/// The tree with its help texts complete: also what completion scripts and man pages come from.
pub(crate) fn command() -> clap::Command {
    Cli::command().after_help(format!("Exit codes:\n{}", Exit::table()))
}

impl Global {
    /// Whether nobody may be asked anything.
    pub(crate) fn asks_nobody(&self) -> bool {
        let off = |value: std::ffi::OsString| matches!(value.to_str(), Some("0" | "false"));
        self.no_input || std::env::var_os("MATIH_INPUT").is_some_and(off)
    }
}

/// A flag that an environment variable may set: `0`, `false`, `no`, `off` and nothing mean no.
fn falsey() -> FalseyValueParser {
    FalseyValueParser::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Cli {
        let words = line.split_whitespace().map(OsString::from);
        parse(words).map_err(|(error, _)| error).unwrap()
    }

    #[test]
    fn the_tree_holds_together() {
        command().debug_assert();
    }

    #[test]
    fn terraforms_spellings_are_ours() {
        let cli = parsed("matih plan -out=a.plan -detailed-exitcode -refresh=false -json a.toml");
        assert!(cli.global.json);
        let Command::Plan(plan) = cli.command else {
            panic!("not a plan")
        };
        assert_eq!(plan.out.as_deref(), Some(std::path::Path::new("a.plan")));
        assert!(plan.detailed_exitcode && !plan.selection.look.refresh);
        assert_eq!(plan.specs, [PathBuf::from("a.toml")]);

        let cli =
            parsed("matih apply -auto-approve -target=dns.* -target dns.x/y -parallelism=3 a");
        let Command::Apply(apply) = cli.command else {
            panic!("not an apply")
        };
        assert!(apply.execution.auto_approve);
        assert_eq!(apply.selection.target, ["dns.*", "dns.x/y"]);
        assert_eq!(apply.execution.parallelism, Some(3));
    }

    #[test]
    fn every_verb_that_plans_looks_in_the_same_words() {
        for verb in [
            "plan a.toml",
            "apply a.toml",
            "resume a",
            "rollback a",
            "destroy a",
            "release rollback a b",
            "release upgrade b a",
        ] {
            let line = format!("matih {verb} --offline --force-conflicts");
            let matches = command().get_matches_from(line.split(' '));
            let mut last = &matches;
            while let Some((_, inner)) = last.subcommand() {
                last = inner;
            }
            let look = Look::from_arg_matches(last).unwrap();
            assert_eq!(look.words(), " --offline --force-conflicts", "{verb}");
        }
    }

    #[test]
    fn a_wrong_line_is_64_and_help_is_0() {
        let exit = |line: &str| {
            let words = line.split_whitespace().map(OsString::from);
            parse(words).map(|_| ()).map_err(|(_, exit)| exit)
        };
        assert_eq!(exit("matih plna"), Err(Exit::Usage));
        assert_eq!(exit("matih plan --no-such-flag"), Err(Exit::Usage));
        assert_eq!(exit("matih plan --help"), Err(Exit::Ok));
        assert_eq!(exit("matih"), Err(Exit::Usage));
        // A drift is a look, and takes nothing over unless it puts things back.
        assert_eq!(exit("matih drift --offline"), Err(Exit::Usage));
        assert_eq!(exit("matih drift --force-conflicts"), Err(Exit::Usage));
        assert_eq!(exit("matih drift --revert --force-conflicts"), Ok(()));
    }
}
