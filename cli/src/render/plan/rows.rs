//! A plan as rows: one for each resource, both halves of a replacement together.

use std::collections::{BTreeMap, BTreeSet};

use matih_model::{Action, Address, ChangeKind, Op, Phase, Plan, Reason, StepNumber};

/// One resource of a plan.
pub(crate) struct Row<'a> {
    /// Which one.
    pub(crate) address: &'a Address,
    /// What happens first: the delete half of a replacement, or a delete.
    pub(crate) before: Option<&'a Op>,
    /// What happens then.
    pub(crate) after: Option<&'a Op>,
    actions: Vec<&'a Action>,
}

impl<'a> Row<'a> {
    /// `+`, `~`, `-/+`, `-`, or `<=` for a check.
    pub(crate) fn symbol(&self) -> &'static str {
        match (self.before, self.after) {
            (Some(_), Some(_)) => ChangeKind::Replace.symbol(),
            (Some(_), None) => ChangeKind::Delete.symbol(),
            (None, Some(Op::Update { .. })) => ChangeKind::Update.symbol(),
            (None, Some(Op::Check { .. })) => "<=",
            (None, _) => ChangeKind::Create.symbol(),
        }
    }

    /// `kind/name`.
    pub(crate) fn name(&self) -> String {
        self.address.resource_name().to_string()
    }

    /// The steps that it reports.
    pub(crate) fn steps(&self) -> &'a [StepNumber] {
        self.actions.last().map_or(&[], |action| action.steps())
    }

    /// Why, unless it goes without saying.
    pub(crate) fn reason(&self) -> Option<&'a Reason> {
        let reason = &self.actions.last()?.reason;
        let obvious = matches!(reason, Reason::New | Reason::Gate | Reason::Destroy);
        (!obvious).then_some(reason)
    }

    /// The attributes that make it a replacement.
    pub(crate) fn forced_by(&self) -> Vec<String> {
        let paths = self.actions.iter().find_map(|action| match &action.reason {
            Reason::ImmutableChanged(paths) | Reason::Unalterable { paths, .. } => Some(paths),
            _ => None,
        });
        paths
            .into_iter()
            .flatten()
            .map(ToString::to_string)
            .collect()
    }

    /// What it costs to undo it.
    pub(crate) fn undo(&self) -> Option<matih_model::UndoClass> {
        self.actions.iter().map(|action| action.undo).max()
    }
}

/// The rows by phase; phases in the order in which the plan comes to them, rows in plan order.
pub(crate) fn rows(plan: &Plan) -> Vec<(Phase, Vec<Row<'_>>)> {
    let mut groups: Vec<(Phase, Vec<Row<'_>>)> = Vec::new();
    let mut place: BTreeMap<&Address, (usize, usize)> = BTreeMap::new();
    for action in plan.actions() {
        let address = action.address();
        if let Some((group, row)) = place.get(address)
            && let Some(row) = groups
                .get_mut(*group)
                .and_then(|group| group.1.get_mut(*row))
        {
            row.after = Some(&action.op);
            row.actions.push(action);
            continue;
        }
        let group = groups
            .iter()
            .position(|(phase, _)| *phase == action.phase());
        let group = group.unwrap_or_else(|| {
            groups.push((action.phase(), Vec::new()));
            groups.len() - 1
        });
        let Some((_, rows)) = groups.get_mut(group) else {
            continue;
        };
        place.insert(address, (group, rows.len()));
        let is_delete = matches!(action.op, Op::Delete { .. });
        rows.push(Row {
            address,
            before: is_delete.then_some(&action.op),
            after: (!is_delete).then_some(&action.op),
            actions: vec![action],
        });
    }
    groups
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Counts {
    /// Resources to be created.
    pub(crate) add: usize,
    /// Resources to be altered.
    pub(crate) change: usize,
    /// Resources to be deleted and created again.
    pub(crate) replace: usize,
    /// Resources to be deleted.
    pub(crate) destroy: usize,
    /// Checks.
    pub(crate) check: usize,
    /// Phases that something happens in.
    pub(crate) phases: usize,
    /// Steps that report something, of 56.
    pub(crate) steps: usize,
}

/// Counts a plan.
pub(crate) fn counts(plan: &Plan) -> Counts {
    let mut counts = Counts::default();
    let mut steps: BTreeSet<StepNumber> = BTreeSet::new();
    let groups = rows(plan);
    counts.phases = groups.len();
    for row in groups.iter().flat_map(|(_, rows)| rows) {
        steps.extend(row.steps());
        let field = match row.symbol() {
            "+" => &mut counts.add,
            "~" => &mut counts.change,
            "-/+" => &mut counts.replace,
            "-" => &mut counts.destroy,
            _ => &mut counts.check,
        };
        *field += 1;
    }
    counts.steps = steps.len();
    counts
}

impl Counts {
    /// `Plan: 12 to add, 3 to change, 0 to replace, 1 to destroy. 9 phases, 27 of 56 steps.`
    pub(crate) fn line(&self) -> String {
        let phases = if self.phases == 1 { "phase" } else { "phases" };
        format!(
            "Plan: {} to add, {} to change, {} to replace, {} to destroy. {} {phases}, {} of {} steps.",
            self.add,
            self.change,
            self.replace,
            self.destroy,
            self.phases,
            self.steps,
            matih_model::phase::STEPS
        )
    }

    /// `12 deleted, 3 changed`: what a plan would have done.
    pub(crate) fn in_words(&self) -> String {
        let parts = [
            (self.add, "created"),
            (self.change, "changed"),
            (self.replace, "replaced"),
            (self.destroy, "deleted"),
        ];
        let parts: Vec<_> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        parts.join(", ")
    }

    /// Whether nothing at all would happen.
    pub(crate) fn is_nothing(&self) -> bool {
        self.add + self.change + self.replace + self.destroy == 0
    }
}

/// `7,12` or `50-52`.
pub(crate) fn steps(steps: &[StepNumber]) -> String {
    let mut parts: Vec<(u8, u8)> = Vec::new();
    for step in steps.iter().map(|step| step.number()) {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == step => *last = step,
            _ => parts.push((step, step)),
        }
    }
    let part = |(first, last): &(u8, u8)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    };
    parts.iter().map(part).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_in_a_row_are_a_range() {
        let numbers = |list: &[u8]| {
            let list: Vec<_> = list
                .iter()
                .map(|it| StepNumber::new(*it).unwrap())
                .collect();
            steps(&list)
        };
        assert_eq!(numbers(&[7, 12]), "7,12");
        assert_eq!(numbers(&[50, 51, 52, 54]), "50-52,54");
        assert_eq!(numbers(&[7, 8]), "7,8");
        assert_eq!(numbers(&[]), "");
    }
}
