//! Runs from lock to release, interrupted runs, and what is read back of them.

use crate::fixture::*;
use matih_model::{ErrorKind, RunId};
use matih_state::{
    AuditEvent, AuditFilter, JournalState, LockStatus, OrchestratorState, Outcome, RunOutcome,
    SnapshotKey, StateError, Store, TenantStatus,
};

#[test]
fn an_applied_tenant_reads_back_from_a_fresh_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let store = Store::open(&path, &create()).unwrap();
    let first = apply(
        &store,
        "acme",
        "run-1",
        &[Wish::Create("a", "1"), Wish::Create("b", "1")],
        START,
    );
    let second = apply(
        &store,
        "acme",
        "run-2",
        &[Wish::Update("a", "2"), Wish::Delete("b")],
        START + 100,
    );
    drop(store);

    let store = open(&path).unwrap();
    let acme = tenant("acme");
    assert_eq!(store.installation(), "test-installation");
    assert_eq!(store.head(&acme).unwrap().unwrap(), second);
    assert_eq!(
        store.snapshot(&acme, &SnapshotKey::Serial(1)).unwrap(),
        first
    );
    let prefix = SnapshotKey::parse(&first.id().0.short());
    assert_eq!(store.snapshot(&acme, &prefix).unwrap(), first);
    let history = store.history(&acme).unwrap();
    assert_eq!(
        history
            .iter()
            .map(|it| (it.serial, it.resources))
            .collect::<Vec<_>>(),
        [(2, 1), (1, 2)]
    );

    let [summary] = store.tenants().unwrap().try_into().unwrap();
    assert_eq!((summary.status, summary.serial), (TenantStatus::Active, 2));
    assert_eq!(summary.head, Some(second.id()));
    assert_eq!(summary.secrets.len(), 1);
    assert!(summary.inputs.is_some());
    let tokens = store.tokens([&summary]).unwrap();
    let [token] = &*tokens[&acme] else {
        panic!("{tokens:?}")
    };
    let a = second.get(&address("acme", "a")).unwrap();
    assert_eq!(
        (&token.remote_id, &token.version, token.digest),
        (&a.remote_id, &a.version, a.digest())
    );

    let runs = store.runs(&acme).unwrap();
    assert_eq!(runs[0].run, RunId::new("run-2"));
    assert_eq!(
        (runs[0].begun, runs[0].settled, runs[0].open),
        (2, 2, false)
    );
    assert_eq!(store.journal(&acme, &RunId::new("run-1")).unwrap().len(), 2);
    assert_eq!(store.lock_status(&acme).unwrap(), LockStatus::Free);
    assert_eq!(store.pending(&acme).unwrap(), []);
    let timings = store.timings().unwrap();
    assert_eq!(
        timings
            .values()
            .map(|it| (it.count, it.median_ms))
            .collect::<Vec<_>>(),
        [(2, 7), (1, 7), (1, 7)]
    );
}

#[test]
fn each_effect_has_an_intent_before_it_and_both_are_audited() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("state.db"), &create()).unwrap();
    apply(&store, "acme", "run-1", &[Wish::Create("a", "1")], START);
    let rows = store.audit(&AuditFilter::default()).unwrap();
    let events: Vec<_> = rows.iter().map(|(_, row)| row.event).collect();
    assert_eq!(
        events,
        [
            AuditEvent::Created,
            AuditEvent::Locked,
            AuditEvent::RunOpened,
            AuditEvent::Started,
            AuditEvent::Finished,
            AuditEvent::Committed,
            AuditEvent::Released,
        ]
    );
    let only = AuditFilter {
        events: vec![AuditEvent::Finished],
        ..AuditFilter::default()
    };
    let [(5, row)] = &store.audit(&only).unwrap()[..] else {
        panic!()
    };
    assert_eq!((row.who.as_str(), row.fence), ("ada", Some(1)));
    assert!(row.detail.contains_key("after"), "{row:?}");
}

#[test]
fn what_a_crash_left_is_pending_and_what_was_finished_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let store = Store::open(&path, &create()).unwrap();
    let wishes = [
        Wish::Create("a", "1"),
        Wish::Create("b", "1"),
        Wish::Create("c", "1"),
    ];
    let mut locked = store.lock(&request("acme", "run-1", START)).unwrap();
    let plan = plan("acme", None, &wishes);
    start(&mut locked, "run-1", &plan, START);
    let [a, b, _] = plan.actions() else { panic!() };
    begin(&mut locked, a, START + 1).unwrap();
    begin(&mut locked, b, START + 1).unwrap();
    finish(&mut locked, a.index, success(a), START + 2).unwrap();
    // The process ends here.
    drop((locked, store));

    let store = open(&path).unwrap();
    let later = START + 2 * LEASE;
    let mut locked = store.lock(&request("acme", "run-2", later)).unwrap();
    assert_eq!(locked.fence(), 2);
    let [pending] = &locked.pending().unwrap()[..] else {
        panic!()
    };
    assert_eq!((&pending.action, pending.entry.attempt), (b, 1));
    let left = locked.open_run_summary().unwrap();
    assert_eq!(left.orchestrator(false), OrchestratorState::Paused);
    assert_eq!(
        left.orchestrator(true),
        OrchestratorState::ConfiguringQuotas
    );
    let run = RunId::new("run-3");
    let another = locked.open_run(&matih_state::RunStart {
        run: &run,
        verb: plan.verb(),
        plan: None,
        command: None,
        now_ms: later,
    });
    assert!(
        matches!(another, Err(StateError::RunOpen { .. })),
        "{another:?}"
    );
    finish(&mut locked, b.index, Outcome::NotDone, later).unwrap();
    let head = locked
        .commit(&commit_request("run-2", RunOutcome::Stopped, later))
        .unwrap();
    assert_eq!(head.resources().len(), 1, "a is recorded, b and c are not");
    assert_eq!(locked.summary().status, TenantStatus::Provisioning);
    assert_eq!(locked.summary().open_run, None);
    assert_eq!(locked.summary().inputs, None);
}

#[test]
fn a_run_keeps_the_line_that_asks_for_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let store = Store::open(&path, &create()).unwrap();
    apply(&store, "acme", "run-1", &[Wish::Create("a", "1")], START);
    let mut locked = store.lock(&request("acme", "run-2", START + 20)).unwrap();
    let plan = plan("acme", locked.head(), &[Wish::Update("a", "2")]);
    let start = matih_state::RunStart {
        run: &RunId::new("run-2"),
        verb: plan.verb(),
        plan: Some(&plan),
        command: Some("matih release upgrade a --version 2 acme"),
        now_ms: START + 21,
    };
    locked.open_run(&start).unwrap();
    let request = commit_request("run-2", RunOutcome::Stopped, START + 22);
    let _ = locked.commit(&request).unwrap();
    drop((locked, store));

    let runs = open(&path).unwrap().runs(&tenant("acme")).unwrap();
    let commands: Vec<_> = runs.iter().map(|run| run.command.as_deref()).collect();
    assert_eq!(commands, [start.command, None], "newest first");
}

#[test]
fn an_outcome_that_nobody_knows_keeps_the_run_open_across_its_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("state.db"), &create()).unwrap();
    apply(
        &store,
        "acme",
        "run-1",
        &[Wish::Create("a", "1"), Wish::Create("b", "1")],
        START,
    );
    let mut locked = store.lock(&request("acme", "run-2", START)).unwrap();
    let plan = plan(
        "acme",
        locked.head(),
        &[Wish::Update("a", "2"), Wish::Delete("b")],
    );
    start(&mut locked, "run-2", &plan, START);
    let [a, b] = plan.actions() else { panic!() };
    begin(&mut locked, a, START).unwrap();
    begin(&mut locked, b, START).unwrap();
    let unknown = Outcome::Failed {
        kind: ErrorKind::Unknown,
        message: "no answer".into(),
        unknown: true,
    };
    finish(&mut locked, a.index, unknown, START).unwrap();
    finish(&mut locked, b.index, Outcome::Deleted, START).unwrap();
    let failed = RunOutcome::Failed {
        error: "a: no answer".into(),
    };
    let mut ending = commit_request("run-2", failed, START);
    ending.inputs = Some(plan.inputs());
    let partial = locked.commit(&ending).unwrap();
    assert_eq!(locked.summary().inputs, None, "whatever the caller thinks");
    assert_eq!((partial.serial(), partial.resources().len()), (2, 1));
    assert_eq!(locked.summary().status, TenantStatus::Active);
    locked.release(START).unwrap();

    let mut locked = store.lock(&request("acme", "run-3", START)).unwrap();
    let [pending] = &locked.pending().unwrap()[..] else {
        panic!()
    };
    assert!(matches!(pending.entry.state, JournalState::Unknown { .. }));
    finish(&mut locked, a.index, Outcome::Unsettled, START).unwrap();
    let head = locked
        .commit(&commit_request("run-3", RunOutcome::Stopped, START))
        .unwrap();
    let record = head.get(&address("acme", "a")).unwrap();
    assert!(record.unsettled);
    assert_eq!(locked.summary().error.as_deref(), Some("a: no answer"));
    let [token] = &*store.tokens([locked.summary()]).unwrap()[&tenant("acme")].to_vec() else {
        panic!()
    };
    assert_eq!(token.version, None, "it never counts as unchanged");
}

#[test]
fn a_commit_that_changes_nothing_keeps_the_head() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("state.db"), &create()).unwrap();
    let first = apply(&store, "acme", "run-1", &[Wish::Create("a", "1")], START);
    let second = apply(&store, "acme", "run-2", &[], START);
    assert_eq!(first.id(), second.id());
    assert_eq!(store.history(&tenant("acme")).unwrap().len(), 1);
    assert_eq!(store.runs(&tenant("acme")).unwrap().len(), 2);
}
