//! `--dry-run`: plans as they are shown before they are carried out, and nothing else.
//!
//! No lock is taken and nobody is asked. What would be refused is told with the plan, as `matih
//! plan` does.

use matih_state::Store;
use serde_json::Value;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::installation::{Installation, of_state};
use crate::render;
use crate::work::planning::{Planned, explain, plan};
use crate::work::{Goal, Settings, would_be_refused};

/// What came of a dry run.
pub(crate) struct DryRun {
    /// Whether something would be refused (exit code 7).
    pub(crate) exit: Exit,
    /// The plans for programs; none where people read them.
    pub(crate) documents: Vec<Value>,
}

/// Shows what goals would do. Text is printed; the documents are the caller's to print.
///
/// # Errors
/// A plan cannot be made.
pub(crate) async fn dry_run(
    context: &Context,
    installation: &Installation,
    store: &Store,
    settings: &Settings,
    goals: &[Goal],
) -> Result<DryRun, Failure> {
    let timings = store.timings().map_err(|error| of_state(&error))?;
    let places = settings.parallelism.get();
    let catalog = &installation.platform.catalog;
    let mut run = DryRun {
        exit: Exit::Ok,
        documents: Vec::new(),
    };
    for (place, goal) in goals.iter().enumerate() {
        let mut planned = planned(installation, store, settings, goal).await?;
        explain(installation, &mut planned, &timings, places)?;
        let view = planned.view(catalog, settings.detail || context.screen.is_verbose());
        if context.global.json {
            run.documents.push(render::plan::json(&view));
        } else {
            let gap = if place == 0 { "" } else { "\n" };
            let text = render::plan::text(&view);
            context.screen.print(&format!("{gap}{text}"));
        }
        if let Err(refused) = would_be_refused(&planned) {
            run.exit = run.exit.worst(refused.exit);
            context.screen.complain(&refused);
        }
    }
    Ok(run)
}

async fn planned(
    installation: &Installation,
    store: &Store,
    settings: &Settings,
    goal: &Goal,
) -> Result<Planned, Failure> {
    let head = store
        .head(goal.tenant())
        .map_err(|error| of_state(&error))?;
    let catalog = &installation.platform.catalog;
    let order = goal.order(store, head.as_ref(), catalog, settings.look)?;
    let approvals = &settings.approvals;
    plan(installation, Some(store), head, &order, approvals).await
}
