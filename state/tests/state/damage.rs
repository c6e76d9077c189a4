//! Damage of every kind: what is read is what was written, or an error. Never an empty state.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::fixture::*;
use matih_model::RunId;
use matih_state::{
    AuditFilter, LockStatus, LockedStore, Outcome, RunOutcome, SnapshotKey, StateError, Store,
};

/// SQLite's default.
const PAGE: u64 = 4096;

/// Everything that can be read of a state, one entry for each read.
type View = Vec<Result<String, StateError>>;

fn view(store: &Store) -> View {
    let mut seen: View = Vec::new();
    fn look(seen: &mut View, read: Result<impl std::fmt::Debug, StateError>) {
        seen.push(read.map(|it| format!("{it:?}")));
    }
    seen.push(Ok(store.installation().to_owned()));
    look(&mut seen, store.tenants());
    look(&mut seen, store.timings());
    look(&mut seen, store.audit(&AuditFilter::default()));
    let tokens = store.tenants().and_then(|all| store.tokens(&all));
    look(&mut seen, tokens);
    let stories: [(&str, u64, [&str; 2]); 2] = [
        ("acme", 2, ["run-1", "run-2"]),
        ("beta", 1, ["run-3", "run-4"]),
    ];
    for (slug, serials, runs) in stories {
        let tenant = tenant(slug);
        look(&mut seen, store.head(&tenant));
        look(&mut seen, store.history(&tenant));
        look(&mut seen, store.runs(&tenant));
        look(&mut seen, store.pending(&tenant));
        seen.push(match store.lock_status(&tenant) {
            // To know that nobody can tell is to have seen the damage.
            Ok(LockStatus::Damaged { id }) => Err(StateError::LockDamaged {
                tenant: tenant.clone(),
                id,
            }),
            other => other.map(|it| format!("{it:?}")),
        });
        for serial in 1..=serials {
            match store.snapshot(&tenant, &SnapshotKey::Serial(serial)) {
                Err(StateError::NoSnapshot { .. }) => seen.push(Ok("none".to_owned())),
                other => look(&mut seen, other),
            }
        }
        for run in runs {
            look(&mut seen, store.journal(&tenant, &RunId::new(run)));
        }
    }
    seen
}

/// What a damaged state shows: whether the damage was seen, or made no difference.
#[derive(Debug, PartialEq, Eq)]
enum Finding {
    Seen,
    NoDifference,
}

#[track_caller]
fn judge(path: &Path, original: &View, what: &dyn std::fmt::Display) -> Finding {
    let store = match open(path) {
        Ok(store) => store,
        Err(error) => {
            assert!(!matches!(error, StateError::Absent { .. }), "{what}");
            assert!(
                error.hint().is_some() || matches!(error, StateError::Io { .. }),
                "{error}"
            );
            return Finding::Seen;
        }
    };
    let mut finding = Finding::NoDifference;
    for (now, before) in view(&store).into_iter().zip(original) {
        match (now, before) {
            (Ok(now), Ok(before)) => assert_eq!(now, *before, "{what}"),
            (Err(_), Ok(_)) => finding = Finding::Seen,
            (_, Err(before)) => panic!("the original cannot be read: {before}"),
        }
    }
    finding
}

/// A folder with a state at rest: two tenants, closed runs, and one that a crash left open.
struct Subject {
    folder: tempfile::TempDir,
}

impl Subject {
    fn at_rest() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let subject = Self { folder };
        let store = Store::open(&subject.path(), &create()).unwrap();
        apply(
            &store,
            "acme",
            "run-1",
            &[Wish::Create("a", "1"), Wish::Create("b", "1")],
            START,
        );
        apply(
            &store,
            "acme",
            "run-2",
            &[Wish::Update("a", "2"), Wish::Delete("b")],
            START,
        );
        apply(&store, "beta", "run-3", &[Wish::Create("c", "1")], START);
        let mut locked = store.lock(&request("beta", "run-4", START)).unwrap();
        let plan = plan(
            "beta",
            locked.head(),
            &[Wish::Update("c", "2"), Wish::Create("d", "1")],
        );
        start(&mut locked, "run-4", &plan, START);
        begin(&mut locked, &plan.actions()[0], START).unwrap();
        locked
            .set_status(matih_state::TenantStatus::Upgrading, None, START)
            .unwrap();
        subject
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("state.db")
    }

    fn original(&self) -> View {
        let seen = view(&open(&self.path()).unwrap());
        assert!(seen.iter().all(Result::is_ok), "{seen:?}");
        seen
    }
}

#[test]
fn a_file_cut_at_any_place_is_refused_or_reads_the_same() {
    let subject = Subject::at_rest();
    let original = subject.original();
    let whole = fs::read(subject.path()).unwrap();
    let length = whole.len() as u64;
    let cuts = (0..length)
        .step_by(PAGE as usize)
        .chain((0..length.min(65_536)).step_by(512));
    let mut seen = 0;
    for cut in cuts {
        fs::write(subject.path(), &whole[..cut as usize]).unwrap();
        let finding = judge(&subject.path(), &original, &format_args!("cut at {cut}"));
        assert_eq!(finding, Finding::Seen, "cut at {cut} of {length}");
        seen += 1;
    }
    println!("cuts seen: {seen}");
    fs::write(subject.path(), &whole).unwrap();
    assert_eq!(
        judge(&subject.path(), &original, &"whole"),
        Finding::NoDifference
    );
}

/// Copies a state that is in use, as a crash would leave it.
fn copy_in_use(from: &Path, to: &Path) {
    for suffix in ["", "-wal", ".anchor"] {
        let name = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        fs::copy(name(from), name(to)).unwrap();
    }
}

/// A run under way, with what could be read after each of its writes. `anchored` is the first of
/// them that the anchor covers.
fn under_way(store: &Store) -> (LockedStore, Vec<View>) {
    let mut views = Vec::new();
    let mut locked = store.lock(&request("acme", "run-2", START)).unwrap();
    let wishes = [Wish::Update("a", "2"), Wish::Create("b", "1")];
    let plan = plan("acme", locked.head(), &wishes);
    start(&mut locked, "run-2", &plan, START);
    views.push(view(store));
    for action in plan.actions() {
        begin(&mut locked, action, START).unwrap();
        views.push(view(store));
        finish(&mut locked, action.index, success(action), START).unwrap();
        views.push(view(store));
    }
    (locked, views)
}

#[test]
fn a_log_cut_at_any_frame_is_refused_or_leaves_a_state_that_was_committed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let store = Store::open(&path, &create()).unwrap();
    apply(&store, "acme", "run-1", &[Wish::Create("a", "1")], START);
    let (mut locked, views) = under_way(&store);
    let copy = folder.path().join("copy.db");
    let wal = folder.path().join("copy.db-wal");
    for committed in [false, true] {
        let mut allowed: Vec<&View> = views.iter().collect();
        let last;
        if committed {
            locked
                .commit(&commit_request("run-2", RunOutcome::Succeeded, START))
                .unwrap();
            last = view(&store);
            allowed = vec![&last];
        }
        copy_in_use(&path, &copy);
        let whole = fs::read(&wal).unwrap();
        let frame = PAGE as usize + 24;
        let frames = (whole.len() - 32) / frame;
        assert!(frames > 10, "the log has {frames} frames only");
        let ends = (0..=frames).map(|number| 32 + number * frame);
        let cuts: Vec<usize> = ends
            .flat_map(|end| [end, end + frame / 2])
            .chain([0, 16])
            .collect();
        let (mut refused, mut kept) = (0, 0);
        for cut in cuts {
            let cut = cut.min(whole.len());
            copy_in_use(&path, &copy);
            fs::write(&wal, &whole[..cut]).unwrap();
            match open(&copy) {
                Err(StateError::Older { .. }) => refused += 1,
                Err(other) => panic!("cut at {cut}: {other}"),
                Ok(store) => {
                    let now = view(&store);
                    let same = |old: &&View| format!("{now:?}") == format!("{old:?}");
                    assert!(allowed.iter().any(same), "cut at {cut}: {now:?}");
                    kept += 1;
                }
            }
        }
        println!("log cut: {refused} refused, {kept} read as a committed state");
        assert!(refused > 10 && kept > 0);
        // Gone altogether.
        copy_in_use(&path, &copy);
        fs::remove_file(&wal).unwrap();
        assert!(matches!(open(&copy).err(), Some(StateError::Older { .. })));
        // The log's index is made anew.
        copy_in_use(&path, &copy);
        let now = view(&open(&copy).unwrap());
        assert_eq!(format!("{now:?}"), format!("{:?}", view(&store)));
    }
}

#[test]
fn at_rest_there_is_no_log_to_lose() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let store = Store::open(&path, &create()).unwrap();
    apply(&store, "acme", "run-1", &[Wish::Create("a", "1")], START);
    let wal = fs::metadata(folder.path().join("state.db-wal")).unwrap();
    assert_eq!(wal.len(), 0, "also while the store is open");
    let copy = folder.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    fs::copy(
        folder.path().join("state.db.anchor"),
        folder.path().join("copy.db.anchor"),
    )
    .unwrap();
    let now = view(&open(&copy).unwrap());
    assert_eq!(format!("{now:?}"), format!("{:?}", view(&store)));
}

/// Numbers that look random and are the same at each run (Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn ten_thousand_flipped_bits_are_seen_or_make_no_difference() {
    let flips = 10_000;
    std::thread::scope(|scope| {
        let halves = [1, 2].map(|seed| scope.spawn(move || flip(seed, flips / 2)));
        let [one, two] = halves.map(|half| half.join().unwrap());
        println!(
            "flipped bits: {} seen, {} without difference",
            one.0 + two.0,
            one.1 + two.1
        );
        assert_eq!(one.0 + one.1 + two.0 + two.1, flips);
        assert!(one.0 > 1000, "the story is not read in full");
    });
}

fn flip(seed: u64, count: u64) -> (u64, u64) {
    let subject = Subject::at_rest();
    let original = subject.original();
    let whole = fs::read(subject.path()).unwrap();
    let mut dice = Dice(seed);
    let (mut seen, mut same) = (0, 0);
    for _ in 0..count {
        let place = dice.below(whole.len() as u64);
        let bit = dice.below(8);
        let byte = whole[place as usize];
        let put = |byte: u8| {
            let file = OpenOptions::new().write(true).open(subject.path()).unwrap();
            file.write_all_at(&[byte], place).unwrap();
        };
        put(byte ^ (1 << bit));
        match judge(
            &subject.path(),
            &original,
            &format_args!("bit {bit} of byte {place}"),
        ) {
            Finding::Seen => seen += 1,
            Finding::NoDifference => same += 1,
        }
        put(byte);
    }
    assert!(
        fs::read(subject.path()).unwrap() == whole,
        "reading has written"
    );
    (seen, same)
}

#[test]
fn each_flipped_bit_of_the_anchor_is_seen_or_makes_no_difference() {
    let subject = Subject::at_rest();
    let original = subject.original();
    let anchor = subject.folder.path().join("state.db.anchor");
    let whole = fs::read(&anchor).unwrap();
    let mut seen = 0;
    for place in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << bit;
            fs::write(&anchor, &bytes).unwrap();
            if judge(
                &subject.path(),
                &original,
                &format_args!("bit {bit} of byte {place}"),
            ) == Finding::Seen
            {
                seen += 1;
            }
        }
    }
    println!(
        "flipped bits of the anchor: {seen} of {} seen",
        whole.len() * 8
    );
    assert!(seen > whole.len() * 7);
}

#[test]
fn the_audit_cannot_be_changed_cut_or_reordered_unseen() {
    let subject = Subject::at_rest();
    let whole = fs::read(subject.path()).unwrap();
    let rows = open(&subject.path())
        .unwrap()
        .audit(&AuditFilter::default())
        .unwrap()
        .len();
    let open_triggers = "DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_deleted;";
    let restore = include_str!("../../src/schema/0001.sql");
    let triggers = &restore[restore.find("CREATE TRIGGER").unwrap()..];
    for row in 1..=rows {
        for change in [
            format!(
                "UPDATE audit SET body = replace(CAST(body AS TEXT), 'ada', 'bob') || '' WHERE seq = {row}"
            ),
            format!(
                "UPDATE audit SET body = CAST(replace(CAST(body AS TEXT), 'ada', 'bob') AS BLOB) WHERE seq = {row}"
            ),
            format!("DELETE FROM audit WHERE seq = {row}"),
            format!("DELETE FROM audit WHERE seq >= {row}"),
            format!(
                "UPDATE audit SET seq = -seq WHERE seq IN ({row}, {row} + 1);
                     UPDATE audit SET seq = 2 * {row} + 1 + seq WHERE seq < 0"
            ),
        ] {
            fs::write(subject.path(), &whole).unwrap();
            let edited = rusqlite::Connection::open(subject.path())
                .unwrap()
                .execute_batch(&format!("{open_triggers} {change}; {triggers}"));
            if edited.is_err() {
                // A text where bytes belong: the table itself refuses it.
                continue;
            }
            let found = open(&subject.path()).and_then(|it| it.audit(&AuditFilter::default()));
            // Two rows of the end trade places only if there are two.
            if change.contains("-seq") && row == rows {
                continue;
            }
            assert!(found.is_err(), "{change}");
        }
    }
    fs::write(subject.path(), &whole).unwrap();
    let guarded = rusqlite::Connection::open(subject.path()).unwrap();
    assert!(guarded.execute_batch("DELETE FROM audit").is_err());
    assert!(
        guarded
            .execute_batch("UPDATE audit SET body = x'00'")
            .is_err()
    );
}

#[test]
fn rows_that_vanish_or_move_are_missed() {
    let subject = Subject::at_rest();
    let original = subject.original();
    let whole = fs::read(subject.path()).unwrap();
    for change in [
        "DELETE FROM tokens WHERE tenant = 'acme'",
        "DELETE FROM journal WHERE run = 1 AND place = 0",
        "DELETE FROM edits; DELETE FROM plans",
        "DELETE FROM bodies WHERE rowid = 1",
        "DELETE FROM snapshots WHERE serial = 1 AND tenant = 'acme'",
        "DELETE FROM locks WHERE tenant = 'beta'",
        "DELETE FROM installation",
        "PRAGMA foreign_keys = OFF; DELETE FROM tenants WHERE tenant = 'acme'",
        "PRAGMA foreign_keys = OFF; DELETE FROM runs WHERE name = 'run-2'",
        "UPDATE runs SET open = 0",
        "UPDATE journal SET body = (SELECT body FROM journal WHERE run = 1 AND place = 0),
                            seal = (SELECT seal FROM journal WHERE run = 1 AND place = 0)",
        "UPDATE tokens SET body = (SELECT body FROM tokens WHERE tenant = 'beta'),
                           seal = (SELECT seal FROM tokens WHERE tenant = 'beta')",
        "UPDATE snapshots SET manifest = (SELECT manifest FROM snapshots WHERE serial = 2)",
        "DROP INDEX runs_of_a_tenant",
        "PRAGMA user_version = 0",
        "PRAGMA application_id = 0",
    ] {
        fs::write(subject.path(), &whole).unwrap();
        rusqlite::Connection::open(subject.path())
            .unwrap()
            .execute_batch(change)
            .unwrap();
        assert_eq!(
            judge(&subject.path(), &original, &change),
            Finding::Seen,
            "{change}"
        );
    }
}

#[test]
fn an_action_of_an_open_run_is_not_forgotten_with_its_outcome() {
    let subject = Subject::at_rest();
    let store = open(&subject.path()).unwrap();
    let [pending] = &store.pending(&tenant("beta")).unwrap()[..] else {
        panic!()
    };
    let mut locked = store
        .lock(&request("beta", "run-5", START + 9 * LEASE))
        .unwrap();
    finish(
        &mut locked,
        pending.action.index,
        Outcome::NotDone,
        START + 9 * LEASE,
    )
    .unwrap();
    assert_eq!(store.pending(&tenant("beta")).unwrap(), []);
}

/// A file that is being made has no anchor yet: what a kill leaves is nothing or all of it.
#[test]
fn a_file_whose_making_was_killed_at_any_write_is_made_again_or_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let store = Store::open(&path, &create()).unwrap();
    let copy = folder.path().join("copy.db");
    let wal = folder.path().join("copy.db-wal");
    let made = fs::read(folder.path().join("state.db-wal")).unwrap();
    for cut in (0..=made.len()).step_by(1024).chain([made.len()]) {
        copy_in_use(&path, &copy);
        fs::remove_file(folder.path().join("copy.db.anchor")).unwrap();
        fs::write(&wal, &made[..cut]).unwrap();
        let again = Store::open(&copy, &create()).unwrap();
        assert_eq!(view(&again).len(), view(&store).len());
        assert_eq!(again.audit(&AuditFilter::default()).unwrap().len(), 1);
        assert!(again.verify().unwrap().is_sound());
    }
}
