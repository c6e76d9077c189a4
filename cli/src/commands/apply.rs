//! `matih apply`: tenants to their specs, or a saved plan.

use std::sync::Arc;

use matih_planner::AddressPattern;
use matih_specs::Source;

use crate::args::{ApplyArgs, Execution};
use crate::commands::plan::compile_all;
use crate::compiler::Compiler;
use crate::confirm::{Asking, confirm};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::find;
use crate::installation::Installation;
use crate::plan_file::{PlanFile, looks_like_one};
use crate::platform::Platform;
use crate::render::plan::counts;
use crate::work::planning::{Order, plan};
use crate::work::{Goal, Manner, Settings, Workshop, fleet, pattern, unchanged};

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &ApplyArgs) -> Outcome {
    let approved =
        args.execution.auto_approve || args.approved_by_environment && !args.selection.destroy;
    let asking = Asking::new(approved, context.global.asks_nobody());
    let platform = Arc::new(Platform::load(context)?);
    let mut settings = Settings::new(
        &platform.file,
        &args.execution,
        &args.approvals,
        args.detail,
    )?;
    if let [path] = args.specs.as_slice()
        && looks_like_one(path)
    {
        let installation = Installation::of(context, platform)?;
        let file = PlanFile::read(path, installation.secrets.keys())?;
        // Whoever saved the plan has seen it.
        settings.approvals.data_loss.extend(patterns(&file)?);
        let goals = file
            .plans
            .into_iter()
            .map(|saved| Goal::Saved(Box::new(saved)));
        let goals: Vec<_> = goals.collect();
        let work = Workshop::open(
            context,
            installation,
            Asking::Approved,
            settings,
            goals.len() > 1,
        )?;
        return run_goals(&work, goals).await;
    }
    let sources = find::specs(&args.specs)?;
    let compiler = Compiler::new(context, &platform)?;
    let installation = Installation::of(context, platform)?;
    let work = Workshop::open(context, installation, asking, settings, sources.len() > 1)?;
    let changed = changed(&work, args, &compiler, &sources).await?;
    let desired = compile_all(context, &work.installation, &compiler, &changed)?;
    let goals = desired.into_iter().map(|desired| {
        Order::apply(desired, &args.selection).map(|order| Goal::Spec(Box::new(order)))
    });
    run_goals(&work, goals.collect::<Result<_, _>>()?).await
}

fn patterns(file: &PlanFile) -> Result<Vec<AddressPattern>, Failure> {
    let texts = file.plans.iter().flat_map(|saved| &saved.allow_data_loss);
    texts
        .map(|text| pattern(if text == "all" { "*/*" } else { text }))
        .collect()
}

/// The specs that there may be something to do for; the others are told at once.
async fn changed<'a>(
    work: &Workshop,
    args: &ApplyArgs,
    compiler: &Compiler,
    sources: &'a [Source],
) -> Result<Vec<&'a Source>, Failure> {
    let selection = &args.selection;
    let whole = selection.target.is_empty() && selection.exclude.is_empty();
    if !whole || !selection.replace.is_empty() || selection.destroy || selection.refresh_only {
        return Ok(sources.iter().collect());
    }
    let inputs: Vec<_> = sources
        .iter()
        .map(|source| compiler.inputs(source))
        .collect();
    let same = unchanged(&work.installation, &work.store, &inputs, selection.refresh).await?;
    let (same, changed): (Vec<_>, Vec<_>) = sources
        .iter()
        .zip(&inputs)
        .partition(|(_, inputs)| same.contains_key(inputs));
    if sources.len() > 1 {
        if !same.is_empty() {
            work.print(&format!("{} tenants: no changes.\n", same.len()));
        }
    } else if !same.is_empty() {
        work.print("No changes. The tenant is as its spec says.\n");
    }
    Ok(changed.into_iter().map(|(source, _)| source).collect())
}

/// One goal with everything told, or many with one line each.
///
/// # Errors
/// What keeps the run from starting.
pub(crate) async fn run_goals(work: &Arc<Workshop>, goals: Vec<Goal>) -> Outcome {
    match goals.as_slice() {
        [] => Ok(Exit::Ok),
        [goal] => one(work, goal).await,
        _ => many(work, goals).await,
    }
}

async fn one(work: &Arc<Workshop>, goal: &Goal) -> Outcome {
    let ended = crate::work::carry_out(work, goal, Manner::Alone).await?;
    work.print(&ended.text());
    work.progress.tell("change_summary", ended.json());
    Ok(ended.exit)
}

/// All plans are shown in a line each before one question is asked for all of them.
async fn many(work: &Arc<Workshop>, goals: Vec<Goal>) -> Outcome {
    if work.asking == Asking::Approved {
        let all = goals.into_iter().map(|goal| (goal, Manner::Fleet(None)));
        return Ok(fleet(work, all.collect()).await);
    }
    let mut shown = Vec::new();
    for goal in goals {
        let Goal::Spec(order) = &goal else {
            shown.push((goal, Manner::Fleet(None)));
            continue;
        };
        let head = work.store.head(&order.tenant);
        let head = head.map_err(|error| crate::installation::of_state(&error))?;
        let planned = plan(&work.installation, head, order, &work.settings.approvals).await?;
        crate::work::refuse(&planned, &order.tenant)?;
        if planned.has_news() {
            work.print(&format!(
                "{}: {}\n",
                order.tenant,
                counts(&planned.plan).line()
            ));
        }
        let manner = Manner::Fleet(Some(planned.plan.id()));
        shown.push((goal, manner));
    }
    let question = format!("Apply these plans to {} tenants?", shown.len());
    confirm(&work.context.screen, work.asking, &question)?;
    Ok(fleet(work, shown).await)
}

/// Whether a command may go on without asking, as far as its own line says.
pub(crate) fn asking(context: &Context, execution: &Execution) -> Asking {
    Asking::new(execution.auto_approve, context.global.asks_nobody())
}
