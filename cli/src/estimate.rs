//! How long a plan may take: its actions with the times of earlier ones, as the executor would
//! run them.

use std::collections::BTreeMap;

use matih_model::{Kind, Op, Plan};
use matih_state::Timing;

/// How long actions took, by kind and verb.
pub(crate) type Timings = BTreeMap<(Kind, String), Timing>;

/// Milliseconds from the first action to the last; none if no action of any of its kinds was ever
/// timed.
///
/// A wave starts when the one before it has ended; in a wave an action starts when all that it
/// waits for have ended and one of `parallelism` places is free. An action of a kind without a
/// time counts as the median of all.
pub(crate) fn estimate(plan: &Plan, timings: &Timings, parallelism: usize) -> Option<u64> {
    let mut all: Vec<u64> = timings.values().map(|timing| timing.median_ms).collect();
    all.sort_unstable();
    let usual = *all.get(all.len() / 2)?;
    let mut ends = vec![0; plan.actions().len()];
    let mut now = 0;
    for wave in plan.waves() {
        let mut free = vec![now; parallelism.max(1)];
        for action in plan.actions().get(wave.actions.clone()).unwrap_or_default() {
            let waited = action
                .waits_for
                .iter()
                .filter_map(|it| ends.get(it.as_usize()));
            let ready = waited.copied().max().unwrap_or(now).max(now);
            let Some(place) = free.iter_mut().min() else {
                continue;
            };
            let end = ready.max(*place) + time(&action.op, timings).unwrap_or(usual);
            *place = end;
            if let Some(slot) = ends.get_mut(action.index.as_usize()) {
                *slot = end;
            }
        }
        now = free.into_iter().max().unwrap_or(now);
    }
    Some(now)
}

fn time(op: &Op, timings: &Timings) -> Option<u64> {
    let key = (op.resource().address.kind.clone(), op.verb().to_owned());
    timings.get(&key).map(|timing| timing.median_ms)
}
