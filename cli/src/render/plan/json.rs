//! A plan for programs. The shape is stable: keys are added, never changed or taken away.
//!
//! `{v, tenant, tier, tenancy, verb, plan, inputs, base: {serial, id}, refreshed, summary, waves,
//! estimate_ms, changes: [{address, phase, steps, actions, reason, undo, before, after, attributes:
//! [{path, before, after, forces_replacement, sensitive}], rehearsal: {answer, why, hint, blocks,
//! checked, filled, paths, objects, warnings}}], edits: [{edit, address, to}], drift,
//! notes, guard, undo: {summary, one_way, loses_data}}`. A change's `before` and `after` are all of
//! the resource's attributes as recorded and as desired, null where there are none, so that a
//! policy can judge what is about to be; its `attributes` are those that an update changes. Its
//! `rehearsal` is there where the provider can be asked; of its keys an answer has its own: `accepted`,
//! `not_yet`, `refused`, `misfit` (whatever comes first), `immutable`. Values
//! are as in [`matih_model::value`]; a sensitive one is `{"$sensitive": true}` in a change, and
//! `(sensitive value)` among all attributes.

use matih_model::{AttributeChange, Attributes, Edit, Op};
use serde_json::{Value, json};

use super::{PlanView, Row, counts, rehearsal, rows};
use crate::render::{drift, value};

/// The plan as one JSON object.
pub(crate) fn json(view: &PlanView<'_>) -> Value {
    let plan = view.plan;
    let groups = rows(plan);
    let changes: Vec<_> = groups
        .iter()
        .flat_map(|(phase, rows)| rows.iter().map(move |row| (phase, row)))
        .map(|(phase, row)| {
            let mut change = json!({
                "address": row.address,
                "phase": phase,
                "steps": row.steps(),
                "actions": actions(row),
                "reason": row.reason().map(ToString::to_string),
                "forced_by": row.forced_by(),
                "undo": row.undo(),
                "before": before(view, row),
                "after": after(view, row),
                "attributes": attributes(row),
            });
            let rehearsal = rehearsal::json(view, row.address);
            if let (Some(rehearsal), Some(fields)) = (rehearsal, change.as_object_mut()) {
                fields.insert("rehearsal".to_owned(), rehearsal);
            }
            change
        })
        .collect();
    let waves: Vec<_> = plan
        .waves()
        .iter()
        .map(|wave| json!({ "sweep": wave.sweep, "phase": wave.phase, "actions": wave.actions.len() }))
        .collect();
    json!({
        "v": 1,
        "tenant": plan.tenant(),
        "tier": view.tier,
        "tenancy": plan.tenancy(),
        "verb": plan.verb().to_string(),
        "plan": plan.id(),
        "inputs": plan.inputs(),
        "base": view.base.map(|base| json!({ "serial": base.serial(), "id": base.id() })),
        "refreshed": view.drift.is_some(),
        "summary": counts(plan),
        "waves": waves,
        "estimate_ms": view.estimate_ms,
        "changes": changes,
        "edits": plan.edits().iter().map(edit).collect::<Vec<_>>(),
        "drift": view.drift.map(drift::not_in_sync),
        "notes": plan.notes(),
        "guard": view.verdict,
        "undo": view.inverse.map(|inverse| json!({
            "summary": counts(&inverse.plan),
            "one_way": inverse.one_way,
            "loses_data": inverse.loses_data,
        })),
    })
}

fn actions(row: &Row<'_>) -> Vec<&'static str> {
    [row.before, row.after]
        .into_iter()
        .flatten()
        .map(Op::verb)
        .collect()
}

/// All attributes as recorded.
fn before(view: &PlanView<'_>, row: &Row<'_>) -> Option<Attributes> {
    let recorded = match (row.before, row.after) {
        (Some(Op::Delete { recorded, .. }), _) | (_, Some(Op::Update { recorded, .. })) => recorded,
        _ => return None,
    };
    let schema = view.catalog.get(&row.address.kind);
    Some(value::masked(schema, &recorded.applied()))
}

/// All attributes as desired.
fn after(view: &PlanView<'_>, row: &Row<'_>) -> Option<Attributes> {
    let resource = row.after?.resource();
    let schema = view.catalog.get(&row.address.kind);
    Some(value::masked(schema, &resource.attributes))
}

fn attributes(row: &Row<'_>) -> Vec<Value> {
    match row.after {
        Some(Op::Update { changes, .. }) => changes.iter().map(attribute).collect(),
        _ => Vec::new(),
    }
}

/// One attribute that differs.
pub(crate) fn attribute(change: &AttributeChange) -> Value {
    let mut document = json!({
        "path": change.path,
        "before": value::json(change.before.as_ref(), change.sensitive),
        "after": value::json(change.after.as_ref(), change.sensitive),
        "forces_replacement": change.forces_replacement,
        "sensitive": change.sensitive,
    });
    if let (Some(cause), Some(fields)) = (&change.cause, document.as_object_mut()) {
        fields.insert("cause".to_owned(), json!(cause));
    }
    document
}

fn edit(edit: &Edit) -> Value {
    let (name, to) = match edit {
        Edit::Rewrite { .. } => ("rewrite", None),
        Edit::Forget { .. } => ("forget", None),
        Edit::Move { to, .. } => ("move", Some(to)),
        Edit::Refresh { .. } => ("refresh", None),
    };
    json!({ "edit": name, "address": edit.address(), "to": to })
}
