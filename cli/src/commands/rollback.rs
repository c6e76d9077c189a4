//! `matih rollback`: a tenant back to an older snapshot, by a plan like any other.

use crate::args::{Output, RollbackArgs};
use crate::commands::apply::{asking, run_goals};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::installation::{Installation, of_state};
use crate::render;
use crate::tenants;
use crate::work::planning::{explain, plan};
use crate::work::{Back, Goal, Settings, Workshop, would_be_refused};
use matih_state::SnapshotKey;

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &RollbackArgs) -> Outcome {
    let installation = Installation::forced(context, args.look.force_conflicts)?;
    let store = installation.existing_store()?;
    let tenant = tenants::one(context, &store, args.tenant.as_deref())?;
    let to = match (&args.to, args.last_good) {
        (Some(snapshot), _) => Back::To(SnapshotKey::parse(snapshot)),
        (None, true) => Back::LastGood,
        (None, false) => Back::Before,
    };
    let goal = Goal::Back {
        tenant: tenant.clone(),
        to,
    };
    let platform = &installation.platform.file;
    let (look, execution) = (args.look, &args.execution);
    let settings = Settings::new(platform, look, execution, &args.approvals, args.detail)?;
    if args.dry_run {
        let head = store.head(&tenant).map_err(|error| of_state(&error))?;
        let catalog = installation.platform.catalog.clone();
        let order = goal.order(&store, head.as_ref(), &catalog, look)?;
        let mut planned = plan(
            &installation,
            Some(&store),
            head,
            &order,
            &settings.approvals,
        )
        .await?;
        let timings = store.timings().map_err(|error| of_state(&error))?;
        explain(
            &installation,
            &mut planned,
            &timings,
            settings.parallelism.get(),
        )?;
        let view = planned.view(&catalog, settings.detail || context.screen.is_verbose());
        match context.output(Output::Text) {
            Output::Text => context.screen.print(&render::plan::text(&view)),
            Output::Json => context.screen.print_json(&render::plan::json(&view), true),
        }
        would_be_refused(&planned)?;
        return Ok(Exit::Ok);
    }
    let asking = asking(context, &args.execution);
    let work = Workshop::open(context, installation, asking, settings, false)?;
    run_goals(&work, vec![goal]).await
}
