//! Many tenants at once, a bound on how many, one line each; the worst exit code wins.

use std::sync::Arc;

use futures_util::Stream;
use futures_util::stream::{self, StreamExt};
use matih_model::TenantId;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::work::Workshop;
use crate::work::carry_out::{Goal, Manner, carry_out};

/// Does `work` to each item on a thread of its own, at most `jobs` at once, and gives the results
/// in the order of the items. An item is not begun before there is a place for it.
pub(crate) fn in_order<T, R>(
    jobs: usize,
    items: Vec<T>,
    work: impl Fn(T) -> R + Send + Sync + 'static,
) -> impl Stream<Item = R>
where
    T: Send + 'static,
    R: Send + 'static,
{
    let work = Arc::new(work);
    let begun = stream::iter(items).map(move |item| {
        let work = work.clone();
        spawn_blocking(move || work(item))
    });
    // A thread that breaks down ends the process, so there is always a result.
    begun
        .buffered(jobs.max(1))
        .filter_map(async |done| done.ok())
}

/// One tenant of a fleet: its goal is made on its own thread, since a compile takes time.
pub(crate) struct Ship {
    /// Whose.
    pub(crate) tenant: TenantId,
    /// Makes the goal.
    pub(crate) goal: Box<dyn FnOnce() -> Result<Goal, Failure> + Send>,
    /// How it is told.
    pub(crate) manner: Manner,
}

/// Carries out each goal.
pub(crate) async fn fleet(work: &Arc<Workshop>, ships: Vec<Ship>) -> Exit {
    let (shared, runtime) = (work.clone(), Handle::current());
    let mut ended = Box::pin(in_order(work.settings.jobs, ships, move |ship: Ship| {
        let ended =
            (ship.goal)().and_then(|goal| runtime.block_on(carry_out(&shared, &goal, ship.manner)));
        (ship.tenant, ended)
    }));
    let mut exit = Exit::Ok;
    while let Some((tenant, outcome)) = ended.next().await {
        match outcome {
            Ok(end) => {
                exit = exit.worst(end.exit);
                work.print(&format!("{}\n", end.line()));
                work.progress.tell("change_summary", end.json());
            }
            Err(mut failure) => {
                exit = exit.worst(failure.exit);
                if !failure.message.contains(tenant.as_str()) {
                    failure.message = format!("{tenant}: {}", failure.message);
                }
                work.context.complain(&failure);
            }
        }
    }
    exit
}
