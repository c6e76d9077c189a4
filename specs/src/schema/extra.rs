//! What a spec adds to, or says about, the resources of the blueprint.

use matih_model::{AttributePath, Kind, Name, ResourceName};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// A resource beside those of the blueprint.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtraResource {
    /// Its kind, such as `kubernetes.manifest`.
    #[schemars(with = "String")]
    pub kind: Kind,
    /// Its name, one of its kind in this tenant.
    #[schemars(with = "String")]
    pub name: Name,
    /// What must be there before it, each as `kind/name`.
    #[schemars(with = "Option<Vec<String>>")]
    pub depends_on: Vec<ResourceName>,
    /// What is set on it, in the value language of the blueprint.
    #[schemars(with = "Option<Map<String, Value>>")]
    pub attributes: Map<String, Value>,
}

/// A resource that has a new address and is not to be built again.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// The old address, `kind/name`.
    #[schemars(with = "String")]
    pub from: ResourceName,
    /// The new address, `kind/name`, of the same kind.
    #[schemars(with = "String")]
    pub to: ResourceName,
}

/// A resource that is no longer wanted.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Removed {
    /// Its address, `kind/name`.
    #[schemars(with = "String")]
    pub address: ResourceName,
    /// Whether the real thing is to be deleted (the default), or only forgotten.
    #[schemars(with = "Option<bool>")]
    pub destroy: bool,
}

/// Protection and ignored differences of one resource or of many.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LifecycleRule {
    /// `kind/name`, where a `*` stands for any run of characters without `/`.
    pub address: String,
    /// Never delete or replace it. Default: no.
    #[schemars(with = "Option<bool>")]
    pub protect: bool,
    /// Paths of attributes whose differences do not count, such as `spec.replicas`.
    #[schemars(with = "Option<Vec<String>>")]
    pub ignore_changes: Vec<AttributePath>,
}

impl ExtraResource {
    /// Its `kind/name`.
    pub fn resource_name(&self) -> ResourceName {
        ResourceName {
            kind: self.kind.clone(),
            name: self.name.clone(),
        }
    }
}
