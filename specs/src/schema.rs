//! The tenant spec as it is after checking: every default filled, every rule obeyed.
//!
//! The field names and the comments here are the JSON Schema that editors show, and the
//! serialised form is the `tenant` that blueprint templates see. In that form a secret is
//! `{"$secret": {"env": "NAME"}}`: the reference, never a value.

mod extra;
mod infrastructure;
mod secret;
mod security;

use matih_model::{SecretRef, Tenancy, TenantId};
use schemars::JsonSchema;
use serde::Serialize;

pub use extra::{ExtraResource, LifecycleRule, Moved, Removed};
pub use infrastructure::{
    AwsCredentials, AzureCredentials, Credentials, DataSource, GcpCredentials, Infrastructure,
    Modules, Quota,
};
pub use secret::Secret;
pub use security::{Network, Oidc, Saml, Security};

use crate::quantity::Quantity;
use crate::words::Tier;

/// All that a person says about one tenant.
///
/// Made by [`crate::parse_tenant`] only, so one in hand is complete and obeys every rule.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantSpec {
    /// Who the tenant is.
    pub tenant: Tenant,
    /// Where it lives and how big it is.
    #[schemars(with = "Option<Infrastructure>")]
    pub infrastructure: Infrastructure,
    /// The systems that its data comes from, at most 10.
    #[schemars(with = "Option<Vec<DataSource>>", length(max = 10))]
    pub data_sources: Vec<DataSource>,
    /// Which parts of the product it has.
    #[schemars(with = "Option<Modules>")]
    pub modules: Modules,
    /// How people get in and how data is kept.
    #[schemars(with = "Option<Security>")]
    pub security: Security,
    /// Values that replace the quota of the tier. ENTERPRISE only.
    pub quota: Option<Quota>,
    /// Resources beside those of the blueprint.
    #[schemars(with = "Option<Vec<ExtraResource>>")]
    pub resource: Vec<ExtraResource>,
    /// Resources that have a new address and are not to be built again.
    #[schemars(with = "Option<Vec<Moved>>")]
    pub moved: Vec<Moved>,
    /// Resources that are no longer wanted, and what is to become of the real thing.
    #[schemars(with = "Option<Vec<Removed>>")]
    pub removed: Vec<Removed>,
    /// Protection and ignored differences, by address.
    #[schemars(with = "Option<Vec<LifecycleRule>>")]
    pub lifecycle: Vec<LifecycleRule>,
}

/// Who the tenant is.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// The name that people see, 3 to 100 characters.
    #[schemars(length(min = 3, max = 100))]
    pub name: String,
    /// The identity for good: 3 to 32 lower-case letters, digits and single hyphens, first a
    /// letter. It is part of every name and domain, and cannot be changed later.
    #[schemars(with = "String", regex(pattern = r"^[a-z][a-z0-9-]{1,30}[a-z0-9]$"))]
    pub slug: TenantId,
    /// What the tenant is for, at most 500 characters.
    #[schemars(length(max = 500))]
    pub description: Option<String>,
    /// The billing tier. Default: PROFESSIONAL, or what the platform file says.
    #[schemars(with = "Option<Tier>")]
    pub tier: Tier,
    /// The address of the first administrator, who gets the invitation.
    #[schemars(extend("format" = "email"))]
    pub admin_email: String,
    /// The address for questions about the tenant.
    #[schemars(extend("format" = "email"))]
    pub contact_email: Option<String>,
    /// The address that invoices go to.
    #[schemars(extend("format" = "email"))]
    pub billing_email: Option<String>,
    /// The postal address on invoices, at most 500 characters.
    #[schemars(length(max = 500))]
    pub billing_address: Option<String>,
    /// The tax number on invoices, 4 to 20 letters, digits, spaces, dots and hyphens.
    pub tax_id: Option<String>,
    /// An https address of the logo.
    #[schemars(extend("format" = "uri"))]
    pub logo_url: Option<String>,
    /// A domain of the tenant's own that also leads to it, such as `data.acme.example`.
    pub custom_domain: Option<String>,
    /// The cost centre that bills are split by; it becomes a label, so at most 63 letters,
    /// digits, `-`, `_` and `.`.
    pub cost_center: Option<String>,
    /// Product limits that are lower than those of the tier.
    #[schemars(with = "Option<Limits>")]
    pub limits: Limits,
}

/// Product limits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// How many users it may have.
    #[schemars(range(min = 1))]
    pub max_users: Option<u32>,
    /// How many pipelines it may have.
    #[schemars(range(min = 1))]
    pub max_pipelines: Option<u32>,
    /// How many queries it may run in a day.
    #[schemars(range(min = 1))]
    pub max_queries_per_day: Option<u32>,
    /// How many gigabytes it may store.
    #[schemars(range(min = 1))]
    pub storage_limit_gb: Option<u32>,
}

impl TenantSpec {
    /// The slug, as the model's identity.
    pub fn tenant_id(&self) -> TenantId {
        self.tenant.slug.clone()
    }

    /// Whether the tenant shares a cluster or has its own.
    pub fn tenancy(&self) -> Tenancy {
        self.tenant.tier.tenancy()
    }

    /// Every secret that a field of the spec refers to, sorted, each once. Secrets inside of the
    /// attributes of a `[[resource]]` belong to the blueprint's value language and are not here.
    pub fn secret_refs(&self) -> Vec<SecretRef> {
        let credentials = match &self.infrastructure.credentials {
            Some(Credentials::Azure(azure)) => Some(&azure.client_secret),
            _ => None,
        };
        let sources = self
            .data_sources
            .iter()
            .filter_map(|source| source.password.as_ref());
        let oidc = self.security.oidc.iter().map(|oidc| &oidc.client_secret);
        let mut refs: Vec<_> = credentials
            .into_iter()
            .chain(sources)
            .chain(oidc)
            .map(|s| s.0.clone())
            .collect();
        refs.sort();
        refs.dedup();
        refs
    }
}

impl Tier {
    /// Where tenants of this tier live.
    pub fn tenancy(self) -> Tenancy {
        match self {
            Self::Free | Self::Starter => Tenancy::Shared,
            Self::Professional | Self::Enterprise => Tenancy::Dedicated,
        }
    }
}
