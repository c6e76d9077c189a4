//! `matih drift`: what was applied against what is there; once, or again and again.
//!
//! A tenant of which every object is in the very state that is recorded costs its tokens and one
//! question; the record of a tenant is read where something differs.

mod accept;
mod notify;
mod schedule;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use matih_executor::{Search, Unmanaged, observe, unmanaged};
use matih_model::{Marked, Snapshot, SnapshotId, TenantId};
use matih_planner::{Drift, DriftReport, drift};
use matih_state::{Store, TenantSummary, Token};
use serde_json::{Value, json};

use crate::args::{DriftArgs, Look};
use crate::clock::now_ms;
use crate::commands::apply::{asking, run_goals};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::installation::{Installation, of_state};
use crate::render;
use crate::render::style::{ADD, BAD, STRONG, paint};
use crate::render::time::rfc3339;
use crate::tenants;
use crate::work::{Goal, Settings, Workshop, changed, look};

/// One tenant, looked at.
struct Seen {
    tenant: TenantId,
    snapshot: Option<SnapshotId>,
    /// Its record, where it was needed.
    head: Option<Arc<Snapshot>>,
    report: DriftReport,
    unmanaged: Unmanaged,
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &DriftArgs) -> Outcome {
    if let Some(cron) = &args.schedule {
        let schedule = schedule::parse(cron)?;
        if args.print_cronjob {
            context.screen.print(&schedule::cronjob(cron, args));
            return Ok(Exit::Ok);
        }
        if args.print_systemd_timer {
            context.screen.print(&schedule::systemd(cron, args)?);
            return Ok(Exit::Ok);
        }
        return schedule::stay(context, args, &schedule).await;
    }
    let (exit, seen) = once(context, args).await?;
    if args.accept {
        return accept::run(context, args, &seen);
    }
    if args.revert {
        return revert(context, args, &seen).await;
    }
    Ok(if args.detailed_exitcode {
        exit
    } else {
        Exit::Ok
    })
}

/// Looks once, prints, and tells whoever is to be told.
async fn once(context: &Context, args: &DriftArgs) -> Result<(Exit, Vec<Seen>), Failure> {
    let installation = Installation::open(context)?;
    let Some(store) = installation.store()? else {
        context.screen.print("Nothing was ever applied.\n");
        return Ok((Exit::Ok, Vec::new()));
    };
    let seen = all(context, args, &installation, &store).await?;
    let catalog = &installation.platform.catalog;
    let verbose = context.screen.is_verbose();
    context.print(
        args.output,
        || seen.iter().map(|it| text(it, catalog, verbose)).collect(),
        || document(&seen),
    );
    let exit = if seen.iter().all(Seen::in_sync) {
        Exit::Ok
    } else {
        Exit::Changes
    };
    if let (Some(address), Exit::Changes) = (&args.notify, exit) {
        notify::post(address, &document(&seen)).await?;
    }
    Ok((exit, seen))
}

async fn all(
    context: &Context,
    args: &DriftArgs,
    installation: &Installation,
    store: &Store,
) -> Result<Vec<Seen>, Failure> {
    let named = tenants::all(context, store, &args.tenants)?;
    let mut summaries = summaries(store, &named)?;
    let tokens = store.tokens(&summaries).map_err(|error| of_state(&error))?;
    let mut differ = changed(installation, &tokens).await?;
    if args.unmarked {
        // What lies unmarked in an object is asked for by its record.
        differ.extend(tokens.keys().cloned());
    }
    let heads = heads(store, &differ)?;
    // Taken down while it was looked at, a tenant has no record any more, and nothing is in sync.
    summaries.retain(|it| !differ.contains(&it.tenant) || heads.contains_key(&it.tenant));
    let registry = installation.registry()?;
    let options = look();
    let observed = observe(registry, heads.values(), &options).await;
    let known = tokens.keys().map(|it| (it, heads.get(it).map(|it| &**it)));
    let search = Search {
        installation: store.installation(),
        unmarked: args.unmarked,
        timeout: options.timeout,
    };
    let mut strays = unmanaged(registry, &search, known).await;
    let mut all = Vec::new();
    for summary in summaries {
        let tokens = tokens
            .get(&summary.tenant)
            .map(|it| &**it)
            .unwrap_or_default();
        let head = heads.get(&summary.tenant).cloned();
        let report = match &head {
            Some(head) => {
                let nothing = Default::default();
                let seen = observed.get(&summary.tenant).unwrap_or(&nothing);
                drift(head, seen, &installation.platform.catalog)
            }
            None => as_applied(tokens),
        };
        let mut unmanaged = strays.remove(&summary.tenant).unwrap_or_default();
        leave_recorded(&mut unmanaged, tokens);
        let recorded = summary.head;
        all.push(Seen {
            tenant: summary.tenant,
            snapshot: head.as_ref().map(|it| it.id()).or(recorded),
            head,
            report,
            unmanaged,
        });
    }
    Ok(all)
}

/// Those of these tenants that have a record.
fn summaries(store: &Store, named: &[TenantId]) -> Result<Vec<TenantSummary>, Failure> {
    let all = store.tenants().map_err(|error| of_state(&error))?;
    let mut all: BTreeMap<_, _> = all.into_iter().map(|it| (it.tenant.clone(), it)).collect();
    let named = named.iter().filter_map(|tenant| all.remove(tenant));
    Ok(named.filter(|it| it.head.is_some()).collect())
}

/// The records of those of these tenants that have one.
fn heads(
    store: &Store,
    tenants: &BTreeSet<TenantId>,
) -> Result<BTreeMap<TenantId, Arc<Snapshot>>, Failure> {
    let mut heads = BTreeMap::new();
    for tenant in tenants {
        let head = store.head(tenant).map_err(|error| of_state(&error))?;
        heads.extend(head.map(|head| (tenant.clone(), head)));
    }
    Ok(heads)
}

/// What is said of a tenant whose every object is in the very state that is recorded.
fn as_applied(tokens: &[Token]) -> DriftReport {
    let each = tokens.iter().map(|it| (it.address.clone(), Drift::InSync));
    DriftReport {
        resources: each.collect(),
    }
}

/// Drops what is recorded under another name: what was moved in the record still bears the mark of
/// its old address.
fn leave_recorded(unmanaged: &mut Unmanaged, tokens: &[Token]) {
    let recorded = tokens.iter().map(|it| (&it.address.kind, &it.remote_id));
    let recorded: BTreeSet<_> = recorded.collect();
    let is_recorded = |it: &Marked| recorded.contains(&(&it.owner.address.kind, &it.remote_id));
    unmanaged.found.retain(|found| !is_recorded(found));
}

impl Seen {
    fn in_sync(&self) -> bool {
        self.report.in_sync() && self.unmanaged == Unmanaged::default()
    }

    fn count(&self, wanted: fn(&Drift) -> bool) -> usize {
        self.report
            .resources
            .values()
            .filter(|drift| wanted(drift))
            .count()
    }

    /// In sync, changed, missing, unknown, unmanaged.
    fn counts(&self) -> [usize; 5] {
        [
            self.count(|it| matches!(it, Drift::InSync)),
            self.count(|it| matches!(it, Drift::Changed { .. } | Drift::Unmarked)),
            self.count(|it| matches!(it, Drift::Missing)),
            self.count(|it| matches!(it, Drift::Unknown { .. })) + self.unmanaged.unknown.len(),
            self.unmanaged.found.len() + self.unmanaged.unmarked.len(),
        ]
    }
}

fn text(seen: &Seen, catalog: &matih_model::Catalog, verbose: bool) -> String {
    let [same, changed, missing, unknown, unmanaged] = seen.counts();
    let word = if seen.in_sync() {
        paint(ADD, "in sync").to_string()
    } else {
        paint(BAD, "drift").to_string()
    };
    let mut text = format!("{}: {word}\n", paint(STRONG, &seen.tenant));
    if verbose {
        let in_sync = seen
            .report
            .resources
            .iter()
            .filter(|(_, it)| **it == Drift::InSync);
        in_sync.for_each(|(address, _)| text += &format!("  = {address}\n"));
    }
    if let Some(head) = &seen.head {
        text += &render::drift::changes(&seen.report, head, catalog);
    }
    text += &render::drift::unmanaged(&seen.unmanaged);
    for (provider, why) in &seen.unmanaged.unknown {
        text += &format!("  ? provider {provider} could not list: {why}\n");
    }
    text + &format!(
        "  {same} in sync, {changed} changed, {missing} missing, {unmanaged} unmanaged, {unknown} unknown.\n"
    )
}

/// The report for programs: `{v, checked_at, drift, tenants: [{tenant, snapshot, in_sync, summary,
/// resources, unmanaged, unmarked}]}`.
fn document(all: &[Seen]) -> Value {
    let tenants = all.iter().map(|seen| {
        let [same, changed, missing, unknown, unmanaged] = seen.counts();
        let found = seen.unmanaged.found.iter().map(|found| {
            json!({ "address": found.owner.address, "remote_id": found.remote_id,
                    "generation": found.owner.generation, "run": found.owner.run })
        });
        let unmarked = seen.unmanaged.unmarked.iter().map(|it| {
            let by = it.by.as_ref();
            json!({ "remote_id": it.remote_id, "in": it.holder, "by": by.map(|it| &it.by),
                    "how": by.map(|it| &it.how), "when": by.and_then(|it| it.when.as_ref()) })
        });
        json!({
            "tenant": seen.tenant,
            "snapshot": seen.snapshot,
            "in_sync": seen.in_sync(),
            "summary": { "in_sync": same, "changed": changed, "missing": missing,
                         "unmanaged": unmanaged, "unknown": unknown },
            "resources": render::drift::not_in_sync(&seen.report),
            "unmanaged": found.collect::<Vec<_>>(),
            "unmarked": unmarked.collect::<Vec<_>>(),
            "unlisted_providers": seen.unmanaged.unknown,
        })
    });
    json!({
        "v": 1,
        "checked_at": rfc3339(now_ms()),
        "drift": !all.iter().all(Seen::in_sync),
        "tenants": tenants.collect::<Vec<_>>(),
    })
}

/// Plans to put everything back as applied.
async fn revert(context: &Context, args: &DriftArgs, seen: &[Seen]) -> Outcome {
    let goals: Vec<Goal> = seen
        .iter()
        .filter(|seen| seen.report.has_drifted())
        .map(|seen| Goal::Revert(seen.tenant.clone()))
        .collect();
    let look = Look {
        force_conflicts: args.force_conflicts,
        ..Look::default()
    };
    let installation = Installation::forced(context, look.force_conflicts)?;
    let platform = &installation.platform.file;
    let settings = Settings::new(platform, look, &args.execution, &args.approvals, false)?;
    let asking = asking(context, &args.execution);
    let work = Workshop::open(context, installation, asking, settings, goals.len() > 1)?;
    run_goals(&work, goals).await
}
