//! The rules that a tenant spec and a platform file obey, one file for each step of the wizard.
//!
//! A rule judges a value that could be read; what could not be read has its finding already
//! (see [`crate::Diagnostics`]). Codes: 1000 to 1049 reading and the tenant, 11 infrastructure,
//! 12 data sources, 13 modules, 14 security, 15 quota, 16 resources of the spec's own, 17 the
//! platform file; 30 to 33, declared beside their code, the blueprint and what it compiles to.

mod cidr;
pub(crate) mod data_sources;
pub(crate) mod extra;
mod fleet;
pub(crate) mod forms;
pub(crate) mod infrastructure;
pub(crate) mod modules;
pub(crate) mod platform;
pub(crate) mod quota;
pub(crate) mod secret;
pub(crate) mod security;
pub(crate) mod tenant;

pub use fleet::check_fleet;

use crate::findings::Findings;
use crate::rule::Rule;
use crate::schema::TenantSpec;

/// Every rule of reading and of the two files, by area.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [
        crate::read::READING,
        tenant::TENANT,
        fleet::FLEET,
        secret::SECRETS,
        infrastructure::INFRASTRUCTURE,
        data_sources::DATA_SOURCES,
        modules::MODULES,
        security::SECURITY,
        quota::QUOTA,
        extra::EXTRA,
        platform::PLATFORM,
        crate::blueprint::BLUEPRINT,
        crate::template::LANGUAGE,
        crate::compile::COMPILE,
        crate::compile::CATALOG,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Judges a tenant spec.
pub(crate) fn check(spec: &TenantSpec, findings: &mut Findings) {
    tenant::check(&spec.tenant, findings);
    infrastructure::check(spec, findings);
    data_sources::check(&spec.data_sources, findings);
    modules::check(spec, findings);
    security::check(spec, findings);
    quota::check(spec, findings);
    extra::check(spec, findings);
}
