use std::sync::Arc;

use matih_model::{
    Action, Digest, Op, PlanDraft, Reason, Recorded, RemoteId, Resource, Tenancy, UndoClass, Verb,
};

use super::*;

fn resource(name: &str, phase: u8) -> Resource {
    Resource {
        address: format!("acme/dns.record/{name}").parse().unwrap(),
        phase: phase.try_into().unwrap(),
        steps: Vec::new(),
        depends_on: BTreeSet::new(),
        attributes: Default::default(),
        lifecycle: Default::default(),
        retry: Default::default(),
    }
}

/// A plan of creates and deletes: name, phase, sweep, and the places that it waits for.
fn plan(rows: &[(&str, u8, Sweep, &[u32])]) -> Plan {
    let action = |(place, (name, phase, sweep, waits)): (usize, &(&str, u8, Sweep, &[u32]))| {
        let resource = resource(name, *phase);
        let op = match sweep {
            Sweep::Build => Op::Create {
                resource: Arc::new(resource),
                generation: 1,
            },
            Sweep::Teardown => Op::Delete {
                recorded: Arc::new(Recorded {
                    resource,
                    remote_id: RemoteId::new("r"),
                    outputs: Default::default(),
                    generation: 1,
                    resolved: Default::default(),
                    version: None,
                    unsettled: false,
                }),
                expects: None,
            },
        };
        Action {
            index: ActionIndex(u32::try_from(place).unwrap()),
            op,
            reason: Reason::New,
            sweep: *sweep,
            waits_for: waits.iter().map(|wait| ActionIndex(*wait)).collect(),
            undo: UndoClass::Reversible,
        }
    };
    Plan::new(PlanDraft {
        tenant: "acme".parse().unwrap(),
        tenancy: Tenancy::Shared,
        verb: Verb::Apply,
        base: None,
        inputs: Digest::of("test", &0),
        actions: rows.iter().enumerate().map(action).collect(),
        edits: Vec::new(),
        notes: Vec::new(),
        reads: Default::default(),
    })
    .unwrap()
}

/// Starts all that can start.
fn start(schedule: &mut Schedule<'_>) -> Vec<u32> {
    let mut started = Vec::new();
    while let Some(index) = schedule.next_ready() {
        schedule.start(index);
        started.push(index.0);
    }
    started
}

use Sweep::{Build, Teardown};

#[test]
fn waves_are_barriers_and_waits_hold_inside() {
    let plan = plan(&[
        ("a", 1, Build, &[]),
        ("b", 1, Build, &[0]),
        ("c", 1, Build, &[]),
        ("d", 2, Build, &[]),
    ]);
    let mut schedule = Schedule::new(&plan);
    assert_eq!(start(&mut schedule), [0, 2]);
    schedule.succeed(ActionIndex(0));
    assert_eq!(start(&mut schedule), [1]);
    schedule.succeed(ActionIndex(1));
    assert_eq!(start(&mut schedule), [0; 0], "c is still running");
    schedule.succeed(ActionIndex(2));
    assert_eq!(start(&mut schedule), [3]);
}

#[test]
fn a_failure_blocks_all_that_waits_for_it_and_nothing_else() {
    let plan = plan(&[
        ("a", 1, Build, &[]),
        ("b", 1, Build, &[0]),
        ("c", 1, Build, &[]),
        ("d", 2, Build, &[1]),
        ("e", 2, Build, &[2]),
    ]);
    let mut schedule = Schedule::new(&plan);
    start(&mut schedule);
    let blocked = schedule.fail(ActionIndex(0));
    assert_eq!(blocked, [ActionIndex(1), ActionIndex(3)]);
    assert_eq!(start(&mut schedule), [0; 0]);
    schedule.succeed(ActionIndex(2));
    assert_eq!(start(&mut schedule), [4]);
    schedule.succeed(ActionIndex(4));
    assert_eq!(schedule.next_ready(), None);
}

#[test]
fn nothing_is_taken_down_after_a_failure_to_build() {
    let rows: &[(&str, u8, Sweep, &[u32])] = &[
        ("a", 1, Build, &[]),
        ("b", 2, Teardown, &[]),
        ("c", 2, Teardown, &[]),
    ];
    let plan = plan(rows);
    let mut schedule = Schedule::new(&plan);
    start(&mut schedule);
    schedule.fail(ActionIndex(0));
    assert_eq!(start(&mut schedule), [0; 0]);

    let mut schedule = Schedule::new(&plan);
    start(&mut schedule);
    schedule.succeed(ActionIndex(0));
    assert_eq!(
        start(&mut schedule),
        [1, 2],
        "a failed delete is another matter"
    );
}

#[test]
fn a_halt_is_for_good() {
    let plan = plan(&[("a", 1, Build, &[]), ("b", 1, Build, &[])]);
    let mut schedule = Schedule::new(&plan);
    schedule.start(ActionIndex(0));
    schedule.halt();
    schedule.succeed(ActionIndex(0));
    assert_eq!(schedule.next_ready(), None);
}
