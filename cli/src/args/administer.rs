//! Options of the commands that work on state, locks and the simulated world.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Output;

/// `matih snapshot …`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SnapshotCommand {
    /// List the snapshots of a tenant, newest last.
    List(super::HistoryArgs),
    /// Show all that a snapshot holds.
    Show {
        /// Its number or id [default: the newest].
        #[arg(value_name = "SNAPSHOT")]
        snapshot: Option<String>,
        /// How to print it.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Compare two snapshots.
    Diff {
        /// The number or id of the one before.
        #[arg(value_name = "BEFORE")]
        before: String,
        /// The number or id of the one after [default: the newest].
        #[arg(value_name = "AFTER")]
        after: Option<String>,
        /// How to print it.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
}

/// `matih state …`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// List what is recorded.
    List {
        /// Addresses; `*` matches any run of characters.
        #[arg(value_name = "ADDRESS")]
        patterns: Vec<String>,
        /// How to print it.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Show one record.
    Show {
        /// Its address.
        #[arg(value_name = "ADDRESS")]
        address: String,
        /// How to print it.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Forget records; the objects stay.
    Rm {
        /// Their addresses.
        #[arg(value_name = "ADDRESS", required = true)]
        addresses: Vec<String>,
        /// Do not ask.
        #[arg(short = 'y', long)]
        auto_approve: bool,
    },
    /// Call a record something else.
    Mv {
        /// The address now.
        #[arg(value_name = "FROM")]
        from: String,
        /// The address from now on; same tenant, same kind.
        #[arg(value_name = "TO")]
        to: String,
        /// Do not ask.
        #[arg(short = 'y', long)]
        auto_approve: bool,
    },
    /// Check every row, every digest and the chain of audit rows.
    Verify {
        /// How to print the findings.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Save a copy while others may be at work.
    Backup {
        /// The file to write; it must not be there.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Put a copy in the state's place; the state that was there is kept beside it.
    Restore {
        /// The copy.
        #[arg(value_name = "FILE", required_unless_present = "as_found")]
        file: Option<PathBuf>,
        /// Accept the state as it is, though its anchor is lost or knows another end of it.
        #[arg(long, conflicts_with = "file")]
        as_found: bool,
        /// Do not ask.
        #[arg(short = 'y', long)]
        auto_approve: bool,
    },
}

/// `matih import`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ImportArgs {
    /// The tenant's spec.
    #[arg(value_name = "SPEC")]
    pub(crate) spec: PathBuf,
    /// The address that it gets, `kind/name`.
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: String,
    /// The provider's name for the object.
    #[arg(value_name = "REMOTE-ID")]
    pub(crate) remote_id: String,
    /// Add a `[[resource]]` block with what is there to the spec, if the spec has none.
    #[arg(long)]
    pub(crate) write: bool,
    /// Do not ask.
    #[arg(short = 'y', long)]
    pub(crate) auto_approve: bool,
}

/// `matih lock …`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum LockCommand {
    /// Tell who holds locks, and since when.
    Status {
        /// Slugs of tenants, or their specs [default: every tenant of the state].
        #[arg(value_name = "TENANT|SPEC")]
        tenants: Vec<String>,
        /// How to print it.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Take a lock away from a holder that is gone.
    #[command(visible_alias = "force-unlock")]
    Release {
        /// The tenant's slug, or its spec.
        #[arg(value_name = "TENANT|SPEC")]
        tenant: Option<String>,
        /// The lock's id, as `matih lock status` shows it.
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        /// Why, for the audit.
        #[arg(long, value_name = "TEXT", default_value = "released by hand")]
        reason: String,
        /// Do not ask.
        #[arg(short = 'y', long, visible_alias = "force")]
        auto_approve: bool,
    },
}

/// `matih sandbox …`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SandboxCommand {
    /// List the objects of the simulated world.
    Ls {
        /// Kinds, addresses or remote ids; `*` matches any run of characters.
        #[arg(value_name = "PATTERN")]
        patterns: Vec<String>,
        /// How to print them.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Show one object.
    Show {
        /// Its address or remote id.
        #[arg(value_name = "OBJECT")]
        object: String,
        /// How to print it.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Change attributes of an object behind matih's back: drift.
    Edit {
        /// Its address or remote id.
        #[arg(value_name = "OBJECT")]
        object: String,
        /// `path=value`; the value is JSON, or text if it is no JSON; nothing removes it.
        #[arg(value_name = "PATH=VALUE", required = true)]
        set: Vec<String>,
    },
    /// Remove an object behind matih's back.
    Rm {
        /// Its address or remote id.
        #[arg(value_name = "OBJECT")]
        object: String,
    },
    /// Make an object that is nobody's, as somebody else would.
    Add {
        /// Its kind.
        #[arg(value_name = "KIND")]
        kind: String,
        /// `path=value`; the value is JSON, or text if it is no JSON.
        #[arg(value_name = "PATH=VALUE")]
        set: Vec<String>,
    },
    /// Take the owner mark off an object.
    Disown {
        /// Its address or remote id.
        #[arg(value_name = "OBJECT")]
        object: String,
    },
    /// Say how much there is room for, such as `load_balancers 2`.
    Capacity {
        /// `namespaces`, `dns_zones`, `load_balancers`, or another number that a check asks about.
        #[arg(value_name = "RESOURCE")]
        resource: String,
        /// How many [default: without end].
        #[arg(value_name = "N")]
        total: Option<u32>,
    },
    /// Make the next calls fail, hang, or lose their reply.
    #[command(subcommand)]
    Fault(FaultCommand),
}

/// `matih sandbox fault …`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum FaultCommand {
    /// List the faults of the script, and how often each has struck.
    #[command(visible_alias = "ls")]
    List {
        /// How to print them.
        #[arg(short, long, default_value = "text")]
        output: Output,
    },
    /// Add a fault to the script.
    #[command(
        after_help = "Examples:\n  matih sandbox fault add 'helm.release/*' fail:denied:no\n  matih sandbox fault add dns.zone/tenant lose_reply --op create --at 1\n  matih sandbox fault add '*' throttle:1000 --every 10"
    )]
    Add {
        /// A kind, `kind/name` or an address; `*` matches any run of characters.
        #[arg(value_name = "ON")]
        on: String,
        /// `fail`, `fail:KIND:MESSAGE`, `throttle:MILLISECONDS`, `lose_reply`, `hang` or `partial`.
        #[arg(value_name = "FAULT")]
        fault: String,
        /// The calls that it strikes [default: those that change something].
        #[arg(long, value_name = "OP", value_parser = ["read", "list", "create", "update", "delete", "check"])]
        op: Option<String>,
        /// Only the N-th call that matches.
        #[arg(long, value_name = "N", conflicts_with = "every")]
        at: Option<u64>,
        /// Every N-th call that matches [default: 1].
        #[arg(long, value_name = "N")]
        every: Option<u64>,
    },
    /// Take a fault out of the script.
    #[command(visible_alias = "rm")]
    Clear {
        /// Its number [default: all of them].
        #[arg(value_name = "ID")]
        id: Option<i64>,
    },
}
