//! The record after a plan was carried out, without carrying it out.

use std::collections::BTreeMap;
use std::sync::Arc;

use matih_model::{
    Action, Address, Applied, Attributes, Edit, Op, OutputRef, Recorded, Resource, Snapshot, Value,
};

use crate::moves::renamed;

type Records = BTreeMap<Address, Arc<Recorded>>;

/// The record that follows from `base` when every edit and every action of a plan succeeds.
///
/// `world` plays the providers: it is asked in order for each create and update, with the
/// attributes as they would be sent, and answers what came of it.
pub fn after(
    plan: &matih_model::Plan,
    base: Option<&Snapshot>,
    world: &mut dyn FnMut(&Action, &Attributes) -> Applied,
) -> Records {
    let mut records = base
        .map(|base| base.resources().clone())
        .unwrap_or_default();
    for edit in plan.edits() {
        apply_edit(&mut records, edit);
    }
    for action in plan.actions() {
        let (resource, generation) = match &action.op {
            Op::Create {
                resource,
                generation,
            } => (resource, *generation),
            Op::Update {
                recorded, resource, ..
            } => (resource, recorded.generation),
            Op::Delete { .. } => {
                records.remove(action.address());
                continue;
            }
            Op::Check { .. } => continue,
        };
        let resolved = resolved(&records, resource);
        let sent = resource
            .attributes
            .map_refs(&mut |it| resolved.get(it).cloned().unwrap_or(Value::Unknown));
        let applied = world(action, &sent);
        let recorded = Recorded {
            resource: Resource::clone(resource),
            remote_id: applied.remote_id,
            outputs: applied.outputs,
            generation,
            resolved,
            version: Some(applied.version),
            unsettled: false,
        };
        records.insert(action.address().clone(), Arc::new(recorded));
    }
    records
}

fn apply_edit(records: &mut Records, edit: &Edit) {
    match edit {
        Edit::Move { from, to } => {
            *records = renamed(records, &BTreeMap::from([(from.clone(), to.clone())]));
        }
        Edit::Forget { address } => _ = records.remove(address),
        Edit::Refresh {
            address,
            outputs,
            version,
        } => {
            alter(records, address, |recorded| Recorded {
                outputs: outputs.clone(),
                version: Some(version.clone()),
                ..recorded
            });
        }
        Edit::Rewrite { resource } => {
            let resolved = resolved(records, resource);
            alter(records, &resource.address, |recorded| Recorded {
                resource: Resource::clone(resource),
                resolved,
                ..recorded
            });
        }
    }
}

fn alter(records: &mut Records, address: &Address, change: impl FnOnce(Recorded) -> Recorded) {
    if let Some(recorded) = records.get_mut(address) {
        *recorded = Arc::new(change(Recorded::clone(recorded)));
    }
}

/// What the references of a resource stand for, by the record as it is at that moment.
fn resolved(records: &Records, resource: &Resource) -> BTreeMap<OutputRef, Value> {
    let own = records.get(&resource.address);
    let value = |reference: &OutputRef| {
        let target = records.get(&reference.address);
        let output = target.and_then(|target| target.outputs.get(&reference.output));
        let before = || own.and_then(|own| own.resolved.get(reference));
        output.or_else(before).cloned().unwrap_or(Value::Unknown)
    };
    let references = resource.attributes.refs().into_iter();
    references
        .map(|reference| (reference.clone(), value(reference)))
        .collect()
}
