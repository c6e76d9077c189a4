//! Small tenants, plans and runs to fill a store with.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use matih_model::{
    Action, ActionIndex, Address, Attributes, Digest, Kind, Name, Op, Origin, Phase, Plan,
    PlanDraft, Reason, Recorded, RemoteId, Resource, RunId, SecretRef, SecretUse, Snapshot, Sweep,
    Tenancy, TenantId, UndoClass, Value, Verb, Version,
};
use matih_state::{
    Begin, CommitRequest, Finish, Holder, LockRequest, LockedStore, NewInstallation, OpenOptions,
    Outcome, RunOutcome, RunStart, StateError, Store,
};

/// The moment at which every story begins, and the lease that all holders get.
pub(crate) const START: u64 = 1_800_000_000_000;
pub(crate) const LEASE: u64 = 30_000;

pub(crate) fn create() -> OpenOptions {
    OpenOptions {
        create: Some(NewInstallation {
            id: "test-installation".to_owned(),
            who: "ada".to_owned(),
            host: "here".to_owned(),
            now_ms: START,
        }),
    }
}

pub(crate) fn open(path: &Path) -> Result<Store, StateError> {
    Store::open(path, &OpenOptions::default())
}

pub(crate) fn tenant(slug: &str) -> TenantId {
    TenantId::new(slug).unwrap()
}

/// A holder on another host: nobody can tell whether it lives.
pub(crate) fn holder(who: &str) -> Holder {
    Holder {
        who: who.to_owned(),
        host: "elsewhere".to_owned(),
        pid: 7,
        started: None,
        boot_id: String::new(),
        operation: "apply".to_owned(),
    }
}

pub(crate) fn request(slug: &str, run: &str, now_ms: u64) -> LockRequest {
    LockRequest {
        tenant: tenant(slug),
        holder: holder("ada"),
        run: RunId::new(run),
        now_ms,
        lease_ms: LEASE,
    }
}

pub(crate) fn address(slug: &str, name: &str) -> Address {
    Address::new(
        tenant(slug),
        Kind::new("kubernetes.manifest").unwrap(),
        Name::new(name).unwrap(),
    )
}

pub(crate) fn resource(address: &Address, content: &str) -> Arc<Resource> {
    let mut attributes = Attributes::new();
    attributes.insert("manifest", content);
    attributes.insert(
        "token",
        Value::Secret(SecretUse {
            reference: SecretRef::Env("TOKEN".to_owned()),
            digest: Some(Digest::of_bytes("test", b"secret")),
        }),
    );
    Arc::new(Resource {
        address: address.clone(),
        phase: Phase::new(2).unwrap(),
        steps: Vec::new(),
        depends_on: BTreeSet::new(),
        attributes,
        lifecycle: Default::default(),
        retry: Default::default(),
    })
}

pub(crate) fn recorded(resource: &Resource, generation: u64) -> Arc<Recorded> {
    let content = resource.attributes.text("manifest").unwrap_or_default();
    Arc::new(Recorded {
        resource: resource.clone(),
        remote_id: RemoteId::new(format!("uid-{}-{generation}", resource.address.name)),
        outputs: Attributes::new(),
        generation,
        resolved: Default::default(),
        version: Some(Version::new(format!("v-{content}"))),
        unsettled: false,
    })
}

/// What a plan is to do with one address.
pub(crate) enum Wish<'a> {
    Create(&'a str, &'a str),
    Update(&'a str, &'a str),
    Delete(&'a str),
}

pub(crate) fn plan(slug: &str, head: Option<&Arc<Snapshot>>, wishes: &[Wish<'_>]) -> Plan {
    let before = |address: &Address| head.unwrap().get(address).unwrap().clone();
    let actions = wishes.iter().enumerate().map(|(place, wish)| {
        let op = match wish {
            Wish::Create(name, content) => Op::Create {
                resource: resource(&address(slug, name), content),
                generation: 1,
            },
            Wish::Update(name, content) => Op::Update {
                recorded: before(&address(slug, name)),
                resource: resource(&address(slug, name), content),
                changes: Vec::new(),
                expects: None,
            },
            Wish::Delete(name) => Op::Delete {
                recorded: before(&address(slug, name)),
                expects: None,
            },
        };
        Action {
            index: ActionIndex(place as u32),
            op,
            reason: Reason::New,
            sweep: Sweep::Build,
            waits_for: Vec::new(),
            undo: UndoClass::Reversible,
        }
    });
    Plan::new(PlanDraft {
        tenant: tenant(slug),
        tenancy: Tenancy::Shared,
        verb: Verb::Apply,
        base: head.map(|head| head.id()),
        inputs: Digest::of_bytes("test", b"inputs"),
        actions: actions.collect(),
        edits: Vec::new(),
        notes: Vec::new(),
        reads: Default::default(),
    })
    .unwrap()
}

pub(crate) fn start(locked: &mut LockedStore, run: &str, plan: &Plan, now_ms: u64) {
    let run = RunId::new(run);
    locked
        .open_run(&RunStart {
            run: &run,
            verb: plan.verb(),
            plan: Some(plan),
            command: None,
            now_ms,
        })
        .unwrap();
}

pub(crate) fn begin(
    locked: &mut LockedStore,
    action: &Action,
    now_ms: u64,
) -> Result<(), StateError> {
    locked.begin(&[Begin {
        action,
        attempt: 1,
        now_ms,
    }])
}

/// The outcome that a world without faults gives.
pub(crate) fn success(action: &Action) -> Outcome {
    match &action.op {
        Op::Create {
            resource,
            generation,
        } => Outcome::Applied(recorded(resource, *generation)),
        Op::Update {
            recorded: before,
            resource,
            ..
        } => Outcome::Applied(recorded(resource, before.generation)),
        Op::Delete { .. } => Outcome::Deleted,
        Op::Check { .. } => Outcome::Checked(Vec::new()),
    }
}

pub(crate) fn finish(
    locked: &mut LockedStore,
    index: ActionIndex,
    outcome: Outcome,
    now_ms: u64,
) -> Result<(), StateError> {
    locked.finish(&[Finish {
        index,
        outcome,
        now_ms,
    }])
}

pub(crate) fn commit_request(run: &str, outcome: RunOutcome, now_ms: u64) -> CommitRequest {
    let complete = outcome == RunOutcome::Succeeded;
    CommitRequest {
        origin: Origin {
            run: RunId::new(run),
            verb: Verb::Apply,
        },
        tenancy: Tenancy::Shared,
        inputs: complete.then(|| Digest::of_bytes("test", b"inputs")),
        outcome,
        now_ms,
    }
}

/// One whole run: lock, open, begin and finish each action, commit, release.
pub(crate) fn apply(
    store: &Store,
    slug: &str,
    run: &str,
    wishes: &[Wish<'_>],
    now_ms: u64,
) -> Arc<Snapshot> {
    let mut locked = store.lock(&request(slug, run, now_ms)).unwrap();
    let plan = plan(slug, locked.head(), wishes);
    start(&mut locked, run, &plan, now_ms + 1);
    for action in plan.actions() {
        begin(&mut locked, action, now_ms + 2).unwrap();
        finish(&mut locked, action.index, success(action), now_ms + 9).unwrap();
    }
    let head = locked
        .commit(&commit_request(run, RunOutcome::Succeeded, now_ms + 10))
        .unwrap();
    locked.release(now_ms + 11).unwrap();
    head
}
