//! Options of `matih release`: charts that are installed, one by one or across tenants.

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand};

use super::{Output, Run};
use crate::work::batches::Share;

/// `matih release …`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ReleaseCommand {
    /// List the releases of tenants: chart, revision, and how they are now.
    #[command(visible_alias = "ls")]
    List(ReleaseListArgs),
    /// List the revisions of a release: what each held, who made it, which snapshots have it.
    #[command(after_help = "Example:\n  matih release history acme ai-service")]
    History(ReleaseHistoryArgs),
    /// Bring a release back to an earlier revision, by a new one; shows a plan first.
    #[command(
        after_help = "Examples:\n  matih release rollback acme ai-service\n  matih release rollback acme ai-service --to 3 --dry-run"
    )]
    Rollback(Box<ReleaseRollbackArgs>),
    /// Upgrade the releases of a chart, in one tenant or many; shows plans first.
    #[command(
        after_help = "Examples:\n  matih release upgrade ai-service --set image.tag=2.1.0 acme\n  matih release upgrade matih-ai-service --version 1.1.0 --all --canary\n\nEnds with 3 when a part was upgraded. A later apply of a spec goes back to what the spec and the blueprint say; how to keep the change is said at the end.",
        mut_arg("jobs", |jobs| jobs.default_value("1"))
    )]
    Upgrade(Box<ReleaseUpgradeArgs>),
}

/// `matih release list`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReleaseListArgs {
    /// Slugs of tenants, or their specs [default: every tenant of the state].
    #[arg(value_name = "TENANT|SPEC")]
    pub(crate) tenants: Vec<String>,
    /// Look at the world too.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub(crate) refresh: bool,
    /// How to print it.
    #[arg(short, long, default_value = "text")]
    pub(crate) output: Output,
}

/// Which release.
#[derive(Clone, Debug, Args)]
pub(crate) struct OneRelease {
    /// The tenant's slug, or its spec.
    #[arg(value_name = "TENANT|SPEC")]
    pub(crate) tenant: String,
    /// The release: the name in its address, such as `ai-service`, or Helm's name for it.
    #[arg(value_name = "RELEASE")]
    pub(crate) release: String,
}

/// `matih release history`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReleaseHistoryArgs {
    #[command(flatten)]
    pub(crate) which: OneRelease,
    /// How to print it.
    #[arg(short, long, default_value = "text")]
    pub(crate) output: Output,
}

/// `matih release rollback`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReleaseRollbackArgs {
    #[command(flatten)]
    pub(crate) which: OneRelease,
    /// The revision to go back to [default: the one before the newest that is recorded].
    #[arg(long, value_name = "REVISION", conflicts_with = "last_successful")]
    pub(crate) to: Option<u64>,
    /// Go back to the newest earlier revision that worked.
    #[arg(long)]
    pub(crate) last_successful: bool,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// `matih release upgrade`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReleaseUpgradeArgs {
    /// The chart's name, or a release: the name in its address.
    #[arg(value_name = "CHART|RELEASE")]
    pub(crate) what: String,
    /// Slugs of tenants, or their specs.
    #[arg(value_name = "TENANT|SPEC", conflicts_with = "all")]
    pub(crate) tenants: Vec<String>,
    /// Every tenant of the state that has such a release.
    #[arg(long)]
    pub(crate) all: bool,
    /// The version of the chart.
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// A value, as `path=value`; the value is JSON, or text if it is no JSON.
    #[arg(long, value_name = "PATH=VALUE")]
    pub(crate) set: Vec<String>,
    /// A file of values in YAML, JSON or TOML, merged deeply into those that are recorded.
    #[arg(long, value_name = "FILE")]
    pub(crate) values: Vec<PathBuf>,
    /// What is said of the revision in its history.
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// One tenant first, then a tenth, then all others.
    #[arg(long)]
    pub(crate) canary: bool,
    /// Begin no other tenant when more than this share of those that were tried has failed.
    #[arg(long, value_name = "SHARE", default_value = "10%")]
    pub(crate) max_failures: Share,
    #[command(flatten)]
    pub(crate) run: Run,
}
