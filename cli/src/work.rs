//! What plan, apply, resume, rollback, destroy and drift have in common.
//!
//! [`Workshop`] holds everything that a run needs. [`planning`] makes a plan and all that is told
//! with it; [`carry_out()`] takes a tenant's lock, settles what a crash left, plans, asks, applies
//! and reports; [`dry_run()`] shows the same plan and stops; [`unchanged()`] recognises a tenant
//! that needs none of that; [`fleet()`] does it to many tenants at once, and [`batches`] says in
//! which order where that is asked. [`mod@release`] makes the order for a release alone.

mod agree;
pub(crate) mod batches;
mod carry_out;
mod dry_run;
mod fleet;
mod lock;
mod onlooker;
pub(crate) mod planning;
pub(crate) mod release;
mod saved;
mod unchanged;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use matih_executor::{Clock, ObserveOptions, OnFailure, World};
use matih_planner::{AddressPattern, Approvals};
use matih_specs::words;
use matih_state::Store;

use crate::args::{self, Look};
use crate::clock;
use crate::confirm::Asking;
use crate::context::Context;
use crate::failpoint::Failpoint;
use crate::failure::Failure;
use crate::installation::Installation;
use crate::interrupt::Interrupt;
use crate::progress::Progress;

pub(crate) use agree::{ask, refuse, would_be_refused};
pub(crate) use carry_out::{Back, Goal, Manner, carry_out, settle_first};
pub(crate) use dry_run::dry_run;
pub(crate) use fleet::{Ship, fleet, in_order};
pub(crate) use lock::{locked, release};
pub(crate) use onlooker::RunOnlooker;
pub(crate) use saved::saved_plan;
pub(crate) use unchanged::{changed, unchanged};

/// Everything that a run needs; shared by the runs of all tenants of a command.
pub(crate) struct Workshop {
    /// Streams and global options.
    pub(crate) context: Context,
    /// State, keys and providers.
    pub(crate) installation: Installation,
    /// The opened state.
    pub(crate) store: Store,
    /// Who may be asked.
    pub(crate) asking: Asking,
    /// How to run.
    pub(crate) settings: Settings,
    /// Where events go.
    pub(crate) progress: Progress,
    /// What signals have said.
    pub(crate) interrupt: Interrupt,
    /// The test hook.
    pub(crate) failpoint: Failpoint,
}

/// How to run: the command line's word, else the platform file's.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// What to ask of the world first.
    pub(crate) look: Look,
    pub(crate) parallelism: NonZeroUsize,
    pub(crate) jobs: usize,
    pub(crate) on_failure: OnFailure,
    pub(crate) lock_timeout: Duration,
    pub(crate) lease: Duration,
    pub(crate) max_retries: u32,
    /// The time that a run may take; none: the limit of its tenancy.
    pub(crate) limit: Option<Duration>,
    pub(crate) approvals: Approvals,
    /// Show every attribute of what is created and deleted.
    pub(crate) detail: bool,
}

impl Settings {
    /// Those of a plan that no spec asks for.
    ///
    /// # Errors
    /// As [`Settings::new`].
    pub(crate) fn of(
        platform: &matih_specs::PlatformFile,
        run: &args::Run,
    ) -> Result<Self, Failure> {
        Self::new(
            platform,
            run.look,
            &run.execution,
            &run.approvals,
            run.detail,
        )
    }

    /// Those of a change to the record alone, for which the command line has no words.
    ///
    /// # Errors
    /// As [`Settings::new`].
    pub(crate) fn of_record(platform: &matih_specs::PlatformFile) -> Result<Self, Failure> {
        let (execution, approvals) = Default::default();
        Self::new(platform, Look::default(), &execution, &approvals, false)
    }

    /// Puts command line and platform file together.
    ///
    /// # Errors
    /// An approval is no address.
    pub(crate) fn new(
        platform: &matih_specs::PlatformFile,
        look: Look,
        execution: &args::Execution,
        approvals: &args::Approvals,
        detail: bool,
    ) -> Result<Self, Failure> {
        let usual = usize::try_from(platform.apply.parallelism).unwrap_or(1);
        let parallelism = execution.parallelism.map_or(usual, usize::from);
        let on_failure = match (execution.on_failure, platform.apply.on_failure) {
            (Some(args::OnFailure::Stop), _) | (None, words::OnFailure::Stop) => OnFailure::Stop,
            (Some(args::OnFailure::Continue), _) | (None, words::OnFailure::Continue) => {
                OnFailure::Continue
            }
            (Some(args::OnFailure::Rollback), _) | (None, words::OnFailure::Rollback) => {
                OnFailure::Rollback
            }
        };
        Ok(Self {
            look,
            parallelism: NonZeroUsize::new(parallelism).unwrap_or(NonZeroUsize::MIN),
            jobs: usize::from(execution.jobs),
            on_failure,
            lock_timeout: execution
                .lock_timeout
                .unwrap_or(platform.apply.lock_timeout),
            lease: platform.apply.lease,
            max_retries: platform.retries.max,
            limit: execution.timeout,
            approvals: self::approvals(approvals)?,
            detail,
        })
    }
}

/// What a person allows, as patterns; `all` stands for every address.
///
/// # Errors
/// A word is no pattern of addresses.
pub(crate) fn approvals(args: &args::Approvals) -> Result<Approvals, Failure> {
    let pattern = |text: &String| pattern(if text == "all" { "*/*" } else { text });
    Ok(Approvals {
        data_loss: args
            .allow_data_loss
            .iter()
            .map(pattern)
            .collect::<Result<_, _>>()?,
        mass_delete: args.allow_mass_delete,
        override_protection: args
            .override_protection
            .iter()
            .map(pattern)
            .collect::<Result<_, _>>()?,
    })
}

/// A pattern of addresses, as it was typed.
///
/// # Errors
/// It is none.
pub(crate) fn pattern(text: &str) -> Result<AddressPattern, Failure> {
    text.parse().map_err(|error| {
        Failure::usage(format!("{error}."))
            .hint("for example dns.record/* or acme/helm.release/ai-service")
    })
}

/// How to look at the world.
pub(crate) fn look() -> ObserveOptions {
    ObserveOptions::default()
}

impl Workshop {
    /// A workshop whose state is made if it was not there.
    ///
    /// # Errors
    /// State, keys or signals cannot be used.
    pub(crate) fn open(
        context: &Context,
        installation: Installation,
        asking: Asking,
        settings: Settings,
        fleet: bool,
    ) -> Result<Arc<Self>, Failure> {
        let failpoint = Failpoint::from_environment()?;
        let store = installation.store_or_new()?;
        let interrupt = Interrupt::listen(context.screen)?;
        Ok(Arc::new(Self {
            progress: Progress::new(context.screen, context.global.json, fleet),
            context: context.clone(),
            installation,
            store,
            asking,
            settings,
            interrupt,
            failpoint,
        }))
    }

    /// All that a run touches outside of the state.
    ///
    /// # Errors
    /// A provider cannot be opened.
    pub(crate) fn world(&self) -> Result<World<'_>, Failure> {
        Ok(World {
            registry: self.installation.registry()?,
            secrets: &self.installation.secrets,
            installation: self.store.installation(),
            clock: Clock::starting_at(clock::now_ms()),
            seed: clock::seed(),
        })
    }

    /// Text for people, unless programs read along.
    pub(crate) fn print(&self, text: &str) {
        if !self.progress.is_stream() {
            self.context.screen.print(text);
        }
    }
}
