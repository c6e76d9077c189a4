//! From what the world shows to an outcome: pure.
//!
//! This is the one place that decides what an action came to whose reply was never read, at the
//! end of a run as in a recovery. Looking twice gives the same answer, so it may be repeated.

use std::collections::BTreeMap;
use std::sync::Arc;

use matih_model::{Applied, Observed, Op, OutputRef, Value};
use matih_state::Outcome;

use crate::job::record;
use crate::look::Sight;

/// What became of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    /// For the journal.
    pub(crate) outcome: Outcome,
    /// Whether it did all that it was to do.
    pub(crate) done: bool,
    /// What was found, for people.
    pub(crate) found: &'static str,
}

/// Decides by what was seen. `references` is what the references of the wanted attributes stand
/// for.
///
/// A create that is there but not as wanted is recorded with a demand for an update; an update
/// of which nothing can be seen keeps its record, and one that may have been half done keeps it
/// with the same demand.
pub(crate) fn settle(op: &Op, sight: Sight, references: &BTreeMap<OutputRef, Value>) -> Settled {
    let (outcome, done, found) = match (op, sight) {
        // The token of before: nothing of ours has changed, even where it looks as wanted, as
        // what only loses an attribute, or only gets another secret, does all along.
        (
            Op::Update {
                recorded, expects, ..
            },
            Sight::AsWanted(observed) | Sight::Different(observed),
        ) if expects.as_ref().or(recorded.version.as_ref()) == Some(&observed.version) => {
            (Outcome::NotDone, false, "there, as it was before")
        }
        (Op::Create { .. } | Op::Update { .. }, Sight::AsWanted(observed)) => (
            applied(op, observed, references, false),
            true,
            "there, as wanted",
        ),
        (Op::Create { .. }, Sight::Different(observed)) => {
            let outcome = applied(op, observed, references, true);
            (outcome, false, "there, but not as wanted")
        }
        (Op::Create { .. }, Sight::Absent) => (Outcome::NotDone, false, "not there"),
        (Op::Update { .. }, Sight::Different(_)) => (
            Outcome::Unsettled,
            false,
            "there, neither as wanted nor as it was before",
        ),
        (Op::Update { .. }, Sight::Absent) => (Outcome::NotDone, false, "gone"),
        (Op::Delete { .. }, Sight::Absent) => (Outcome::Deleted, true, "gone, as wanted"),
        (Op::Delete { .. }, _) => (Outcome::NotDone, false, "still there"),
        (Op::Check { .. }, _) => (Outcome::NotDone, false, "nothing to be found of a check"),
    };
    Settled {
        outcome,
        done,
        found,
    }
}

fn applied(
    op: &Op,
    observed: Observed,
    references: &BTreeMap<OutputRef, Value>,
    unsettled: bool,
) -> Outcome {
    let applied = Applied {
        remote_id: observed.remote_id,
        outputs: observed.outputs,
        version: observed.version,
        adopted: true,
        unready: None,
    };
    match record(op, applied, references) {
        Some(mut recorded) => {
            recorded.unsettled = unsettled;
            Outcome::Applied(Arc::new(recorded))
        }
        None => Outcome::NotDone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use matih_model::{Recorded, RemoteId, Resource, Version};

    fn resource() -> Arc<Resource> {
        Arc::new(Resource {
            address: "acme/dns.record/app".parse().unwrap(),
            phase: 5.try_into().unwrap(),
            steps: Vec::new(),
            depends_on: Default::default(),
            attributes: Default::default(),
            lifecycle: Default::default(),
            retry: Default::default(),
        })
    }

    fn recorded(version: &str) -> Arc<Recorded> {
        Arc::new(Recorded {
            resource: resource().as_ref().clone(),
            remote_id: RemoteId::new("r-1"),
            outputs: Default::default(),
            generation: 3,
            resolved: Default::default(),
            version: Some(Version::new(version)),
            unsettled: false,
        })
    }

    fn observed(version: &str) -> Observed {
        Observed {
            remote_id: RemoteId::new("r-1"),
            attributes: Default::default(),
            outputs: Default::default(),
            version: Version::new(version),
            owner: None,
            touches: Vec::new(),
        }
    }

    #[test]
    fn each_operation_settles_by_what_is_seen() {
        let create = Op::Create {
            resource: resource(),
            generation: 3,
        };
        let update = Op::Update {
            recorded: recorded("old"),
            resource: resource(),
            changes: Vec::new(),
            expects: None,
        };
        let delete = Op::Delete {
            recorded: recorded("old"),
            expects: None,
        };
        let unsettled = |it: Arc<Recorded>| {
            let mut it = it.as_ref().clone();
            it.unsettled = true;
            Outcome::Applied(Arc::new(it))
        };
        let (wanted, other) = (
            |v| Sight::AsWanted(observed(v)),
            |v| Sight::Different(observed(v)),
        );
        let applied = Outcome::Applied(recorded("new"));
        for (op, sight, outcome, done) in [
            (&create, wanted("new"), applied.clone(), true),
            (&create, other("new"), unsettled(recorded("new")), false),
            (&create, Sight::Absent, Outcome::NotDone, false),
            (&update, wanted("new"), applied, true),
            (&update, other("old"), Outcome::NotDone, false),
            (&update, wanted("old"), Outcome::NotDone, false),
            (&update, other("half"), Outcome::Unsettled, false),
            (&update, Sight::Absent, Outcome::NotDone, false),
            (&delete, Sight::Absent, Outcome::Deleted, true),
            (&delete, other("old"), Outcome::NotDone, false),
            (&delete, wanted("old"), Outcome::NotDone, false),
        ] {
            let settled = settle(op, sight.clone(), &BTreeMap::new());
            assert_eq!(
                (settled.outcome, settled.done),
                (outcome, done),
                "{op:?} {sight:?}"
            );
        }
    }
}
