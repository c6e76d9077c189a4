//! `matih release list`: what is installed, and how it is now.

use std::collections::BTreeMap;
use std::sync::Arc;

use matih_executor::observe;
use matih_model::{Address, Attributes, Observation, Reading, Recorded, Snapshot, Value};
use matih_state::{SnapshotKey, Store};

use super::{chart, releases};
use crate::args::ReleaseListArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::installation::{Installation, of_state};
use crate::render::release::{Row, list_json, list_text};
use crate::render::time::rfc3339;
use crate::tenants;
use crate::work::look;
use crate::work::release::revision;

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &ReleaseListArgs) -> Outcome {
    let installation = Installation::open(context)?;
    let store = installation.existing_store()?;
    let mut heads = Vec::new();
    for tenant in tenants::all(context, &store, &args.tenants)? {
        let head = store.head(&tenant).map_err(|error| of_state(&error))?;
        heads.extend(head.map(|head| Arc::new(only_releases(&head))));
    }
    let seen = if args.refresh {
        observe(installation.registry()?, &heads, &look()).await
    } else {
        BTreeMap::new()
    };
    let nothing = Observation::default();
    let mut rows = Vec::new();
    for head in &heads {
        let since = since(&store, head)?;
        let seen = seen.get(head.tenant()).unwrap_or(&nothing);
        for (address, recorded) in head.resources() {
            rows.push(row(
                address,
                recorded,
                seen.get(address),
                since.get(address),
            ));
        }
    }
    context.print(args.output, || list_text(&rows), || list_json(&rows));
    Ok(Exit::Ok)
}

/// A head without all that is no release, so that nothing else is asked about.
fn only_releases(head: &Snapshot) -> Snapshot {
    let kept = releases(head).map(|(address, it)| (address.clone(), it.clone()));
    Snapshot::new(
        head.tenant().clone(),
        head.serial(),
        head.parent(),
        head.origin().clone(),
        head.tenancy(),
        kept.collect(),
    )
}

/// When the recorded revision of each release was first recorded, in milliseconds.
fn since(store: &Store, head: &Snapshot) -> Result<BTreeMap<Address, u64>, Failure> {
    let tenant = head.tenant();
    let mut open: BTreeMap<&Address, &Arc<Recorded>> = head.resources().iter().collect();
    let mut since = BTreeMap::new();
    let history = store.history(tenant);
    for summary in history.map_err(|error| of_state(&error))? {
        if open.is_empty() {
            break;
        }
        let snapshot = store.snapshot(tenant, &SnapshotKey::Id(summary.id));
        let snapshot = snapshot.map_err(|error| of_state(&error))?;
        open.retain(|address, now| {
            let then = snapshot.get(address);
            let same = then.is_some_and(|then| {
                then.generation == now.generation && revision(then) == revision(now)
            });
            if same {
                since.insert((*address).clone(), summary.created_ms);
            }
            same
        });
    }
    Ok(since)
}

fn row(
    address: &Address,
    recorded: &Recorded,
    reading: Option<&Reading>,
    since: Option<&u64>,
) -> Row {
    let text = |outputs: &Attributes, key| outputs.text(key).unwrap_or_default().to_owned();
    let (name, version) = chart(recorded);
    let mut row = Row {
        address: address.clone(),
        release: text(&recorded.resource.attributes, "release"),
        chart: name.to_owned(),
        version: version.to_owned(),
        app_version: text(&recorded.outputs, "app_version"),
        revision: revision(recorded),
        status: text(&recorded.outputs, "status"),
        since: since.copied().map(rfc3339),
    };
    match reading {
        None | Some(Reading::Unchanged) => {}
        Some(Reading::Missing) => "missing".clone_into(&mut row.status),
        Some(Reading::Unknown(why)) => row.status = format!("unknown: {why}"),
        Some(Reading::Present(there)) => {
            let number = there.outputs.get("revision").and_then(Value::as_integer);
            let number = number.and_then(|number| u64::try_from(number).ok());
            if number != row.revision {
                let when = there.touches.iter().find_map(|touch| touch.when.clone());
                row.since = when.map(|when| when.to_string());
                row.revision = number;
            }
            let chart = there.attributes.get("chart").and_then(Value::as_map);
            if let Some(chart) = chart {
                row.chart = text(chart, "name");
                row.version = text(chart, "version");
            }
            row.app_version = text(&there.outputs, "app_version");
            row.status = text(&there.attributes, "status");
        }
    }
    row
}
