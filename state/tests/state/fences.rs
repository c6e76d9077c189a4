//! Who may write: leases, take-overs, forced releases, and the holder that comes too late.

use crate::fixture::*;
use matih_model::{Op, RunId};
use matih_state::{
    AuditEvent, AuditFilter, Begin, Finish, ForceRelease, LockStatus, LockedStore, Outcome,
    RunOutcome, RunStart, StateError, Store, TenantStatus, margin_ms,
};

fn store(folder: &tempfile::TempDir) -> Store {
    Store::open(&folder.path().join("state.db"), &create()).unwrap()
}

/// Tries every write there is and returns the errors.
fn every_write(locked: &mut LockedStore, now_ms: u64) -> Vec<StateError> {
    let plan = locked.plan().unwrap().clone();
    let [first, second] = plan.actions() else {
        panic!("the story has two actions")
    };
    let run = RunId::new("run-x");
    let open = RunStart {
        run: &run,
        verb: plan.verb(),
        plan: None,
        command: None,
        now_ms,
    };
    let errors = [
        begin(locked, second, now_ms).unwrap_err(),
        finish(locked, first.index, success(first), now_ms).unwrap_err(),
        locked.edit(&[], now_ms).unwrap_err(),
        locked.import(&[], now_ms).unwrap_err(),
        locked
            .commit(&commit_request("run-1", RunOutcome::Stopped, now_ms))
            .unwrap_err(),
        locked
            .set_status(TenantStatus::Failed, None, now_ms)
            .unwrap_err(),
        locked.renew(now_ms).unwrap_err(),
        locked.open_run(&open).unwrap_err(),
        locked.prune(1, now_ms).unwrap_err(),
    ];
    errors.into()
}

/// A holder that has begun its first action of two and then stands still.
fn standing(store: &Store) -> LockedStore {
    let mut locked = store.lock(&request("acme", "run-1", START)).unwrap();
    let wishes = [Wish::Create("a", "1"), Wish::Create("b", "1")];
    let plan = plan("acme", None, &wishes);
    start(&mut locked, "run-1", &plan, START);
    begin(&mut locked, &plan.actions()[0], START).unwrap();
    locked
}

fn audit_rows(store: &Store) -> usize {
    store.audit(&AuditFilter::default()).unwrap().len()
}

#[test]
fn a_holder_that_wakes_after_its_lease_can_write_nothing() {
    for taken_over in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let mut sleeper = standing(&store);
        let woken = START + LEASE + margin_ms(LEASE);
        if taken_over {
            store.lock(&request("acme", "run-2", woken)).unwrap();
        }
        let before = audit_rows(&store);
        let errors = every_write(&mut sleeper, woken);
        let expected = |error: &StateError| match error {
            StateError::LockLost {
                held: 1, now: 2, ..
            } => taken_over,
            StateError::LeaseOver { .. } => !taken_over,
            StateError::Stale { .. } => true,
            // Refused before the file is even asked.
            StateError::RunOpen { .. } | StateError::Journal(_) => true,
            _ => false,
        };
        for error in &errors {
            assert!(expected(error), "{error}");
        }
        assert!(!matches!(errors[0], StateError::Stale { .. }));
        assert!(sleeper.release(woken).is_err());
        assert_eq!(audit_rows(&store), before, "nothing was written");
    }
}

#[test]
fn each_write_checks_the_fence_itself() {
    // A clock that stands still must not help: these holders believe that no time has passed.
    type Write = fn(&mut LockedStore) -> Result<(), StateError>;
    let writes: [Write; 6] = [
        |it| {
            let plan = it.plan().unwrap().clone();
            it.begin(&[Begin {
                action: &plan.actions()[1],
                attempt: 1,
                now_ms: START,
            }])
        },
        |it| {
            let plan = it.plan().unwrap().clone();
            it.finish(&[Finish {
                index: plan.actions()[0].index,
                outcome: Outcome::NotDone,
                now_ms: START,
            }])
        },
        |it| {
            it.commit(&commit_request("run-1", RunOutcome::Stopped, START))
                .map(drop)
        },
        |it| it.set_status(TenantStatus::Failed, None, START),
        |it| it.renew(START),
        |it| {
            it.open_run(&RunStart {
                run: &RunId::new("run-9"),
                verb: &matih_model::Verb::Edit,
                plan: None,
                command: None,
                now_ms: START,
            })
        },
    ];
    for (number, write) in writes.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let mut old = match number {
            // Opening needs a tenant without an open run.
            5 => store.lock(&request("acme", "run-1", START)).unwrap(),
            _ => standing(&store),
        };
        let later = START + 2 * LEASE;
        store.lock(&request("acme", "run-2", later)).unwrap();
        let before = audit_rows(&store);
        let refused = write(&mut old);
        assert!(
            matches!(
                refused,
                Err(StateError::LockLost {
                    held: 1,
                    now: 2,
                    ..
                })
            ),
            "write {number}: {refused:?}"
        );
        assert_eq!(audit_rows(&store), before);
    }
}

#[test]
fn a_lease_keeps_others_away_until_its_end_and_a_margin_and_can_be_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let mut first = store.lock(&request("acme", "run-1", START)).unwrap();
    let margin = margin_ms(LEASE);
    assert_eq!(margin, 5_000);
    let refused = |now| match store.lock(&request("acme", "run-2", now)).err() {
        Some(StateError::Locked { lock, .. }) => assert_eq!(lock.run, RunId::new("run-1")),
        other => panic!("{other:?}"),
    };
    refused(START + LEASE + margin - 1);
    first.renew(START + LEASE - margin).unwrap();
    refused(START + LEASE + margin);
    // The holder stops before the end, the next one starts after it.
    let late = first.renew(START + 2 * LEASE - 2 * margin + 1);
    assert!(
        matches!(late, Err(StateError::LeaseOver { .. })),
        "{late:?}"
    );
    let second = store
        .lock(&request("acme", "run-2", START + 2 * LEASE))
        .unwrap();
    assert_eq!(second.fence(), 2);
}

#[test]
fn a_lock_is_free_at_once_when_its_process_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let mut gone = request("acme", "run-1", START);
    gone.holder = matih_state::Holder::of_this_process("ada", "apply");
    let alive = gone.clone();
    gone.holder.pid = child.id();
    child.wait().unwrap();
    drop(store.lock(&gone).unwrap());
    let second = store.lock(&alive).unwrap();
    assert_eq!(second.fence(), 2);
    let third = store.lock(&request("acme", "run-3", START)).err();
    assert!(
        matches!(third, Some(StateError::Locked { .. })),
        "this process lives: {third:?}"
    );
    let taken = AuditFilter {
        events: vec![AuditEvent::TakenOver],
        ..AuditFilter::default()
    };
    assert_eq!(store.audit(&taken).unwrap().len(), 1);
}

#[test]
fn fences_grow_over_all_tenants_and_over_releases() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    for (fence, slug) in (1..).zip(["acme", "beta", "acme", "acme"]) {
        let locked = store.lock(&request(slug, "run", START)).unwrap();
        assert_eq!(locked.fence(), fence);
        locked.release(START).unwrap();
    }
}

fn force(id: &str) -> ForceRelease {
    ForceRelease {
        tenant: tenant("acme"),
        id: id.to_owned(),
        by: holder("bob"),
        reason: "the build agent burnt down".to_owned(),
        now_ms: START,
    }
}

#[test]
fn a_forced_release_needs_the_exact_id_and_stops_the_holder() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let unknown = store.force_release(&force("lock-1"));
    assert!(matches!(unknown, Err(StateError::NoTenant { .. })));
    let mut old = standing(&store);
    let wrong = store.force_release(&force("lock-1"));
    assert!(matches!(wrong, Err(StateError::WrongLock { .. })));
    let id = old.lock().id.clone();
    store.force_release(&force(&id)).unwrap();
    assert_eq!(
        store.lock_status(&tenant("acme")).unwrap(),
        LockStatus::Free
    );
    let again = store.force_release(&force(&id));
    assert!(matches!(again, Err(StateError::NotLocked { .. })));
    let refused = old.renew(START);
    assert!(matches!(
        refused,
        Err(StateError::LockLost {
            held: 1,
            now: 2,
            ..
        })
    ));
    assert_eq!(
        store
            .lock(&request("acme", "run-2", START))
            .unwrap()
            .fence(),
        3
    );
    let filter = AuditFilter {
        events: vec![AuditEvent::ForceReleased],
        ..AuditFilter::default()
    };
    let [(_, row)] = &store.audit(&filter).unwrap()[..] else {
        panic!()
    };
    assert_eq!(row.who, "bob");
    assert_eq!(row.detail["reason"], "the build agent burnt down");
}

#[test]
fn a_damaged_lock_row_is_shown_as_such_and_can_be_released() {
    for damage in [
        "UPDATE locks SET body = x'7b7d'",
        "UPDATE locks SET seal = x'00'",
        "DELETE FROM locks",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let mut old = standing(&store);
        rusqlite::Connection::open(store.path())
            .unwrap()
            .execute_batch(damage)
            .unwrap();
        let LockStatus::Damaged { id } = store.lock_status(&tenant("acme")).unwrap() else {
            panic!("{damage}")
        };
        let next = store.lock(&request("acme", "run-2", START + 9 * LEASE));
        assert!(matches!(next.err(), Some(StateError::LockDamaged { .. })));
        assert!(old.renew(START).is_err(), "nobody can tell whose it is");
        store.force_release(&force(&id)).unwrap();
        let next = store.lock(&request("acme", "run-2", START)).unwrap();
        assert_eq!(next.fence(), 3);
    }
}

#[test]
fn many_threads_and_stores_find_one_holder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(Store::open(&path, &create()).unwrap());
    let winners: usize = std::thread::scope(|scope| {
        let tasks: Vec<_> = (0..8)
            .map(|number| {
                let path = &path;
                scope.spawn(move || {
                    let store = open(path).unwrap();
                    match store.lock(&request("acme", &format!("run-{number}"), START)) {
                        Ok(_) => 1,
                        Err(StateError::Locked { .. }) => 0,
                        Err(other) => panic!("{other}"),
                    }
                })
            })
            .collect();
        tasks.into_iter().map(|task| task.join().unwrap()).sum()
    });
    assert_eq!(winners, 1);
}

#[test]
fn tenants_are_applied_at_once_and_share_commits() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    std::thread::scope(|scope| {
        for number in 0..16 {
            let store = &store;
            scope.spawn(move || {
                let slug = format!("tenant-{number}");
                let wishes = [Wish::Create("a", "1"), Wish::Create("b", "1")];
                apply(store, &slug, &format!("run-{number}"), &wishes, START);
            });
        }
    });
    assert_eq!(store.tenants().unwrap().len(), 16);
    let report = store.verify().unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.records, report.audit), (32, 1 + 16 * 8));
}

#[test]
fn what_the_journal_or_the_plan_does_not_allow_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let mut locked = standing(&store);
    let plan = locked.plan().unwrap().clone();
    let [first, second] = plan.actions() else {
        panic!()
    };
    let before = audit_rows(&store);
    assert!(begin(&mut locked, first, START).is_err(), "begun already");
    assert!(finish(&mut locked, second.index, Outcome::NotDone, START).is_err());
    assert!(finish(&mut locked, first.index, Outcome::Deleted, START).is_err());
    let mut other = second.clone();
    other.op = Op::Create {
        resource: resource(&address("acme", "b"), "2"),
        generation: 1,
    };
    let foreign = begin(&mut locked, &other, START);
    assert!(matches!(foreign, Err(StateError::NotInPlan { .. })));
    // One bad piece keeps the whole group from being written.
    let group = [second, first].map(|action| Begin {
        action,
        attempt: 1,
        now_ms: START,
    });
    assert!(locked.begin(&group).is_err());
    assert_eq!(audit_rows(&store), before);
    begin(&mut locked, second, START).unwrap();
}
