//! `matih release upgrade`: another version or other values of a chart, in one tenant or in many.
//!
//! An ordinary plan for each tenant, in batches. What is so already is left alone; a failure does
//! not stop the others, until too large a share of those that were tried has failed. What other
//! tenants come to is in their own snapshots, so nothing is taken back.

mod fleet;
mod values;

use std::sync::Arc;

use matih_model::{Address, Attributes, TenantId};
use matih_state::Store;

use super::{chart, head, is_called, no_release, preview, releases};
use crate::args::ReleaseUpgradeArgs;
use crate::commands::apply::asking;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::installation::Installation;
use crate::render::release::{Fate, Keep, Upgraded, chart_of, upgrade_json, upgrade_text};
use crate::tenants;
use crate::work::batches::batches;
use crate::work::release::{Alteration, Override, To, revision};
use crate::work::{Settings, Workshop};

/// What is asked for, of whom.
struct Wish {
    change: Arc<Override>,
    /// Those that are to be altered, a tenant each.
    alterations: Vec<Alteration>,
    /// Every release that is meant, as it was.
    rows: Vec<Upgraded>,
    /// How to keep it.
    sample: Option<Sample>,
}

/// One of the releases, as it is to be.
struct Sample {
    address: Address,
    wanted: Attributes,
    of_spec: bool,
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &ReleaseUpgradeArgs) -> Outcome {
    let run = &args.run;
    let installation = Installation::forced(context, run.look.force_conflicts)?;
    let store = installation.existing_store()?;
    let change = values::read(args, &installation)?;
    if change.is_nothing() {
        return Err(Failure::usage("Nothing is to be changed.")
            .hint("name a version or values: --version, --set, --values"));
    }
    let mut wish = wish(context, &installation, &store, args, change)?;
    let settings = Settings::of(&installation.platform.file, run)?;
    if run.dry_run {
        tell_left(context, &wish);
        let sizes = batches(wish.alterations.len(), args.canary);
        if let [_, _, ..] = sizes.as_slice() {
            let sizes: Vec<_> = sizes.iter().map(|it| it.len().to_string()).collect();
            let line = format!("Batches of tenants: {}.", sizes.join(", "));
            context.screen.say(&line);
        }
        return preview(context, &installation, &store, &settings, wish.alterations).await;
    }
    if wish.alterations.is_empty() {
        tell_end(context, &wish);
        return Ok(Exit::Ok);
    }
    let asking = asking(context, &run.execution);
    let many = wish.alterations.len() > 1;
    let work = Workshop::open(context, installation, asking, settings, many)?;
    let alterations = std::mem::take(&mut wish.alterations);
    let tried = fleet::run(&work, args, alterations).await?;
    for row in &mut wish.rows {
        if let Some(fate) = tried.fates.get(&row.address.tenant)
            && row.fate == Fate::NotTried
        {
            row.fate = fate.clone();
            row.after = state(&work.store, &row.address)?;
        }
    }
    if work.progress.is_stream() {
        work.progress
            .tell("release_summary", upgrade_json(&wish.rows));
    } else {
        tell_end(context, &wish);
    }
    if let Some(why) = &tried.stopped {
        context.complain(
            &Failure::new(tried.exit, why.clone())
                .hint(again(args, &whose(args)) + &run.look.words()),
        );
    }
    Ok(tried.exit)
}

/// Finds the releases that are meant, and what of them is so already.
fn wish(
    context: &Context,
    installation: &Installation,
    store: &Store,
    args: &ReleaseUpgradeArgs,
    change: Override,
) -> Result<Wish, Failure> {
    let named = !args.tenants.is_empty() || context.global.tenant.is_some();
    if !named && !args.all {
        return Err(
            Failure::usage("Whose releases are to be upgraded is not said.")
                .hint("name tenants, or pass --all"),
        );
    }
    let mut wish = Wish {
        change: Arc::new(change),
        alterations: Vec::new(),
        rows: Vec::new(),
        sample: None,
    };
    let word = args.what.as_str();
    for tenant in tenants::all(context, store, &args.tenants)? {
        let head = match head(store, &tenant) {
            Ok(head) => head,
            Err(failure) if named => return Err(failure),
            Err(_) => continue,
        };
        let mut meant = Vec::new();
        let before = wish.rows.len();
        for (address, recorded) in releases(&head) {
            let (name, _) = chart(recorded);
            if name != word && !is_called(address, recorded, word) {
                continue;
            }
            let now = &recorded.resource.attributes;
            let wanted = wish
                .change
                .on(address, now, &installation.platform.catalog)?;
            let left = wanted == *now;
            let (_, version) = chart(recorded);
            let state = (version.to_owned(), revision(recorded));
            wish.rows.push(Upgraded {
                address: address.clone(),
                before: state.clone(),
                after: state,
                fate: if left { Fate::Left } else { Fate::NotTried },
            });
            if !left {
                meant.push(address.clone());
                wish.sample.get_or_insert(Sample {
                    address: address.clone(),
                    wanted,
                    of_spec: recorded.resource.steps.is_empty(),
                });
            }
        }
        if wish.rows.len() == before && named {
            return Err(no_release(&tenant, word));
        }
        if !meant.is_empty() {
            wish.alterations.push(Alteration {
                command: again(args, tenant.as_str()),
                tenant,
                releases: meant,
                to: To::Upgraded(wish.change.clone()),
            });
        }
    }
    if wish.rows.is_empty() {
        return Err(
            Failure::usage(format!("No tenant has a release `{word}`.")).hint("matih release list")
        );
    }
    Ok(wish)
}

/// The tenants as they were named.
fn whose(args: &ReleaseUpgradeArgs) -> String {
    match args.all {
        true => "--all".to_owned(),
        false => args.tenants.join(" "),
    }
}

/// The line that asks for the same again, of these tenants.
fn again(args: &ReleaseUpgradeArgs, whose: &str) -> String {
    let mut line = format!("matih release upgrade {}", args.what);
    let mut option = |name: &str, value: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-=/:@+,".contains(c);
        line += &match value.chars().all(plain) && !value.is_empty() {
            true => format!(" {name} {value}"),
            false => format!(" {name} '{}'", value.replace('\'', r"'\''")),
        };
    };
    if let Some(version) = &args.version {
        option("--version", version);
    }
    for file in &args.values {
        option("--values", &file.display().to_string());
    }
    for set in &args.set {
        option("--set", set);
    }
    if let Some(description) = &args.description {
        option("--description", description);
    }
    line + " " + whose
}

/// A release as it is recorded now.
fn state(store: &Store, address: &Address) -> Result<(String, Option<u64>), Failure> {
    let head = head(store, &address.tenant)?;
    Ok(match head.get(address) {
        Some(recorded) => (chart(recorded).1.to_owned(), revision(recorded)),
        None => (String::new(), None),
    })
}

fn tell_left(context: &Context, wish: &Wish) {
    for row in wish.rows.iter().filter(|row| row.fate == Fate::Left) {
        context
            .screen
            .say(&format!("{}: left alone, it is so already.", row.address));
    }
}

/// The table, and how to keep what was done.
fn tell_end(context: &Context, wish: &Wish) {
    context.screen.print(&upgrade_text(&wish.rows));
    let done = wish.rows.iter().filter(|row| row.fate == Fate::Upgraded);
    let mut tenants: Vec<TenantId> = done.map(|row| row.address.tenant.clone()).collect();
    tenants.dedup();
    if let (Some(sample), false) = (&wish.sample, tenants.is_empty()) {
        let chart = chart_of(&sample.wanted).filter(|_| wish.change.version.is_some());
        let paths = wish.change.paths();
        let keep = Keep {
            address: &sample.address,
            of_spec: sample.of_spec,
            chart,
            paths: paths.iter().map(ToString::to_string).collect(),
            tenants: &tenants,
        };
        context.screen.say(keep.text().trim_end());
    }
}
