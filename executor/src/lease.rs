//! Keeping the lock while work goes on.
//!
//! The lease is renewed whenever a third of it has passed. A renewal that is refused ends the run
//! at once: calls in the air are dropped, and what they came to is for the next holder to find.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use matih_state::LockedStore;
use tokio::time::Instant;

use crate::boundary::{Onlooker, RunPoint};
use crate::error::ExecutorError;
use crate::watch::Watch;
use crate::world::Clock;

/// When the lease is to be renewed.
pub(crate) fn renewal(store: &LockedStore, clock: &Clock) -> Instant {
    let lock = store.lock();
    let due_ms = lock.expires_ms.saturating_sub(lock.lease_ms / 3 * 2);
    Instant::now() + Duration::from_millis(due_ms.saturating_sub(clock.now_ms()))
}

/// Renews the lease, if it is time.
pub(crate) fn renew_if_due(
    store: &mut LockedStore,
    clock: &Clock,
    watch: &Watch<'_>,
) -> Result<(), ExecutorError> {
    if renewal(store, clock) <= Instant::now() {
        watch.cross_run(RunPoint::BeforeRenew)?;
        store.renew(clock.now_ms())?;
        watch.cross_run(RunPoint::AfterRenew)?;
    }
    Ok(())
}

/// Waits for something that writes nothing (a look at the world, a person's answer) and keeps the
/// lock meanwhile.
///
/// # Errors
/// The lock is lost, or the onlooker abandons.
pub async fn keep_lock<T>(
    store: &mut LockedStore,
    clock: &Clock,
    onlooker: &dyn Onlooker,
    work: impl Future<Output = T>,
) -> Result<T, ExecutorError> {
    let run = store.lock().run.clone();
    let watch = Watch::new(onlooker, *clock, run);
    keep(store, clock, &watch, work).await
}

/// [`keep_lock`] inside of a run.
pub(crate) async fn keep<T>(
    store: &mut LockedStore,
    clock: &Clock,
    watch: &Watch<'_>,
    work: impl Future<Output = T>,
) -> Result<T, ExecutorError> {
    let mut work = pin!(work);
    loop {
        let renewal = renewal(store, clock);
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(renewal) => renew_if_due(store, clock, watch)?,
            done = &mut work => return Ok(done),
            heard = watch.interrupted() => heard?,
        }
    }
}
