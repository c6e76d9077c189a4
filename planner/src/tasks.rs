//! From changes to actions: a replacement becomes two, and checks join whatever acts.

use std::cmp::Ordering;

use matih_model::{
    Address, Amount, AttributeChange, Change, ChangeKind, ChangeSet, KindSchema, Note, Op, Reading,
    Reason, Recorded, ResourceGraph, UndoClass, Value, Version,
};

use crate::error::PlannerError;
use crate::input::PlanInput;
use crate::moves::Records;
use crate::order::Task;
use crate::scope::Scope;

/// All that has to be done, in no order yet, and what a person should know of it.
pub(crate) fn tasks(
    input: &PlanInput<'_>,
    desired: &ResourceGraph,
    records: &Records<'_>,
    scope: &Scope,
    changes: &ChangeSet,
) -> Result<(Vec<Task>, Vec<Note>), PlannerError> {
    let maker = Maker { input, records };
    let mut tasks = Vec::new();
    for change in changes.0.values() {
        maker.add(change, &mut tasks)?;
    }
    let mut notes = Vec::new();
    for task in tasks.iter().filter(|task| task.undo == UndoClass::OneWay) {
        let text = match task.op {
            Op::Delete { .. } => "What it did cannot be undone; only its record goes.",
            _ => "Once done it cannot be undone.",
        };
        let address = Some(task.op.resource().address.clone());
        notes.push(Note {
            address,
            text: text.to_owned(),
        });
    }
    if !tasks.is_empty() {
        let checks = desired.resources().values().filter(|resource| {
            input.catalog.is_check(&resource.address.kind) && scope.has(&resource.address)
        });
        tasks.extend(checks.map(|resource| Task {
            op: Op::Check {
                resource: resource.clone(),
            },
            reason: Reason::Gate,
            undo: UndoClass::Reversible,
            lowers: false,
        }));
    }
    if let Some(size) = scope.limit() {
        let text = format!(
            "Targets or excludes limit this plan to {size} resources; the others are left as they are."
        );
        notes.push(Note {
            address: None,
            text,
        });
    }
    Ok((tasks, notes))
}

struct Maker<'a> {
    input: &'a PlanInput<'a>,
    records: &'a Records<'a>,
}

impl Maker<'_> {
    fn add(&self, change: &Change, tasks: &mut Vec<Task>) -> Result<(), PlannerError> {
        let address = &change.address;
        let schema = self.input.catalog.get(&address.kind);
        let schema = schema.ok_or_else(|| PlannerError::UnknownKind(address.clone()))?;
        let mut add = |op: Op, undo| {
            let lowers = matches!(op, Op::Update { .. }) && lowers(schema, &change.attributes);
            tasks.push(Task {
                op,
                reason: change.reason.clone(),
                undo,
                lowers,
            })
        };
        if let (ChangeKind::Delete | ChangeKind::Replace, Some(recorded)) =
            (change.kind, &change.recorded)
        {
            let undo = schema.undo_of(&recorded.applied());
            add(
                Op::Delete {
                    recorded: recorded.clone(),
                    expects: self.expects(recorded),
                },
                undo,
            );
        }
        let Some(resource) = &change.desired else {
            return Ok(());
        };
        let undo = schema.undo_of(&resource.attributes);
        match (change.kind, &change.recorded) {
            (ChangeKind::Create | ChangeKind::Replace, _) => {
                let lives = self
                    .records
                    .get(address)
                    .map_or(0, |recorded| recorded.generation);
                add(
                    Op::Create {
                        resource: resource.clone(),
                        generation: lives + 1,
                    },
                    undo,
                );
            }
            (ChangeKind::Update, Some(recorded)) => {
                let op = Op::Update {
                    recorded: recorded.clone(),
                    resource: resource.clone(),
                    changes: change.attributes.clone(),
                    expects: self.expects(recorded),
                };
                // An update back loses nothing, whatever a delete would lose.
                let one_way = undo == UndoClass::OneWay;
                add(op, if one_way { undo } else { UndoClass::Reversible });
            }
            (ChangeKind::Update, None) | (ChangeKind::Delete, _) => {}
        }
        Ok(())
    }

    /// The token that the object must still have when it is acted on.
    fn expects(&self, recorded: &Recorded) -> Option<Version> {
        let address: &Address = &recorded.resource.address;
        match self
            .input
            .observation
            .get(self.records.name_in_base(address))
        {
            Some(Reading::Present(observed)) => Some(observed.version.of_ours()),
            // The update whose outcome is not known may have given it another token.
            _ if recorded.unsettled => None,
            _ => recorded.version.as_ref().map(Version::of_ours),
        }
    }
}

/// Whether changes take a limit down and none up. Where nothing was, nothing was limited.
fn lowers(schema: &KindSchema, changes: &[AttributeChange]) -> bool {
    let goes_down = |change: &AttributeChange| {
        let amount = |value: &Option<Value>| Amount::of(value.as_ref()?);
        let Some(after) = amount(&change.after) else {
            return false;
        };
        change.before.is_none()
            || amount(&change.before)
                .is_some_and(|before| before.partial_cmp(&after) == Some(Ordering::Greater))
    };
    let mut limits = changes
        .iter()
        .filter(|change| schema.is_limit(&change.path))
        .peekable();
    limits.peek().is_some() && limits.all(goes_down)
}
