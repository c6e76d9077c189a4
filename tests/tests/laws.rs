//! The laws of architecture.md section 6 on whole sequences: edit, apply, crash, drift, roll back
//! and destroy, in any order, held against a model that knows nothing of plans or records.
//!
//! The model says what the world must hold: after an apply what is desired, after a crash and the
//! next apply the same, after a rollback what the snapshot had, after a destroy nothing.

use std::collections::{BTreeMap, BTreeSet};

use matih_model::{
    Address, AttributePath, Attributes, Name, OutputRef, Phase, Resource, ResourceGraph,
    SnapshotId, Tenancy, TenantId, Value,
};
use matih_planner::{AddressPattern, PlanOptions};
use matih_tests::simulation::{CRASHED, Errand, Lab};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

/// A resource, as far as the model looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Thing {
    /// Can be altered.
    days: i64,
    /// Cannot be altered.
    form: u8,
    /// What it refers to: numbers below its own.
    on: BTreeSet<u8>,
}

type Things = BTreeMap<u8, Thing>;

/// What should be, and what must be there.
#[derive(Clone, Debug, Default)]
struct Model {
    desired: Things,
    world: Things,
    /// What was recorded by the whole applies so far.
    snapshots: Vec<Things>,
}

#[derive(Clone, Debug)]
enum Step {
    Set(u8, Thing),
    Drop(u8),
    Apply,
    /// The process dies at the boundary of this number, if it gets there; then another applies.
    Crash(usize),
    /// Dies twice: the second time in its recovery or soon after.
    CrashTwice(usize, usize),
    Target(u8),
    Edit(u8, i64),
    Delete(u8),
    Refresh,
    Rollback(usize),
    /// The way back, with a death on it.
    CrashedRollback(usize, usize),
    Destroy,
    /// The teardown, with a death in it.
    CrashedDestroy(usize),
}

const NUMBERS: u8 = 9;

fn thing() -> impl Strategy<Value = Thing> {
    let on = prop::collection::btree_set(0..NUMBERS, 0..3);
    (0..50i64, 0..3u8, on).prop_map(|(days, form, on)| Thing { days, form, on })
}

impl Model {
    /// A thing and all that it needs.
    fn closure(&self, number: u8) -> BTreeSet<u8> {
        let mut found = BTreeSet::new();
        let mut open = vec![number];
        while let Some(number) = open.pop() {
            if found.insert(number) {
                open.extend(self.desired.get(&number).into_iter().flat_map(|it| &it.on));
            }
        }
        found
    }

    fn reach(&mut self) {
        self.world = self.desired.clone();
        self.snapshots.push(self.desired.clone());
    }
}

impl ReferenceStateMachine for Model {
    type State = Model;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Model> {
        let set = prop::collection::btree_map(0..NUMBERS, thing(), 2..7);
        set.prop_map(|set| {
            let mut model = Model::default();
            for (number, thing) in set {
                model = Model::apply(model, &Step::Set(number, thing));
            }
            model
        })
        .boxed()
    }

    fn transitions(model: &Model) -> BoxedStrategy<Step> {
        let snapshots = model.snapshots.len().max(1);
        prop_oneof![
            8 => (0..NUMBERS, thing()).prop_map(|(number, thing)| Step::Set(number, thing)),
            3 => (0..NUMBERS).prop_map(Step::Drop),
            4 => Just(Step::Apply),
            6 => (1..90usize).prop_map(Step::Crash),
            2 => (1..90usize, 1..20usize).prop_map(|(one, two)| Step::CrashTwice(one, two)),
            2 => (0..NUMBERS).prop_map(Step::Target),
            3 => (0..NUMBERS, 50..99i64).prop_map(|(number, days)| Step::Edit(number, days)),
            3 => (0..NUMBERS).prop_map(Step::Delete),
            1 => Just(Step::Refresh),
            2 => (0..snapshots).prop_map(Step::Rollback),
            2 => (0..snapshots, 1..90usize).prop_map(|(to, at)| Step::CrashedRollback(to, at)),
            1 => Just(Step::Destroy),
            1 => (1..90usize).prop_map(Step::CrashedDestroy),
        ]
        .boxed()
    }

    fn preconditions(model: &Model, step: &Step) -> bool {
        match step {
            Step::Target(number) => model.desired.contains_key(number),
            Step::Edit(number, _) | Step::Delete(number) => model.world.contains_key(number),
            Step::Rollback(to) | Step::CrashedRollback(to, _) => *to < model.snapshots.len(),
            _ => true,
        }
    }

    fn apply(mut model: Model, step: &Step) -> Model {
        match step {
            Step::Set(number, thing) => {
                let known = |on: &u8| *on < *number && model.desired.contains_key(on);
                let on = thing.on.iter().copied().filter(known).collect();
                model.desired.insert(
                    *number,
                    Thing {
                        on,
                        ..thing.clone()
                    },
                );
            }
            Step::Drop(number) => {
                model.desired.remove(number);
                for thing in model.desired.values_mut() {
                    thing.on.remove(number);
                }
            }
            Step::Apply | Step::Crash(_) | Step::CrashTwice(..) => model.reach(),
            Step::Target(number) => {
                for number in model.closure(*number) {
                    if let Some(thing) = model.desired.get(&number) {
                        model.world.insert(number, thing.clone());
                    }
                }
            }
            Step::Edit(number, days) => {
                if let Some(thing) = model.world.get_mut(number) {
                    thing.days = *days;
                }
            }
            Step::Delete(number) => {
                model.world.remove(number);
            }
            Step::Refresh => {}
            Step::Rollback(to) | Step::CrashedRollback(to, _) => {
                if let Some(things) = model.snapshots.get(*to).cloned() {
                    model.desired = things;
                    model.reach();
                }
            }
            Step::Destroy | Step::CrashedDestroy(_) => {
                model.world.clear();
                model.snapshots.push(Things::new());
            }
        }
        model
    }
}

/// The real thing.
#[derive(Debug)]
struct Real {
    lab: Lab,
    tenant: TenantId,
    /// The heads that belong to the model's snapshots; none where nothing was ever recorded.
    heads: Vec<Option<SnapshotId>>,
}

impl Real {
    fn address(&self, number: u8) -> Address {
        let kind = "compliance.policy".parse().unwrap();
        Address::new(
            self.tenant.clone(),
            kind,
            Name::new(format!("p{number}")).unwrap(),
        )
    }

    fn graph(&self, things: &Things) -> ResourceGraph {
        let resources = things.iter().map(|(number, thing)| {
            let mut parameters = Attributes::new();
            for on in &thing.on {
                let (address, output) = (self.address(*on), "policy_id".into());
                parameters.insert(format!("on{on}"), Value::Ref(OutputRef { address, output }));
            }
            let mut attributes = Attributes::new();
            attributes.insert("name", format!("p{number}-{}", thing.form));
            attributes.insert("retention_days", thing.days);
            attributes.insert("parameters", parameters);
            Resource {
                address: self.address(*number),
                phase: Phase::ALL[usize::from(*number) % Phase::ALL.len()],
                steps: Vec::new(),
                depends_on: BTreeSet::new(),
                attributes,
                lifecycle: Default::default(),
                retry: Default::default(),
            }
        });
        ResourceGraph::new(self.tenant.clone(), Tenancy::Shared, resources).unwrap()
    }

    /// What the world holds, and whether every reference in it leads to what is there.
    fn world(&self) -> (BTreeMap<String, (i64, String)>, Vec<String>) {
        let objects = self.lab.objects().unwrap();
        let ids: BTreeSet<&str> = objects.iter().map(|it| it.remote_id.as_str()).collect();
        let mut dangling = Vec::new();
        let mut world = BTreeMap::new();
        for object in &objects {
            let days = object
                .attributes
                .get("retention_days")
                .and_then(Value::as_integer);
            let name = object.attributes.text("name").unwrap().to_owned();
            let address = object.owner.as_ref().unwrap().address.to_string();
            let parameters = object.attributes.get("parameters").and_then(Value::as_map);
            for value in parameters.unwrap().values().filter_map(Value::as_str) {
                if !ids.contains(value) {
                    dangling.push(format!("{address} refers to {value}"));
                }
            }
            let known = world.insert(address, (days.unwrap(), name));
            assert_eq!(known, None, "two objects bear one mark");
        }
        (world, dangling)
    }

    fn run(&mut self, errand: &Errand, things: &Things, crash_at: Option<usize>) -> String {
        let graph = self.graph(things);
        self.lab.run(errand, &graph, crash_at).unwrap()
    }

    /// Runs, dies at each of these boundaries in turn, and runs once more to the end.
    fn run_through(&mut self, errand: &Errand, things: &Things, crashes: &[usize]) {
        for at in crashes {
            if self.run(errand, things, Some(*at)) != CRASHED {
                break;
            }
        }
        let ended = self.run(errand, things, None);
        assert!(matches!(&*ended, "complete" | "idle"), "it ended {ended}");
    }

    /// The desired state was reached: nothing is left to do, and the record names what is there.
    fn reached(&mut self, things: &Things) {
        let graph = self.graph(things);
        assert!(
            self.lab.is_settled(&graph).unwrap(),
            "something is left to do"
        );
        let there = self.lab.objects().unwrap();
        let there = there
            .into_iter()
            .map(|it| (it.owner.unwrap().address, it.remote_id.to_string()));
        assert_eq!(self.lab.recorded().unwrap(), there.collect());
        assert_eq!(self.world().1, Vec::<String>::new());
        self.heads.push(self.lab.head().unwrap());
    }
}

impl StateMachineTest for Real {
    type SystemUnderTest = Real;
    type Reference = Model;

    fn init_test(_: &Model) -> Real {
        Real {
            lab: Lab::new("acme").unwrap(),
            tenant: TenantId::new("acme").unwrap(),
            heads: Vec::new(),
        }
    }

    fn apply(mut real: Real, model: &Model, step: Step) -> Real {
        let desired = &model.desired;
        let whole = Errand::Apply(PlanOptions::default());
        match step {
            Step::Set(..) | Step::Drop(_) => {}
            Step::Apply => real.run_through(&whole, desired, &[]),
            Step::Crash(at) => real.run_through(&whole, desired, &[at]),
            Step::CrashTwice(one, two) => real.run_through(&whole, desired, &[one, two]),
            Step::Target(number) => {
                let targets = vec![AddressPattern::from(&real.address(number))];
                let options = PlanOptions {
                    targets,
                    ..PlanOptions::default()
                };
                real.run_through(&Errand::Apply(options), desired, &[]);
            }
            Step::Edit(number, days) => {
                let path: AttributePath = "retention_days".parse().unwrap();
                real.lab
                    .edit(&real.address(number), &path, days.into())
                    .unwrap();
            }
            Step::Delete(number) => real.lab.remove(&real.address(number)).unwrap(),
            Step::Refresh => real.run_through(&Errand::Refresh, desired, &[]),
            Step::Rollback(to) => real.back(to, desired, &[]),
            Step::CrashedRollback(to, at) => real.back(to, desired, &[at]),
            Step::Destroy => real.run_through(&Errand::Destroy, desired, &[]),
            Step::CrashedDestroy(at) => real.run_through(&Errand::Destroy, desired, &[at]),
        }
        match step {
            Step::Apply | Step::Crash(_) | Step::CrashTwice(..) => real.reached(desired),
            Step::Rollback(_) | Step::CrashedRollback(..) => real.reached(desired),
            Step::Destroy | Step::CrashedDestroy(_) => real.reached(&Things::new()),
            _ => {}
        }
        real
    }

    fn check_invariants(real: &Real, model: &Model) {
        let expected = model.world.iter().map(|(number, thing)| {
            let name = format!("p{number}-{}", thing.form);
            (real.address(*number).to_string(), (thing.days, name))
        });
        let expected: BTreeMap<_, _> = expected.collect();
        assert_eq!(real.world().0, expected);
    }
}

impl Real {
    fn back(&mut self, to: usize, things: &Things, crashes: &[usize]) {
        let way = self.heads[to].map_or(Errand::Destroy, Errand::Rollback);
        self.run_through(&way, things, crashes);
    }
}

prop_state_machine! {
    #![proptest_config(Config {
        cases: 300,
        max_shrink_iters: 2000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..Config::default()
    })]

    #[test]
    fn any_sequence_leads_where_the_model_says(sequential 1..20 => Real);
}
