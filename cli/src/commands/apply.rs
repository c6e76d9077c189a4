//! `matih apply`: tenants to their specs, or a saved plan.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures_util::StreamExt;
use matih_model::{Digest, TenantId};
use matih_planner::AddressPattern;
use matih_specs::{Parsed, Source};
use matih_state::TenantSummary;
use serde_json::json;
use tokio::runtime::Handle;

use crate::args::{ApplyArgs, Execution, Selection};
use crate::compiler::Compiler;
use crate::confirm::Asking;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::find;
use crate::installation::{Installation, of_state};
use crate::plan_file::{PlanFile, looks_like_one};
use crate::platform::Platform;
use crate::render::plan::counts;
use crate::work::planning::{Order, plan};
use crate::work::{
    Goal, Manner, Settings, Ship, Workshop, ask, carry_out, fleet, in_order, pattern, refuse,
    unchanged, would_be_refused,
};

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &ApplyArgs) -> Outcome {
    if let [path] = args.specs.as_slice()
        && looks_like_one(path)
    {
        return saved(context, args, path).await;
    }
    let by_environment = args.approved_by_environment && !args.selection.destroy;
    let approved = args.execution.auto_approve || by_environment;
    let asking = Asking::new(approved, context.global.asks_nobody());
    let sources = find::specs(&args.specs)?;
    let look = args.selection.look;
    let platform = Platform::load(context)?.forced(look.force_conflicts);
    let platform = Arc::new(platform);
    let (file, execution) = (&platform.file, &args.execution);
    let settings = Settings::new(file, look, execution, &args.approvals, args.detail)?;
    let compiler = Arc::new(Compiler::new(context, &platform)?);
    let installation = Installation::of(context, platform)?;
    let work = Workshop::open(context, installation, asking, settings, sources.len() > 1)?;
    let same = same(&work, &args.selection, &compiler, &sources).await?;
    let mut specs = compiler.check(context, &sources, &same)?;
    tell_unchanged(&work, &compiler, &sources, &same);
    if sources.len() > 1 {
        return many(&work, &compiler, &args.selection, specs).await;
    }
    match specs.pop() {
        Some(spec) => alone(&work, &goal(&work, &compiler, &args.selection, &spec)?).await,
        None => Ok(Exit::Ok),
    }
}

/// Carries out a saved plan. Whoever saved it has seen it, so nobody is asked.
async fn saved(context: &Context, args: &ApplyArgs, path: &Path) -> Outcome {
    let look = args.selection.look;
    let installation = Installation::forced(context, look.force_conflicts)?;
    let file = PlanFile::read(path, installation.secrets.keys())?;
    let (platform, execution) = (&installation.platform.file, &args.execution);
    let mut settings = Settings::new(platform, look, execution, &args.approvals, args.detail)?;
    settings.approvals.data_loss.extend(patterns(&file)?);
    let several = file.plans.len() > 1;
    let work = Workshop::open(context, installation, Asking::Approved, settings, several)?;
    let goals = file
        .plans
        .into_iter()
        .map(|saved| Goal::Saved(Box::new(saved)));
    run_goals(&work, goals.collect()).await
}

fn patterns(file: &PlanFile) -> Result<Vec<AddressPattern>, Failure> {
    let texts = file.plans.iter().flat_map(|saved| &saved.allow_data_loss);
    texts
        .map(|text| pattern(if text == "all" { "*/*" } else { text }))
        .collect()
}

/// The tenants that are known to be unchanged, by the digest of their inputs.
async fn same(
    work: &Workshop,
    selection: &Selection,
    compiler: &Compiler,
    sources: &[Source],
) -> Result<BTreeMap<Digest, TenantSummary>, Failure> {
    if !selection.is_usual() {
        return Ok(BTreeMap::new());
    }
    let inputs: Vec<_> = sources
        .iter()
        .map(|source| compiler.inputs(source))
        .collect();
    unchanged(
        &work.installation,
        &work.store,
        &inputs,
        selection.look.looks(),
    )
    .await
}

fn tell_unchanged(
    work: &Workshop,
    compiler: &Compiler,
    sources: &[Source],
    same: &BTreeMap<Digest, TenantSummary>,
) {
    let is_same = |source: &&Source| same.contains_key(&compiler.inputs(source));
    let names: Vec<_> = sources
        .iter()
        .filter(is_same)
        .map(|source| &*source.name)
        .collect();
    match (sources.len(), names.len()) {
        (_, 0) => return,
        (1, _) => work.print("No changes. The tenant is as its spec says.\n"),
        (_, count) => work.print(&format!("{count} tenants: no changes.\n")),
    }
    work.progress
        .tell("change_summary", json!({ "unchanged": names }));
}

fn goal(
    work: &Workshop,
    compiler: &Compiler,
    selection: &Selection,
    spec: &Parsed,
) -> Result<Goal, Failure> {
    let desired = compiler.compile(spec, &work.installation.secret_digest());
    let desired = desired.map_err(|findings| work.context.invalid(&findings))?;
    work.context.warn(&desired.warnings);
    Order::apply(desired, selection).map(|order| Goal::Spec(Box::new(order)))
}

/// Many specs: all plans are shown in a line each before one question is asked for all of them.
async fn many(
    work: &Arc<Workshop>,
    compiler: &Arc<Compiler>,
    selection: &Selection,
    specs: Vec<Parsed>,
) -> Outcome {
    let shown = match work.asking {
        Asking::Approved => vec![None; specs.len()],
        _ => agreed(work, compiler, selection, &specs).await?,
    };
    let ships = specs.into_iter().zip(shown).map(|(spec, shown)| {
        let (work, compiler, selection) = (work.clone(), compiler.clone(), selection.clone());
        Ship {
            tenant: spec.spec.tenant_id(),
            goal: Box::new(move || goal(&work, &compiler, &selection, &spec)),
            manner: Manner::Fleet(shown),
        }
    });
    Ok(fleet(work, ships.collect()).await)
}

/// The ids of the plans that a person has seen and said yes to.
async fn agreed(
    work: &Arc<Workshop>,
    compiler: &Arc<Compiler>,
    selection: &Selection,
    specs: &[Parsed],
) -> Result<Vec<Option<Digest>>, Failure> {
    let runtime = Handle::current();
    let (shared, compiler, selection) = (work.clone(), compiler.clone(), selection.clone());
    let mut lines = Box::pin(in_order(
        work.settings.jobs,
        specs.to_vec(),
        move |spec: Parsed| {
            let goal = goal(&shared, &compiler, &selection, &spec)?;
            runtime.block_on(preview(&shared, &goal))
        },
    ));
    let mut ids = Vec::new();
    while let Some(preview) = lines.next().await {
        let (id, line) = preview?;
        work.print(&line);
        ids.push(Some(id));
    }
    if !ids.is_empty() {
        let question = format!("Apply these plans to {} tenants?", ids.len());
        ask(work, question).await?;
    }
    Ok(ids)
}

/// The id of a goal's plan, and the plan in one line.
///
/// # Errors
/// There is none, or the guard refuses it.
pub(crate) async fn preview(work: &Workshop, goal: &Goal) -> Result<(Digest, String), Failure> {
    let tenant: &TenantId = goal.tenant();
    let head = work.store.head(tenant).map_err(|error| of_state(&error))?;
    let catalog = &work.installation.platform.catalog;
    let order = goal.order(&work.store, head.as_ref(), catalog, work.settings.look)?;
    let approvals = &work.settings.approvals;
    let planned = plan(
        &work.installation,
        Some(&work.store),
        head,
        &order,
        approvals,
    )
    .await?;
    refuse(&planned, tenant)?;
    would_be_refused(&planned)?;
    let line = format!("{tenant}: {}\n", counts(&planned.plan).line());
    Ok((planned.plan.id(), line))
}

/// One goal with everything told, or many with one line each, agreed to already.
///
/// # Errors
/// What keeps the run from starting.
pub(crate) async fn run_goals(work: &Arc<Workshop>, mut goals: Vec<Goal>) -> Outcome {
    if goals.len() == 1
        && let Some(goal) = goals.pop()
    {
        return alone(work, &goal).await;
    }
    let ships = goals.into_iter().map(|goal| Ship {
        tenant: goal.tenant().clone(),
        goal: Box::new(move || Ok(goal)),
        manner: Manner::Fleet(None),
    });
    Ok(fleet(work, ships.collect()).await)
}

async fn alone(work: &Workshop, goal: &Goal) -> Outcome {
    let ended = carry_out(work, goal, Manner::Alone).await?;
    work.print(&ended.text());
    work.progress.tell("change_summary", ended.json());
    Ok(ended.exit)
}

/// Whether a command may go on without asking, as far as its own line says.
pub(crate) fn asking(context: &Context, execution: &Execution) -> Asking {
    Asking::new(execution.auto_approve, context.global.asks_nobody())
}
