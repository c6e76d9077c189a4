//! How long a plan may take: its actions with the times of earlier ones, as the executor would
//! run them.

use std::collections::BTreeMap;

use matih_model::{ActionIndex, Kind, Op, Plan};
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
    let usual = usual(timings)?;
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

/// How much of a plan is done, in percent: each action counts as much as actions of its kind and
/// verb usually take (domain.md section 10), or all alike while nothing was ever timed.
pub(crate) fn progress(
    plan: &Plan,
    timings: &Timings,
    is_done: impl Fn(ActionIndex) -> bool,
) -> u64 {
    // A time of 0 ms counts too: an action that is not done leaves the plan below 100.
    let usual = usual(timings).unwrap_or_default();
    let weight = |op: &Op| time(op, timings).unwrap_or(usual) + 1;
    let (mut done, mut all) = (0, 0);
    for action in plan.actions() {
        let weight = weight(&action.op);
        all += weight;
        if is_done(action.index) {
            done += weight;
        }
    }
    (done * 100).checked_div(all).unwrap_or(100)
}

/// The median of all kinds and verbs; none if nothing was ever timed.
fn usual(timings: &Timings) -> Option<u64> {
    let mut all: Vec<u64> = timings.values().map(|timing| timing.median_ms).collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}

fn time(op: &Op, timings: &Timings) -> Option<u64> {
    let key = (op.resource().address.kind.clone(), op.verb().to_owned());
    timings.get(&key).map(|timing| timing.median_ms)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use matih_model::{
        Action, Digest, PlanDraft, Reason, Resource, Sweep, Tenancy, UndoClass, Verb,
    };

    use super::*;

    /// A plan that creates one resource of each kind.
    fn plan(kinds: &[&str]) -> Plan {
        let action = |(place, kind): (usize, &&str)| Action {
            index: ActionIndex(u32::try_from(place).unwrap()),
            op: Op::Create {
                resource: Arc::new(Resource {
                    address: format!("acme/{kind}/one").parse().unwrap(),
                    phase: 0.try_into().unwrap(),
                    steps: Vec::new(),
                    depends_on: [].into(),
                    attributes: Default::default(),
                    lifecycle: Default::default(),
                    retry: Default::default(),
                }),
                generation: 1,
            },
            reason: Reason::New,
            sweep: Sweep::Build,
            waits_for: [].into(),
            undo: UndoClass::Reversible,
        };
        let draft = PlanDraft {
            tenant: "acme".parse().unwrap(),
            tenancy: Tenancy::Shared,
            verb: Verb::Apply,
            base: None,
            inputs: Digest::of("test", &0),
            actions: kinds.iter().enumerate().map(action).collect(),
            edits: Vec::new(),
            notes: Vec::new(),
            reads: Default::default(),
        };
        Plan::new(draft).unwrap()
    }

    fn timings(times: &[(&str, u64)]) -> Timings {
        let timing = |(kind, median_ms): &(&str, u64)| {
            let timing = Timing {
                count: 1,
                median_ms: *median_ms,
                p90_ms: *median_ms,
            };
            ((kind.parse().unwrap(), "create".to_owned()), timing)
        };
        times.iter().map(timing).collect()
    }

    #[test]
    fn an_action_counts_as_long_as_it_takes() {
        let plan = plan(&["a.x", "b.y", "c.z"]);
        let first = |index: ActionIndex| index.as_usize() == 0;
        let uneven = timings(&[("a.x", 899), ("b.y", 49), ("c.z", 49)]);
        assert_eq!(progress(&plan, &uneven, first), 90);
        assert_eq!(progress(&plan, &Timings::new(), first), 33, "all alike");
        let one_known = timings(&[("b.y", 9)]);
        assert_eq!(progress(&plan, &one_known, first), 33, "as the median");
        assert_eq!(progress(&plan, &uneven, |_| true), 100);
        assert_eq!(progress(&plan, &timings(&[("a.x", 0)]), |_| false), 0);
    }
}
