//! What has to be agreed to before a plan is carried out: by the guard, then by a person.

use std::time::Duration;

use matih_executor::Answer;
use matih_model::TenantId;
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
    let mut message =
        format!("{changes} of the plan of {tenant} would be refused. Nothing was changed.");
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
    let hint = first
        .hint
        .as_deref()
        .unwrap_or("correct the spec and plan again");
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
    let mut message = format!("The plan of {tenant} {what}. Nothing was changed.");
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
