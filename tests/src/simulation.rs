//! Deterministic simulation: the real planner, executor and state, a world in memory, held time,
//! and one seed that decides everything else.
//!
//! A story ([`tell`]) makes a tenant up, and then lets people edit, apply, roll back, destroy and
//! target it while its provider fails, its processes die, its lock is stolen and somebody else
//! works in the same world. After every process the invariants of reliability.md section 2.1 are
//! held against the world and the state. Then the faults stop, and the tenant must settle within
//! the depth of its graph and three rounds.
//!
//! One seed is one trace, byte for byte: a seed that fails can be told again, alone.

mod client;
mod edits;
mod eye;
mod hand;
mod lab;
mod oracle;
mod real;
mod round;
mod story;
mod tally;
mod values;
mod vault;
mod wanted;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use matih_executor::Clock;
use matih_model::{Registry, TenantId};
use matih_providers::simulated::{Latency, RateLimit, Simulated, SimulatedOptions};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub use hand::Deed;
pub use lab::{CRASHED, Errand, Lab};
pub use tally::{Table, Tally};

use crate::seed::Seed;
use client::{Client, START_MS};
use eye::Eye;
use hand::Hand;
use story::Story;
use vault::Vault;
use wanted::Wanted;

/// What a story came to.
#[derive(Debug)]
pub struct Told {
    /// Everything that happened, in order.
    pub trace: String,
    /// What was met.
    pub tally: Tally,
    /// What must never happen and did.
    pub wrong: Option<String>,
}

/// One seed in so many is about a tenant that a real spec compiles to.
const REAL_ONE_IN: u64 = 50;

/// Tells the story of a seed.
#[must_use]
pub fn tell(seed: u64) -> Told {
    let told = runtime().and_then(|runtime| {
        let folder = folder()?;
        Ok(runtime.block_on(told(seed, &folder)))
    });
    told.unwrap_or_else(Told::nothing)
}

/// One thread, on which time stands still until nobody has anything to do.
fn runtime() -> Result<Runtime, String> {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| format!("there is no runtime: {error}"))
}

/// A folder in memory, where there is one: a synced commit is most of the time of a story.
fn folder() -> Result<TempDir, String> {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    made.map_err(|error| format!("there is no folder for the state: {error}"))
}

impl Told {
    /// There was no story to tell.
    fn nothing(why: String) -> Self {
        Self {
            trace: String::new(),
            tally: Tally::default(),
            wrong: Some(why),
        }
    }
}

async fn told(number: u64, folder: &TempDir) -> Told {
    let mut story = match begin(number, folder.path().join("state.db")) {
        Ok(story) => story,
        Err(why) => return Told::nothing(why),
    };
    let wrong = story.tell().await.err();
    let struck = story.eye.hand().sandbox.struck().unwrap_or_default();
    let mut seen = std::mem::take(&mut *story.eye.seen());
    seen.tally.seeds = 1;
    seen.tally.simulated_ms = story::passed_ms(&story.client.clock);
    for count in struck {
        let fault = match &*count.fault {
            "fail" => "all refusals",
            other => other,
        };
        seen.tally.faults.add(fault, count.op, count.count);
    }
    // The one thing that a seed does not decide is where its folder is.
    let place = folder.path().display().to_string();
    Told {
        trace: seen.trace.replace(&place, "FOLDER"),
        tally: seen.tally,
        wrong: wrong.map(|it| it.replace(&place, "FOLDER")),
    }
}

fn begin(number: u64, state: PathBuf) -> Result<Story, String> {
    let mut seed = Seed::new(number);
    let provider = Simulated::in_memory(SimulatedOptions {
        latency: match seed.below(2) {
            0 => Latency::None,
            _ => Latency::Real,
        },
        seed: seed.bits(),
        lag: 0,
        rate: (seed.below(8) == 0).then_some(RateLimit {
            burst: 20,
            every: 2,
            retry_after: std::time::Duration::from_secs(1),
        }),
        ..SimulatedOptions::default()
    })
    .map_err(|error| error.to_string())?;
    let real = number % REAL_ONE_IN == REAL_ONE_IN - 1;
    let (client, eye) = bench(number, state, provider, real::SLUG)?;
    let wanted = if real {
        real::tenant(&client.tenant, &mut seed)
    } else {
        Wanted::made_up(&client.tenant, client.registry.catalog(), &mut seed)
    };
    Ok(Story::new(client, eye, seed, wanted, real))
}

/// A client and its onlooker, on an empty state and this world.
fn bench(
    number: u64,
    state: PathBuf,
    provider: Arc<Simulated>,
    tenant: &str,
) -> Result<(Client, Eye), String> {
    let registry = Registry::new(vec![provider.clone()]).map_err(|error| error.to_string())?;
    let tenant = TenantId::new(tenant).map_err(|error| error.to_string())?;
    let clock = Clock::starting_at(START_MS);
    let store = client::open(&state)?;
    let hand = Hand::new(
        provider.sandbox(),
        registry.catalog().clone(),
        Seed::new(number),
    );
    let eye = Eye::new(hand, store.clone(), tenant.clone(), clock);
    let client = Client {
        state,
        store,
        provider,
        registry,
        vault: Vault::default(),
        clock,
        tenant,
        seed: number,
        runs: 0,
    };
    Ok((client, eye))
}
