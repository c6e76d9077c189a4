//! The lock of a tenant: asked for, waited for, given back.

use std::time::{Duration, Instant};

use matih_executor::RunPoint;
use matih_model::{RunId, TenantId};
use matih_state::{LockRequest, LockedStore, StateError};

use crate::clock::now_ms;
use crate::failure::Failure;
use crate::installation::{holder, of_state};
use crate::work::{RunOnlooker, Workshop};

/// How often a lock that is held is asked for again.
const POLL: Duration = Duration::from_millis(250);

/// Takes the lock, and waits for it as long as `--lock-timeout` says.
///
/// # Errors
/// Somebody else holds it still (exit code 4), or the state cannot be used.
pub(crate) async fn locked(
    work: &Workshop,
    tenant: &TenantId,
    run: &RunId,
    operation: &str,
) -> Result<LockedStore, Failure> {
    let onlooker = RunOnlooker(work);
    let until = Instant::now() + work.settings.lock_timeout;
    let lease_ms = u64::try_from(work.settings.lease.as_millis()).unwrap_or(u64::MAX);
    let mut told = false;
    onlooker.cross_run(RunPoint::LockRequested);
    loop {
        onlooker.go_on()?;
        let request = LockRequest {
            tenant: tenant.clone(),
            holder: holder(operation),
            run: run.clone(),
            now_ms: now_ms(),
            lease_ms,
        };
        match work.store.lock(&request) {
            Ok(store) => {
                onlooker.cross_run(RunPoint::LockGranted);
                return Ok(store);
            }
            Err(StateError::Locked { lock, .. }) if Instant::now() < until => {
                if !told {
                    told = true;
                    let holder = &lock.holder;
                    work.context
                        .screen
                        .say(&format!("Waiting for {tenant}: locked by {holder}."));
                }
                tokio::time::sleep(POLL.min(until.saturating_duration_since(Instant::now()))).await;
            }
            Err(error) => return Err(of_state(&error)),
        }
    }
}

/// Gives the lock back. Should that fail, the lease ends by itself; a warning says so.
pub(crate) fn release(work: &Workshop, store: LockedStore) {
    let onlooker = RunOnlooker(work);
    let tenant = store.tenant().clone();
    onlooker.cross_run(RunPoint::BeforeRelease);
    if let Err(error) = store.release(now_ms()) {
        work.context.screen.warn(&format!(
            "the lock of {tenant} was not given back: {error}; it ends by itself"
        ));
    }
    onlooker.cross_run(RunPoint::AfterRelease);
}
