//! The way back from a plan, known before the plan is carried out.

use std::collections::BTreeMap;

use matih_model::{
    Action, Address, Applied, Attributes, Catalog, Edit, Observation, Op, Origin, Plan, RemoteId,
    ResourceGraph, RunId, Snapshot, UndoClass, Value, Verb, Version,
};

use crate::after::after;
use crate::error::PlannerError;
use crate::input::{PlanInput, PlanOptions, Unalterable};

/// What it would take to undo a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inverse {
    /// The plan back, from the predicted record. For people only, never to be applied: what
    /// providers will tell is Unknown in it, and a rollback is planned afresh from what was
    /// recorded.
    pub plan: Plan,
    /// What the plan does that cannot be undone at all.
    pub one_way: Vec<Address>,
    /// What loses data, by the plan (a delete) or by its undoing (of a create).
    pub loses_data: Vec<Address>,
}

/// Plans the way back: from the record as it will be after `plan`, to `base`. What could not be
/// altered on the way there cannot be altered on the way back.
///
/// # Errors
/// As [`crate::plan`]: the base cannot be desired again, since it refers to what is not in it.
pub fn inverse(
    plan: &Plan,
    base: Option<&Snapshot>,
    catalog: &Catalog,
    unalterable: &Unalterable,
) -> Result<Inverse, PlannerError> {
    let resources = after(plan, base, &mut |action, _| predicted(action, catalog));
    let verb = base.map_or(Verb::Destroy, |base| Verb::Rollback(base.id()));
    let undone = Snapshot::new(
        plan.tenant().clone(),
        base.map_or(1, |base| base.serial() + 1),
        base.map(Snapshot::id),
        Origin {
            run: RunId::new("predicted"),
            verb: plan.verb().clone(),
        },
        plan.tenancy(),
        resources,
    );
    let desired = match base {
        Some(base) => base.as_desired(),
        None => ResourceGraph::empty(plan.tenant().clone(), plan.tenancy()),
    };
    let moved = plan.edits().iter().filter_map(|edit| match edit {
        Edit::Move { from, to } => Some((to.resource_name(), from.resource_name())),
        _ => None,
    });
    let back = crate::plan(&PlanInput {
        tenant: plan.tenant(),
        base: Some(&undone),
        desired: &desired,
        observation: &Observation {
            readings: BTreeMap::new(),
        },
        catalog,
        options: &PlanOptions {
            moved: moved.collect(),
            unalterable: unalterable.clone(),
            ..PlanOptions::default()
        },
        verb,
        inputs: plan.inputs(),
    })?;
    let of = |class| {
        let actions = plan.actions().iter().filter(|action| action.undo == class);
        let mut addresses: Vec<_> = actions.map(Action::address).cloned().collect();
        addresses.sort();
        addresses.dedup();
        addresses
    };
    Ok(Inverse {
        plan: back,
        one_way: of(UndoClass::OneWay),
        loses_data: of(UndoClass::DataBearing),
    })
}

/// What can be said of a provider's answer before it is asked.
fn predicted(action: &Action, catalog: &Catalog) -> Applied {
    let schema = catalog.get(&action.address().kind);
    let outputs = schema.map(|schema| &*schema.outputs).unwrap_or_default();
    let (remote_id, kept) = match &action.op {
        Op::Update { recorded, .. } => (recorded.remote_id.clone(), Some(&recorded.outputs)),
        _ => (RemoteId::new("known after apply"), None),
    };
    let outputs = outputs.iter().map(|output| {
        let kept = kept
            .filter(|_| !output.volatile)
            .and_then(|kept| kept.get(&output.name));
        (output.name.clone(), kept.cloned().unwrap_or(Value::Unknown))
    });
    Applied {
        remote_id,
        outputs: outputs.collect::<Attributes>(),
        version: Version::new("known after apply"),
        adopted: false,
        unready: None,
    }
}
