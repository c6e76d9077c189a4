//! `matih plan`: what an apply would do. Takes no lock, changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use matih_model::{Digest, Snapshot, TenantId};
use matih_specs::{Diagnostics, Source};
use matih_state::{Store, TenantSummary};
use serde_json::{Value, json};

use crate::args::{Output, PlanArgs, Summary};
use crate::compiler::{Compiler, Desired};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::find;
use crate::installation::{Installation, of_state};
use crate::platform::Platform;
use crate::render;
use crate::render::style::{STRONG, paint};
use crate::work::planning::{Order, Planned, explain, plan};
use crate::work::{approvals, save, unchanged};

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &PlanArgs) -> Outcome {
    let platform = Arc::new(Platform::load(context)?);
    let sources = find::specs(&args.specs)?;
    let compiler = Compiler::new(context, &platform)?;
    let installation = Installation::of(context, platform)?;
    let store = installation.store()?;
    let same = same(args, &installation, store.as_ref(), &compiler, &sources).await?;
    let (same, changed): (Vec<_>, Vec<_>) = sources
        .iter()
        .partition(|source| same.contains_key(&compiler.inputs(source)));
    let desired = compile_all(context, &installation, &compiler, &changed)?;
    let mut planned = Vec::new();
    for desired in desired {
        let order = Order::apply(desired, &args.selection)?;
        planned.push(one(args, &installation, store.as_ref(), order).await?);
    }
    show(context, args, &installation, &same, &planned)?;
    if let Some(path) = &args.out {
        save(
            &installation,
            path,
            &planned,
            &args.approvals.allow_data_loss,
        )?;
        let path = path.display();
        context
            .screen
            .say(&format!("\nSaved. To do exactly this: matih apply {path}"));
    } else if planned.iter().any(|(_, planned)| planned.has_news()) {
        let specs: Vec<_> = args
            .specs
            .iter()
            .map(|it| it.display().to_string())
            .collect();
        let specs = if specs.is_empty() {
            planned
                .first()
                .and_then(|it| it.0.spec.clone())
                .unwrap_or_default()
        } else {
            specs.join(" ")
        };
        context
            .screen
            .say(&format!("\nTo do it: matih apply {specs}"));
    }
    let news = planned.iter().any(|(_, planned)| planned.has_news());
    Ok(if news && args.detailed_exitcode {
        Exit::Changes
    } else {
        Exit::Ok
    })
}

/// The specs whose tenants are known to be unchanged, so that nothing need be compiled.
async fn same(
    args: &PlanArgs,
    installation: &Installation,
    store: Option<&Store>,
    compiler: &Compiler,
    sources: &[Source],
) -> Result<BTreeMap<Digest, TenantSummary>, Failure> {
    let selection = &args.selection;
    let usual = selection.target.is_empty()
        && selection.exclude.is_empty()
        && selection.replace.is_empty()
        && !selection.destroy
        && !selection.refresh_only
        && args.out.is_none();
    let Some(store) = store.filter(|_| usual) else {
        return Ok(BTreeMap::new());
    };
    let inputs: Vec<_> = sources
        .iter()
        .map(|source| compiler.inputs(source))
        .collect();
    unchanged(installation, store, &inputs, selection.refresh).await
}

/// Compiles specs; the findings of all of them are told at once.
///
/// # Errors
/// One of them is wrong, or two are of one tenant.
pub(crate) fn compile_all(
    context: &Context,
    installation: &Installation,
    compiler: &Compiler,
    sources: &[&Source],
) -> Result<Vec<Desired>, Failure> {
    let mut findings = Diagnostics::default();
    let mut all: Vec<Desired> = Vec::new();
    for source in sources {
        match compiler.compile(source, &installation.secret_digest()) {
            Ok(desired) => all.push(desired),
            Err(found) => findings.extend(found),
        }
    }
    if findings.has_errors() {
        return Err(context.invalid(&findings));
    }
    let mut seen: BTreeMap<TenantId, String> = BTreeMap::new();
    for desired in &all {
        context.warn(&desired.warnings);
        if let Some(first) = seen.insert(desired.tenant().clone(), desired.spec.clone()) {
            let message = format!(
                "{first} and {} are both of tenant {}.",
                desired.spec,
                desired.tenant()
            );
            return Err(Failure::new(Exit::Invalid, message));
        }
    }
    Ok(all)
}

async fn one(
    args: &PlanArgs,
    installation: &Installation,
    store: Option<&Store>,
    order: Order,
) -> Result<(Order, Planned), Failure> {
    let head = head(store, &order.tenant)?;
    let approvals = approvals(&args.approvals)?;
    let mut planned = plan(installation, head, &order, &approvals).await?;
    let timings = match store {
        Some(store) => store.timings().map_err(|error| of_state(&error))?,
        None => BTreeMap::new(),
    };
    let parallelism = usize::try_from(installation.platform.file.apply.parallelism).unwrap_or(1);
    explain(installation, &mut planned, &timings, parallelism)?;
    Ok((order, planned))
}

fn head(store: Option<&Store>, tenant: &TenantId) -> Result<Option<Arc<Snapshot>>, Failure> {
    match store {
        Some(store) => store.head(tenant).map_err(|error| of_state(&error)),
        None => Ok(None),
    }
}

fn show(
    context: &Context,
    args: &PlanArgs,
    installation: &Installation,
    same: &[&Source],
    planned: &[(Order, Planned)],
) -> Result<(), Failure> {
    let catalog = &installation.platform.catalog;
    let detail = args.detail || context.screen.is_verbose();
    let views = planned
        .iter()
        .map(|(_, planned)| planned.view(catalog, detail));
    if context.output(args.output) == Output::Json {
        let plans: Vec<Value> = views.map(|view| render::plan::json(&view)).collect();
        let same: Vec<_> = same.iter().map(|source| &*source.name).collect();
        context
            .screen
            .print_json(&json!({ "v": 1, "plans": plans, "unchanged": same }), true);
        return Ok(());
    }
    let fleet = same.len() + planned.len() > 1;
    for (index, view) in views.enumerate() {
        let text = match args.summary {
            Some(Summary::Md) => render::plan::markdown(&view),
            None => render::plan::text(&view),
        };
        context.screen.print(if index > 0 { "\n" } else { "" });
        context.screen.print(&text);
    }
    if !fleet {
        if let [_] = same {
            context.screen.print(&format!(
                "{} The tenant is as its spec says.\n",
                paint(STRONG, "No changes.")
            ));
        }
    } else {
        fleet_line(context, same.len(), planned);
    }
    Ok(())
}

fn fleet_line(context: &Context, same: usize, planned: &[(Order, Planned)]) {
    let changed = planned
        .iter()
        .filter(|(_, planned)| planned.has_news())
        .count();
    let all = same + planned.len();
    let line = format!(
        "{all} tenants: {changed} with changes, {} without.",
        all - changed
    );
    context
        .screen
        .print(&format!("\n{}\n", paint(STRONG, line)));
}
