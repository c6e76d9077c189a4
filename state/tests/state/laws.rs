//! Random stories of two tenants against a model of a few lines: what is recorded, what is
//! pending and what a crash may take.

use std::collections::{BTreeMap, BTreeSet};

use crate::fixture::*;
use matih_model::{ErrorKind, Plan};
use matih_state::{LockedStore, Outcome, RunOutcome, RunStart, StateError, Store};
use proptest::prelude::*;

const SLUGS: [&str; 2] = ["acme", "beta"];
const NAMES: [&str; 3] = ["a", "b", "c"];

/// One step of a story. A step that makes no sense where it stands must be refused or is skipped.
#[derive(Clone, Debug)]
enum Step {
    Lock,
    OpenRun([u8; 3]),
    Begin(u8),
    Finish(u8, End),
    Commit(bool),
    Release,
    Crash,
    Reopen,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Done,
    Failed,
    Unknown,
    NotDone,
}

fn step() -> impl Strategy<Value = (usize, Step)> {
    let end = prop_oneof![
        6 => Just(End::Done),
        1 => Just(End::Failed),
        1 => Just(End::Unknown),
        1 => Just(End::NotDone),
    ];
    let step = prop_oneof![
        3 => Just(Step::Lock),
        3 => any::<[u8; 3]>().prop_map(Step::OpenRun),
        8 => (0..3_u8).prop_map(Step::Begin),
        8 => (0..3_u8, end).prop_map(|(at, end)| Step::Finish(at, end)),
        3 => any::<bool>().prop_map(Step::Commit),
        1 => Just(Step::Release),
        1 => Just(Step::Crash),
        1 => Just(Step::Reopen),
    ];
    (0..SLUGS.len(), step)
}

/// What must be so of one tenant.
#[derive(Clone, Debug, Default)]
struct Model {
    /// What the newest snapshot holds: name and content.
    head: BTreeMap<String, String>,
    serial: u64,
    /// The head with the outcomes of the open run.
    record: BTreeMap<String, String>,
    /// The actions of the open run: begun and not settled, and settled for good.
    open: Option<(BTreeSet<u32>, BTreeSet<u32>)>,
    runs: u32,
}

struct Story {
    folder: tempfile::TempDir,
    store: Option<Store>,
    locked: [Option<LockedStore>; 2],
    models: [Model; 2],
    now_ms: u64,
    fence: u64,
}

impl Story {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state.db"), &create()).unwrap();
        Self {
            folder,
            store: Some(store),
            locked: [None, None],
            models: Default::default(),
            now_ms: START,
            fence: 0,
        }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn take(&mut self, at: usize, step: &Step) {
        match step {
            Step::Lock => self.lock(at),
            Step::OpenRun(wishes) => self.open_run(at, wishes),
            Step::Begin(index) => self.begin(at, u32::from(*index)),
            Step::Finish(index, end) => self.finish(at, u32::from(*index), *end),
            Step::Commit(succeeded) => self.commit(at, *succeeded),
            Step::Release => {
                if let Some(locked) = self.locked[at].take() {
                    locked.release(self.now_ms).unwrap();
                }
            }
            Step::Crash | Step::Reopen => {
                self.locked = [None, None];
                if matches!(step, Step::Reopen) {
                    self.store = None;
                    self.store = Some(open(&self.folder.path().join("state.db")).unwrap());
                }
                // Only the lease tells that the holders are gone.
                self.now_ms += 2 * LEASE;
            }
        }
    }

    fn lock(&mut self, at: usize) {
        let request = request(SLUGS[at], "run-x", self.now_ms);
        match self.store().lock(&request) {
            Ok(locked) => {
                assert!(self.locked[at].is_none(), "two holders");
                assert!(locked.fence() > self.fence, "a fence came back");
                self.fence = locked.fence();
                self.locked[at] = Some(locked);
            }
            Err(StateError::Locked { .. }) => assert!(self.locked[at].is_some()),
            Err(other) => panic!("{other}"),
        }
    }

    fn open_run(&mut self, at: usize, wishes: &[u8; 3]) {
        let (slug, now_ms) = (SLUGS[at], self.now_ms);
        let model = &mut self.models[at];
        let Some(locked) = &mut self.locked[at] else {
            return;
        };
        let contents = wishes.map(|wish| (wish / 4).to_string());
        let wishes: Vec<Wish<'_>> = NAMES
            .iter()
            .zip(wishes)
            .zip(&contents)
            .filter_map(|((name, wish), content)| {
                match (wish % 4, model.head.contains_key(*name)) {
                    (0, _) => None,
                    (1, true) => Some(Wish::Delete(name)),
                    (_, true) => Some(Wish::Update(name, content)),
                    (_, false) => Some(Wish::Create(name, content)),
                }
            })
            .collect();
        let plan = plan(slug, locked.head(), &wishes);
        let run = matih_model::RunId::new(format!("run-{slug}-{}", model.runs));
        let opened = locked.open_run(&RunStart {
            run: &run,
            verb: plan.verb(),
            plan: Some(&plan),
            command: None,
            now_ms,
        });
        match (opened, &model.open) {
            (Ok(()), None) => {
                model.open = Some(Default::default());
                model.runs += 1;
            }
            (Err(StateError::RunOpen { .. }), Some(_)) => {}
            (other, _) => panic!("{other:?}"),
        }
    }

    fn plan(&self, at: usize) -> Option<Plan> {
        self.locked[at].as_ref()?.plan().cloned()
    }

    fn begin(&mut self, at: usize, index: u32) {
        let Some(plan) = self.plan(at) else { return };
        let Some(action) = plan.actions().get(index as usize) else {
            return;
        };
        let (Some(locked), Some((begun, done))) = (&mut self.locked[at], &mut self.models[at].open)
        else {
            return;
        };
        let may = !begun.contains(&index) && !done.contains(&index);
        assert_eq!(begin(locked, action, self.now_ms).is_ok(), may);
        if may {
            begun.insert(index);
        }
    }

    fn finish(&mut self, at: usize, index: u32, end: End) {
        let Some(plan) = self.plan(at) else { return };
        let Some(action) = plan.actions().get(index as usize) else {
            return;
        };
        let model = &mut self.models[at];
        let (Some(locked), Some((begun, done))) = (&mut self.locked[at], &mut model.open) else {
            return;
        };
        let failed = |unknown| Outcome::Failed {
            kind: if unknown {
                ErrorKind::Unknown
            } else {
                ErrorKind::Invalid
            },
            message: "no".to_owned(),
            unknown,
        };
        let outcome = match end {
            End::Done => success(action),
            End::Failed => failed(false),
            End::Unknown => failed(true),
            End::NotDone => Outcome::NotDone,
        };
        let finished = finish(locked, action.index, outcome.clone(), self.now_ms);
        assert_eq!(finished.is_ok(), begun.contains(&index));
        if finished.is_err() || matches!(end, End::Unknown) {
            return;
        }
        begun.remove(&index);
        let name = action.address().name.to_string();
        match outcome {
            Outcome::Applied(recorded) => {
                let content = recorded.resource.attributes.text("manifest").unwrap();
                model.record.insert(name, content.to_owned());
                done.insert(index);
            }
            Outcome::Deleted => {
                model.record.remove(&name);
                done.insert(index);
            }
            _ => {}
        }
    }

    fn commit(&mut self, at: usize, succeeded: bool) {
        let Some(locked) = &mut self.locked[at] else {
            return;
        };
        let outcome = if succeeded {
            RunOutcome::Succeeded
        } else {
            RunOutcome::Stopped
        };
        let committed = locked.commit(&commit_request("run-x", outcome, self.now_ms));
        let model = &mut self.models[at];
        let Some((begun, _)) = &model.open else {
            assert!(matches!(committed, Err(StateError::NoRun { .. })));
            return;
        };
        committed.unwrap();
        if model.serial == 0 || model.head != model.record {
            model.serial += 1;
        }
        model.head = model.record.clone();
        if begun.is_empty() {
            model.open = None;
        }
    }

    fn compare(&self) {
        for (slug, model) in SLUGS.iter().zip(&self.models) {
            let tenant = tenant(slug);
            let head = self.store().head(&tenant).unwrap();
            assert_eq!(head.as_ref().map_or(0, |head| head.serial()), model.serial);
            let held: BTreeMap<String, String> = head
                .iter()
                .flat_map(|head| head.resources())
                .map(|(address, it)| {
                    let content = it.resource.attributes.text("manifest").unwrap();
                    (address.name.to_string(), content.to_owned())
                })
                .collect();
            assert_eq!(held, model.head);
            let pending: BTreeSet<u32> = self
                .store()
                .pending(&tenant)
                .unwrap()
                .iter()
                .map(|it| it.action.index.0)
                .collect();
            let begun = model.open.clone().unwrap_or_default().0;
            assert_eq!(pending, begun);
        }
        for (locked, model) in self.locked.iter().zip(&self.models) {
            let Some(locked) = locked else { continue };
            let recorded: Vec<String> = locked
                .recorded()
                .map(|(it, _)| it.name.to_string())
                .collect();
            assert_eq!(recorded, model.record.keys().cloned().collect::<Vec<_>>());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_story_ends_as_its_model_says(steps in prop::collection::vec(step(), 1..60)) {
        let mut story = Story::new();
        for (at, step) in &steps {
            story.take(*at, step);
            story.compare();
        }
        let report = story.store().verify().unwrap();
        prop_assert!(report.is_sound(), "{report:?}");
    }
}
