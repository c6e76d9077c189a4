//! Options of the commands that plan and run.

use std::path::PathBuf;

use clap::{ArgAction, Args};
use matih_model::Phase;

use super::{Approvals, Execution, Look, Output, Run, Summary, falsey};

/// Which part of a tenant, and against what.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Selection")]
pub(crate) struct Selection {
    /// Only these resources and what they need; `kind/name`, `*` matches any run of characters.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) target: Vec<String>,
    /// Only the resources of this phase, 0 to 8, and what they need.
    #[arg(long, value_name = "PHASE", value_parser = phase)]
    pub(crate) phase: Vec<Phase>,
    /// All but these resources and what needs them.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) exclude: Vec<String>,
    /// Delete and make again.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) replace: Vec<String>,
    #[command(flatten)]
    pub(crate) look: Look,
    /// Take over what is there into the record, and change nothing.
    #[arg(long, conflicts_with_all = ["replace", "destroy", "offline"])]
    pub(crate) refresh_only: bool,
    /// Plan to take everything down.
    #[arg(long)]
    pub(crate) destroy: bool,
}

impl Selection {
    /// Whether it leaves everything as it is by default, but for how it looks.
    pub(crate) fn is_usual(&self) -> bool {
        let everything = self.target.is_empty() && self.phase.is_empty();
        everything
            && self.exclude.is_empty()
            && self.replace.is_empty()
            && !self.destroy
            && !self.refresh_only
    }

    /// The words that say it again, each after a blank.
    pub(crate) fn words(&self) -> String {
        let lists = [
            ("--target", &self.target),
            ("--exclude", &self.exclude),
            ("--replace", &self.replace),
        ];
        let mut text = String::new();
        for (option, values) in lists {
            for value in values {
                text += &format!(" {option} '{value}'");
            }
        }
        for phase in &self.phase {
            text += &format!(" --phase {}", phase.number());
        }
        for (option, given) in [
            (" --destroy", self.destroy),
            (" --refresh-only", self.refresh_only),
        ] {
            text += if given { option } else { "" };
        }
        text + &self.look.words()
    }
}

/// `matih plan`.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlanArgs {
    /// Tenant specs, or folders of them.
    #[arg(value_name = "SPEC", env = "MATIH_FILE")]
    pub(crate) specs: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) approvals: Approvals,
    /// Save the plan; `matih apply FILE` then does exactly this.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// End with 2 if there are changes, or something could not be read.
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Show every attribute of what is created and deleted.
    #[arg(long)]
    pub(crate) detail: bool,
    /// Print a short summary instead of the plan.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) summary: Option<Summary>,
    /// How to print the plan.
    #[arg(short, long, default_value = "text")]
    pub(crate) output: Output,
    /// Accepted for habit's sake: a plan takes no lock and runs nothing.
    #[arg(long, hide = true)]
    pub(crate) parallelism: Option<u16>,
    /// Accepted for habit's sake.
    #[arg(long, hide = true)]
    pub(crate) lock_timeout: Option<String>,
}

/// `matih apply`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ApplyArgs {
    /// Tenant specs, folders of them, or one saved plan.
    #[arg(value_name = "SPEC|PLAN", env = "MATIH_FILE")]
    pub(crate) specs: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) approvals: Approvals,
    #[command(flatten)]
    pub(crate) execution: Execution,
    /// As --auto-approve, for automation.
    #[arg(long, hide = true, env = "MATIH_AUTO_APPROVE", action = ArgAction::SetTrue, value_parser = falsey())]
    pub(crate) approved_by_environment: bool,
    /// Show every attribute of what is created and deleted.
    #[arg(long)]
    pub(crate) detail: bool,
}

/// `matih resume`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The spec of the tenant, or its slug if it is being destroyed or rolled back.
    #[arg(value_name = "SPEC|TENANT", env = "MATIH_FILE")]
    pub(crate) tenant: Option<String>,
    #[command(flatten)]
    pub(crate) look: Look,
    #[command(flatten)]
    pub(crate) approvals: Approvals,
    #[command(flatten)]
    pub(crate) execution: Execution,
}

/// `matih rollback`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The tenant's slug, or its spec.
    #[arg(value_name = "TENANT|SPEC")]
    pub(crate) tenant: Option<String>,
    /// The snapshot to go back to, by number or id [default: the one before the newest].
    #[arg(long, value_name = "SNAPSHOT", conflicts_with = "last_good")]
    pub(crate) to: Option<String>,
    /// Go back to the newest snapshot that an apply completed.
    #[arg(long)]
    pub(crate) last_good: bool,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// `matih destroy`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DestroyArgs {
    /// Slugs of tenants, or their specs.
    #[arg(value_name = "TENANT|SPEC")]
    pub(crate) tenants: Vec<String>,
    /// Only these resources and what needs them.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) target: Vec<String>,
    #[command(flatten)]
    pub(crate) look: Look,
    /// Leave what bears data, and what it needs, where it is.
    #[arg(long)]
    pub(crate) keep_data: bool,
    #[command(flatten)]
    pub(crate) approvals: Approvals,
    #[command(flatten)]
    pub(crate) execution: Execution,
    /// Show every attribute of what is deleted.
    #[arg(long)]
    pub(crate) detail: bool,
}

/// The number of a phase.
fn phase(text: &str) -> Result<Phase, String> {
    let last = matih_model::phase::PHASES - 1;
    let number = text.parse::<u8>().ok();
    number
        .and_then(|number| Phase::new(number).ok())
        .ok_or_else(|| format!("phases are 0 to {last}"))
}
