//! How people get in and how data is kept.
//!
//! The fields are those of domain.md section 10, step 5.

use schemars::JsonSchema;
use serde::Serialize;

use super::Secret;
use crate::words::{AuthMethod, Compliance, MfaPolicy};

/// How people get in and how data is kept.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Security {
    /// How users sign in. `oidc` and `saml` need PROFESSIONAL or ENTERPRISE. Default:
    /// email_password.
    #[schemars(with = "Option<AuthMethod>")]
    pub auth_method: AuthMethod,
    /// Whether users need a second factor. Default: optional; ENTERPRISE: required.
    #[schemars(with = "Option<MfaPolicy>")]
    pub mfa: MfaPolicy,
    /// How many days audit events are kept, 1 to 3650. Default: 365.
    #[schemars(with = "Option<u32>", range(min = 1, max = 3650))]
    pub retention_days: u32,
    /// Whether data may not leave the region. Default: no.
    #[schemars(with = "Option<bool>")]
    pub region_lock: bool,
    /// The policy packs. Default: SOC2 for PROFESSIONAL and ENTERPRISE, none for the others.
    #[schemars(with = "Option<Vec<Compliance>>")]
    pub compliance: Vec<Compliance>,
    /// The OpenID Connect provider. Needed if `auth_method` is oidc, refused otherwise.
    pub oidc: Option<Oidc>,
    /// The SAML identity provider. Needed if `auth_method` is saml, refused otherwise.
    pub saml: Option<Saml>,
    /// From where the tenant can be reached.
    #[schemars(with = "Option<Network>")]
    pub network: Network,
}

/// An OpenID Connect provider.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// The issuer, an https address.
    #[schemars(extend("format" = "uri"))]
    pub issuer: String,
    /// The id that the platform has there.
    pub client_id: String,
    /// The secret that belongs to the id.
    pub client_secret: Secret,
}

/// A SAML identity provider.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Saml {
    /// Where its metadata can be read, an https address.
    #[schemars(extend("format" = "uri"))]
    pub metadata_url: String,
    /// Its entity id.
    pub entity_id: String,
}

/// From where the tenant can be reached.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Whether it has a public address at all. Default: yes.
    #[schemars(with = "Option<bool>")]
    pub public: bool,
    /// The networks that may reach it, in CIDR form, at most 50; none means all.
    #[schemars(with = "Option<Vec<String>>", length(max = 50))]
    pub allow: Vec<String>,
}
