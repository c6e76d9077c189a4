//! How a plan is agreed to and carried out.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Look;

/// How a plan that no spec asks for is shown, agreed to and carried out.
#[derive(Clone, Debug, Args)]
pub(crate) struct Run {
    /// Show the plan and stop.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) look: Look,
    #[command(flatten)]
    pub(crate) approvals: Approvals,
    #[command(flatten)]
    pub(crate) execution: Execution,
    /// Show every attribute of what is created and deleted.
    #[arg(long)]
    pub(crate) detail: bool,
}

/// What a person allows beforehand.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Approvals")]
pub(crate) struct Approvals {
    /// Allow that the data of these resources is lost; `all` for every one of the plan.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) allow_data_loss: Vec<String>,
    /// Allow that an apply deletes more than a fifth of a tenant.
    #[arg(long)]
    pub(crate) allow_mass_delete: bool,
    /// Delete or replace these although they are protected.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) override_protection: Vec<String>,
}

/// How a plan is carried out.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Execution")]
pub(crate) struct Execution {
    /// Do not ask. MATIH_AUTO_APPROVE does the same, but never for destroy.
    #[arg(short = 'y', long)]
    pub(crate) auto_approve: bool,
    /// How many actions of a tenant run at once.
    #[arg(long, value_name = "N", env = "MATIH_PARALLELISM", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) parallelism: Option<u16>,
    /// How many tenants are worked on at once.
    #[arg(short, long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: u16,
    /// What to do when an action has failed for good.
    #[arg(long, value_name = "POLICY")]
    pub(crate) on_failure: Option<OnFailure>,
    /// How long to wait for a lock that somebody else holds, such as `30s` or `5m`.
    #[arg(long, value_name = "TIME", env = "MATIH_LOCK_TIMEOUT", value_parser = duration)]
    pub(crate) lock_timeout: Option<Duration>,
    /// Start no new action after this time [default: 30m shared, 90m dedicated].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
}

/// What to do when an action has failed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnFailure {
    /// Start nothing new, keep what is done.
    Stop,
    /// Go on with all that does not wait for what failed.
    Continue,
    /// Stop, then bring the tenant back to the snapshot before.
    Rollback,
}

/// `250ms`, `30s`, `5m`, `2h`, or a plain number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("`{text}` is not a time such as `30s` or `5m`"))?;
    let millis = match unit {
        "ms" => Some(number),
        "" | "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => return Err(format!("`{unit}` is not one of ms, s, m, h")),
    };
    millis
        .map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is too long a time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for bad in [
            "",
            "s",
            "1.5s",
            "3d",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
