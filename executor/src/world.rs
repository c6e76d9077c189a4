//! What a run is given: the outside, the time, and how to go about it.

use std::num::NonZeroUsize;
use std::time::Duration;

use matih_model::{Registry, RunId, SecretSource, Tenancy};
use tokio::time::Instant;

/// Everything outside of the state that a run touches.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Who serves which kind.
    pub registry: &'a Registry,
    /// Who reads secrets, at the wire.
    pub secrets: &'a dyn SecretSource,
    /// This installation of matih: part of every owner mark.
    pub installation: &'a str,
    /// The time.
    pub clock: Clock,
    /// Spreads the waits between tries: one seed, one trace.
    pub seed: u64,
}

/// Time that never goes back: told once, and counted from there by the runtime's clock, which a
/// simulation can hold.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    told_ms: u64,
    at: Instant,
}

impl Clock {
    /// Takes the caller's word for the time now, in milliseconds since the Unix epoch.
    pub fn starting_at(now_ms: u64) -> Self {
        Self {
            told_ms: now_ms,
            at: Instant::now(),
        }
    }

    /// The time now, in milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> u64 {
        let passed = u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.told_ms.saturating_add(passed)
    }
}

/// What to do after an action failed for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// Start nothing new, let what runs end, commit.
    #[default]
    Stop,
    /// Go on with all that does not wait for it. Nothing is taken down after something failed to
    /// be built up.
    Continue,
    /// As [`OnFailure::Stop`]; then the caller plans the way back to the snapshot before.
    Rollback,
}

/// How to go about a run.
#[derive(Clone, Debug)]
pub struct ApplyOptions {
    /// Its name.
    pub run: RunId,
    /// At most this many provider calls at once.
    pub parallelism: NonZeroUsize,
    /// What to do after a failure.
    pub on_failure: OnFailure,
    /// At most this many retries of an action, whatever its own policy allows.
    pub max_retries: Option<u32>,
    /// The time that the whole run may take.
    pub limit: Duration,
    /// The plan leaves out nothing that its inputs ask for (no targets, no exclusions): only then
    /// may the head stand for these inputs afterwards.
    pub whole: bool,
    /// The line that asks for the same again, where nothing that is recorded knows the end.
    pub command: Option<String>,
}

impl ApplyOptions {
    /// The defaults: 10 calls at once, stop at a failure, retries as each resource says, the
    /// limit of the tenancy, and a plan that is whole.
    pub fn new(run: RunId, tenancy: Tenancy) -> Self {
        const PARALLELISM: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9);
        Self {
            run,
            parallelism: PARALLELISM,
            on_failure: OnFailure::default(),
            max_retries: None,
            limit: run_limit(tenancy),
            whole: true,
            command: None,
        }
    }
}

/// The time that a run may take: 30 minutes shared, 90 dedicated (domain.md section 12, C24).
pub fn run_limit(tenancy: Tenancy) -> Duration {
    const MINUTE: u64 = 60;
    Duration::from_secs(match tenancy {
        Tenancy::Shared => 30 * MINUTE,
        Tenancy::Dedicated => 90 * MINUTE,
    })
}
