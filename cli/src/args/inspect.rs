//! Options of the commands that read, write specs, or look.

use std::path::PathBuf;

use clap::Args;

use super::{Approvals, Execution, GraphFormat, InitCloud, Output, Report, Shell};

/// `matih init`.
#[derive(Clone, Debug, Args)]
pub(crate) struct InitArgs {
    /// The file to write.
    #[arg(value_name = "SPEC", default_value = "tenant.toml")]
    pub(crate) path: PathBuf,
    /// The tier of the spec.
    #[arg(long, value_name = "TIER", default_value = "PROFESSIONAL", ignore_case = true,
          value_parser = ["FREE", "STARTER", "PROFESSIONAL", "ENTERPRISE"])]
    pub(crate) tier: String,
    /// The cloud of the spec.
    #[arg(long, value_name = "CLOUD", default_value = "azure")]
    pub(crate) cloud: InitCloud,
    /// Ask the wizard's questions and write the answers.
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Write over a file that is there.
    #[arg(long)]
    pub(crate) force: bool,
}

/// `matih validate`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ValidateArgs {
    /// Tenant specs, or folders of them.
    #[arg(value_name = "SPEC", env = "MATIH_FILE")]
    pub(crate) specs: Vec<PathBuf>,
    /// Warnings are errors.
    #[arg(long)]
    pub(crate) strict: bool,
    /// How to print findings.
    #[arg(short, long, default_value = "text")]
    pub(crate) output: Report,
}

/// `matih fmt`.
#[derive(Clone, Debug, Args)]
pub(crate) struct FmtArgs {
    /// TOML files, or folders of them [default: all of the current folder].
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Write nothing; end with 1 if a file would change.
    #[arg(long)]
    pub(crate) check: bool,
    /// Show what would change.
    #[arg(long)]
    pub(crate) diff: bool,
}

/// `matih schema`.
#[derive(Clone, Debug, Args)]
pub(crate) struct SchemaArgs {
    /// The schema of `matih.toml` instead.
    #[arg(long)]
    pub(crate) platform_file: bool,
    /// The file to write [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// `matih steps`.
#[derive(Clone, Debug, Args)]
pub(crate) struct StepsArgs {
    /// A tenant spec.
    #[arg(value_name = "SPEC", env = "MATIH_FILE")]
    pub(crate) spec: Option<PathBuf>,
    /// How to print them.
    #[arg(short, long, default_value = "text")]
    pub(crate) output: Output,
}

/// `matih drift`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DriftArgs {
    /// Slugs of tenants, or their specs [default: every tenant of the state].
    #[arg(value_name = "TENANT|SPEC")]
    pub(crate) tenants: Vec<String>,
    /// End with 2 if anything differs or could not be read.
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Also list what lies in a tenant's namespaces and bears no mark of matih.
    #[arg(long)]
    pub(crate) unmarked: bool,
    /// Stay and look at these times (five cron fields, UTC); one look at once for a missed one.
    #[arg(long, value_name = "CRON")]
    pub(crate) schedule: Option<String>,
    /// Print a Kubernetes CronJob that does it, and stop.
    #[arg(long, requires = "schedule")]
    pub(crate) print_cronjob: bool,
    /// Print a systemd service and timer that do it, and stop.
    #[arg(long, requires = "schedule", conflicts_with = "print_cronjob")]
    pub(crate) print_systemd_timer: bool,
    /// POST each report with drift in it as JSON to this address.
    #[arg(long, value_name = "URL")]
    pub(crate) notify: Option<String>,
    /// Ignore the differences from now on: add `[[lifecycle]] ignore_changes` to the spec.
    #[arg(long, conflicts_with_all = ["revert", "schedule"])]
    pub(crate) accept: bool,
    /// Plan to put everything back as applied, and apply it.
    #[arg(long, conflicts_with = "schedule")]
    pub(crate) revert: bool,
    /// Take over fields that other managers own, whatever the platform file says.
    #[arg(long, requires = "revert")]
    pub(crate) force_conflicts: bool,
    #[command(flatten)]
    pub(crate) approvals: Approvals,
    #[command(flatten)]
    pub(crate) execution: Execution,
    /// How to print the report.
    #[arg(short, long, default_value = "text")]
    pub(crate) output: Output,
}

/// `matih diff`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DiffArgs {
    /// Two specs: the first as before, the second as after.
    #[arg(value_name = "SPEC", num_args = 0..=2)]
    pub(crate) specs: Vec<PathBuf>,
    /// A snapshot, by number or id; a second one to compare it with, else the newest.
    #[arg(long, value_name = "SNAPSHOT", num_args = 1..=2, conflicts_with = "specs")]
    pub(crate) snapshot: Vec<String>,
    /// Compare what was applied with what is there.
    #[arg(long, conflicts_with_all = ["specs", "snapshot"])]
    pub(crate) live: bool,
    /// End with 0 also if there is a difference.
    #[arg(long)]
    pub(crate) exit_zero: bool,
    /// How to print the difference.
    #[arg(short, long, default_value = "text")]
    pub(crate) output: Output,
}

/// `matih history`.
#[derive(Clone, Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The tenant's slug, or its spec.
    #[arg(value_name = "TENANT|SPEC")]
    pub(crate) tenant: Option<String>,
    /// The newest so many.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// How to print it.
    #[arg(short, long, default_value = "text")]
    pub(crate) output: Output,
}

/// `matih show`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ShowArgs {
    /// A plan file, an address, or a snapshot's number or id [default: the newest snapshot].
    #[arg(value_name = "PLAN|ADDRESS|SNAPSHOT")]
    pub(crate) what: Option<String>,
    /// How to print it.
    #[arg(short, long, default_value = "text")]
    pub(crate) output: Output,
}

/// `matih graph`.
#[derive(Clone, Debug, Args)]
pub(crate) struct GraphArgs {
    /// A tenant spec.
    #[arg(value_name = "SPEC", env = "MATIH_FILE")]
    pub(crate) spec: Option<PathBuf>,
    /// How to draw it.
    #[arg(short, long, alias = "format", default_value = "dot")]
    pub(crate) output: GraphFormat,
    /// One phase only, 0 to 8.
    #[arg(long, value_name = "PHASE", value_parser = clap::value_parser!(u8).range(0..=8))]
    pub(crate) phase: Option<u8>,
}

/// `matih status`.
#[derive(Clone, Debug, Args)]
pub(crate) struct StatusArgs {
    /// Slugs of tenants, or their specs [default: every tenant of the state].
    #[arg(value_name = "TENANT|SPEC")]
    pub(crate) tenants: Vec<String>,
    /// How to print it.
    #[arg(short, long, default_value = "text")]
    pub(crate) output: Output,
}

/// `matih explain`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A code such as `MTH-1007`, a kind such as `dns.record`, or an attribute of one.
    #[arg(value_name = "CODE|KIND")]
    pub(crate) what: Option<String>,
    /// How to print it.
    #[arg(short, long, default_value = "text")]
    pub(crate) output: Output,
}

/// `matih completion`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CompletionArgs {
    /// The shell.
    pub(crate) shell: Shell,
}

/// `matih man`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ManArgs {
    /// The folder to write one page a command into [default: the main page to standard output].
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}
