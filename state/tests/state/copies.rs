//! Backups, restores, old copies put back, pruned histories, and a state that is gone.

use std::fs;
use std::path::{Path, PathBuf};

use crate::fixture::*;
use matih_state::{
    AuditEvent, AuditFilter, OpenOptions, Restore, SnapshotKey, StateError, Store, restore, verify,
};

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn state(&self) -> PathBuf {
        self.at("state.db")
    }

    /// A state with so many snapshots of one tenant.
    fn with(snapshots: u32) -> Self {
        let place = Self::new();
        let store = Store::open(&place.state(), &create()).unwrap();
        for number in 1..=snapshots {
            let content = number.to_string();
            let wish = match number {
                1 => Wish::Create("a", &content),
                _ => Wish::Update("a", &content),
            };
            apply(&store, "acme", &format!("run-{number}"), &[wish], START);
        }
        place
    }
}

fn back(from: Option<&Path>) -> Restore {
    Restore {
        from: from.map(Path::to_owned),
        by: holder("ada"),
        reason: "the disk broke".to_owned(),
        now_ms: START,
    }
}

fn refused(path: &Path) -> StateError {
    // Also a store that may make a new file makes none here.
    let create = Store::open(path, &create()).err().unwrap();
    let error = open(path).err().unwrap();
    assert_eq!(error.to_string(), create.to_string());
    assert!(
        error
            .hint()
            .is_some_and(|hint| hint.contains("matih state"))
    );
    error
}

#[test]
fn a_state_that_never_was_is_absent_and_one_that_was_is_lost() {
    let place = Place::new();
    assert!(matches!(
        open(&place.state()).err(),
        Some(StateError::Absent { .. })
    ));
    let place = Place::with(1);
    fs::remove_file(place.state()).unwrap();
    let error = refused(&place.state());
    assert!(matches!(
        error,
        StateError::Lost {
            found: "missing",
            ..
        }
    ));
    fs::write(place.state(), b"").unwrap();
    let error = refused(&place.state());
    assert!(matches!(error, StateError::Lost { found: "empty", .. }));
}

#[test]
fn an_anchor_that_is_gone_or_damaged_is_refused() {
    let place = Place::with(1);
    let anchor = place.at("state.db.anchor");
    fs::write(&anchor, b"{}").unwrap();
    assert!(matches!(
        refused(&place.state()),
        StateError::AnchorDamaged { .. }
    ));
    fs::remove_file(&anchor).unwrap();
    assert!(matches!(
        refused(&place.state()),
        StateError::AnchorMissing { .. }
    ));
    restore(&place.state(), &back(None)).unwrap();
    assert!(open(&place.state()).unwrap().verify().unwrap().is_sound());
}

#[test]
fn every_older_copy_is_refused_and_a_restore_accepts_it() {
    let place = Place::new();
    let store = Store::open(&place.state(), &create()).unwrap();
    let copies = 12_u32;
    for number in 1..=copies {
        let content = number.to_string();
        let wish = match number {
            1 => Wish::Create("a", &content),
            _ => Wish::Update("a", &content),
        };
        apply(&store, "acme", &format!("run-{number}"), &[wish], START);
        store
            .backup(&place.at(&format!("backup-{number}")))
            .unwrap();
    }
    drop(store);
    for number in 1..copies {
        let old = place.at(&format!("backup-{number}"));
        fs::copy(&old, place.state()).unwrap();
        let error = refused(&place.state());
        assert!(
            matches!(error, StateError::Older { .. }),
            "{number}: {error}"
        );
    }
    let old = place.at("backup-3");
    restore(&place.state(), &back(Some(&old))).unwrap();
    let store = open(&place.state()).unwrap();
    assert_eq!(store.history(&tenant("acme")).unwrap().len(), 3);
    let filter = AuditFilter {
        events: vec![AuditEvent::Restored],
        ..AuditFilter::default()
    };
    assert_eq!(
        store.audit(&filter).unwrap()[0].1.detail["reason"],
        "the disk broke"
    );
    // No fence that was ever granted comes back.
    let locked = store.lock(&request("acme", "run-x", START)).unwrap();
    assert!(locked.fence() > u64::from(copies));
    // What was there is kept.
    assert!(
        place
            .at(&format!("state.db.before-restore-{START}"))
            .exists()
    );
}

#[test]
fn a_copy_that_went_its_own_way_is_refused_however_long_it_is() {
    let place = Place::with(1);
    let other = place.at("other.db");
    for suffix in ["", ".anchor"] {
        let name = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        fs::copy(name(&place.state()), name(&other)).unwrap();
    }
    let store = open(&place.state()).unwrap();
    apply(&store, "acme", "run-2", &[Wish::Update("a", "2")], START);
    drop(store);
    let store = open(&other).unwrap();
    for number in 2..6 {
        let content = format!("other {number}");
        let wish = Wish::Update("a", &content);
        apply(&store, "acme", &format!("run-{number}"), &[wish], START);
    }
    drop(store);
    fs::copy(&other, place.state()).unwrap();
    let error = refused(&place.state());
    assert!(matches!(error, StateError::Forked { .. }), "{error}");
}

#[test]
fn a_restore_passes_over_fences_that_no_anchor_knew() {
    let place = Place::with(1);
    let store = open(&place.state()).unwrap();
    store.backup(&place.at("backup")).unwrap();
    // A grant is not anchored until its run is opened.
    let held = store.lock(&request("acme", "run-9", START)).unwrap();
    let fence = held.fence();
    drop((held, store));
    restore(&place.state(), &back(Some(&place.at("backup")))).unwrap();
    let store = open(&place.state()).unwrap();
    let next = store.lock(&request("acme", "run-10", START)).unwrap();
    assert!(next.fence() > fence, "{} came back", next.fence());
}

#[test]
fn a_holder_from_before_a_restore_can_write_nothing() {
    let place = Place::with(2);
    let store = open(&place.state()).unwrap();
    let held = store.lock(&request("acme", "run-9", START)).unwrap();
    store.backup(&place.at("backup")).unwrap();
    drop((held, store));
    restore(&place.state(), &back(Some(&place.at("backup")))).unwrap();
    let store = open(&place.state()).unwrap();
    assert!(store.lock(&request("acme", "run-10", START)).is_ok());
}

#[test]
fn a_backup_is_a_whole_state_and_never_written_over_another_file() {
    let place = Place::with(2);
    let store = open(&place.state()).unwrap();
    let to = place.at("backup");
    store.backup(&to).unwrap();
    assert!(matches!(store.backup(&to), Err(StateError::Exists { .. })));
    let report = verify(&to).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.audit, store.verify().unwrap().audit);
    let copy = open(&to).unwrap();
    let acme = tenant("acme");
    assert_eq!(copy.head(&acme).unwrap(), store.head(&acme).unwrap());
}

#[test]
fn a_backup_that_is_damaged_or_of_another_installation_is_not_put_back() {
    let place = Place::with(2);
    let to = place.at("backup");
    open(&place.state()).unwrap().backup(&to).unwrap();
    rusqlite::Connection::open(&to)
        .unwrap()
        .execute_batch("DELETE FROM bodies WHERE rowid = 1")
        .unwrap();
    let error = restore(&place.state(), &back(Some(&to))).unwrap_err();
    assert!(matches!(error, StateError::Unsound { .. }), "{error}");

    let mut new = create();
    if let Some(new) = &mut new.create {
        new.id = "another".to_owned();
    }
    let other = place.at("other.db");
    drop(Store::open(&other, &new).unwrap());
    let error = restore(&place.state(), &back(Some(&other))).unwrap_err();
    assert!(matches!(error, StateError::OtherInstallation { .. }));
    assert!(open(&place.state()).unwrap().verify().unwrap().is_sound());
}

#[test]
fn the_file_of_another_installation_or_program_is_refused() {
    let place = Place::with(1);
    let mut new = create();
    if let Some(new) = &mut new.create {
        new.id = "another".to_owned();
    }
    let other = place.at("other.db");
    let store = Store::open(&other, &new).unwrap();
    for number in 1..4 {
        apply(&store, "acme", &format!("run-{number}"), &[], START);
    }
    drop(store);
    fs::copy(&other, place.state()).unwrap();
    assert!(matches!(
        refused(&place.state()),
        StateError::OtherInstallation { .. }
    ));
    fs::remove_file(place.state()).unwrap();
    rusqlite::Connection::open(place.state())
        .unwrap()
        .execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
        .unwrap();
    assert!(matches!(
        refused(&place.state()),
        StateError::Foreign { .. }
    ));
    fs::write(place.state(), vec![7; 8192]).unwrap();
    assert!(matches!(
        refused(&place.state()),
        StateError::Foreign { .. }
    ));
}

#[test]
fn a_folder_a_dead_end_and_a_newer_schema_are_refused() {
    let place = Place::new();
    assert!(matches!(
        refused(place.folder.path()),
        StateError::NotAFile { .. }
    ));
    let ring = place.at("ring.db");
    std::os::unix::fs::symlink(&ring, &ring).unwrap();
    let error = Store::open(&ring, &create()).err().unwrap();
    assert!(matches!(error, StateError::Io { .. }), "{error}");

    let place = Place::with(1);
    rusqlite::Connection::open(place.state())
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let before = fs::read(place.state()).unwrap();
    let error = open(&place.state()).err().unwrap();
    assert!(matches!(
        error,
        StateError::NewerSchema {
            found: 99,
            known: 1
        }
    ));
    assert_eq!(fs::read(place.state()).unwrap(), before, "untouched");
}

#[test]
fn a_link_to_the_file_leads_to_the_same_state_and_anchor() {
    let place = Place::with(1);
    let link = place.at("link.db");
    std::os::unix::fs::symlink(place.state(), &link).unwrap();
    assert_eq!(open(&link).unwrap().tenants().unwrap().len(), 1);
    assert!(!place.at("link.db.anchor").exists());
}

#[test]
fn pruning_keeps_a_record_that_a_kept_snapshot_shares() {
    let place = Place::new();
    let store = Store::open(&place.state(), &create()).unwrap();
    let both = [Wish::Create("a", "1"), Wish::Create("b", "1")];
    apply(&store, "acme", "run-1", &both, START);
    let head = apply(&store, "acme", "run-2", &[Wish::Update("a", "2")], START);
    let mut locked = store.lock(&request("acme", "run-3", START)).unwrap();
    assert_eq!(locked.prune(1, START).unwrap(), 1);
    assert_eq!(store.head(&tenant("acme")).unwrap(), Some(head));
    let report = store.verify().unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.records, 2);
}

#[test]
fn pruning_keeps_the_newest_snapshots_whole() {
    let place = Place::with(6);
    let store = open(&place.state()).unwrap();
    let acme = tenant("acme");
    let mut locked = store.lock(&request("acme", "run-9", START)).unwrap();
    assert_eq!(locked.prune(2, START).unwrap(), 4);
    assert_eq!(locked.prune(2, START).unwrap(), 0);
    locked.release(START).unwrap();
    let serials: Vec<u64> = store
        .history(&acme)
        .unwrap()
        .iter()
        .map(|it| it.serial)
        .collect();
    assert_eq!(serials, [6, 5]);
    assert!(store.snapshot(&acme, &SnapshotKey::Serial(5)).is_ok());
    assert!(matches!(
        store.snapshot(&acme, &SnapshotKey::Serial(4)),
        Err(StateError::NoSnapshot { .. })
    ));
    let report = store.verify().unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(
        (report.snapshots, report.records, report.unreferenced),
        (2, 2, 0)
    );
    drop(store);
    let store = Store::open(&place.state(), &OpenOptions::default()).unwrap();
    apply(&store, "acme", "run-10", &[Wish::Update("a", "7")], START);
    assert_eq!(store.history(&acme).unwrap().len(), 3);
}
