//! Many tenants at once, a bound on how many, one line each; the worst exit code wins.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::work::Workshop;
use crate::work::carry_out::{Goal, Manner, carry_out};

/// Carries out each goal, in the order given as far as places are free.
pub(crate) async fn fleet(work: &Arc<Workshop>, goals: Vec<(Goal, Manner)>) -> Exit {
    let runs = goals.into_iter().map(|(goal, manner)| {
        let work = work.clone();
        let name = goal.tenant().clone();
        // Each tenant has a thread of its own: a run computes and writes to disk between its calls.
        let runtime = Handle::current();
        let run = spawn_blocking(move || runtime.block_on(carry_out(&work, &goal, manner)));
        async move { (name, run.await) }
    });
    // A run starts when it is spawned: the stream is lazy, so no more than `jobs` are under way.
    let mut ended = stream::iter(runs).buffered(work.settings.jobs);
    let mut exit = Exit::Ok;
    while let Some((tenant, outcome)) = ended.next().await {
        let outcome = outcome
            .unwrap_or_else(|_| Err(Failure::error(format!("{tenant}: the run broke down."))));
        match outcome {
            Ok(end) => {
                exit = exit.worst(end.exit);
                work.print(&format!("{}\n", end.line()));
                work.progress.tell("change_summary", end.json());
            }
            Err(failure) => {
                exit = exit.worst(failure.exit);
                work.context.screen.complain(&failure);
            }
        }
    }
    exit
}
