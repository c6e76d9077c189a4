//! A saved plan under the lock: does it still fit?

use std::path::Path;

use matih_executor::observe;
use matih_model::{Address, Observation, Plan, Reading, Snapshot, Version};
use matih_planner::{Unalterable, guard};
use matih_state::LockedStore;

use crate::compiler::Compiler;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::plan_file::SavedPlan;
use crate::work::planning::{Order, Planned};
use crate::work::{Workshop, look};

/// So many hands on one object are told.
const HANDS: usize = 3;

/// A plan as it is saved.
pub(crate) fn saved_plan(
    order: &Order,
    planned: &Planned,
    allow_data_loss: &[String],
) -> SavedPlan {
    SavedPlan {
        spec: order.spec.clone(),
        inputs: order.inputs,
        serial: planned.base.as_ref().map_or(0, |base| base.serial()),
        refreshed: planned.drift.is_some(),
        whole: order.is_whole(),
        allow_data_loss: allow_data_loss.to_vec(),
        plan: planned.plan.clone(),
    }
}

/// Holds a saved plan against the tenant, its spec, its secrets and the world as they are now.
///
/// # Errors
/// Something has moved since (exit code 8). Nothing was changed.
pub(super) async fn check(
    work: &Workshop,
    store: &LockedStore,
    saved: &SavedPlan,
) -> Result<Planned, Failure> {
    let plan = &saved.plan;
    let head = store.head().cloned();
    if plan.base() != head.as_ref().map(|head| head.id()) {
        let from = match saved.serial {
            0 => "nothing".to_owned(),
            serial => format!("snapshot #{serial}"),
        };
        let now = head.map_or("nothing".to_owned(), |head| format!("#{}", head.serial()));
        return Err(stale(
            plan,
            &format!("it starts from {from}, and the tenant is at {now}"),
        ));
    }
    spec_is_the_same(work, saved)?;
    secrets_are_the_same(work, plan)?;
    if let Some(head) = &head
        && saved.refreshed
    {
        let heads = [head.clone()];
        let mut seen = observe(work.installation.registry()?, &heads, &look()).await;
        let seen = seen.remove(plan.tenant()).unwrap_or_default();
        if let Some(address) = moved(plan, head, &seen) {
            let what = whose(seen.get(address));
            return Err(stale(plan, &format!("{address} {what}")));
        }
    }
    let verdict = guard(plan, head.as_deref(), &work.settings.approvals);
    Ok(Planned {
        plan: plan.clone(),
        base: head,
        drift: None,
        rehearsed: None,
        unalterable: Unalterable::new(),
        verdict,
        inverse: None,
        estimate_ms: None,
        tier: None,
        unread: Vec::new(),
    })
}

/// The spec file, where it is still there, must be the one that was planned.
fn spec_is_the_same(work: &Workshop, saved: &SavedPlan) -> Result<(), Failure> {
    let Some(spec) = &saved.spec else {
        return Ok(());
    };
    let Ok(source) = matih_specs::load::file(Path::new(spec)) else {
        return Ok(());
    };
    let compiler = Compiler::new(&work.context, &work.installation.platform)?;
    if compiler.inputs(&source) == saved.inputs {
        Ok(())
    } else {
        Err(stale(
            &saved.plan,
            &format!("{spec}, the platform file or the blueprint has changed since"),
        ))
    }
}

fn secrets_are_the_same(work: &Workshop, plan: &Plan) -> Result<(), Failure> {
    for action in plan.actions() {
        for secret in action.op.resource().attributes.secrets() {
            if work.installation.secrets.digest(&secret.reference) != secret.digest {
                return Err(stale(
                    plan,
                    &format!("the value of {} has changed since", secret.reference),
                ));
            }
        }
    }
    Ok(())
}

/// The first object of the read set whose token is another now.
fn moved<'a>(plan: &'a Plan, head: &Snapshot, seen: &Observation) -> Option<&'a Address> {
    let token = |address: &Address| -> Option<Version> {
        match seen.get(address)? {
            Reading::Unchanged => head.get(address)?.version.clone(),
            Reading::Present(observed) => Some(observed.version.clone()),
            Reading::Missing | Reading::Unknown(_) => None,
        }
    };
    let read = plan
        .reads()
        .iter()
        .find(|(address, version)| token(address).as_ref() != Some(version));
    read.map(|(address, _)| address)
}

/// What has become of an object since the plan was made, and who did it.
fn whose(seen: Option<&Reading>) -> String {
    match seen {
        Some(Reading::Missing) => "is gone".to_owned(),
        Some(Reading::Unknown(why)) => format!("cannot be read any more: {why}"),
        Some(Reading::Present(observed)) if !observed.touches.is_empty() => {
            let hands = observed.touches.iter().take(HANDS);
            let hands = hands.map(|touch| format!("`{}` {touch}", touch.path));
            let hands: Vec<_> = hands.collect();
            format!("was changed since the plan was made: {}", hands.join(", "))
        }
        _ => "has changed since the plan was made".to_owned(),
    }
}

fn stale(plan: &Plan, why: &str) -> Failure {
    let message = format!(
        "The saved plan of {} is stale: {why}. Nothing was changed.",
        plan.tenant()
    );
    Failure::new(Exit::Stale, message).hint("make it again: matih plan SPEC --out FILE")
}
