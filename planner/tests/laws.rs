//! What holds for all tenants: the laws of architecture.md section 6, on random graphs, snapshots
//! and readings.
//!
//! Dependencies lead to any phase and turn round between two graphs, since each graph is drawn
//! with an order of its own.

use std::collections::{BTreeMap, BTreeSet};

use matih_model::{
    Action, ActionIndex, Address, Edit, Op, Plan, PlanDraft, Reading, Resource, ResourceGraph,
    Snapshot, Sweep, UndoClass, Value, Version,
};
use matih_planner::{Approvals, Rule, guard, inverse};
use proptest::prelude::*;

use crate::world::{Case, Res, applied, as_applied, at, carry_out, catalog, graph, res, short};

const NAMES: [&str; 10] = [
    "box/a", "box/b", "box/c", "box/d", "disk/e", "disk/f", "part/g", "mail/h", "gate/i", "gate/j",
];

/// What is drawn for one resource; it may depend on those that come before it in the graph.
#[derive(Clone, Debug)]
struct Draw {
    there: bool,
    phase: u8,
    depends_on: u16,
    refers: [(bool, usize, usize); 3],
    size: i64,
    place: i64,
    limit: Option<i64>,
    protect: bool,
}

fn draw() -> impl Strategy<Value = Draw> {
    let refers = (prop::bool::weighted(0.4), 0..NAMES.len(), 0..3usize);
    (
        prop::bool::weighted(0.8),
        0..9u8,
        any::<u16>(),
        any::<u16>(),
        prop::array::uniform3(refers),
        0..3i64,
        prop::bool::weighted(0.8),
        prop::option::weighted(0.3, 1..4i64),
        prop::bool::weighted(0.1),
    )
        .prop_map(
            |(there, phase, one, two, refers, size, place, limit, protect)| Draw {
                there,
                phase,
                // Two draws together make dependencies sparse enough to be told apart.
                depends_on: one & two,
                refers,
                size,
                place: i64::from(place),
                limit,
                protect,
            },
        )
}

/// What is drawn for a tenant: an order in which it may be created, and the resource at each place.
#[derive(Clone, Debug)]
struct Tenant {
    order: Vec<usize>,
    draws: Vec<Draw>,
}

fn tenants() -> impl Strategy<Value = Tenant> {
    let order = Just((0..NAMES.len()).collect::<Vec<_>>()).prop_shuffle();
    let draws = prop::collection::vec(draw(), NAMES.len());
    (order, draws).prop_map(|(order, draws)| Tenant { order, draws })
}

impl Tenant {
    fn specs(&self) -> Vec<Res> {
        let mut list: Vec<Res> = Vec::new();
        for (place, draw) in self.order.iter().zip(&self.draws) {
            if draw.there {
                list.push(resource(NAMES[*place], draw, &list));
            }
        }
        list
    }

    /// The same tenant with a few of its resources drawn anew.
    fn edited(&self, other: Tenant, kept: &[bool]) -> Tenant {
        let pairs = self.draws.iter().cloned().zip(other.draws).zip(kept);
        let draws = pairs.map(|((old, new), kept)| if *kept { old } else { new });
        Tenant {
            order: self.order.clone(),
            draws: draws.collect(),
        }
    }
}

fn specs() -> impl Strategy<Value = Vec<Res>> {
    tenants().prop_map(|it| it.specs())
}

fn resource(name: &str, draw: &Draw, before: &[Res]) -> Res {
    let mut one = res(name)
        .phase(draw.phase)
        .set("size", draw.size)
        .set("place", draw.place);
    if let Some(limit) = draw.limit {
        one = one.set("limit", limit);
    }
    if draw.protect {
        one = one.protect();
    }
    for (index, other) in before.iter().enumerate() {
        if draw.depends_on & (1 << index) != 0 {
            one.0.depends_on.insert(other.0.address.clone());
        }
    }
    let things: Vec<_> = before
        .iter()
        .map(|it| short(&it.0.address))
        .filter(|it| !it.starts_with("gate"))
        .collect();
    for ((refers, which, output), key) in draw.refers.iter().zip(["size", "place", "note"]) {
        if *refers && !things.is_empty() {
            let output = ["id", "ip", "rev"][*output];
            one = one.refers(key, &things[which % things.len()], output);
        }
    }
    one
}

/// What is read of each recorded resource: as applied, unchanged, gone, drifted, not to be read,
/// filled in by the server, or not asked about.
fn readings() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0..7u8, NAMES.len())
}

fn observed(base: &Snapshot, draws: &[u8]) -> BTreeMap<Address, Reading> {
    let mut readings = BTreeMap::new();
    for (name, draw) in NAMES.iter().zip(draws) {
        if base.get(&at(name)).is_none() {
            continue;
        }
        let mut object = as_applied(base, name);
        let reading = match draw {
            0 => Reading::Unchanged,
            1 => Reading::Missing,
            2 => Reading::Unknown("no answer".into()),
            3 => Reading::Present(Box::new(object)),
            4 => {
                object.attributes.insert("class", "filled in");
                object.version = Version::new("other");
                Reading::Present(Box::new(object))
            }
            5 => {
                object.attributes.insert("size", 77);
                object.outputs.insert("ip", "moved");
                object.version = Version::new("other");
                Reading::Present(Box::new(object))
            }
            _ => continue,
        };
        readings.insert(at(name), reading);
    }
    readings
}

/// A case between two drawn tenants, with readings of the first. The second is half of the time
/// another tenant altogether and half of the time an edited one.
fn cases() -> impl Strategy<Value = Case> {
    let kept = prop::collection::vec(prop::bool::weighted(0.8), NAMES.len());
    let edited = prop::option::of(kept);
    (tenants(), tenants(), edited, readings()).prop_map(|(was, other, edited, draws)| {
        let now = match edited {
            Some(kept) => was.edited(other, &kept),
            None => other,
        };
        let base = applied(was.specs());
        let readings = observed(&base, &draws);
        let mut case = Case::from(Some(base), graph(now.specs()));
        case.observation.readings = readings;
        case
    })
}

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
