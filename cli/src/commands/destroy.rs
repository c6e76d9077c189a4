//! `matih destroy`: everything of a tenant taken down.

use std::sync::Arc;

use crate::args::DestroyArgs;
use crate::commands::apply::{asking, run_goals};
use crate::confirm::Asking;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::installation::{Installation, of_state};
use crate::tenants;
use crate::work::{Goal, Settings, Workshop, ask, pattern};

/// Runs the command. MATIH_AUTO_APPROVE is not heard here.
pub(crate) async fn run(context: &Context, args: &DestroyArgs) -> Outcome {
    let installation = Installation::forced(context, args.look.force_conflicts)?;
    let Some(store) = installation.store()? else {
        context
            .screen
            .print("No changes. Nothing was ever applied.\n");
        return Ok(Exit::Ok);
    };
    let words = &args.tenants;
    let mut tenants = if words.is_empty() {
        vec![tenants::one(context, &store, None)?]
    } else {
        tenants::all(context, &store, words)?
    };
    let known = store.tenants().map_err(|error| of_state(&error))?;
    tenants.retain(|tenant| {
        let known = known
            .iter()
            .any(|it| it.tenant == *tenant && it.head.is_some() || it.open_run.is_some());
        if !known {
            context
                .screen
                .print(&format!("No changes. {tenant} was never applied.\n"));
        }
        known
    });
    let targets = args
        .target
        .iter()
        .map(|text| pattern(text))
        .collect::<Result<Vec<_>, _>>()?;
    let platform = &installation.platform.file;
    let (look, execution) = (args.look, &args.execution);
    let settings = Settings::new(platform, look, execution, &args.approvals, args.detail)?;
    let asking = asking(context, &args.execution);
    let goals: Vec<Goal> = tenants
        .into_iter()
        .map(|tenant| Goal::Destroy {
            tenant,
            targets: targets.clone(),
            keep_data: args.keep_data,
        })
        .collect();
    let work = Workshop::open(context, installation, asking, settings, goals.len() > 1)?;
    if goals.len() > 1 {
        many(&work, goals).await
    } else {
        run_goals(&work, goals).await
    }
}

async fn many(work: &Arc<Workshop>, goals: Vec<Goal>) -> Outcome {
    let names: Vec<_> = goals.iter().map(|goal| goal.tenant().to_string()).collect();
    if work.asking != Asking::Approved {
        let question = format!("Take {} tenants down ({})?", names.len(), names.join(", "));
        ask(work, question).await?;
    }
    run_goals(work, goals).await
}
