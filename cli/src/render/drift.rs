//! What is not as it was applied.

use std::fmt::Write;

use matih_executor::Unmanaged;
use matih_model::{AttributeChange, Catalog, Marked, Snapshot};
use matih_planner::{Drift, DriftReport};
use serde_json::{Value, json};

use super::diff;
use super::plan::attribute;
use super::style::{ADD, CHANGE, REMOVE, WARN, paint};

/// Each resource that has changed, is gone or could not be read; differences as
/// `applied -> there now`. Empty if all is in sync.
pub(crate) fn changes(report: &DriftReport, base: &Snapshot, catalog: &Catalog) -> String {
    let mut text = String::new();
    for (address, drift) in &report.resources {
        let _ = match drift {
            Drift::InSync => continue,
            Drift::Missing => writeln!(text, "{} {address}  is gone", paint(REMOVE, "  -")),
            Drift::Unknown { why } => {
                writeln!(
                    text,
                    "{} {address}  could not be read: {why}",
                    paint(WARN, "  ?")
                )
            }
            Drift::Changed { .. } => writeln!(text, "{} {address}", paint(CHANGE, "  ~")),
            Drift::Unmarked => {
                writeln!(
                    text,
                    "{} {address}  does not bear our mark",
                    paint(CHANGE, "  ~")
                )
            }
        };
        if let (Drift::Changed { attributes }, Some(recorded)) = (drift, base.get(address)) {
            let turned: Vec<AttributeChange> = attributes.iter().map(turned).collect();
            let schema = catalog.get(&address.kind);
            text += &diff::attributes(schema, &recorded.applied(), &turned, "      ");
        }
    }
    text
}

/// What stands in no record, one object a line.
pub(crate) fn unmanaged(unmanaged: &Unmanaged) -> String {
    let plus = paint(ADD, "  +");
    let mut text = String::new();
    for Marked { owner, remote_id } in &unmanaged.found {
        let address = &owner.address;
        let _ = writeln!(text, "{plus} {address}  is not in the record ({remote_id})");
    }
    for it in &unmanaged.unmarked {
        let by = it.by.as_ref().map(|by| format!(", made {by}"));
        let by = by.unwrap_or_default();
        let _ = writeln!(text, "{plus} {}  bears no mark{by}", it.remote_id);
    }
    text
}

/// A difference seen from the record: what was applied, then what is there.
fn turned(change: &AttributeChange) -> AttributeChange {
    AttributeChange {
        before: change.after.clone(),
        after: change.before.clone(),
        forces_replacement: false,
        ..change.clone()
    }
}

/// What is not in sync, for programs: `[{address, drift, attributes, why}]`; each attribute has
/// `applied` as `before` and what is there as `after`.
pub(crate) fn not_in_sync(report: &DriftReport) -> Vec<Value> {
    let differing = report
        .resources
        .iter()
        .filter(|(_, drift)| **drift != Drift::InSync);
    differing
        .map(|(address, drift)| resource(address, drift))
        .collect()
}

/// One resource, for programs.
pub(crate) fn resource(address: &matih_model::Address, drift: &Drift) -> Value {
    let (word, attributes, why) = match drift {
        Drift::InSync => ("in_sync", Vec::new(), None),
        Drift::Missing => ("missing", Vec::new(), None),
        Drift::Unmarked => ("unmarked", Vec::new(), None),
        Drift::Unknown { why } => ("unknown", Vec::new(), Some(why)),
        Drift::Changed { attributes } => (
            "changed",
            attributes.iter().map(|it| attribute(&turned(it))).collect(),
            None,
        ),
    };
    json!({ "address": address, "drift": word, "attributes": attributes, "why": why })
}
