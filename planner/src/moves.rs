//! What the record is called now: moved blocks, and all edits of the record in their order.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use matih_model::{
    Address, Edit, OutputRef, Recorded, RemoteId, Resource, ResourceName, Snapshot, Value,
};

use crate::diff::Difference;
use crate::error::PlannerError;
use crate::input::PlanInput;

/// The record that a plan starts from: the base snapshot under the names of today.
#[derive(Debug)]
pub(crate) struct Records<'a> {
    by_address: Cow<'a, BTreeMap<Address, Arc<Recorded>>>,
    moved: BTreeMap<Address, Address>,
}

impl Records<'_> {
    /// All of it.
    pub(crate) fn all(&self) -> &BTreeMap<Address, Arc<Recorded>> {
        &self.by_address
    }

    /// One resource.
    pub(crate) fn get(&self, address: &Address) -> Option<&Arc<Recorded>> {
        self.by_address.get(address)
    }

    /// What the base, and so the observation, calls an address of today.
    pub(crate) fn name_in_base<'b>(&'b self, address: &'b Address) -> &'b Address {
        let old = self.moved.iter().find(|(_, new)| *new == address);
        old.map_or(address, |(old, _)| old)
    }
}

/// Applies the moves of the request to the base.
pub(crate) fn records<'a>(input: &PlanInput<'a>) -> Result<Records<'a>, PlannerError> {
    for (what, found) in [
        ("spec", Some(input.desired.tenant())),
        ("snapshot", input.base.map(Snapshot::tenant)),
    ] {
        if let Some(found) = found.filter(|found| *found != input.tenant) {
            let (wanted, found) = (input.tenant.clone(), found.clone());
            return Err(PlannerError::Tenant {
                wanted,
                what,
                found,
            });
        }
    }
    let Some(base) = input.base else {
        return Ok(Records {
            by_address: Cow::Owned(BTreeMap::new()),
            moved: BTreeMap::new(),
        });
    };
    let moved = moves(input, base)?;
    let by_address = if moved.is_empty() {
        Cow::Borrowed(base.resources())
    } else {
        Cow::Owned(renamed(base.resources(), &moved))
    };
    Ok(Records { by_address, moved })
}

/// The moves that concern the record, each from the name it has to the last name of its chain.
fn moves(
    input: &PlanInput<'_>,
    base: &Snapshot,
) -> Result<BTreeMap<Address, Address>, PlannerError> {
    if input.options.refresh_only {
        return Ok(BTreeMap::new());
    }
    let mut next: BTreeMap<&ResourceName, &ResourceName> = BTreeMap::new();
    for (from, to) in &input.options.moved {
        if from.kind != to.kind {
            return Err(PlannerError::MoveKind {
                from: from.clone(),
                to: to.clone(),
            });
        }
        if next.insert(from, to).is_some_and(|other| other != to) {
            return Err(PlannerError::MoveTwice(from.clone()));
        }
    }
    let mut moved = BTreeMap::new();
    let mut taken = BTreeSet::new();
    for start in next.keys() {
        let mut last = *start;
        let mut length = 0;
        while let Some(further) = next.get(last) {
            last = *further;
            length += 1;
            if length > next.len() {
                return Err(PlannerError::MoveCircle((*start).clone()));
            }
        }
        let (from, to) = (start.of(input.tenant), last.of(input.tenant));
        if base.get(&from).is_none() {
            continue;
        }
        if base.get(&to).is_some() || !taken.insert(to.clone()) {
            return Err(PlannerError::MoveOccupied { from, to });
        }
        if input.desired.get(&from).is_some() {
            return Err(PlannerError::MoveDesired { from, to });
        }
        moved.insert(from, to);
    }
    Ok(moved)
}

/// Records under new names, also where others refer to them.
pub(crate) fn renamed(
    records: &BTreeMap<Address, Arc<Recorded>>,
    moved: &BTreeMap<Address, Address>,
) -> BTreeMap<Address, Arc<Recorded>> {
    let now = |address: &Address| moved.get(address).unwrap_or(address).clone();
    let rename = |reference: &OutputRef| OutputRef {
        address: now(&reference.address),
        output: reference.output.clone(),
    };
    let one = |recorded: &Arc<Recorded>| {
        let resource = &recorded.resource;
        let mentioned = resource
            .dependencies()
            .into_iter()
            .chain([&resource.address]);
        if !mentioned
            .into_iter()
            .any(|address| moved.contains_key(address))
        {
            return Arc::clone(recorded);
        }
        let resource = Resource {
            address: now(&resource.address),
            depends_on: resource.depends_on.iter().map(now).collect(),
            attributes: resource
                .attributes
                .map_refs(&mut |it| Value::Ref(rename(it))),
            ..resource.clone()
        };
        let resolved = recorded.resolved.iter();
        Arc::new(Recorded {
            resource,
            resolved: resolved
                .map(|(it, value)| (rename(it), value.clone()))
                .collect(),
            ..Recorded::clone(recorded)
        })
    };
    records
        .iter()
        .map(|(address, recorded)| (now(address), one(recorded)))
        .collect()
}

/// All edits of a plan, in the order in which they are carried out: names first, then what was
/// read, then what is known beside it, and last what is dropped. A move reaches into every record
/// that refers to the old name, so the others start from the names of today.
pub(crate) fn edits(records: &Records<'_>, found: Difference) -> Vec<Edit> {
    let moved = records.moved.iter();
    let moved = moved.map(|(from, to)| Edit::Move {
        from: from.clone(),
        to: to.clone(),
    });
    let mut rewritten = found.rewritten;
    rewritten.sort_by(|a, b| a.address.cmp(&b.address));
    let rewritten = rewritten.into_iter();
    let rewritten = rewritten.map(|resource| Edit::Rewrite { resource });
    let forgotten = found.forgotten.into_iter();
    let forgotten = forgotten.map(|address| Edit::Forget { address });
    moved
        .chain(found.refreshed)
        .chain(rewritten)
        .chain(forgotten)
        .collect()
}

/// The moves that lead from one snapshot's names to another's: what bears other names in both
/// but is the same object (kind and remote id). A rollback over a move needs them.
pub fn moves_between(from: &Snapshot, to: &Snapshot) -> Vec<(ResourceName, ResourceName)> {
    let only_in = |one: &Snapshot, other: &Snapshot| -> BTreeMap<_, ResourceName> {
        let resources = one.resources().iter();
        resources
            .filter(|(address, _)| other.get(address).is_none())
            .map(|(address, it)| {
                let object = (address.kind.clone(), RemoteId::clone(&it.remote_id));
                (object, address.resource_name())
            })
            .collect()
    };
    let targets = only_in(to, from);
    let sources = only_in(from, to).into_iter();
    sources
        .filter_map(|(object, name)| targets.get(&object).map(|new| (name, new.clone())))
        .collect()
}
