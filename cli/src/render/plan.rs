//! A plan as people read it, before they say yes.
//!
//! From top to bottom: whose plan and from what, what has changed outside of matih, the actions
//! by phase with what would come of each, what stands against it, what cannot be undone and what loses data, the way back, how
//! long it may take, one line of numbers, and the command to type next.

mod consequences;
mod json;
mod markdown;
mod rehearsal;
mod rows;

use std::fmt::Write;

use matih_executor::Rehearsed;
use matih_model::{Catalog, Edit, Op, Plan, Snapshot, Tenancy};
use matih_planner::{Drift, DriftReport, Inverse, Verdict};

pub(crate) use json::{attribute, json};
pub(crate) use markdown::markdown;
use rows::Row;
pub(crate) use rows::{counts, rows, steps};

use super::style::{ADD, BAD, CHANGE, FAINT, LOOK, REMOVE, STRONG, WARN, paint};
use super::{diff, drift, time, value};

/// A plan and all that is told with it.
pub(crate) struct PlanView<'a> {
    /// The plan.
    pub(crate) plan: &'a Plan,
    /// The snapshot that it starts from.
    pub(crate) base: Option<&'a Snapshot>,
    /// All kinds.
    pub(crate) catalog: &'a Catalog,
    /// The tier, where a spec says it.
    pub(crate) tier: Option<String>,
    /// What the world was like; none if nobody looked.
    pub(crate) drift: Option<&'a DriftReport>,
    /// What would come of its actions; none if nobody was asked.
    pub(crate) rehearsed: Option<&'a Rehearsed>,
    /// What the guard says.
    pub(crate) verdict: &'a Verdict,
    /// The way back.
    pub(crate) inverse: Option<&'a Inverse>,
    /// How long it may take, in milliseconds, from earlier runs.
    pub(crate) estimate_ms: Option<u64>,
    /// Show every attribute of what is created and deleted.
    pub(crate) detail: bool,
}

/// Whether people are to see anything in a plan: actions, or records that are forgotten or moved.
pub(crate) fn has_news(plan: &Plan) -> bool {
    let counts = |edit: &Edit| !matches!(edit, Edit::Rewrite { .. } | Edit::Refresh { .. });
    !plan.actions().is_empty() || plan.edits().iter().any(counts)
}

/// The plan as text.
pub(crate) fn text(view: &PlanView<'_>) -> String {
    let mut text = header(view);
    text += &outside(view);
    if !has_news(view.plan) {
        let words = if is_unread(view) {
            "No changes, as far as could be read."
        } else {
            "No changes."
        };
        let _ = writeln!(text, "\n{}", paint(STRONG, words));
        if let [_, ..] = view.plan.edits() {
            let _ = writeln!(text, "{}", record_only(view.plan.edits()));
        }
        return text;
    }
    text += &differences(view);
    text += &notes(view.plan);
    text += &consequences::findings(view.verdict);
    text += &consequences::consequences(view);
    text += &numbers(view);
    text
}

/// The rows by phase, and what happens to the record alone.
pub(crate) fn differences(view: &PlanView<'_>) -> String {
    let mut text = String::new();
    for (phase, rows) in rows(view.plan) {
        let _ = writeln!(text, "\n{}", paint(STRONG, format!("Phase {phase}")));
        let width = rows
            .iter()
            .map(|row| row.name().len())
            .max()
            .unwrap_or(0)
            .min(56);
        for row in &rows {
            text += &row_text(view, row, width);
        }
    }
    text + &edits(view.plan.edits())
}

fn header(view: &PlanView<'_>) -> String {
    let plan = view.plan;
    let tenancy = match plan.tenancy() {
        Tenancy::Shared => "shared cluster",
        Tenancy::Dedicated => "dedicated infrastructure",
    };
    let tier = view
        .tier
        .as_ref()
        .map(|tier| format!("{tier}, "))
        .unwrap_or_default();
    let from = match view.base {
        Some(base) => format!("from snapshot #{} ({})", base.serial(), base.id().0.short()),
        None => "from nothing".to_owned(),
    };
    let looked = if view.drift.is_some() || view.base.is_none() {
        ""
    } else {
        ", without a look at the world"
    };
    let verb = plan.verb().to_string();
    format!(
        "{} {verb}: {tier}{tenancy}, {from}{looked}. Inputs {}.\n",
        paint(STRONG, plan.tenant()),
        plan.inputs().short()
    )
}

/// What is not as it was applied.
fn outside(view: &PlanView<'_>) -> String {
    let (Some(report), Some(base)) = (view.drift, view.base) else {
        return String::new();
    };
    let changed = drift::changes(report, base, view.catalog);
    if changed.is_empty() {
        return String::new();
    }
    format!(
        "\n{}\n{changed}",
        paint(STRONG, "Changed outside of matih:")
    )
}

/// Whether something could not be read.
fn is_unread(view: &PlanView<'_>) -> bool {
    let unknown = |drift: &Drift| matches!(drift, Drift::Unknown { .. });
    view.drift
        .is_some_and(|report| report.resources.values().any(unknown))
}

/// Before what stands under a row.
const INDENT: &str = "      ";

fn row_text(view: &PlanView<'_>, row: &Row<'_>, width: usize) -> String {
    let style = match row.symbol() {
        "+" => ADD,
        "~" => CHANGE,
        "<=" => LOOK,
        _ => REMOVE,
    };
    let symbol = paint(style, format!("{:>3}", row.symbol()));
    let name = row.name();
    let steps = match steps(row.steps()) {
        steps if steps.is_empty() => String::new(),
        steps => format!("  step {steps}"),
    };
    let reason = match row.reason() {
        Some(reason) => format!("  {}", paint(FAINT, format!("# {reason}"))),
        None => String::new(),
    };
    let mut text = format!("{symbol} {name:<width$}{steps}{reason}");
    text.truncate(text.trim_end().len());
    text.push('\n');
    text + &row_inside(view, row) + &rehearsal::text(view, row.address, INDENT)
}

/// What differs inside of a resource.
fn row_inside(view: &PlanView<'_>, row: &Row<'_>) -> String {
    let schema = view.catalog.get(&row.address.kind);
    let differences = |recorded: &matih_model::Recorded, changes: &[_]| {
        diff::attributes(schema, &recorded.applied(), changes, INDENT)
    };
    match (row.before, row.after) {
        (
            _,
            Some(Op::Update {
                recorded, changes, ..
            }),
        ) => differences(recorded, changes),
        (Some(Op::Delete { recorded, .. }), Some(Op::Create { resource, .. })) => {
            let mut text = forced(row);
            if view.detail {
                let before = value::masked(schema, &recorded.applied());
                let after = value::masked(schema, &resource.attributes);
                text += &diff::unified(&value::block(&before), &value::block(&after), INDENT);
            }
            text
        }
        (_, Some(Op::Create { resource, .. } | Op::Check { resource })) if view.detail => {
            let shown = value::masked(schema, &resource.attributes);
            indented(&value::block(&shown), INDENT, "+ ")
        }
        (Some(Op::Delete { recorded, .. }), None) if view.detail => {
            let shown = value::masked(schema, &recorded.applied());
            indented(&value::block(&shown), INDENT, "- ")
        }
        _ => String::new(),
    }
}

fn forced(row: &Row<'_>) -> String {
    match row.forced_by() {
        paths if paths.is_empty() => String::new(),
        paths => {
            let remark = format!("# {} forces replacement", paths.join(", "));
            format!("{INDENT}{}\n", paint(BAD, remark))
        }
    }
}

fn indented(block: &str, indent: &str, sign: &str) -> String {
    let style = if sign.starts_with('+') { ADD } else { REMOVE };
    block
        .lines()
        .map(|line| format!("{indent}{}\n", paint(style, format!("{sign}{line}"))))
        .collect()
}

fn edits(edits: &[Edit]) -> String {
    let mut text = String::new();
    for edit in edits {
        let _ = match edit {
            Edit::Forget { address } => {
                writeln!(
                    text,
                    "{} {address}  (forgotten, the object stays)",
                    paint(CHANGE, "  x")
                )
            }
            Edit::Move { from, to } => writeln!(text, "{} {from} -> {to}", paint(CHANGE, " =>")),
            Edit::Rewrite { .. } | Edit::Refresh { .. } => Ok(()),
        };
    }
    if edits.is_empty() {
        return text;
    }
    format!(
        "\n{}\n{text}  {}\n",
        paint(STRONG, "Record"),
        paint(FAINT, record_only(edits))
    )
}

fn record_only(edits: &[Edit]) -> String {
    let count = edits.len();
    let records = if count == 1 {
        "1 record is".to_owned()
    } else {
        format!("{count} records are")
    };
    format!("{records} brought up to date without touching anything.")
}

fn notes(plan: &Plan) -> String {
    let mut text = String::new();
    for note in plan.notes() {
        let about = note
            .address
            .as_ref()
            .map(|it| format!("{it}: "))
            .unwrap_or_default();
        let _ = writeln!(text, "{} {about}{}", paint(WARN, "note:"), note.text);
    }
    if text.is_empty() {
        text
    } else {
        format!("\n{text}")
    }
}

fn numbers(view: &PlanView<'_>) -> String {
    let plan = view.plan;
    let waves: Vec<_> = plan
        .waves()
        .iter()
        .map(|wave| format!("{}:{}", wave.phase.number(), wave.actions.len()))
        .collect();
    let mut text = format!(
        "\nWaves: {} (phase:actions {}).",
        waves.len(),
        waves.join(" ")
    );
    if let Some(estimate) = view.estimate_ms {
        let _ = write!(
            text,
            " Estimate: {}, from earlier runs.",
            time::duration(estimate)
        );
    }
    let _ = writeln!(text, "\n{}", paint(STRONG, counts(plan).line()));
    text
}

#[cfg(test)]
mod tests;
