//! Bringing the record up to what was read, where that is no matter of what is desired.

use matih_model::{Edit, KindSchema, Observed, Reading, Recorded};

use crate::diff::Difference;
use crate::drift::differences;
use crate::error::PlannerError;
use crate::input::PlanInput;
use crate::moves::Records;
use crate::scope::Scope;

/// The edit that takes over what was read of an object, if there is anything to take over.
///
/// Where attributes differ, or our mark is missing, the old token stays in the record: a new one
/// would hide that from every later reading.
pub(crate) fn taken_over(
    schema: &KindSchema,
    recorded: &Recorded,
    observed: &Observed,
) -> Option<Edit> {
    let same_outputs = recorded.outputs == observed.outputs;
    if same_outputs && recorded.version.as_ref() == Some(&observed.version) {
        return None;
    }
    let kept = recorded
        .version
        .as_ref()
        .filter(|_| !is_in_sync(schema, recorded, observed));
    if same_outputs && kept.is_some() {
        return None;
    }
    Some(Edit::Refresh {
        address: recorded.resource.address.clone(),
        outputs: observed.outputs.clone(),
        version: kept.unwrap_or(&observed.version).clone(),
    })
}

/// Whether an object is as it was applied, and bears our mark.
fn is_in_sync(schema: &KindSchema, recorded: &Recorded, observed: &Observed) -> bool {
    observed.owner.is_some() && differences(schema, recorded, observed, &[]).is_empty()
}

/// All that a plan does that only refreshes: outputs and tokens are taken over, what is gone is
/// forgotten, and attributes that differ are left to a plan that looks at the spec.
pub(crate) fn refresh_only(
    input: &PlanInput<'_>,
    records: &Records<'_>,
    scope: &Scope,
) -> Result<Difference, PlannerError> {
    let mut found = Difference::default();
    for (address, recorded) in records.all() {
        if !scope.has(address) {
            continue;
        }
        match input.observation.get(address) {
            Some(Reading::Missing) => found.forgotten.push(address.clone()),
            Some(Reading::Unknown(why)) => found.note_unread(address, why),
            Some(Reading::Present(observed)) => {
                let schema = input.catalog.get(&address.kind);
                let schema = schema.ok_or_else(|| PlannerError::UnknownKind(address.clone()))?;
                if !is_in_sync(schema, recorded, observed) {
                    let text =
                        "It was changed outside of matih; a plan without refresh-only says how.";
                    found.note(address, text);
                }
                found
                    .refreshed
                    .extend(taken_over(schema, recorded, observed));
            }
            Some(Reading::Unchanged) | None => {}
        }
    }
    Ok(found)
}
