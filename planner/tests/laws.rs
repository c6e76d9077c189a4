//! What holds for all tenants: the laws of architecture.md section 6, on random graphs, snapshots
//! and readings.

use std::collections::{BTreeMap, BTreeSet};

use matih_model::{
    Action, Address, Edit, Op, Plan, PlanDraft, Resource, ResourceGraph, Snapshot, UndoClass,
};
use matih_planner::{Approvals, Rule, guard, inverse};
use proptest::prelude::*;

use crate::world::{Case, Res, applied, at, carry_out, catalog, graph, short};

mod cases;
mod order;

use cases::{NAMES, cases, observed, readings, specs};

/// Whether a snapshot holds a graph: every resource as desired, every reference as it is told.
fn holds(snapshot: &Snapshot, desired: &ResourceGraph) -> Result<(), TestCaseError> {
    let things = desired
        .resources()
        .iter()
        .filter(|(address, _)| !is_check(address));
    let wanted: BTreeMap<_, _> = things
        .map(|(address, it)| (address, without_checks(it)))
        .collect();
    let there = snapshot.resources().iter();
    let there: BTreeMap<_, _> = there
        .map(|(address, it)| (address, without_checks(&it.resource)))
        .collect();
    prop_assert_eq!(there, wanted);
    for recorded in snapshot.resources().values() {
        for reference in recorded.resource.attributes.refs() {
            let told = snapshot.get(&reference.address).unwrap();
            prop_assert_eq!(
                recorded.resolved.get(reference),
                told.outputs.get(&reference.output),
                "{} in {}",
                reference,
                recorded.resource.address
            );
        }
    }
    Ok(())
}

/// A resource as far as a record must say it: what it says of checks counts for nothing.
fn without_checks(resource: &Resource) -> Resource {
    let mut resource = resource.clone();
    resource.depends_on.retain(|it| !is_check(it));
    resource
}

fn is_check(address: &Address) -> bool {
    address.kind.as_str() == "thing.gate"
}

fn acts(plan: &Plan) -> Vec<String> {
    let line = |it: &Action| format!("{} {}", it.op.verb(), short(it.address()));
    plan.actions().iter().map(line).collect()
}

/// The first actions of a plan alone, as if it had been stopped there.
fn stopped(plan: &Plan, after: usize) -> Plan {
    Plan::new(PlanDraft {
        tenant: plan.tenant().clone(),
        tenancy: plan.tenancy(),
        verb: plan.verb().clone(),
        base: plan.base(),
        inputs: plan.inputs(),
        actions: plan.actions()[..after].to_vec(),
        edits: plan.edits().to_vec(),
        notes: vec![],
        reads: BTreeMap::new(),
    })
    .unwrap()
}

/// The action on an address that is no delete.
fn build<'p>(plan: &'p Plan, address: &Address) -> Option<&'p Action> {
    let mut actions = plan.actions().iter();
    actions.find(|it| it.address() == address && !matches!(it.op, Op::Delete { .. }))
}

/// The delete of an address.
fn delete<'p>(plan: &'p Plan, address: &Address) -> Option<&'p Action> {
    let mut actions = plan.actions().iter();
    actions.find(|it| it.address() == address && matches!(it.op, Op::Delete { .. }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_state_planned_against_itself_is_empty(list in specs(), draws in readings()) {
        let base = applied(list.clone());
        let spec = Case::from(Some(base.clone()), graph(list));
        prop_assert!(spec.plan().is_empty(), "{:?}", spec.shows());
        let again = Case::from(Some(base.clone()), base.as_desired());
        prop_assert!(again.plan().is_empty(), "{:?}", again.shows());
        // However it was read, as long as nothing of ours differs.
        let mut read = spec;
        let harmless: Vec<u8> = draws.iter().map(|it| if [1, 5].contains(it) { 4 } else { *it }).collect();
        read.observation.readings = observed(&base, &harmless);
        let plan = read.plan();
        prop_assert!(plan.actions().is_empty(), "{:?}", read.shows());
        let refreshes = plan.edits().iter().all(|it| matches!(it, Edit::Refresh { .. }));
        prop_assert!(refreshes, "{:?}", read.shows());
    }

    #[test]
    fn carrying_out_a_plan_gives_what_is_desired(case in cases()) {
        let after = case.carried_out();
        holds(&after, &case.desired)?;
        let again = Case::from(Some(after), case.desired);
        prop_assert!(again.plan().is_empty(), "{:?}", again.shows());
    }

    #[test]
    fn the_plan_back_gives_back_what_was(mut case in cases()) {
        case.observation.readings.clear();
        let before = case.base.clone().unwrap();
        let plan = case.plan();
        let undo = inverse(&plan, Some(&before), catalog(), &case.options.unalterable).unwrap();
        let after = carry_out(Some(&before), &plan);
        let back = Case::from(Some(after), before.as_desired());
        let returned = back.carried_out();
        holds(&returned, &before.as_desired())?;
        // The inverse foretells every action of the way back; what it cannot know may add more.
        let foretold: BTreeSet<_> = undo.plan.addresses();
        prop_assert!(back.plan().addresses().is_subset(&foretold), "{:?} {:?}", back.acts(), acts(&undo.plan));
        for action in plan.actions() {
            let address = action.address();
            let named = match action.undo {
                UndoClass::Reversible => true,
                UndoClass::DataBearing => undo.loses_data.contains(address),
                UndoClass::OneWay => undo.one_way.contains(address),
            };
            prop_assert!(named, "{address} is not named");
        }
    }

    #[test]
    fn stopped_anywhere_and_planned_again_it_gives_what_is_desired(
        case in cases(),
        place in any::<prop::sample::Index>(),
    ) {
        let plan = case.plan();
        let half = carry_out(case.base.as_ref(), &stopped(&plan, place.index(plan.actions().len() + 1)));
        let again = Case::from(Some(half), case.desired);
        holds(&again.carried_out(), &again.desired)?;
        // And from there everything can be taken down.
        let down = again.destroy();
        prop_assert!(down.carried_out().resources().is_empty());
    }

    #[test]
    fn the_same_input_in_any_order_gives_the_same_bytes(
        was in specs(),
        (now, shuffled) in specs().prop_flat_map(|it| (Just(it.clone()), Just(it).prop_shuffle())),
        patterns in Just(["box/*", "disk/*", "gate/i", "mail/*"]).prop_shuffle(),
    ) {
        let base = applied(was);
        let known = |it: &&&str| {
            let kind = it.split('/').next().unwrap();
            let kinds = now.iter().map(|it| short(&it.0.address)).chain(base.resources().keys().map(short));
            kinds.into_iter().any(|it| if kind == "gate" { it == "gate/i" } else { it.starts_with(kind) })
        };
        let bytes = |list: &[Res], patterns: &[&str]| {
            let mut case = Case::from(Some(base.clone()), graph(list.to_vec()));
            for pattern in patterns.iter().filter(known) {
                case = case.target(pattern);
            }
            serde_json::to_string(&case.plan()).unwrap()
        };
        let sorted = { let mut sorted = patterns; sorted.sort_unstable(); sorted };
        let text = bytes(&now, &sorted);
        prop_assert_eq!(&text, &bytes(&shuffled, &patterns));
        let read: Plan = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }

    #[test]
    fn targets_act_on_nothing_but_themselves_and_what_must_come_first(
        case in cases(),
        chosen in prop::sample::subsequence(NAMES.to_vec(), 1..3),
    ) {
        let base = case.base.clone().unwrap();
        let chosen: Vec<_> = chosen.into_iter().filter(|name| {
            case.desired.get(&at(name)).is_some() || base.get(&at(name)).is_some()
        }).collect();
        prop_assume!(!chosen.is_empty());
        let mut allowed: BTreeSet<Address> = chosen.iter().map(|it| at(it)).collect();
        loop {
            let mut more = BTreeSet::new();
            for address in &allowed {
                match case.desired.get(address) {
                    Some(resource) => more.extend(resource.dependencies().into_iter().cloned()),
                    None => more.extend(dependents(&base, address)),
                }
            }
            more.retain(|it| !allowed.contains(it));
            if more.is_empty() { break }
            allowed.extend(more);
        }
        let limited = chosen.iter().fold(case, |case, name| case.target(name));
        let plan = limited.plan();
        for action in plan.actions() {
            prop_assert!(allowed.contains(action.address()), "{}", action.address());
        }
        let after = carry_out(Some(&base), &plan);
        for name in chosen {
            let wanted = limited.desired.get(&at(name)).filter(|_| !name.starts_with("gate"));
            let there = after.get(&at(name)).map(|it| without_checks(&it.resource));
            prop_assert_eq!(there, wanted.map(|it| without_checks(it)));
        }
    }

    #[test]
    fn what_is_excluded_and_what_needs_it_is_never_acted_on(
        case in cases(),
        chosen in prop::sample::select(NAMES.to_vec()),
    ) {
        let base = case.base.clone().unwrap();
        prop_assume!(case.desired.get(&at(chosen)).is_some() || base.get(&at(chosen)).is_some());
        let limited = case.exclude(chosen);
        let plan = limited.plan();
        let acted = plan.addresses();
        prop_assert!(!acted.contains(&at(chosen)));
        for address in &acted {
            if let Some(resource) = limited.desired.get(address) {
                prop_assert!(!resource.dependencies().contains(&at(chosen)), "{address} needs {chosen}");
            } else {
                prop_assert!(!dependents(&base, address).contains(&at(chosen)), "{chosen} stood on {address}");
            }
        }
    }

    #[test]
    fn every_loss_of_data_and_every_protected_resource_is_found(case in cases()) {
        let plan = case.plan();
        let verdict = guard(&plan, case.base.as_ref(), &Approvals::default());
        let found = |rule, address: &Address| {
            verdict.findings().iter().any(|it| it.rule == rule && it.address.as_ref() == Some(address))
        };
        for action in plan.actions() {
            let Op::Delete { recorded, .. } = &action.op else { continue };
            let address = action.address();
            let data = address.kind.as_str() == "thing.disk";
            prop_assert_eq!(found(Rule::DataLoss, address), data);
            let protect = match case.desired.get(address) {
                Some(resource) => resource.lifecycle.protect,
                None => recorded.resource.lifecycle.protect,
            };
            prop_assert_eq!(found(Rule::Protected, address), protect);
        }
    }
}

/// Who, as recorded, depended on an address.
fn dependents(base: &Snapshot, address: &Address) -> Vec<Address> {
    let resources = base.resources().values();
    let them = resources.filter(|it| it.resource.dependencies().contains(address));
    them.map(|it| it.resource.address.clone()).collect()
}
