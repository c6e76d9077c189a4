//! `matih diff`: two specs, two snapshots, or a snapshot and the world. Exit code 2 if they
//! differ, as `diff` has 1: 1 is an error here.

use std::path::Path;
use std::sync::Arc;

use matih_executor::observe;
use matih_model::{
    Applied, Catalog, Digest, Observation, Origin, RemoteId, ResourceGraph, RunId, Snapshot, Value,
    Verb, Version,
};
use matih_planner::{PlanInput, PlanOptions, Verdict, drift, moves_between};

use crate::args::{DiffArgs, Output};
use crate::commands::history::find as find_snapshot;
use crate::compiler::{Compiler, Desired};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::find;
use crate::installation::Installation;
use crate::platform::Platform;
use crate::render;
use crate::render::plan::{PlanView, counts, has_news};
use crate::tenants;
use crate::work::look;
use crate::work::planning::of_planner;

const NO_DIFFERENCE: &str = "No difference.\n";

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &DiffArgs) -> Outcome {
    let exit = match (args.specs.as_slice(), args.snapshot.as_slice()) {
        ([before, after], _) => specs(context, before, after, args.output)?,
        ([_], _) => {
            return Err(Failure::usage("Two specs are needed.").hint("matih diff BEFORE AFTER"));
        }
        (_, [before, after @ ..]) => snapshots(
            context,
            before,
            after.first().map(String::as_str),
            args.output,
        )?,
        ([], []) => live(context, args.output).await?,
        _ => return Err(Failure::usage("At most two specs.").hint("matih diff BEFORE AFTER")),
    };
    Ok(if args.exit_zero { Exit::Ok } else { exit })
}

/// What would change if the second spec took the place of the first.
fn specs(context: &Context, before: &Path, after: &Path, output: Output) -> Outcome {
    let platform = Arc::new(Platform::load(context)?);
    let compiler = Compiler::new(context, &platform)?;
    let compile = |path: &Path| -> Result<Desired, Failure> {
        compiler.compile_alone(context, &find::spec(Some(path))?)
    };
    let (before, after) = (compile(before)?, compile(after)?);
    let base = as_applied(&platform.catalog, &before.graph)?;
    show(context, &platform, &base, &after.graph, &[], output)
}

/// The snapshot that a graph would leave, each output a text of its own, so that a reference is
/// the same as long as it leads to the same output of something that stays as it is.
fn as_applied(catalog: &Catalog, graph: &ResourceGraph) -> Result<Snapshot, Failure> {
    let plan = matih_planner::plan(&PlanInput {
        tenant: graph.tenant(),
        base: None,
        desired: graph,
        observation: &Observation::default(),
        catalog,
        options: &PlanOptions::default(),
        verb: Verb::Apply,
        inputs: Digest::of("matih diff v1", &0),
    })
    .map_err(|error| of_planner(&error))?;
    let resources = matih_planner::after(&plan, None, &mut |action, _| {
        let address = action.address();
        let schema = catalog.get(&address.kind);
        let outputs = schema.map(|schema| &*schema.outputs).unwrap_or_default();
        let marker = |name: &str| Value::string(format!("${{{address}#{name}}}"));
        Applied {
            remote_id: RemoteId::new("-"),
            outputs: outputs
                .iter()
                .map(|it| (it.name.clone(), marker(&it.name)))
                .collect(),
            version: Version::new("-"),
            adopted: false,
            unready: None,
        }
    });
    let origin = Origin {
        run: RunId::new("-"),
        verb: Verb::Apply,
    };
    let (tenant, tenancy) = (graph.tenant().clone(), graph.tenancy());
    Ok(Snapshot::new(tenant, 1, None, origin, tenancy, resources))
}

/// What differs between two snapshots.
pub(crate) fn snapshots(
    context: &Context,
    before: &str,
    after: Option<&str>,
    output: Output,
) -> Outcome {
    let installation = Installation::open(context)?;
    let store = installation.existing_store()?;
    let tenant = tenants::one(context, &store, None)?;
    let before = find_snapshot(&store, &tenant, Some(before))?;
    let after = find_snapshot(&store, &tenant, after)?;
    let moved = moves_between(&before, &after);
    show(
        context,
        &installation.platform,
        &before,
        &after.as_desired(),
        &moved,
        output,
    )
}

fn show(
    context: &Context,
    platform: &Platform,
    before: &Snapshot,
    after: &ResourceGraph,
    moved: &[(matih_model::ResourceName, matih_model::ResourceName)],
    output: Output,
) -> Outcome {
    let catalog = &platform.catalog;
    let options = PlanOptions {
        moved: moved.to_vec(),
        ..PlanOptions::default()
    };
    let plan = matih_planner::plan(&PlanInput {
        tenant: before.tenant(),
        base: Some(before),
        desired: after,
        observation: &Observation::default(),
        catalog,
        options: &options,
        verb: Verb::Apply,
        inputs: Digest::of("matih diff v1", &0),
    })
    .map_err(|error| of_planner(&error))?;
    let view = PlanView {
        plan: &plan,
        base: Some(before),
        catalog,
        tier: None,
        drift: None,
        rehearsed: None,
        verdict: &Verdict::Allowed,
        inverse: None,
        estimate_ms: None,
        detail: context.screen.is_verbose(),
    };
    let text = || {
        if !has_news(&plan) {
            return NO_DIFFERENCE.to_owned();
        }
        let differences = render::plan::differences(&view);
        format!("{differences}\n{}.\n", counts(&plan).in_words())
    };
    context.print(output, text, || render::plan::json(&view));
    Ok(if has_news(&plan) {
        Exit::Changes
    } else {
        Exit::Ok
    })
}

/// What was applied and what is there.
async fn live(context: &Context, output: Output) -> Outcome {
    let installation = Installation::open(context)?;
    let store = installation.existing_store()?;
    let tenant = tenants::one(context, &store, None)?;
    let head = find_snapshot(&store, &tenant, None)?;
    let mut seen = observe(
        installation.registry()?,
        std::slice::from_ref(&head),
        &look(),
    )
    .await;
    let seen = seen.remove(&tenant).unwrap_or_default();
    let catalog = &installation.platform.catalog;
    let report = drift(&head, &seen, catalog);
    let text = || {
        if report.in_sync() {
            return NO_DIFFERENCE.to_owned();
        }
        render::drift::changes(&report, &head, catalog)
    };
    context.print(output, text, || render::drift::not_in_sync(&report));
    Ok(if report.in_sync() {
        Exit::Ok
    } else {
        Exit::Changes
    })
}
