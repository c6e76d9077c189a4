//! The desired state of one tenant: unique, closed and acyclic by construction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use thiserror::Error;

use crate::address::{Address, TenantId};
use crate::digest::Digest;
use crate::phase::Tenancy;
use crate::resource::Resource;

/// Why a list of resources is not a graph.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GraphError {
    /// An address stands twice.
    #[error("{0} is declared twice")]
    Duplicate(Address),
    /// A resource belongs to another tenant.
    #[error("{address} does not belong to tenant {tenant}")]
    Foreign {
        /// The resource.
        address: Address,
        /// The tenant of the graph.
        tenant: TenantId,
    },
    /// A dependency is not in the graph.
    #[error("{address} depends on {missing}, which is not part of this tenant")]
    Open {
        /// Who depends.
        address: Address,
        /// On what.
        missing: Address,
    },
    /// Resources wait for each other; the first is named again at the end.
    #[error("resources depend on each other in a circle: {}", join(.0))]
    Cycle(Vec<Address>),
}

fn join(addresses: &[Address]) -> String {
    addresses
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" -> ")
}

/// All resources that a tenant should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceGraph {
    tenant: TenantId,
    tenancy: Tenancy,
    resources: BTreeMap<Address, Arc<Resource>>,
}

impl ResourceGraph {
    /// Checks and gathers.
    ///
    /// # Errors
    /// All faults at once: duplicates, foreign tenants, dependencies that are not there, cycles.
    pub fn new(
        tenant: TenantId,
        tenancy: Tenancy,
        list: impl IntoIterator<Item = Resource>,
    ) -> Result<Self, Vec<GraphError>> {
        let mut errors = Vec::new();
        let mut resources = BTreeMap::new();
        for resource in list {
            let address = resource.address.clone();
            if address.tenant != tenant {
                errors.push(GraphError::Foreign {
                    address,
                    tenant: tenant.clone(),
                });
            } else if resources
                .insert(address.clone(), Arc::new(resource))
                .is_some()
            {
                errors.push(GraphError::Duplicate(address));
            }
        }
        for (address, resource) in &resources {
            for missing in resource.dependencies() {
                if !resources.contains_key(missing) {
                    let (address, missing) = (address.clone(), missing.clone());
                    errors.push(GraphError::Open { address, missing });
                }
            }
        }
        if errors.is_empty() {
            errors.extend(cycle(&resources).map(GraphError::Cycle));
        }
        if errors.is_empty() {
            Ok(Self {
                tenant,
                tenancy,
                resources,
            })
        } else {
            Err(errors)
        }
    }

    /// The graph that wants nothing: destroying a tenant is applying it.
    pub fn empty(tenant: TenantId, tenancy: Tenancy) -> Self {
        Self {
            tenant,
            tenancy,
            resources: BTreeMap::new(),
        }
    }

    /// The graph of what a snapshot recorded: it was a graph when it was applied.
    pub(crate) fn of_recorded(
        tenant: TenantId,
        tenancy: Tenancy,
        resources: impl Iterator<Item = Resource>,
    ) -> Self {
        let resources = resources
            .map(|resource| (resource.address.clone(), Arc::new(resource)))
            .collect();
        Self {
            tenant,
            tenancy,
            resources,
        }
    }

    /// Whose it is.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Which ranking of phases breaks ties.
    pub fn tenancy(&self) -> Tenancy {
        self.tenancy
    }

    /// All resources by address.
    pub fn resources(&self) -> &BTreeMap<Address, Arc<Resource>> {
        &self.resources
    }

    /// One resource.
    pub fn get(&self, address: &Address) -> Option<&Arc<Resource>> {
        self.resources.get(address)
    }

    /// The digest of the whole graph.
    pub fn digest(&self) -> Digest {
        Digest::of(
            "matih graph v1",
            &(&self.tenant, self.tenancy, &self.resources),
        )
    }
}

/// One circle of dependencies, if there is one, its first member named again at the end.
fn cycle(resources: &BTreeMap<Address, Arc<Resource>>) -> Option<Vec<Address>> {
    let mut done: BTreeSet<&Address> = BTreeSet::new();
    for start in resources.keys() {
        let mut trail: Vec<(&Address, Vec<&Address>)> = Vec::new();
        let mut next = Some(start);
        loop {
            if let Some(address) = next.take() {
                if let Some(at) = trail.iter().position(|(on_trail, _)| *on_trail == address) {
                    let circle = trail[at..].iter().map(|(member, _)| (*member).clone());
                    return Some(circle.chain([address.clone()]).collect());
                }
                if !done.contains(address) {
                    let waits = resources.get(address).map(|it| it.dependencies());
                    trail.push((address, waits.unwrap_or_default().into_iter().collect()));
                }
            }
            let Some((address, waits)) = trail.last_mut() else {
                break;
            };
            match waits.pop() {
                Some(dependency) => next = Some(dependency),
                None => {
                    done.insert(address);
                    trail.pop();
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phase::Phase;
    use crate::resource::{Lifecycle, RetryPolicy};
    use crate::value::Attributes;

    fn resource(name: &str, depends_on: &[&str]) -> Resource {
        let address = |name: &str| {
            format!("acme/tenant.record/{name}")
                .parse::<Address>()
                .unwrap()
        };
        Resource {
            address: address(name),
            phase: Phase::new(1).unwrap(),
            steps: vec![],
            depends_on: depends_on.iter().map(|name| address(name)).collect(),
            attributes: Attributes::new(),
            lifecycle: Lifecycle::default(),
            retry: RetryPolicy::default(),
        }
    }

    fn graph(list: Vec<Resource>) -> Result<ResourceGraph, Vec<GraphError>> {
        ResourceGraph::new(TenantId::new("acme").unwrap(), Tenancy::Shared, list)
    }

    #[test]
    fn a_circle_is_named_whole() {
        let list = vec![
            resource("a", &["b"]),
            resource("b", &["c"]),
            resource("c", &["b"]),
            resource("d", &[]),
        ];
        let errors = graph(list).unwrap_err();
        assert_eq!(
            errors[0].to_string(),
            "resources depend on each other in a circle: acme/tenant.record/b -> \
             acme/tenant.record/c -> acme/tenant.record/b"
        );
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let list = vec![
            resource("a", &["x"]),
            resource("b", &["y"]),
            resource("b", &[]),
        ];
        assert_eq!(graph(list).unwrap_err().len(), 2);
        assert!(graph(vec![resource("a", &[]), resource("b", &["a"])]).is_ok());
    }
}
