//! `matih show`: a saved plan, a resource, or a snapshot.

use std::path::Path;

use matih_model::Address;
use matih_planner::{Approvals, Unalterable, guard};
use serde_json::json;

use crate::args::{Output, ShowArgs};
use crate::commands::{history, state};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::installation::Installation;
use crate::plan_file::{PlanFile, looks_like_one};
use crate::render;
use crate::work::planning::Planned;

/// Runs the command.
pub(crate) fn run(context: &Context, args: &ShowArgs) -> Outcome {
    match &args.what {
        Some(what) if looks_like_one(Path::new(what)) => {
            plan(context, Path::new(what), args.output)
        }
        Some(what) if what.parse::<Address>().is_ok() || what.contains('/') => {
            state::show(context, what, args.output)
        }
        what => history::show(context, what.as_deref(), args.output),
    }
}

fn plan(context: &Context, path: &Path, output: Output) -> Outcome {
    let installation = Installation::open(context)?;
    let file = PlanFile::read(path, installation.secrets.keys())?;
    let store = installation.store()?;
    let catalog = &installation.platform.catalog;
    let notation = context.notation(output);
    let mut documents = Vec::new();
    for saved in file.plans {
        // The snapshot that it starts from, if it is still the newest; the plan says all else.
        let base = match &store {
            Some(store) => store.head(saved.plan.tenant()).ok().flatten(),
            None => None,
        };
        let base = base.filter(|base| Some(base.id()) == saved.plan.base());
        let verdict = guard(&saved.plan, base.as_deref(), &Approvals::default());
        let planned = Planned {
            plan: saved.plan,
            base,
            drift: None,
            rehearsed: None,
            unalterable: Unalterable::new(),
            verdict,
            inverse: None,
            estimate_ms: None,
            tier: None,
            unread: Vec::new(),
        };
        let view = planned.view(catalog, context.screen.is_verbose());
        match notation {
            None => {
                context.screen.print(&render::plan::text(&view));
                let made = render::time::moment(file.made_at);
                context.screen.print(&format!("Made at {made}.\n"));
            }
            Some(_) => documents.push(render::plan::json(&view)),
        }
    }
    if let Some(notation) = notation {
        let document = json!({ "v": 1, "plans": documents });
        context.screen.print_document(notation, &document);
    }
    Ok(Exit::Ok)
}
