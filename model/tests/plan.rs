//! A plan that exists is a plan that may be applied: what [`Plan::new`] refuses, and the way
//! through a file and back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use matih_model::*;

fn address(name: &str) -> Address {
    format!("acme/tenant.record/{name}").parse().unwrap()
}

fn resource(name: &str, phase: u8) -> Arc<Resource> {
    let mut attributes = Attributes::new();
    attributes.insert("size", 3);
    attributes.insert(
        "password",
        Value::Secret(SecretUse {
            reference: SecretRef::Env("P".into()),
            digest: None,
        }),
    );
    Arc::new(Resource {
        address: address(name),
        phase: Phase::new(phase).unwrap(),
        steps: vec![StepNumber::new(3).unwrap()],
        depends_on: BTreeSet::new(),
        attributes,
        lifecycle: Lifecycle::default(),
        retry: RetryPolicy::default(),
    })
}

fn recorded(name: &str, phase: u8) -> Arc<Recorded> {
    Arc::new(Recorded {
        resource: (*resource(name, phase)).clone(),
        remote_id: RemoteId::new("id-1"),
        outputs: Attributes::new(),
        generation: 1,
        resolved: BTreeMap::new(),
        version: Some(Version::new("v1")),
        unsettled: false,
    })
}

fn create(index: u32, name: &str, phase: u8, waits_for: &[u32]) -> Action {
    Action {
        index: ActionIndex(index),
        op: Op::Create {
            resource: resource(name, phase),
            generation: 1,
        },
        reason: Reason::New,
        sweep: Sweep::Build,
        waits_for: waits_for.iter().copied().map(ActionIndex).collect(),
        undo: UndoClass::Reversible,
    }
}

fn delete(index: u32, name: &str, phase: u8, sweep: Sweep) -> Action {
    Action {
        op: Op::Delete {
            recorded: recorded(name, phase),
            expects: None,
        },
        sweep,
        ..create(index, name, phase, &[])
    }
}

fn draft(actions: Vec<Action>) -> PlanDraft {
    PlanDraft {
        tenant: TenantId::new("acme").unwrap(),
        tenancy: Tenancy::Shared,
        verb: Verb::Apply,
        base: None,
        inputs: Digest::of("test", &1),
        actions,
        edits: vec![Edit::Rewrite {
            resource: resource("kept", 1),
        }],
        notes: vec![],
        reads: BTreeMap::new(),
    }
}

#[test]
fn a_plan_goes_through_a_file_and_back() {
    let actions = vec![
        delete(0, "a", 1, Sweep::Build),
        create(1, "a", 1, &[0]),
        create(2, "b", 2, &[1]),
        delete(3, "c", 2, Sweep::Teardown),
    ];
    let plan = Plan::new(draft(actions)).unwrap();
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    let phases: Vec<_> = plan
        .waves()
        .iter()
        .map(|wave| (wave.sweep, wave.phase.number()))
        .collect();
    assert_eq!(
        phases,
        [(Sweep::Build, 1), (Sweep::Build, 2), (Sweep::Teardown, 2)]
    );
}

#[test]
fn an_edited_file_is_refused() {
    let plan = Plan::new(draft(vec![create(0, "a", 1, &[])])).unwrap();
    let text = serde_json::to_string(&plan).unwrap();
    let edited = text.replace(r#""size":3"#, r#""size":4"#);
    assert_ne!(text, edited);
    let error = serde_json::from_str::<Plan>(&edited)
        .unwrap_err()
        .to_string();
    assert!(error.contains("but its content is"), "{error}");
}

#[test]
fn what_cannot_be_carried_out_is_refused() {
    let twice = vec![create(0, "a", 1, &[]), create(1, "a", 1, &[0])];
    assert_eq!(
        Plan::new(draft(twice)),
        Err(PlanError::Repeated(address("a")))
    );

    let unordered = vec![delete(0, "a", 1, Sweep::Build), create(1, "a", 1, &[])];
    assert_eq!(
        Plan::new(draft(unordered)),
        Err(PlanError::Repeated(address("a")))
    );

    let ahead = vec![create(0, "a", 1, &[1]), create(1, "b", 1, &[])];
    assert_eq!(
        Plan::new(draft(ahead)),
        Err(PlanError::Order(ActionIndex(0), ActionIndex(1)))
    );

    let misplaced = vec![create(1, "a", 1, &[])];
    assert_eq!(
        Plan::new(draft(misplaced)),
        Err(PlanError::Misplaced(ActionIndex(1)))
    );

    let late = vec![delete(0, "a", 1, Sweep::Teardown), create(1, "b", 1, &[])];
    assert_eq!(Plan::new(draft(late)), Err(PlanError::Wave(ActionIndex(1))));
}

#[test]
fn a_record_knows_what_was_applied() {
    let mut record = (*recorded("a", 1)).clone();
    let reference = OutputRef {
        address: address("b"),
        output: "ip".into(),
    };
    record
        .resource
        .attributes
        .insert("ip", Value::Ref(reference.clone()));
    assert_eq!(record.applied().get("ip"), Some(&Value::Unknown));
    record
        .resolved
        .insert(reference, Value::string("203.0.113.10"));
    assert_eq!(record.applied().text("ip"), Some("203.0.113.10"));
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<Recorded>(&text).unwrap(), record);
}
