//! A plan, and all that is told with it: what has changed outside, what the guard says, the way
//! back, how long it may take.

use std::collections::BTreeMap;
use std::sync::Arc;

use matih_executor::{Rehearsed, observe, rehearse};
use matih_model::{
    Address, Catalog, Digest, Observation, Plan, ResourceGraph, Snapshot, TenantId, Verb,
};
use matih_planner::{
    Approvals, Drift, DriftReport, Inverse, PlanInput, PlanOptions, PlannerError, Unalterable,
    Verdict, drift, guard, inverse,
};
use matih_state::Store;

use crate::args::{Look, Selection};
use crate::compiler::Desired;
use crate::estimate::{Timings, estimate};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::installation::Installation;
use crate::render::plan::{PlanView, has_news};
use crate::work::{look, pattern};

/// What a tenant is to be brought to, and how.
#[derive(Clone)]
pub(crate) struct Order {
    /// Whose plan.
    pub(crate) tenant: TenantId,
    /// What it should have.
    pub(crate) desired: ResourceGraph,
    /// To what end.
    pub(crate) verb: Verb,
    /// The digest of all that `desired` was compiled from.
    pub(crate) inputs: Digest,
    /// Selection, moves and so on.
    pub(crate) options: PlanOptions,
    /// The tier, where a spec says it.
    pub(crate) tier: Option<String>,
    /// The spec, as it was named.
    pub(crate) spec: Option<String>,
    /// What to ask of the world.
    pub(crate) look: Look,
}

impl Order {
    /// Whether the head will stand for the inputs in full when this has been carried out.
    pub(crate) fn is_whole(&self) -> bool {
        let options = &self.options;
        self.verb == Verb::Apply
            && !options.is_partial()
            && !options.refresh_only
            && !options.destroy
    }

    /// Bring a tenant to its spec, as far as the selection says.
    ///
    /// # Errors
    /// The selection names no addresses.
    pub(crate) fn apply(desired: Desired, selection: &Selection) -> Result<Self, Failure> {
        let tenant = desired.tenant().clone();
        let patterns = |texts: &[String]| {
            texts
                .iter()
                .map(|text| pattern(text))
                .collect::<Result<Vec<_>, _>>()
        };
        let replace = selection.replace.iter().map(|text| address(&tenant, text));
        let options = PlanOptions {
            targets: patterns(&selection.target)?,
            phases: selection.phase.clone(),
            excludes: patterns(&selection.exclude)?,
            replace: replace.collect::<Result<_, _>>()?,
            unalterable: BTreeMap::new(),
            destroy: selection.destroy,
            refresh_only: selection.refresh_only,
            moved: desired.directives.moved,
            forget: desired.directives.forget,
        };
        let verb = match (selection.destroy, selection.refresh_only) {
            (true, _) => Verb::Destroy,
            (_, true) => Verb::Edit,
            _ => Verb::Apply,
        };
        Ok(Self {
            tenant,
            desired: desired.graph,
            verb,
            inputs: desired.inputs,
            options,
            tier: Some(desired.tier),
            spec: Some(desired.spec),
            look: selection.look,
        })
    }
}

/// `tenant/kind/name`, or `kind/name` of the tenant in hand.
///
/// # Errors
/// It is no address.
pub(crate) fn address(tenant: &TenantId, text: &str) -> Result<matih_model::Address, Failure> {
    let full = match text.matches('/').count() {
        1 => format!("{tenant}/{text}"),
        _ => text.to_owned(),
    };
    full.parse()
        .map_err(|error| Failure::usage(format!("{error}.")))
}

/// A plan with all that is told of it.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) base: Option<Arc<Snapshot>>,
    pub(crate) drift: Option<DriftReport>,
    /// None if nobody was asked.
    pub(crate) rehearsed: Option<Rehearsed>,
    /// What is made anew since the outside cannot alter it.
    pub(crate) unalterable: Unalterable,
    pub(crate) verdict: Verdict,
    pub(crate) inverse: Option<Inverse>,
    pub(crate) estimate_ms: Option<u64>,
    pub(crate) tier: Option<String>,
    /// What is meant to stay as it is and could not be read, and why.
    pub(crate) unread: Vec<(Address, String)>,
}

impl Planned {
    /// Nobody knows whether what could not be read is as it should be.
    pub(crate) fn unknown(&self) -> Option<Failure> {
        let (address, why) = self.unread.first()?;
        let message = match self.unread.len() {
            1 => {
                format!("{address} could not be read: {why}. Whether it is as recorded is unknown.")
            }
            count => format!(
                "{count} resources could not be read, the first {address}: {why}. Whether they are as recorded is unknown."
            ),
        };
        Some(Failure::new(Exit::Partial, message).hint("try again when the provider answers"))
    }

    /// As it is shown.
    pub(crate) fn view<'a>(&'a self, catalog: &'a Catalog, detail: bool) -> PlanView<'a> {
        PlanView {
            plan: &self.plan,
            base: self.base.as_deref(),
            catalog,
            tier: self.tier.clone(),
            drift: self.drift.as_ref(),
            rehearsed: self.rehearsed.as_ref(),
            verdict: &self.verdict,
            inverse: self.inverse.as_ref(),
            estimate_ms: self.estimate_ms,
            detail,
        }
    }

    /// Whether people are to see anything in it.
    pub(crate) fn has_news(&self) -> bool {
        has_news(&self.plan)
    }
}

/// Looks at the world, plans, and asks what would come of it.
///
/// # Errors
/// The order contradicts itself, or a provider cannot be opened.
pub(crate) async fn plan(
    installation: &Installation,
    store: Option<&Store>,
    base: Option<Arc<Snapshot>>,
    order: &Order,
    approvals: &Approvals,
) -> Result<Planned, Failure> {
    let catalog = &installation.platform.catalog;
    let observation = match &base {
        Some(head) if order.look.looks() => {
            let heads = [head.clone()];
            let mut seen = observe(installation.registry()?, &heads, &look()).await;
            Some(seen.remove(&order.tenant).unwrap_or_default())
        }
        _ => None,
    };
    let mut options = order.options.clone();
    let (plan, rehearsed) = loop {
        let plan = compare(
            catalog,
            base.as_deref(),
            observation.as_ref(),
            order,
            &options,
        )?;
        let rehearsed = ask(installation, store, base.as_deref(), order, &plan).await?;
        let before = options.unalterable.len();
        let unalterable = rehearsed.iter().flat_map(Rehearsed::unalterable);
        options
            .unalterable
            .extend(unalterable.map(|(address, word)| (address.clone(), word)));
        // What the server cannot alter is made anew, and what hangs on that is asked about again.
        if options.unalterable.len() == before {
            break (plan, rehearsed);
        }
    };
    tracing::debug!(tenant = %order.tenant, plan = %plan.id(), actions = plan.actions().len());
    let drift = match (&base, &observation) {
        (Some(base), Some(observation)) => Some(drift(base, observation, catalog)),
        _ => None,
    };
    let verdict = guard(&plan, base.as_deref(), approvals);
    Ok(Planned {
        unread: unread(&plan, base.as_deref(), drift.as_ref(), &order.options),
        plan,
        base,
        drift,
        rehearsed,
        unalterable: options.unalterable,
        verdict,
        inverse: None,
        estimate_ms: None,
        tier: order.tier.clone(),
    })
}

fn compare(
    catalog: &Catalog,
    base: Option<&Snapshot>,
    observation: Option<&Observation>,
    order: &Order,
    options: &PlanOptions,
) -> Result<Plan, Failure> {
    let nothing = Observation::default();
    let input = PlanInput {
        tenant: &order.tenant,
        base,
        desired: &order.desired,
        observation: observation.unwrap_or(&nothing),
        catalog,
        options,
        verb: order.verb.clone(),
        inputs: order.inputs,
    };
    matih_planner::plan(&input).map_err(|error| of_planner(&error))
}

/// Asks what would come of a plan, if that is wanted and there is anybody to ask: without a
/// target, all is simulated, and nothing is opened.
async fn ask(
    installation: &Installation,
    store: Option<&Store>,
    base: Option<&Snapshot>,
    order: &Order,
    plan: &Plan,
) -> Result<Option<Rehearsed>, Failure> {
    let targets = &installation.platform.settings.targets;
    if !order.look.rehearses() || targets.is_empty() || plan.actions().is_empty() {
        return Ok(None);
    }
    // Before the first apply there is no installation, and nothing of it in the world.
    let own = store.map_or("new", Store::installation);
    let time = look().timeout;
    let rehearsed = rehearse(installation.registry()?, plan, base, own, time).await;
    Ok(Some(rehearsed))
}

/// What could not be read, of all that was asked for, and that no action of the plan will look at.
fn unread(
    plan: &Plan,
    base: Option<&Snapshot>,
    drift: Option<&DriftReport>,
    options: &PlanOptions,
) -> Vec<(Address, String)> {
    let touched = plan.addresses();
    let meant = |address: &Address| {
        let recorded = base.and_then(|base| base.get(address));
        recorded.is_some_and(|it| options.asks_for(address, it.resource.phase))
            && !options.excludes.iter().any(|it| it.matches(address))
    };
    let all = drift.iter().flat_map(|it| &it.resources);
    let unread = all.filter_map(|(address, drift)| match drift {
        Drift::Unknown { why } if meant(address) && !touched.contains(address) => {
            Some((address.clone(), why.clone()))
        }
        _ => None,
    });
    unread.collect()
}

/// Adds what only people want to know.
///
/// # Errors
/// The way back cannot be planned.
pub(crate) fn explain(
    installation: &Installation,
    planned: &mut Planned,
    timings: &Timings,
    parallelism: usize,
) -> Result<(), Failure> {
    if planned.has_news() {
        let catalog = &installation.platform.catalog;
        let back = inverse(
            &planned.plan,
            planned.base.as_deref(),
            catalog,
            &planned.unalterable,
        );
        planned.inverse = Some(back.map_err(|error| of_planner(&error))?);
        planned.estimate_ms = estimate(&planned.plan, timings, parallelism);
    }
    Ok(())
}

/// Why there is no plan, as people see it.
pub(crate) fn of_planner(error: &PlannerError) -> Failure {
    let exit = match error {
        PlannerError::NoMatch(_) | PlannerError::ReplaceUndesired(_) => Exit::Usage,
        _ => Exit::Error,
    };
    Failure::new(exit, format!("{error}.")).hint(error.hint())
}
