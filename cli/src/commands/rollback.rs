//! `matih rollback`: a tenant back to an older snapshot, by a plan like any other.

use crate::args::RollbackArgs;
use crate::commands::apply::{asking, run_goals};
use crate::context::Context;
use crate::failure::Outcome;
use crate::installation::Installation;
use crate::render::document::Notation;
use crate::tenants;
use crate::work::{Back, Goal, Settings, Workshop, dry_run};
use matih_state::SnapshotKey;

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &RollbackArgs) -> Outcome {
    let run = &args.run;
    let installation = Installation::forced(context, run.look.force_conflicts)?;
    let store = installation.existing_store()?;
    let tenant = tenants::one(context, &store, args.tenant.as_deref())?;
    let to = match (&args.to, args.last_good) {
        (Some(snapshot), _) => Back::To(SnapshotKey::parse(snapshot)),
        (None, true) => Back::LastGood,
        (None, false) => Back::Before,
    };
    let goals = vec![Goal::Back { tenant, to }];
    let settings = Settings::of(&installation.platform.file, run)?;
    if run.dry_run {
        let shown = dry_run(context, &installation, &store, &settings, &goals).await?;
        for document in &shown.documents {
            context.screen.print_document(Notation::Json, document);
        }
        return Ok(shown.exit);
    }
    let asking = asking(context, &run.execution);
    let work = Workshop::open(context, installation, asking, settings, false)?;
    run_goals(&work, goals).await
}
