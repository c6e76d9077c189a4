//! What has to be agreed to before a plan is carried out: by the guard, then by a person.

use std::time::Duration;

use matih_executor::Answer;
use matih_model::{Snapshot, TenantId, Verb};
use matih_planner::{Rule, Verdict};
use matih_state::LockedStore;
use serde_json::json;

use crate::clock;
use crate::confirm::{Asking, confirm};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::installation::of_state;
use crate::work::planning::Planned;
use crate::work::{RunOnlooker, Workshop};

/// Asks a person, who may think as long as they like and leave with Ctrl-C.
///
/// # Errors
/// They did not say `yes`, or nobody can be asked. Nothing was changed.
pub(crate) async fn ask(work: &Workshop, question: String) -> Result<(), Failure> {
    ask_while(work, question, &mut || Ok(())).await
}

/// The same under a lock, whose lease is renewed meanwhile.
///
/// # Errors
/// As [`ask`], or the lock is lost.
pub(super) async fn ask_under_lock(
    work: &Workshop,
    store: &mut LockedStore,
    question: String,
) -> Result<(), Failure> {
    let mut renew = || {
        store
            .renew(clock::now_ms())
            .map_err(|error| of_state(&error))
    };
    ask_while(work, question, &mut renew).await
}

async fn ask_while(
    work: &Workshop,
    question: String,
    meanwhile: &mut (dyn FnMut() -> Result<(), Failure> + Send),
) -> Result<(), Failure> {
    let (screen, asking) = (work.context.screen, work.asking);
    if asking == Asking::Nobody {
        work.progress
            .tell("approval_required", json!({ "question": question }));
    }
    let asked = move || confirm(&screen, asking, &question);
    let mut answer = tokio::task::spawn_blocking(asked);
    let mut now_and_then =
        tokio::time::interval(work.settings.lease.max(Duration::from_secs(1)) / 3);
    now_and_then.tick().await;
    loop {
        tokio::select! {
            answer = &mut answer => {
                return answer.unwrap_or_else(|_| Err(Failure::error("the question broke down")));
            }
            _ = now_and_then.tick() => meanwhile()?,
            _ = work.interrupt.changed(Answer::Continue) => return RunOnlooker(work).go_on(),
        }
    }
}

/// How many findings a failure tells.
const FEW: usize = 3;

/// What is told of a plan that is not carried out.
const UNCHANGED: &str = "Nothing was changed.";

/// Why a failed run is not taken back by this plan, to the snapshot before it, with the line that
/// does it later; none if nobody has anything against it. What the run did stays.
pub(super) fn against_going_back(back: &Planned, before: Option<&Snapshot>) -> Option<Failure> {
    let tenant = back.plan.tenant();
    let agreed = refuse(back, tenant).and_then(|()| would_be_refused(back));
    let failure = agreed.err()?;
    let done = "It is not taken back: what was done stays, and is recorded.";
    let message = failure.message.replacen(UNCHANGED, done, 1);
    let later = match before {
        Some(before) => format!("matih rollback {tenant} --to {}", before.serial()),
        None => format!("matih destroy {tenant}"),
    };
    let first = failure.hint.map_or(String::new(), |hint| hint + "; then ");
    Some(Failure::new(failure.exit, message).hint(first + &later))
}

/// What the outside has against a plan, whatever comes first in it, as a failure.
///
/// # Errors
/// It would refuse something (exit code 7).
pub(crate) fn would_be_refused(planned: &Planned) -> Result<(), Failure> {
    let rehearsed = planned.rehearsed.iter();
    let refusals: Vec<_> = rehearsed
        .flat_map(|it| it.refusals(&planned.plan))
        .collect();
    let Some((_, first)) = refusals.first() else {
        return Ok(());
    };
    let changes = match refusals.len() {
        1 => "1 change".to_owned(),
        count => format!("{count} changes"),
    };
    let tenant = planned.plan.tenant();
    let mut message = format!("{changes} of the plan of {tenant} would be refused. {UNCHANGED}");
    for (address, error) in refusals.iter().take(FEW) {
        let own = error.message.starts_with(&address.to_string());
        let about = if own {
            String::new()
        } else {
            format!("{address}: ")
        };
        message += &format!("\n  {about}{error}");
    }
    if refusals.len() > FEW {
        message += &format!("\n  and {} more, as the plan says", refusals.len() - FEW);
    }
    let failure = Failure::new(Exit::Preflight, message);
    let hint = first.hint.as_deref().unwrap_or(match planned.plan.verb() {
        Verb::Apply => "correct the spec and plan again",
        _ => "see to that first",
    });
    Err(match refusals.as_slice() {
        [_] => failure.hint(hint),
        _ => failure.hint(format!("{hint}; the plan says the others")),
    })
}

/// What the guard has against a plan, as a failure.
///
/// # Errors
/// It refuses (exit code 5), or wants an approval of its own (exit code 9).
pub(crate) fn refuse(planned: &Planned, tenant: &TenantId) -> Result<(), Failure> {
    let (exit, what) = match &planned.verdict {
        Verdict::Allowed => return Ok(()),
        Verdict::NeedsApproval(_) => (Exit::Approval, "needs an approval of its own"),
        Verdict::Refused(_) => (Exit::Denied, "is refused"),
    };
    let findings = planned.verdict.findings();
    let mut message = format!("The plan of {tenant} {what}. {UNCHANGED}");
    for finding in findings.iter().take(FEW) {
        message += &format!("\n  {}", finding.message);
    }
    if findings.len() > FEW {
        message += &format!("\n  and {} more, as the plan says", findings.len() - FEW);
    }
    let failure = Failure::new(exit, message);
    let data_only = findings.iter().all(|it| it.rule == Rule::DataLoss);
    Err(match findings {
        [] => failure,
        [only] => failure.hint(only.hint.clone()),
        _ if data_only => failure.hint("pass `--allow-data-loss all` if all of that is meant"),
        [first, ..] => failure.hint(format!("{}; and so for the others", first.hint)),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use matih_executor::Rehearsed;
    use matih_model::{
        Answer, Digest, ErrorKind, Origin, Plan, PlanDraft, ProviderError, RunId, SnapshotId,
        Tenancy,
    };
    use matih_planner::{Finding, Unalterable};

    use super::*;

    fn snapshot() -> Snapshot {
        let origin = Origin {
            run: RunId::new("run-1"),
            verb: Verb::Apply,
        };
        let tenant = TenantId::new("acme").unwrap();
        Snapshot::new(tenant, 3, None, origin, Tenancy::Shared, BTreeMap::new())
    }

    /// A way back that nobody has anything against.
    fn back() -> Planned {
        let plan = Plan::new(PlanDraft {
            tenant: TenantId::new("acme").unwrap(),
            tenancy: Tenancy::Shared,
            verb: Verb::Rollback(SnapshotId(Digest::of("test", &0))),
            base: None,
            inputs: Digest::of("test", &0),
            actions: Vec::new(),
            edits: Vec::new(),
            notes: Vec::new(),
            reads: BTreeMap::new(),
        });
        Planned {
            plan: plan.unwrap(),
            base: None,
            drift: None,
            rehearsed: None,
            unalterable: Unalterable::new(),
            verdict: Verdict::Allowed,
            inverse: None,
            estimate_ms: None,
            tier: None,
            unread: Vec::new(),
        }
    }

    #[test]
    fn what_the_outside_would_refuse_of_the_way_back_is_told_with_the_way_later() {
        let mut back = back();
        assert_eq!(against_going_back(&back, None), None);

        let address = "acme/dns.record/www".parse().unwrap();
        let refused = |hint: Option<&str>| {
            let error = ProviderError::new(ErrorKind::Denied, "not today");
            let error = hint
                .iter()
                .fold(error, |error, hint| error.with_hint(*hint));
            Rehearsed([(Clone::clone(&address), Answer::Misfit(error).into())].into())
        };
        back.rehearsed = Some(refused(Some("ask for it")));
        let failure = against_going_back(&back, Some(&snapshot())).unwrap();
        assert_eq!(failure.exit, Exit::Preflight);
        assert_eq!(
            failure.message,
            "1 change of the plan of acme would be refused. It is not taken back: what was done stays, and is recorded.\n  acme/dns.record/www: not today"
        );
        let hint = |failure: Failure| failure.hint.unwrap();
        assert_eq!(hint(failure), "ask for it; then matih rollback acme --to 3");

        back.rehearsed = Some(refused(None));
        let failure = against_going_back(&back, None).unwrap();
        assert_eq!(hint(failure), "see to that first; then matih destroy acme");
    }

    #[test]
    fn what_the_guard_refuses_of_the_way_back_is_told_in_the_same_way() {
        let mut back = back();
        back.verdict = Verdict::Refused(vec![Finding {
            address: None,
            rule: Rule::DataLoss,
            message: "data".to_owned(),
            hint: "allow it".to_owned(),
        }]);
        let failure = against_going_back(&back, None).unwrap();
        assert_eq!(failure.exit, Exit::Denied);
        assert_eq!(
            failure.to_string(),
            "The plan of acme is refused. It is not taken back: what was done stays, and is recorded.\n  data\nhint: allow it; then matih destroy acme"
        );
    }
}
