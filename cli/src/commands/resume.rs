//! `matih resume`: on with the last run of a tenant that did not come to its end.
//!
//! What a crash left is settled first, by looking. Then the same end is planned for again, from
//! what is recorded by now: an apply needs its spec for that, a rollback and a destroy know their
//! end from the run itself. The end of a change of releases is in no record: the line that asked
//! for it is, and is told.

use std::path::PathBuf;

use matih_model::Verb;
use matih_state::{RunOutcome, RunSummary, SnapshotKey};

use crate::args::{ApplyArgs, ResumeArgs, Selection};
use crate::commands::apply::{self, asking, run_goals};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::installation::{Installation, of_state};
use crate::tenants;
use crate::work::{Back, Goal, Settings, Workshop};

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &ResumeArgs) -> Outcome {
    let installation = Installation::forced(context, args.look.force_conflicts)?;
    let store = installation.existing_store()?;
    let tenant = tenants::one(context, &store, args.tenant.as_deref())?;
    let runs = store.runs(&tenant).map_err(|error| of_state(&error))?;
    let last = runs.first();
    if let Some(failure) = last.and_then(of_releases) {
        return Err(failure);
    }
    let spec = args
        .tenant
        .as_ref()
        .map(PathBuf::from)
        .filter(|path| path.is_file());
    let goal = match last.map(|run| &run.verb) {
        Some(Verb::Rollback(to)) => Goal::Back {
            tenant: tenant.clone(),
            to: Back::To(SnapshotKey::Id(*to)),
        },
        Some(Verb::Destroy) => Goal::Destroy {
            tenant: tenant.clone(),
            targets: Vec::new(),
            keep_data: false,
        },
        _ => match spec {
            Some(spec) => return apply::run(context, &as_apply(args, spec)).await,
            None if last.is_some_and(is_complete) => {
                context.screen.print(&format!(
                    "Nothing to resume: the last run of {tenant} is complete.\n"
                ));
                return Ok(Exit::Ok);
            }
            None => {
                return Err(Failure::usage(format!(
                    "To go on with an apply of {tenant}, its spec is needed."
                ))
                .hint("matih resume SPEC"));
            }
        },
    };
    let settings = Settings::new(
        &installation.platform.file,
        args.look,
        &args.execution,
        &args.approvals,
        false,
    )?;
    let asking = asking(context, &args.execution);
    let work = Workshop::open(context, installation, asking, settings, false)?;
    run_goals(&work, vec![goal]).await
}

fn is_complete(run: &RunSummary) -> bool {
    !run.open && run.outcome == Some(RunOutcome::Succeeded)
}

/// Why a run cannot be gone on with here: it changed releases, and did not come to its end.
fn of_releases(run: &RunSummary) -> Option<Failure> {
    let command = run.command.as_ref().filter(|_| !is_complete(run))?;
    let message = format!(
        "The last run of {} was a change of releases, whose end only its own command knows. Nothing was changed.",
        run.tenant
    );
    Some(Failure::usage(message).hint(command))
}

fn as_apply(args: &ResumeArgs, spec: PathBuf) -> ApplyArgs {
    ApplyArgs {
        specs: vec![spec],
        selection: Selection {
            look: args.look,
            ..Selection::default()
        },
        approvals: args.approvals.clone(),
        execution: args.execution.clone(),
        approved_by_environment: false,
        detail: false,
    }
}
