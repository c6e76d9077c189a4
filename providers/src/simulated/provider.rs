//! [`Simulated`]: the way of a call, from the wire to the world and back.
//!
//! A changing call reveals its secrets, crosses `Sent`, travels, acts in one transaction (or is
//! struck by a fault in it), crosses `Acted`, and answers. Calls that arrive at the same time share
//! the transaction. Where the onlooker abandons at `Sent`, the world is untouched.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use matih_model::{
    Applied, Call, Catalog, CheckReport, ErrorKind, Kind, KindSchema, Observed, Point, Provider,
    ProviderError, ProviderFuture, ReadRequest, Reading, TenantId,
};

use super::acts;
use super::chance::FaultPlan;
use super::change::{Act, Arrived, Behaviour};
use super::checks;
use super::faults::{CallOp, Fault, Target};
use super::pace::{Latency, Pace, RateLimit};
use super::sandbox::Sandbox;
use super::server::servers;
use super::session::{Object, Session};
use super::trouble::{Trouble, struck};
use super::wire::{complete, revealed};
use super::world::{World, WorldError};
use crate::kinds;

/// How the world behaves. The default is instant, obliging and seeded with 0.
#[derive(Clone, Debug, Default)]
pub struct SimulatedOptions {
    /// How long calls take.
    pub latency: Latency,
    /// What ids are made of; counts when the world is made, a world that is there keeps its own.
    pub seed: u64,
    /// How many calls it takes until lists, and reads by owner mark, show a new object.
    pub lag: u32,
    /// How many calls are let through.
    pub rate: Option<RateLimit>,
    /// Faults by chance.
    pub faults: FaultPlan,
    /// Kinds that another provider serves: they are not part of this world.
    pub without: BTreeSet<Kind>,
}

/// The simulated cloud as a provider of every kind, or of all but a few.
pub struct Simulated {
    pub(super) behaviour: Arc<Behaviour>,
    pub(super) world: Arc<World>,
    pace: Pace,
}

/// The time that looking takes, in seconds of reality.
const LOOK_SECONDS: u64 = 1;

impl Simulated {
    /// Opens the world in a file, which is made if it is not there; its folder must be.
    ///
    /// # Errors
    /// The file cannot be opened, is no world, or is one of another layout.
    pub fn open(path: &Path, options: SimulatedOptions) -> Result<Arc<Self>, WorldError> {
        Self::over(World::open(path, options.seed)?, options)
    }

    /// Makes a world that lives as long as this value and its sandboxes.
    ///
    /// # Errors
    /// SQLite has no memory.
    pub fn in_memory(options: SimulatedOptions) -> Result<Arc<Self>, WorldError> {
        Self::over(World::in_memory(options.seed)?, options)
    }

    fn over(world: World, options: SimulatedOptions) -> Result<Arc<Self>, WorldError> {
        servers()?;
        let served = kinds::all()?.into_iter();
        let served = served.filter(|schema| !options.without.contains(&schema.kind));
        let behaviour = Behaviour {
            // The tables have each kind once: a test of them says so.
            catalog: Catalog::new(served).unwrap_or_default(),
            lag: options.lag,
            trouble: Trouble::new(options.faults),
        };
        Ok(Arc::new(Self {
            behaviour: Arc::new(behaviour),
            world: Arc::new(world),
            pace: Pace::new(options.latency, options.rate),
        }))
    }

    /// The same world, seen and changed by hand.
    pub fn sandbox(&self) -> Sandbox {
        Sandbox::over(self.world.clone())
    }

    /// Puts other faults by chance in place of those before; [`FaultPlan::default`] ends them.
    pub fn set_faults(&self, faults: FaultPlan) {
        self.behaviour.trouble.set_chance(faults);
    }

    /// Carries out one changing call.
    async fn change<T: Send + 'static>(
        &self,
        op: CallOp,
        call: &Call<'_>,
        act: Act<T>,
    ) -> Result<T, ProviderError> {
        let address = &call.owner.address;
        self.behaviour.schema(&address.kind)?;
        let table = servers().map_err(WorldError::from)?;
        let server = table.get(&address.kind).ok_or_else(|| {
            let text = format!("{address}: a check is not created");
            ProviderError::new(ErrorKind::Invalid, text)
        })?;
        let secrets = match op {
            CallOp::Delete => String::new(),
            _ => revealed(call)?,
        };
        call.crossing.cross(Point::Sent)?;
        let in_time = self.pace.travel(server.seconds, call.timeout).await;
        self.pace.admit()?;
        let arrived = Arrived {
            op,
            server,
            owner: call.owner.clone(),
            attributes: call.attributes.clone(),
            remote_id: call.remote_id.cloned(),
            expects: call.expects.cloned(),
            secrets,
            in_time,
        };
        let behaviour = self.behaviour.clone();
        let change = move |session: &Session<'_>| behaviour.carry_out(session, &arrived, act);
        let heard = self.world.change(change).await;
        call.crossing.cross(Point::Acted)?;
        let heard = heard?;
        if heard.hangs {
            tokio::time::sleep(call.timeout).await;
        }
        heard.reply
    }

    /// Travels to the world to look, and meets the faults that are set for it.
    async fn look(&self, target: &Target<'_>, timeout: Duration) -> Result<(), ProviderError> {
        self.pace.travel(LOOK_SECONDS, timeout).await;
        self.pace.admit()?;
        let behaviour = &self.behaviour;
        let sleeps = |session: &Session<'_>| behaviour.trouble.sleeps(session);
        if behaviour.lag == 0 && self.world.view(sleeps)? {
            return Ok(());
        }
        let fault = self.world.write(|session| {
            behaviour.tick(session)?;
            behaviour.trouble.strike(session, target)
        })?;
        let Some(fault) = fault else {
            return Ok(());
        };
        if fault == Fault::Hang {
            tokio::time::sleep(timeout).await;
        }
        Err(struck(Some(&fault)))
    }
}

impl Provider for Simulated {
    fn name(&self) -> &str {
        "simulated"
    }

    fn kinds(&self) -> Vec<KindSchema> {
        self.behaviour.catalog.iter().cloned().collect()
    }

    fn read<'a>(&'a self, requests: &'a [ReadRequest<'a>]) -> ProviderFuture<'a, Vec<Reading>> {
        Box::pin(async move {
            // One chance for the whole call; a script strikes single objects in it.
            let target = Target {
                op: CallOp::Read,
                kind: None,
                subject: "",
            };
            self.look(&target, Duration::from_secs(60)).await?;
            Ok(self.readings(requests)?)
        })
    }

    fn list<'a>(
        &'a self,
        installation: &'a str,
        tenant: &'a TenantId,
    ) -> ProviderFuture<'a, Vec<Observed>> {
        Box::pin(async move {
            let target = Target {
                op: CallOp::List,
                kind: None,
                subject: tenant.as_str(),
            };
            self.look(&target, Duration::ZERO).await?;
            let objects = self
                .world
                .view(|session| session.listed(installation, tenant, session.fact("clock")?))?;
            Ok(objects.iter().map(Object::observed).collect())
        })
    }

    fn create<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, Applied> {
        Box::pin(self.change(CallOp::Create, call, acts::create))
    }

    fn update<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, Applied> {
        Box::pin(self.change(CallOp::Update, call, acts::update))
    }

    fn delete<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, ()> {
        Box::pin(self.change(CallOp::Delete, call, acts::delete))
    }

    fn check<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, CheckReport> {
        Box::pin(async move {
            let kind = &call.owner.address.kind;
            complete(call)?;
            let subject = call.owner.address.to_string();
            let target = Target {
                op: CallOp::Check,
                kind: Some(kind),
                subject: &subject,
            };
            self.look(&target, call.timeout).await?;
            self.world
                .view(|session| checks::check(session, &self.behaviour.catalog, call))?
        })
    }
}
