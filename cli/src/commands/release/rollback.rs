//! `matih release rollback`: one release as an earlier revision was recorded, by a new revision.

use matih_model::{Address, Recorded};

use super::history::remembered;
use super::{one, preview};
use crate::args::ReleaseRollbackArgs;
use crate::commands::apply::{asking, run_goals};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::installation::Installation;
use crate::work::release::{
    Alteration, Kept, To, history_of, kept, never_recorded, not_recorded, revision,
};
use crate::work::{Goal, Settings, Workshop};

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &ReleaseRollbackArgs) -> Outcome {
    let run = &args.run;
    let installation = Installation::forced(context, run.look.force_conflicts)?;
    let store = installation.existing_store()?;
    let (head, address) = one(&store, &args.which)?;
    let recorded = head.get(&address).ok_or_else(|| not_recorded(&address))?;
    let kept = kept(&store, &head, &address)?;
    let number = match args.to {
        Some(number) if kept.iter().any(|it| it.number == number) => number,
        Some(number) => {
            return Err(refused(&installation, &address, recorded, number, &kept).await);
        }
        None => earlier(&address, recorded, &kept, args.last_successful)?,
    };
    let alteration = Alteration {
        tenant: address.tenant.clone(),
        command: format!(
            "matih release rollback {} {} --to {number}",
            address.tenant, address.name
        ),
        releases: vec![address],
        to: To::Revision(number),
    };
    let settings = Settings::of(&installation.platform.file, run)?;
    if run.dry_run {
        return preview(context, &installation, &store, &settings, vec![alteration]).await;
    }
    let asking = asking(context, &run.execution);
    let work = Workshop::open(context, installation, asking, settings, false)?;
    run_goals(&work, vec![Goal::Release(Box::new(alteration))]).await
}

/// The newest recorded revision before the present one; of those that worked, if that is asked.
fn earlier(
    address: &Address,
    now: &Recorded,
    kept: &[Kept],
    successful: bool,
) -> Result<u64, Failure> {
    let now = revision(now).unwrap_or(u64::MAX);
    let mut before = kept.iter().filter(|it| it.number < now);
    let found = before.find(|it| !successful || it.status() == "deployed");
    found.map(|it| it.number).ok_or_else(|| {
        let what = if successful {
            "no earlier revision that worked"
        } else {
            "no earlier revision"
        };
        Failure::error(format!("{address} has {what} that a snapshot recorded."))
            .hint(history_of(address))
    })
}

/// Why there is no way back to a revision that no snapshot recorded: whose it is, if anybody
/// remembers.
async fn refused(
    installation: &Installation,
    address: &Address,
    recorded: &Recorded,
    number: u64,
    kept: &[Kept],
) -> Failure {
    let told = match remembered(installation, &recorded.remote_id).await {
        Ok(told) => told,
        Err(failure) => return failure,
    };
    let Some(found) = told.iter().find(|it| it.number == number) else {
        return never_recorded(address, number, kept);
    };
    if found.maker.is_some() {
        return never_recorded(address, number, kept);
    }
    let when = found
        .updated
        .as_deref()
        .unwrap_or("at a time that is not known");
    let said = match &*found.description {
        "" => String::new(),
        said => format!(" ({said})"),
    };
    let message = format!(
        "Revision {number} of {address} was made by somebody else{said}, {when}: what it holds is in no snapshot. Nothing was changed."
    );
    Failure::error(message).hint(format!(
        "to keep what it holds, write it into the spec or `matih release upgrade`; to go back before it: {} --to {}",
        format_args!("matih release rollback {} {}", address.tenant, address.name),
        revision(recorded).unwrap_or_default()
    ))
}
