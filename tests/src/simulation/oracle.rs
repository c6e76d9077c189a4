//! What must be true: the four invariants of reliability.md section 2.1, held against the world
//! and the state from outside of both.

use std::collections::{BTreeMap, BTreeSet};

use matih_executor::{Ending, Fate, Report};
use matih_model::{
    Address, Attributes, Catalog, Digest, Op, OutputRef, Plan, ResourceGraph, Snapshot, Value,
};
use matih_providers::simulated::SandboxObject;
use matih_state::{AuditEvent, AuditFilter, Store};

use super::eye::Sent;
use super::hand::Traces;

/// The world and the record at one moment.
pub(super) struct Scene<'a> {
    pub(super) objects: &'a [SandboxObject],
    pub(super) head: Option<&'a Snapshot>,
    pub(super) hand: &'a Traces,
}

impl Scene<'_> {
    /// I1, none lost, and I2, none orphaned: true whenever nothing is pending.
    pub(super) fn owned(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let by_id: BTreeMap<_, _> = self
            .objects
            .iter()
            .map(|it| ((&it.kind, it.remote_id.as_str()), it))
            .collect();
        let recorded = self.head.into_iter().flat_map(Snapshot::resources);
        for (address, record) in recorded {
            let id = record.remote_id.as_str();
            match by_id.get(&(&address.kind, id)) {
                None if self.hand.vanished.contains(id) => {}
                None => wrong.push(format!("I1: {address} is recorded as {id} and is lost")),
                Some(object) if self.is_ours(address, record.generation, object) => {}
                Some(object) => wrong.push(format!(
                    "I1: {address} is recorded as {id}, which belongs to {:?}",
                    object.owner
                )),
            }
        }
        let ids: BTreeSet<_> = self
            .head
            .into_iter()
            .flat_map(Snapshot::resources)
            .map(|(address, it)| (&address.kind, it.remote_id.as_str()))
            .collect();
        for object in self.objects.iter().filter(|it| it.owner.is_some()) {
            let id = object.remote_id.as_str();
            if !ids.contains(&(&object.kind, id)) {
                let owner = object.owner.as_ref().map(|it| (&it.address, it.generation));
                wrong.push(format!(
                    "I2: {id} bears the mark {owner:?} and is in no record"
                ));
            }
        }
        if self
            .head
            .is_some_and(|head| head.resources().len() != ids.len())
        {
            wrong.push("I2: two records hold one object".to_owned());
        }
        wrong
    }

    /// Whether an object may stand in the record of an address.
    fn is_ours(&self, address: &Address, generation: u64, object: &SandboxObject) -> bool {
        let id = object.remote_id.as_str();
        match &object.owner {
            Some(owner) if owner.address == *address => owner.generation == generation,
            // A move leaves the mark as it is until the next update.
            Some(owner) => self.head.is_none_or(|it| it.get(&owner.address).is_none()),
            None => self.hand.disowned.contains(id) || self.hand.squats.contains(id),
        }
    }

    /// What nobody gave us is as its owner left it.
    pub(super) fn others(&self) -> Vec<String> {
        let untouched = |own: &&SandboxObject| !self.objects.contains(own);
        let touched = self.hand.own.iter().filter(untouched);
        touched
            .filter(|own| !self.hand.squats.contains(own.remote_id.as_str()))
            .map(|own| format!("somebody else's {} {} was touched", own.kind, own.remote_id))
            .collect()
    }

    /// The world is what the graph asks for: no resource more, none less, each attribute as asked.
    pub(super) fn as_desired(&self, graph: &ResourceGraph, catalog: &Catalog) -> Vec<String> {
        let mut wrong = Vec::new();
        let Some(head) = self.head else {
            return vec!["I3: there is no record".to_owned()];
        };
        let is_thing = |address: &&Address| !catalog.is_check(&address.kind);
        let desired: BTreeSet<&Address> = graph.resources().keys().filter(is_thing).collect();
        let recorded: BTreeSet<&Address> = head.resources().keys().collect();
        for address in desired.symmetric_difference(&recorded) {
            wrong.push(format!("I3: {address} is only desired or only recorded"));
        }
        let object = |address: &Address| {
            let id = &head.get(address)?.remote_id;
            self.objects
                .iter()
                .find(|it| it.kind == address.kind && it.remote_id == *id)
        };
        for address in head.resources().keys() {
            if object(address).is_some_and(|it| it.owner.is_none()) {
                wrong.push(format!("I3: {address} bears no mark"));
            }
        }
        let told = |reference: &OutputRef| {
            let outputs = object(&reference.address).map(|it| &it.outputs);
            outputs
                .and_then(|it| it.get(&reference.output))
                .cloned()
                .unwrap_or(Value::Unknown)
        };
        for resource in graph
            .resources()
            .values()
            .filter(|it| desired.contains(&it.address))
        {
            let address = &resource.address;
            let Some(object) = object(address) else {
                wrong.push(format!("I3: {address} is not in the world"));
                continue;
            };
            let asked = resource.attributes.map_refs(&mut |it| told(it));
            let schema = catalog.get(&address.kind);
            for (key, value) in asked.iter() {
                let set_like =
                    schema.is_some_and(|it| it.attribute(key).is_some_and(|it| it.set_like));
                if !holds(value, object.attributes.get(key), set_like) {
                    let is = object.attributes.get(key);
                    wrong.push(format!("I3: {address} {key} is {is:?}, not {value:?}"));
                }
            }
        }
        wrong
    }
}

/// Whether what is there has all that was asked for.
fn holds(asked: &Value, is: Option<&Value>, set_like: bool) -> bool {
    match (asked, is) {
        (Value::Map(asked), Some(Value::Map(is))) => asked
            .iter()
            .all(|(key, value)| holds(value, is.get(key), false)),
        (Value::List(asked), Some(Value::List(is))) if set_like => {
            let sorted = |list: &[Value]| {
                let mut list = list.to_vec();
                list.sort();
                list.dedup();
                list
            };
            sorted(asked) == sorted(is)
        }
        // Of a set without an element nothing needs to be there.
        (Value::List(asked), None) if set_like => asked.is_empty(),
        // Which secret is told, what it holds is not; a rotation shows in the record.
        (Value::Secret(asked), Some(Value::Secret(is))) => asked.reference == is.reference,
        // A provider need not tell it.
        (Value::Secret(_), None) => true,
        (asked, is) => is == Some(asked),
    }
}

/// The tenant's objects, as far as a run can change them.
pub(super) fn fingerprint(objects: &[SandboxObject]) -> BTreeMap<String, Digest> {
    let ours = objects.iter().filter(|it| it.owner.is_some());
    ours.map(|it| {
        let state: (&Attributes, &Attributes) = (&it.attributes, &it.outputs);
        let (id, digest) = (&it.remote_id, Digest::of("simulation object", &state));
        (format!("{} {id}", it.kind), digest)
    })
    .collect()
}

/// The report says what happened: held against the world before and after.
pub(super) fn told_truly(
    plan: &Plan,
    report: &Report,
    before: &[SandboxObject],
    after: &[SandboxObject],
    pending: usize,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let ending = report.ending();
    if (ending == Ending::Unsettled) != (pending > 0) {
        wrong.push(format!("I4: it ended {ending:?} with {pending} pending"));
    }
    if ending == Ending::FailedBeforeEffect && fingerprint(before) != fingerprint(after) {
        wrong.push("I4: it says that nothing was changed, and something was".to_owned());
    }
    for (action, told) in plan.actions().iter().zip(&report.actions) {
        let Fate::Done { .. } = told.fate else {
            continue;
        };
        let address = action.address();
        let marked =
            |it: &&SandboxObject| it.owner.as_ref().is_some_and(|it| it.address == *address);
        let there = after.iter().find(marked);
        let lie = match &action.op {
            Op::Create { generation, .. } => !there.is_some_and(|it| {
                it.owner
                    .as_ref()
                    .is_some_and(|it| it.generation == *generation)
            }),
            Op::Update { .. } => there.is_none(),
            Op::Delete { recorded, .. } => after.iter().any(|it| {
                it.owner.as_ref().is_some_and(|owner| {
                    owner.address == *address && owner.generation == recorded.generation
                })
            }),
            Op::Check { .. } => false,
        };
        if lie {
            let verb = action.op.verb();
            wrong.push(format!(
                "I4: {verb} of {address} is told as done, and is not"
            ));
        }
    }
    wrong
}

/// I4: the chain holds, each request that was sent has its intent, and each intent its outcome.
pub(super) fn audited(store: &Store, sent: &[Sent]) -> Vec<String> {
    let entries = match store.audit(&AuditFilter::default()) {
        Ok(entries) => entries,
        Err(error) => return vec![format!("I4: the audit does not hold: {error}")],
    };
    let mut wrong = Vec::new();
    let mut started = BTreeSet::new();
    let mut open = BTreeMap::new();
    let mut newest = 0;
    for (number, entry) in entries {
        let fence = entry.fence.unwrap_or(newest);
        if fence < newest {
            wrong.push(format!(
                "I4: audit row {number} is of fence {fence}, after one of fence {newest}"
            ));
        }
        newest = fence;
        let (Some(run), Some(address)) = (entry.run, entry.address) else {
            continue;
        };
        let detail = |name: &str| entry.detail.get(name).cloned().unwrap_or_default();
        match entry.event {
            AuditEvent::Started => {
                started.insert((run.clone(), address.clone(), detail("attempt")));
                open.insert((run, address, detail("op")), number);
            }
            AuditEvent::Finished
                if !matches!(&*detail("outcome"), "unknown" | "started")
                    && open.remove(&(run, address.clone(), detail("op"))).is_none() =>
            {
                wrong.push(format!(
                    "I4: audit row {number}: {address} ends without a start"
                ));
            }
            _ => {}
        }
    }
    for ((_, address, op), number) in open {
        wrong.push(format!(
            "I4: audit row {number}: {op} of {address} has no outcome"
        ));
    }
    for Sent {
        run,
        address,
        attempt,
    } in sent
    {
        if !started.contains(&(run.clone(), address.clone(), attempt.to_string())) {
            wrong.push(format!(
                "I4: {address}, try {attempt} of {run}, was sent without an intent"
            ));
        }
    }
    wrong
}
