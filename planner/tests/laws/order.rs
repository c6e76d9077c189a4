//! The law of order on the drawn cases: who waits for whom, and who goes first where nobody waits.

use std::collections::{BTreeMap, BTreeSet};

use matih_model::{Action, ActionIndex, Address, Op, Plan, Snapshot, Sweep, Value};
use proptest::prelude::*;

use super::cases::cases;
use super::{build, delete, dependents, is_check};
use crate::world::Case;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_plan_obeys_the_law_of_order(case in cases()) {
        let plan = case.plan();
        law_of_order(&case, &plan)?;
        limits_come_last(&case, &plan)?;
    }
}

fn law_of_order(case: &Case, plan: &Plan) -> Result<(), TestCaseError> {
    let base = case.base.as_ref().unwrap();
    for action in plan.actions() {
        let address = action.address();
        let waits = |other: Option<&Action>| {
            other.is_none_or(|other| {
                other.index < action.index && action.waits_for.contains(&other.index)
            })
        };
        if let Op::Delete { .. } = action.op {
            for dependent in dependents(base, address) {
                prop_assert!(waits(delete(plan, &dependent)), "(b) {address} {dependent}");
            }
        } else {
            for dependency in action.op.resource().dependencies() {
                let first = build(plan, dependency);
                let is_turned =
                    first.is_some_and(|it| lowers(it) && it.waits_for.contains(&action.index));
                prop_assert!(is_turned || waits(first), "(a) {address} {dependency}");
            }
            prop_assert!(waits(delete(plan, address)), "(c) {address}");
        }
    }
    preferred_edges(base, plan)?;
    ties(plan)
}

/// (d): a delete comes after the update of what depended on it, or that update waits for it.
fn preferred_edges(base: &Snapshot, plan: &Plan) -> Result<(), TestCaseError> {
    for action in plan.actions() {
        if !matches!(action.op, Op::Delete { .. }) {
            continue;
        }
        for dependent in dependents(base, action.address()) {
            let Some(update) = build(plan, &dependent) else {
                continue;
            };
            if matches!(update.op, Op::Update { .. }) && !action.waits_for.contains(&update.index) {
                let before = all_before(plan, update.index);
                prop_assert!(before.contains(&action.index), "(d) {}", action.address());
            }
        }
    }
    Ok(())
}

/// Whether an action is an update that takes a limit down.
fn lowers(action: &Action) -> bool {
    let Op::Update { changes, .. } = &action.op else {
        return false;
    };
    let goes_down = |before: Option<&Value>, after: Option<&Value>| match (before, after) {
        (None, Some(Value::Integer(_))) => true,
        (Some(Value::Integer(before)), Some(Value::Integer(after))) => before > after,
        _ => false,
    };
    let mut limits = changes.iter().filter(|it| it.path.to_string() == "limit");
    limits.any(|it| goes_down(it.before.as_ref(), it.after.as_ref()))
}

/// A limit that alone is taken down, and to which nothing refers, waits for all that depends on it;
/// checks and what stands behind them wait for it.
fn limits_come_last(case: &Case, plan: &Plan) -> Result<(), TestCaseError> {
    let lowered: Vec<_> = plan.actions().iter().filter(|it| lowers(it)).collect();
    let [limit] = *lowered else { return Ok(()) };
    let builds = plan.actions().iter();
    let mut builds = builds.filter(|it| !matches!(it.op, Op::Delete { .. }));
    let refers = |it: &Action| {
        let references = it.op.resource().attributes.refs();
        references.iter().any(|it| it.address == *limit.address())
    };
    if builds.clone().any(refers) {
        return Ok(());
    }
    let dependents = |of: &BTreeSet<Address>| {
        let mut found = BTreeSet::new();
        let mut open = of.clone();
        while let Some(next) = open.pop_first() {
            for (address, it) in case.desired.resources() {
                if it.dependencies().contains(&next) && found.insert(address.clone()) {
                    open.insert(address.clone());
                }
            }
        }
        found
    };
    let above = dependents(&BTreeSet::from([limit.address().clone()]));
    let checks = above.iter().filter(|it| is_check(it)).cloned().collect();
    let behind = dependents(&checks);
    builds.try_for_each(|other| {
        let address = other.address();
        if checks.contains(address) || behind.contains(address) {
            let waits = all_before(plan, other.index).contains(&limit.index);
            prop_assert!(waits, "(e) {address} does not wait for {}", limit.address());
        } else if above.contains(address) {
            let waits = all_before(plan, limit.index).contains(&other.index);
            prop_assert!(waits, "(e) {} does not wait for {address}", limit.address());
        }
        Ok(())
    })
}

fn all_before(plan: &Plan, index: ActionIndex) -> BTreeSet<ActionIndex> {
    let mut found = BTreeSet::new();
    let mut open = vec![index];
    while let Some(next) = open.pop() {
        for before in &plan.action(next).unwrap().waits_for {
            if found.insert(*before) {
                open.push(*before);
            }
        }
    }
    found
}

/// Each action is the least of those that were ready, by (sweep, rank, address); and only what
/// nothing that builds waits for is torn down last.
fn ties(plan: &Plan) -> Result<(), TestCaseError> {
    let key = |it: &Action| {
        let rank = i16::from(plan.tenancy().rank(it.phase()));
        let rank = if it.sweep == Sweep::Build {
            rank
        } else {
            -rank
        };
        (it.sweep, rank, it.address().clone())
    };
    let actions = plan.actions();
    for (place, action) in actions.iter().enumerate() {
        let ready = actions[place..].iter().filter(|it| {
            let mut waits = it.waits_for.iter();
            waits.all(|wait| wait.as_usize() < place)
        });
        prop_assert_eq!(ready.map(key).min(), Some(key(action)));
    }
    let mut build = BTreeSet::new();
    for action in actions {
        let again = actions
            .iter()
            .filter(|it| it.address() == action.address())
            .count()
            == 2;
        if again || !matches!(action.op, Op::Delete { .. }) {
            build.insert(action.index);
            build.extend(all_before(plan, action.index));
        }
    }
    for action in actions {
        prop_assert_eq!(action.sweep == Sweep::Build, build.contains(&action.index));
    }
    Ok(())
}

#[test]
fn the_drawn_cases_reach_every_kind_of_action_and_edge() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..500 {
        let case = cases().new_tree(&mut runner).unwrap().current();
        let plan = case.plan();
        let mut count = |what, holds: bool| *seen.entry(what).or_default() += usize::from(holds);
        for action in plan.actions() {
            count(action.op.verb(), true);
            let pulled = action.sweep == Sweep::Build && build(&plan, action.address()).is_none();
            count("delete that something waits for", pulled);
            let replaced = build(&plan, action.address()).is_some();
            count(
                "replacement",
                replaced && matches!(action.op, Op::Delete { .. }),
            );
            let last = |it: &ActionIndex| {
                let before = plan.action(*it).unwrap();
                before
                    .op
                    .resource()
                    .dependencies()
                    .contains(action.address())
            };
            count(
                "limit behind what it limits",
                action.waits_for.iter().any(last),
            );
            if let Op::Update { changes, .. } = &action.op {
                let unknown = changes.iter().any(|it| it.after == Some(Value::Unknown));
                count("unknown value", unknown);
            }
        }
        count("edit", !plan.edits().is_empty());
    }
    assert_eq!(seen.len(), 9, "{seen:?}");
    assert!(seen.values().all(|count| *count >= 20), "{seen:?}");
}
