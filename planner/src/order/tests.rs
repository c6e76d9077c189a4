//! The law of order on random graphs with dependencies to any phase, without anything around it.

use std::sync::{Arc, LazyLock};

use matih_model::{
    Attributes, Lifecycle, Phase, Recorded, RemoteId, Resource, ResourceGraph, RetryPolicy,
    TenantId,
};
use proptest::prelude::*;

use super::*;

const SIZE: usize = 8;

static ADDRESSES: LazyLock<Vec<Address>> = LazyLock::new(|| {
    let numbers = 0..SIZE;
    numbers
        .map(|number| format!("acme/thing.box/n{number:02}").parse().unwrap())
        .collect()
});

/// One side, recorded or desired: for each address a phase and the addresses it may depend on.
#[derive(Clone, Debug)]
struct Side {
    order: Vec<usize>,
    phases: Vec<u8>,
    masks: Vec<u16>,
}

fn side() -> impl Strategy<Value = Side> {
    let order = Just((0..SIZE).collect::<Vec<_>>()).prop_shuffle();
    let phases = prop::collection::vec(0..9u8, SIZE);
    let masks = prop::collection::vec((any::<u16>(), any::<u16>()), SIZE);
    (order, phases, masks).prop_map(|(order, phases, masks)| Side {
        order,
        phases,
        masks: masks.into_iter().map(|(one, two)| one & two).collect(),
    })
}

impl Side {
    /// The resource at an address; with `sound`, dependencies lead only to what comes before it.
    fn resource(&self, at: usize, sound: bool) -> Resource {
        let place = |at: usize| self.order.iter().position(|it| *it == at);
        let depends_on = (0..SIZE).filter(|other| {
            self.masks[at] & (1 << other) != 0
                && *other != at
                && (!sound || place(*other) < place(at))
        });
        Resource {
            address: ADDRESSES[at].clone(),
            phase: Phase::new(self.phases[at]).unwrap(),
            steps: vec![],
            depends_on: depends_on.map(|other| ADDRESSES[other].clone()).collect(),
            attributes: Attributes::new(),
            lifecycle: Lifecycle::default(),
            retry: RetryPolicy::default(),
        }
    }
}

/// What happens to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happens {
    Create,
    Update,
    Lower,
    Replace,
    Delete,
    Check,
    Stay,
}

fn happens() -> impl Strategy<Value = Vec<Happens>> {
    use Happens::{Check, Create, Delete, Lower, Replace, Stay, Update};
    let one = prop::sample::select(vec![Create, Update, Lower, Replace, Delete, Check, Stay]);
    prop::collection::vec(one, SIZE)
}

fn ordered(was: &Side, now: &Side, happens: &[Happens], sound: bool) -> (usize, Vec<Action>) {
    let mut records = BTreeMap::new();
    let mut list = Vec::new();
    let mut tasks = Vec::new();
    let mut task = |op, lowers| {
        tasks.push(Task {
            op,
            reason: Reason::New,
            undo: UndoClass::Reversible,
            lowers,
        })
    };
    for (at, what) in happens.iter().enumerate() {
        let recorded = Arc::new(Recorded {
            resource: was.resource(at, sound),
            remote_id: RemoteId::new("x"),
            outputs: Attributes::new(),
            generation: 1,
            resolved: BTreeMap::new(),
            version: None,
            unsettled: false,
        });
        let mut resource = now.resource(at, true);
        resource.depends_on.retain(|it| {
            let at = ADDRESSES.iter().position(|other| other == it).unwrap();
            happens[at] != Happens::Delete
        });
        let resource = Arc::new(resource);
        if *what != Happens::Create {
            records.insert(recorded.resource.address.clone(), recorded.clone());
        }
        if *what != Happens::Delete {
            list.push(Resource::clone(&resource));
        }
        if matches!(what, Happens::Delete | Happens::Replace) {
            let recorded = recorded.clone();
            let expects = None;
            task(Op::Delete { recorded, expects }, false);
        }
        match what {
            Happens::Create | Happens::Replace => {
                let generation = 1;
                task(
                    Op::Create {
                        resource,
                        generation,
                    },
                    false,
                );
            }
            Happens::Update | Happens::Lower => {
                let update = Op::Update {
                    recorded,
                    resource,
                    changes: vec![],
                    expects: None,
                };
                task(update, *what == Happens::Lower);
            }
            Happens::Check => task(Op::Check { resource }, false),
            Happens::Delete | Happens::Stay => {}
        }
    }
    let tenant = TenantId::new("acme").unwrap();
    let desired = ResourceGraph::new(tenant, Tenancy::Dedicated, list).unwrap();
    let count = tasks.len();
    let (desired, recorded) = (Links::of_desired(&desired), Links::of_recorded(&records));
    (count, order(tasks, Tenancy::Dedicated, &desired, &recorded))
}

/// Every task has a place of its own after all that it waits for, and building comes first. A
/// circle would leave tasks without a place.
fn is_an_order(count: usize, actions: &[Action]) -> Result<(), TestCaseError> {
    let places: Vec<_> = actions.iter().map(|it| it.index.as_usize()).collect();
    prop_assert_eq!(places, (0..count).collect::<Vec<_>>());
    for action in actions {
        prop_assert!(action.waits_for.iter().all(|before| *before < action.index));
    }
    prop_assert!(actions.is_sorted_by_key(|it| it.sweep));
    Ok(())
}

proptest! {
    // 20,000: the number of graphs on which the law was first tried (architecture.md section 6).
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn required_edges_never_close_a_circle(was in side(), now in side(), happens in happens()) {
        let (count, actions) = ordered(&was, &now, &happens, true);
        is_an_order(count, &actions)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_record_with_circles_can_be_put_in_order_too(
        was in side(),
        now in side(),
        happens in happens(),
    ) {
        let (count, actions) = ordered(&was, &now, &happens, false);
        is_an_order(count, &actions)?;
    }
}
