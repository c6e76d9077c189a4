//! `matih release history`: what the provider remembers of a release, beside what our snapshots do.

use std::collections::BTreeMap;

use matih_model::{Recorded, RemoteId, Revision};

use super::{chart, one};
use crate::args::ReleaseHistoryArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::installation::Installation;
use crate::render::release::{Past, history_json, history_text};
use crate::render::time::rfc3339;
use crate::work::release::{KIND, Kept, kept, revision};

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &ReleaseHistoryArgs) -> Outcome {
    let installation = Installation::open(context)?;
    let store = installation.existing_store()?;
    let (head, address) = one(&store, &args.which)?;
    let kept = kept(&store, &head, &address)?;
    let recorded = head.get(&address);
    let remembered = match recorded {
        Some(recorded) => remembered(&installation, &recorded.remote_id).await?,
        None => Vec::new(),
    };
    let rows = joined(&remembered, &kept, recorded.map(|it| &**it));
    context.print(
        args.output,
        || history_text(&rows),
        || history_json(&address, &rows),
    );
    Ok(Exit::Ok)
}

/// What the provider remembers; nothing where it remembers nothing.
///
/// # Errors
/// It cannot be asked.
pub(super) async fn remembered(
    installation: &Installation,
    remote_id: &RemoteId,
) -> Result<Vec<Revision>, Failure> {
    let kind = KIND
        .parse()
        .map_err(|error| Failure::error(format!("{error}")))?;
    let Some(provider) = installation.registry()?.provider(&kind) else {
        return Ok(Vec::new());
    };
    let told = provider.history(remote_id).await;
    told.map_err(|error| {
        let failure = Failure::error(format!("The revisions of {remote_id}: {error}."));
        match error.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}

/// Both memories, oldest first. What the provider no longer keeps is told from our record.
fn joined(remembered: &[Revision], kept: &[Kept], head: Option<&Recorded>) -> Vec<Past> {
    let mut rows: BTreeMap<u64, Past> = BTreeMap::new();
    for kept in kept {
        let recorded = &kept.recorded;
        let text = |key| recorded.outputs.text(key).unwrap_or_default().to_owned();
        let (name, version) = chart(recorded);
        let now = head.and_then(revision) == Some(kept.number);
        let said = recorded.resource.attributes.text("description");
        let status = match kept.status() {
            "deployed" if !now => "superseded",
            status => status,
        };
        let row = Past {
            number: kept.number,
            updated: Some(rfc3339(kept.since_ms)),
            status: status.to_owned(),
            chart: format!("{name} {version}"),
            app_version: text("app_version"),
            by: Some(kept.run.to_string()),
            snapshots: Some(kept.snapshots),
            description: said.unwrap_or_default().to_owned(),
        };
        rows.insert(kept.number, row);
    }
    for told in remembered {
        let row = Past {
            number: told.number,
            updated: told.updated.as_ref().map(ToString::to_string),
            status: told.status.to_string(),
            chart: told.made_of.to_string(),
            app_version: told.app_version.to_string(),
            by: told.maker.as_ref().map(|maker| maker.run.to_string()),
            snapshots: rows.get(&told.number).and_then(|row| row.snapshots),
            description: told.description.to_string(),
        };
        rows.insert(told.number, row);
    }
    rows.into_values().collect()
}
