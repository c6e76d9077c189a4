//! The tenants of an upgrade, batch by batch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use matih_executor::Ending;
use matih_model::{Digest, TenantId};
use tokio::runtime::Handle;

use crate::args::ReleaseUpgradeArgs;
use crate::commands::apply::preview as shown;
use crate::confirm::Asking;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::release::Fate;
use crate::render::report::{Ended, cause};
use crate::work::batches::{Tally, batches};
use crate::work::release::Alteration;
use crate::work::{Goal, Manner, Workshop, ask, carry_out, in_order};

/// What became of the tenants.
pub(super) struct Tried {
    /// Those that were tried.
    pub(super) fates: BTreeMap<TenantId, Fate>,
    /// The code that all of them stand for.
    pub(super) exit: Exit,
    /// Why not all were tried.
    pub(super) stopped: Option<String>,
}

/// One tenant whose turn has come.
struct Ship {
    goal: Goal,
    manner: Manner,
}

/// Carries all of them out.
///
/// # Errors
/// A plan cannot be made, nobody agrees to them, or the run of an only tenant could not be started.
/// Nothing was changed.
pub(super) async fn run(
    work: &Arc<Workshop>,
    args: &ReleaseUpgradeArgs,
    alterations: Vec<Alteration>,
) -> Result<Tried, Failure> {
    let count = alterations.len();
    let mut ships = Vec::new();
    for alteration in alterations {
        ships.push(Ship {
            goal: Goal::Release(Box::new(alteration)),
            manner: Manner::Alone,
        });
    }
    if count > 1 {
        agree(work, &mut ships).await?;
    }
    let tally = Arc::new(Mutex::new(Tally::default()));
    let mut tried = Tried {
        fates: BTreeMap::new(),
        exit: Exit::Ok,
        stopped: None,
    };
    let all = batches(count, args.canary);
    let mut ships = ships.into_iter();
    for (number, batch) in (1..).zip(&all) {
        if all.len() > 1 {
            let tenants = if batch.len() == 1 {
                "tenant"
            } else {
                "tenants"
            };
            let line = format!(
                "Batch {number} of {}: {} {tenants}.",
                all.len(),
                batch.len()
            );
            work.context.screen.say(&line);
        }
        let ships: Vec<Ship> = ships.by_ref().take(batch.len()).collect();
        one_batch(work, args, ships, &tally, &mut tried).await?;
        if is_over(&tally, args) || work.interrupt.exit().is_some() {
            break;
        }
    }
    let tally = *tally.lock().unwrap_or_else(PoisonError::into_inner);
    if tally.tried < count && tally.is_over(args.max_failures) {
        tried.stopped = Some(format!(
            "Stopped: {} of {} tenants failed, more than {}. Not tried: {}.",
            tally.failed,
            tally.tried,
            args.max_failures,
            count - tally.tried
        ));
    }
    let done = tally.tried > tally.failed;
    if done && (tally.failed > 0 || tally.tried < count) && work.interrupt.exit().is_none() {
        tried.exit = Exit::Partial;
    }
    Ok(tried)
}

/// Shows a line of each plan and asks once for all of them.
async fn agree(work: &Arc<Workshop>, ships: &mut [Ship]) -> Result<(), Failure> {
    let approved = work.asking == Asking::Approved;
    for ship in ships.iter_mut() {
        ship.manner = Manner::Fleet(None);
        if !approved {
            let (id, line): (Digest, String) = shown(work, &ship.goal).await?;
            work.print(&line);
            ship.manner = Manner::Fleet(Some(id));
        }
    }
    if approved {
        return Ok(());
    }
    let question = format!("Upgrade the releases of {} tenants?", ships.len());
    ask(work, question).await
}

fn is_over(tally: &Mutex<Tally>, args: &ReleaseUpgradeArgs) -> bool {
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    tally.is_over(args.max_failures)
}

/// Some at once, as many as `--jobs` says; none is begun when too many have failed.
///
/// # Errors
/// The run of an only tenant could not be started.
async fn one_batch(
    work: &Arc<Workshop>,
    args: &ReleaseUpgradeArgs,
    ships: Vec<Ship>,
    tally: &Arc<Mutex<Tally>>,
    tried: &mut Tried,
) -> Result<(), Failure> {
    let (shared, runtime, counted) = (work.clone(), Handle::current(), tally.clone());
    let limit = args.max_failures;
    let mut ended = Box::pin(in_order(work.settings.jobs, ships, move |ship: Ship| {
        let lock = || counted.lock().unwrap_or_else(PoisonError::into_inner);
        let tenant = ship.goal.tenant().clone();
        if lock().is_over(limit) || shared.interrupt.exit().is_some() {
            return (tenant, None);
        }
        let ended = runtime.block_on(carry_out(&shared, &ship.goal, ship.manner));
        let good = matches!(&ended, Ok(ended) if ended.exit == Exit::Ok);
        lock().count(!good);
        (tenant, Some((ended, ship.manner)))
    }));
    while let Some((tenant, ended)) = ended.next().await {
        let Some((ended, manner)) = ended else {
            continue;
        };
        let fate = match ended {
            Ok(ended) => {
                tried.exit = tried.exit.worst(ended.exit);
                let text = match manner {
                    Manner::Alone => ended.text() + "\n",
                    Manner::Fleet(_) => ended.line() + "\n",
                };
                work.print(&text);
                work.progress.tell("change_summary", ended.json());
                fate(&ended)
            }
            Err(failure) if manner == Manner::Alone => return Err(failure),
            Err(failure) => {
                tried.exit = tried.exit.worst(failure.exit);
                let first = failure.message.lines().next().unwrap_or_default();
                let fate = Fate::Failed(first.to_owned());
                work.context.complain(&failure);
                fate
            }
        };
        tried.fates.insert(tenant, fate);
    }
    Ok(())
}

fn fate(ended: &Ended) -> Fate {
    let Some(report) = &ended.report else {
        return Fate::Left;
    };
    if ended.exit == Exit::Ok && report.ending() == Ending::Complete {
        return Fate::Upgraded;
    }
    let failed = report.failures().next();
    Fate::Failed(match failed {
        Some((action, failure)) => cause(&action.address, &failure.message).to_owned(),
        None => "not all was done".to_owned(),
    })
}
