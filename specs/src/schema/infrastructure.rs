//! Where a tenant lives, how big it is, what it reads and what it runs.
//!
//! The fields are those of domain.md section 10, steps 2 to 4; credentials: section 7.4; quota:
//! section 2.2.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Quantity, Secret};
use crate::words::{DataSourceType, Provider, ResourceTier};

/// Where the tenant lives and how big it is.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Infrastructure {
    /// The cloud. Default: azure, or what the platform file says.
    #[schemars(with = "Option<Provider>")]
    pub provider: Provider,
    /// The region of that cloud. Default: the first that matih knows of the provider.
    #[schemars(with = "Option<String>")]
    pub region: String,
    /// The size within the tier. Default: medium.
    #[schemars(with = "Option<ResourceTier>")]
    pub resource_tier: ResourceTier,
    /// Whether the tenant has nodes of its own. PROFESSIONAL and ENTERPRISE only. Default: no.
    #[schemars(with = "Option<bool>")]
    pub dedicated_compute: bool,
    /// Whether some nodes have a GPU. PROFESSIONAL and ENTERPRISE only. Default: no.
    #[schemars(with = "Option<bool>")]
    pub gpu: bool,
    /// The identity by which the platform works in the tenant's cloud account. Needed for
    /// PROFESSIONAL and ENTERPRISE, refused for the others.
    pub credentials: Option<Credentials>,
}

/// The identity in the tenant's cloud account, by provider.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Credentials {
    /// A service principal.
    Azure(AzureCredentials),
    /// A role to assume.
    Aws(AwsCredentials),
    /// A service account, reached by workload identity.
    Gcp(GcpCredentials),
}

/// An Azure service principal.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AzureCredentials {
    /// The application (client) id, a UUID.
    #[schemars(extend("format" = "uuid"))]
    pub client_id: String,
    /// The client secret.
    pub client_secret: Secret,
    /// The directory (tenant) id of Azure, a UUID.
    #[schemars(extend("format" = "uuid"))]
    pub azure_tenant_id: String,
    /// The subscription to build in, a UUID.
    #[schemars(extend("format" = "uuid"))]
    pub subscription_id: String,
}

/// An AWS role to assume.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AwsCredentials {
    /// The role, `arn:aws:iam::ACCOUNT:role/NAME`.
    pub role_arn: String,
    /// The external id that the role's trust policy asks for.
    pub external_id: String,
    /// The account to build in, 12 digits.
    pub account_id: String,
}

/// A Google Cloud service account, reached by workload identity.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GcpCredentials {
    /// The project to build in.
    pub project_id: String,
    /// The provider, `projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/NAME`.
    pub workload_identity_provider: String,
    /// The service account to act as.
    #[schemars(extend("format" = "email"))]
    pub service_account_email: String,
}

/// A system that the tenant's data comes from.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataSource {
    /// Its name in the catalog: lower-case letters, digits, `_` and `-`, first a letter.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_-]{0,62}$"))]
    pub name: String,
    /// What kind of system it is.
    #[serde(rename = "type")]
    pub source_type: DataSourceType,
    /// Its host name or address, without scheme and port. Only `s3` can do without.
    pub host: Option<String>,
    /// Its port. Default: the usual one of the type.
    #[schemars(with = "Option<u16>", range(min = 1))]
    pub port: u16,
    /// The database; for `s3` the bucket, for `iceberg` the warehouse.
    pub database: Option<String>,
    /// The user to sign in as; for `s3` the access key id.
    pub username: Option<String>,
    /// The password of that user; for `s3` the secret access key.
    pub password: Option<Secret>,
    /// Whether to speak TLS. Default: yes.
    #[schemars(with = "Option<bool>")]
    pub ssl: bool,
}

/// Which parts of the product the tenant has.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Modules {
    /// AI and agents. Always on.
    #[schemars(with = "Option<bool>", extend("const" = true))]
    pub core: bool,
    /// The BI platform. Default: on.
    #[schemars(with = "Option<bool>")]
    pub bi: bool,
    /// The context graph. Default: on.
    #[schemars(with = "Option<bool>")]
    pub context_graph: bool,
    /// The ML platform. Not for FREE. Default: off.
    #[schemars(with = "Option<bool>")]
    pub ml: bool,
    /// The data platform: catalog, pipelines, data quality. Not for FREE. Default: off.
    #[schemars(with = "Option<bool>")]
    pub data_platform: bool,
}

/// Values that replace the quota of the tier; the names are those of a Kubernetes ResourceQuota,
/// with `_` for `.`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Processor time that pods may ask for, such as `80` or `7500m`.
    pub requests_cpu: Option<Quantity>,
    /// Processor time that pods may use.
    pub limits_cpu: Option<Quantity>,
    /// Memory that pods may ask for, such as `160Gi`.
    pub requests_memory: Option<Quantity>,
    /// Memory that pods may use.
    pub limits_memory: Option<Quantity>,
    /// Storage that volumes may ask for.
    pub requests_storage: Option<Quantity>,
    /// How many volume claims there may be.
    pub persistentvolumeclaims: Option<u32>,
    /// How many services there may be.
    pub services: Option<u32>,
    /// How many services of type LoadBalancer there may be.
    pub services_loadbalancers: Option<u32>,
    /// How many pods there may be.
    pub pods: Option<u32>,
}
