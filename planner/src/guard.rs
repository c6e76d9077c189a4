//! Looks at a plan for what a person must agree to apart from the plan itself.
//!
//! Protection is refused, loss of data and deleting much at once need a separate approval. The
//! guard decides by undo classes, protection and counts; it never looks at reasons.

use std::collections::BTreeSet;

use matih_model::{Action, Address, Op, Plan, Snapshot, UndoClass, Verb};
use serde::Serialize;

use crate::input::AddressPattern;

/// What a person has agreed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approvals {
    /// Data of these may be lost: `--allow-data-loss`.
    pub data_loss: Vec<AddressPattern>,
    /// Much may be deleted at once: `--allow-mass-delete`.
    pub mass_delete: bool,
    /// These may be deleted or replaced although they are protected: `--override-protection`.
    pub override_protection: Vec<AddressPattern>,
}

/// The rule that a finding comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A protected resource would be deleted or replaced.
    Protected,
    /// Deleting the resource loses data.
    DataLoss,
    /// A large part of the tenant would be deleted by something that is no destroy.
    MassDelete,
}

/// One thing that keeps a plan from being carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about; `None`: the plan as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Which rule.
    pub rule: Rule,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do if it is meant: the exact flag.
    pub hint: String,
}

/// The answer of the guard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "findings")]
pub enum Verdict {
    /// Nothing stands against it.
    Allowed,
    /// It may be carried out once each of these is approved.
    NeedsApproval(Vec<Finding>),
    /// It may not be carried out; also holds what would need approval.
    Refused(Vec<Finding>),
}

impl Verdict {
    /// All findings, refusals first.
    pub fn findings(&self) -> &[Finding] {
        match self {
            Self::Allowed => &[],
            Self::NeedsApproval(findings) | Self::Refused(findings) => findings,
        }
    }
}

/// Deleting more than one resource in this many needs approval (reliability.md section 6: above
/// 20 %), since a lost or foreign record looks just so.
const MASS_DELETE_ONE_IN: usize = 5;
/// Deleting this many is never called much: a small tenant may lose one module.
const MASS_DELETE_FLOOR: usize = 5;

/// Judges a plan made from `base`.
pub fn guard(plan: &Plan, base: Option<&Snapshot>, approvals: &Approvals) -> Verdict {
    let returning: BTreeSet<&Address> = plan
        .actions()
        .iter()
        .filter(|action| matches!(action.op, Op::Create { .. }))
        .map(Action::address)
        .collect();
    let mut findings = Vec::new();
    for action in plan.actions() {
        if let Op::Delete { recorded, .. } = &action.op {
            let replaced = returning.contains(action.address());
            findings.extend(protected(
                plan,
                action,
                &recorded.resource.lifecycle,
                replaced,
                approvals,
            ));
            findings.extend(data_loss(action, replaced, approvals));
        }
    }
    findings.extend(mass_delete(plan, &returning, base, approvals));
    findings.sort_by(|a, b| (a.rule, &a.address).cmp(&(b.rule, &b.address)));
    match findings.first() {
        None => Verdict::Allowed,
        Some(first) if first.rule == Rule::Protected => Verdict::Refused(findings),
        Some(_) => Verdict::NeedsApproval(findings),
    }
}

fn covers(patterns: &[AddressPattern], address: &Address) -> bool {
    patterns.iter().any(|pattern| pattern.matches(address))
}

fn protected(
    plan: &Plan,
    action: &Action,
    recorded: &matih_model::Lifecycle,
    replaced: bool,
    approvals: &Approvals,
) -> Option<Finding> {
    let address = action.address();
    // The spec's word counts where it still has the resource, the record's where it has not:
    // taking a resource out of the spec does not take its protection away.
    let mut creates = plan
        .actions()
        .iter()
        .filter(|other| other.address() == address);
    let protect = if replaced {
        creates
            .any(|it| matches!(&it.op, Op::Create { resource, .. } if resource.lifecycle.protect))
    } else {
        recorded.protect
    };
    if !protect || covers(&approvals.override_protection, address) {
        return None;
    }
    let verb = if replaced { "replaced" } else { "deleted" };
    let spec = if replaced {
        "remove `protect` from it in the spec"
    } else {
        "set `protect = false` on it in the spec, apply that, then delete it"
    };
    Some(Finding {
        address: Some(address.clone()),
        rule: Rule::Protected,
        message: format!("{address} has `protect` and would be {verb}."),
        hint: format!("{spec}; or pass `--override-protection {address}`"),
    })
}

fn data_loss(action: &Action, replaced: bool, approvals: &Approvals) -> Option<Finding> {
    let address = action.address();
    if action.undo != UndoClass::DataBearing || covers(&approvals.data_loss, address) {
        return None;
    }
    let verb = if replaced { "Replacing" } else { "Deleting" };
    Some(Finding {
        address: Some(address.clone()),
        rule: Rule::DataLoss,
        message: format!("{verb} {address} loses the data in it."),
        hint: format!("pass `--allow-data-loss {address}` if that is meant"),
    })
}

fn mass_delete(
    plan: &Plan,
    returning: &BTreeSet<&Address>,
    base: Option<&Snapshot>,
    approvals: &Approvals,
) -> Option<Finding> {
    let gone = |action: &&Action| {
        matches!(action.op, Op::Delete { .. }) && !returning.contains(action.address())
    };
    let deletes = plan.actions().iter().filter(gone).count();
    let recorded = base.map_or(0, |base| base.resources().len());
    let many = deletes > MASS_DELETE_FLOOR && deletes * MASS_DELETE_ONE_IN > recorded;
    if approvals.mass_delete || !many || *plan.verb() == Verb::Destroy {
        return None;
    }
    Some(Finding {
        address: None,
        rule: Rule::MassDelete,
        message: format!(
            "The plan deletes {deletes} of the {recorded} recorded resources of {}, more than a fifth.",
            plan.tenant()
        ),
        hint: "check that this is the right spec; pass `--allow-mass-delete` if it is meant"
            .to_owned(),
    })
}
