//! What a person must know before they say yes: what stands against a plan, what cannot be undone,
//! what loses data, and the way back.

use std::fmt::Write;

use matih_model::{Address, Op};
use matih_planner::{Finding, Rule, Verdict};

use super::{PlanView, counts};
use crate::render::style::{BAD, FAINT, WARN, paint};

/// What the guard has found. What loses data is listed with the consequences, so it is counted
/// here.
pub(super) fn findings(verdict: &Verdict) -> String {
    let heading = match verdict {
        Verdict::Allowed => return String::new(),
        Verdict::NeedsApproval(_) => "Needs an approval of its own:",
        Verdict::Refused(_) => "Refused:",
    };
    let mut text = format!("\n{}\n", paint(BAD, heading));
    let (lost, others): (Vec<_>, Vec<_>) = verdict
        .findings()
        .iter()
        .partition(|finding| finding.rule == Rule::DataLoss);
    for Finding { message, hint, .. } in others {
        let _ = writeln!(text, "  {message}\n    {}", paint(FAINT, hint));
    }
    match lost.as_slice() {
        [] => {}
        [only] => {
            let _ = writeln!(text, "  {}\n    {}", only.message, paint(FAINT, &only.hint));
        }
        many => {
            let hint = "pass `--allow-data-loss ADDRESS` for each, or `--allow-data-loss all`";
            let _ = writeln!(
                text,
                "  The data of {} resources is lost.\n    {}",
                many.len(),
                paint(FAINT, hint)
            );
        }
    }
    text
}

/// What cannot be undone, what loses data, and the way back.
pub(super) fn consequences(view: &PlanView<'_>) -> String {
    let Some(inverse) = view.inverse else {
        return String::new();
    };
    let mut text = String::new();
    let goes = |address: &&Address| {
        let acted = view.plan.actions().iter();
        acted
            .filter(|it| it.address() == *address)
            .any(|it| matches!(it.op, Op::Delete { .. }))
    };
    let (now, later): (Vec<_>, Vec<_>) = inverse.loses_data.iter().partition(goes);
    for (style, heading, addresses) in [
        (BAD, "This loses data, now:", now),
        (
            WARN,
            "This cannot be undone:",
            inverse.one_way.iter().collect(),
        ),
    ] {
        if !addresses.is_empty() {
            let _ = writeln!(text, "\n{}", paint(style, heading));
            addresses
                .iter()
                .for_each(|address| text += &format!("  {address}\n"));
        }
    }
    let back = counts(&inverse.plan);
    if back.is_nothing() {
        return text + "\nUndo: there is nothing to undo, it restores what was applied.\n";
    }
    let target = match view.base {
        Some(base) => format!(
            "matih rollback {} --to {}",
            view.plan.tenant(),
            base.serial()
        ),
        None => format!("matih destroy {}", view.plan.tenant()),
    };
    let _ = write!(text, "\nUndo: {} ({target})", back.in_words());
    if !later.is_empty() {
        let _ = write!(text, "; it would lose the data of {}", some(&later));
    }
    text + ".\n"
}

/// The first few of many addresses.
fn some(addresses: &[&Address]) -> String {
    const MOST: usize = 3;
    let names: Vec<_> = addresses
        .iter()
        .take(MOST)
        .map(|it| it.resource_name().to_string())
        .collect();
    match addresses.len().saturating_sub(MOST) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}
