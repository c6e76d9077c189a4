//! What a run is to bring a tenant to.

use std::sync::Arc;

use matih_model::{Catalog, Digest, ResourceGraph, Snapshot, Tenancy, TenantId, UndoClass, Verb};
use matih_planner::{AddressPattern, PlanOptions, moves_between};
use matih_state::{SnapshotKey, Store};

use crate::args::Look;
use crate::failure::Failure;
use crate::installation::of_state;
use crate::plan_file::SavedPlan;
use crate::work::planning::Order;
use crate::work::release::Alteration;

/// The end of a run, known before its lock is taken.
pub(crate) enum Goal {
    /// What a spec says.
    Spec(Box<Order>),
    /// What an older snapshot recorded.
    Back { tenant: TenantId, to: Back },
    /// A few releases otherwise, the rest as it is.
    Release(Box<Alteration>),
    /// Nothing.
    Destroy {
        tenant: TenantId,
        targets: Vec<AddressPattern>,
        keep_data: bool,
    },
    /// What is recorded, where the world is otherwise.
    Revert(TenantId),
    /// What a saved plan says.
    Saved(Box<SavedPlan>),
}

/// Which older snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Back {
    /// The one before the newest.
    Before,
    /// The newest that a whole apply made.
    LastGood,
    /// This one.
    To(SnapshotKey),
}

impl Goal {
    /// Back to where a run came from.
    pub(super) fn undo(tenant: TenantId, before: Option<&Snapshot>) -> Self {
        match before {
            Some(before) => Self::Back {
                tenant,
                to: Back::To(SnapshotKey::Id(before.id())),
            },
            None => Self::Destroy {
                tenant,
                targets: Vec::new(),
                keep_data: false,
            },
        }
    }

    /// Whose goal.
    pub(crate) fn tenant(&self) -> &TenantId {
        match self {
            Self::Spec(order) => &order.tenant,
            Self::Back { tenant, .. } | Self::Destroy { tenant, .. } | Self::Revert(tenant) => {
                tenant
            }
            Self::Release(alteration) => &alteration.tenant,
            Self::Saved(saved) => saved.plan.tenant(),
        }
    }

    /// The word that a lock shows.
    pub(crate) fn verb(&self) -> &'static str {
        match self {
            Self::Spec(order) if order.options.destroy => "destroy",
            Self::Spec(_) | Self::Saved(_) => "apply",
            Self::Back { .. } => "rollback",
            Self::Release(alteration) => alteration.verb(),
            Self::Destroy { .. } => "destroy",
            Self::Revert(_) => "drift --revert",
        }
    }

    /// The question that a person says yes to.
    pub(super) fn question(&self) -> String {
        let tenant = self.tenant();
        match self {
            Self::Destroy { .. } => format!("Take {tenant} down?"),
            Self::Spec(order) if order.options.destroy => format!("Take {tenant} down?"),
            Self::Spec(_) | Self::Saved(_) => format!("Apply this plan to {tenant}?"),
            Self::Back { .. } => format!("Bring {tenant} back?"),
            Self::Release(alteration) => alteration.question(),
            Self::Revert(_) => format!("Put {tenant} back as it was applied?"),
        }
    }

    /// What a person types to go on with a run of this goal that was cut short, looking as it did.
    pub(crate) fn command(&self, look: Look) -> String {
        let tenant = self.tenant();
        let line = match self {
            Self::Spec(order) => match &order.spec {
                Some(spec) if !order.options.destroy => format!("matih resume {spec}"),
                _ => format!("matih resume {tenant}"),
            },
            Self::Saved(saved) => match &saved.spec {
                Some(spec) => format!("matih resume {spec}"),
                None => format!("matih resume {tenant}"),
            },
            Self::Back { .. } | Self::Destroy { .. } => format!("matih resume {tenant}"),
            Self::Release(alteration) => alteration.command.clone(),
            Self::Revert(_) => format!("matih drift {tenant} --revert"),
        };
        line + &look.words()
    }

    /// That line, where nothing that is recorded knows the end: it is kept with the run.
    pub(super) fn only_command(&self, look: Look) -> Option<String> {
        matches!(self, Self::Release(_)).then(|| self.command(look))
    }

    /// The order that the planner gets, from what is recorded now.
    ///
    /// # Errors
    /// The snapshot is not there, or there is nothing to go back from.
    pub(crate) fn order(
        &self,
        store: &Store,
        head: Option<&Arc<Snapshot>>,
        catalog: &Catalog,
        look: Look,
    ) -> Result<Order, Failure> {
        match self {
            Self::Spec(order) => Ok(Order::clone(order)),
            Self::Saved(_) => Err(Failure::error("a saved plan is not planned again")),
            Self::Back { tenant, to } => {
                let head = head.ok_or_else(|| never_applied(tenant))?;
                let target = target(store, head, to)?;
                Ok(rollback(tenant, head, &target, look))
            }
            Self::Release(alteration) => {
                let head = head.ok_or_else(|| never_applied(&alteration.tenant))?;
                alteration.order(store, head, catalog, look)
            }
            Self::Destroy {
                tenant,
                targets,
                keep_data,
            } => {
                let excludes = match head {
                    Some(head) if *keep_data => data_bearing(head, catalog),
                    _ => Vec::new(),
                };
                let tenancy = head.map_or(Tenancy::Shared, |head| head.tenancy());
                let options = PlanOptions {
                    targets: targets.clone(),
                    excludes,
                    destroy: true,
                    ..PlanOptions::default()
                };
                let nothing = ResourceGraph::empty(tenant.clone(), tenancy);
                Ok(order(tenant, nothing, Verb::Destroy, options, look))
            }
            Self::Revert(tenant) => {
                let head = head.ok_or_else(|| never_applied(tenant))?;
                Ok(rollback(tenant, head, head, look))
            }
        }
    }
}

fn order(
    tenant: &TenantId,
    desired: ResourceGraph,
    verb: Verb,
    options: PlanOptions,
    look: Look,
) -> Order {
    Order {
        tenant: tenant.clone(),
        inputs: Digest::of(
            "matih desired without a spec v1",
            &(&verb, desired.digest()),
        ),
        desired,
        verb,
        options,
        tier: None,
        spec: None,
        look,
    }
}

fn rollback(tenant: &TenantId, head: &Arc<Snapshot>, target: &Snapshot, look: Look) -> Order {
    let options = PlanOptions {
        moved: moves_between(head, target),
        ..PlanOptions::default()
    };
    order(
        tenant,
        target.as_desired(),
        Verb::Rollback(target.id()),
        options,
        look,
    )
}

fn never_applied(tenant: &TenantId) -> Failure {
    Failure::error(format!(
        "{tenant} was never applied: there is nothing to go back to."
    ))
    .hint("matih apply SPEC")
}

/// The snapshot that is meant.
fn target(store: &Store, head: &Arc<Snapshot>, to: &Back) -> Result<Arc<Snapshot>, Failure> {
    let tenant = head.tenant();
    let find = |key: &SnapshotKey| {
        store
            .snapshot(tenant, key)
            .map_err(|error| of_state(&error))
    };
    match to {
        Back::To(key) => find(key),
        Back::Before => match head.parent() {
            Some(parent) => find(&SnapshotKey::Id(parent)),
            None => Err(Failure::error(format!(
                "{tenant} has one snapshot: there is none before it."
            ))
            .hint(format!("matih destroy {tenant} takes it down"))),
        },
        Back::LastGood => {
            let history = store.history(tenant).map_err(|error| of_state(&error))?;
            match history.iter().find(|it| it.inputs.is_some()) {
                Some(good) => find(&SnapshotKey::Id(good.id)),
                None => Err(
                    Failure::error(format!("No apply of {tenant} was ever whole."))
                        .hint(format!("matih history {tenant}")),
                ),
            }
        }
    }
}

/// What `--keep-data` leaves where it is.
fn data_bearing(head: &Snapshot, catalog: &Catalog) -> Vec<AddressPattern> {
    let bears_data = |recorded: &matih_model::Recorded| {
        let schema = catalog.get(&recorded.resource.address.kind);
        schema.is_some_and(|it| it.undo_of(&recorded.resource.attributes) == UndoClass::DataBearing)
    };
    head.resources()
        .iter()
        .filter(|(_, recorded)| bears_data(recorded))
        .map(|(address, _)| AddressPattern::from(address))
        .collect()
}
