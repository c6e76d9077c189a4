//! Text of a tenant spec to a [`TenantSpec`]: one line for each key, every finding in one go.

use matih_model::{SecretRef, TenantId};

use crate::diagnostic::Diagnostics;
use crate::fields::ranged;
use crate::findings::{Findings, Places};
use crate::platform::SpecDefaults;
use crate::read::{Table, read_file};
use crate::rules;
use crate::schema::{
    AwsCredentials, AzureCredentials, Credentials, DataSource, ExtraResource, GcpCredentials,
    Infrastructure, LifecycleRule, Limits, Modules, Moved, Network, Oidc, Quota, Removed, Saml,
    Secret, Security, Tenant, TenantSpec,
};
use crate::words::{AuthMethod, Compliance, DataSourceType, MfaPolicy, Provider, Tier};

/// A tenant spec that obeys every rule, and where its keys stand.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The spec.
    pub spec: TenantSpec,
    /// Findings that do not stand in the way.
    pub warnings: Diagnostics,
    /// Where each key stands, for findings of later stages.
    pub places: Places,
}

/// Reads and checks a tenant spec; `file` is the name that findings show.
///
/// # Errors
/// All findings, warnings too, if one of them is an error.
pub fn parse_tenant(file: &str, text: &str) -> Result<Parsed, Diagnostics> {
    parse_tenant_with(file, text, &SpecDefaults::default())
}

/// The same, with the defaults of a platform file for what the spec leaves out.
///
/// # Errors
/// As [`parse_tenant`].
pub fn parse_tenant_with(
    file: &str,
    text: &str,
    defaults: &SpecDefaults,
) -> Result<Parsed, Diagnostics> {
    let mut findings = Findings::new(file, text);
    let spec = read_file(&mut findings, text, |root| tenant_spec(root, defaults)).flatten();
    if let Some(spec) = &spec {
        rules::check(spec, &mut findings);
    }
    let failed = findings.has_errors();
    let (warnings, places) = findings.into_parts();
    match spec {
        Some(spec) if !failed => Ok(Parsed {
            spec,
            warnings,
            places,
        }),
        _ => Err(warnings),
    }
}

/// Stands in for a secret that could not be read.
fn unread() -> Secret {
    Secret(SecretRef::Env(String::new()))
}

fn tenant_spec(root: &mut Table<'_, '_>, defaults: &SpecDefaults) -> Option<TenantSpec> {
    let tenant = root.table("tenant", |t| tenant(t, defaults));
    let tier = tenant.as_ref().map_or(defaults.tier, |tenant| tenant.tier);
    let spec = TenantSpec {
        infrastructure: root.table("infrastructure", |t| infrastructure(t, defaults)),
        data_sources: root.tables("data_sources", |t| Some(data_source(t))),
        modules: root.table("modules", modules),
        security: root.table("security", |t| security(t, tier)),
        quota: root.optional_table("quota", quota),
        resource: root.tables("resource", extra_resource),
        moved: root.tables("moved", moved),
        removed: root.tables("removed", removed),
        lifecycle: root.tables("lifecycle", |t| Some(lifecycle(t))),
        tenant: tenant?,
    };
    Some(spec)
}

fn tenant(t: &mut Table<'_, '_>, defaults: &SpecDefaults) -> Option<Tenant> {
    let name = t.required("name").unwrap_or_default();
    // A slug that cannot be read has its finding; the stand-in lets the other rules be checked.
    let slug = t.required("slug").or_else(|| TenantId::new("unread").ok());
    let tenant = Tenant {
        name,
        description: t.optional("description"),
        tier: t.optional("tier").unwrap_or(defaults.tier),
        admin_email: t.required("admin_email").unwrap_or_default(),
        contact_email: t.optional("contact_email"),
        billing_email: t.optional("billing_email"),
        billing_address: t.optional("billing_address"),
        tax_id: t.optional("tax_id"),
        logo_url: t.optional("logo_url"),
        custom_domain: t.optional("custom_domain"),
        cost_center: t.optional("cost_center"),
        limits: t.table("limits", limits),
        slug: slug?,
    };
    Some(tenant)
}

fn limits(t: &mut Table<'_, '_>) -> Limits {
    let mut limit = |key| {
        t.node(key)
            .and_then(|node| ranged(node, 1, u32::MAX.into()))
    };
    Limits {
        max_users: limit("max_users"),
        max_pipelines: limit("max_pipelines"),
        max_queries_per_day: limit("max_queries_per_day"),
        storage_limit_gb: limit("storage_limit_gb"),
    }
}

fn infrastructure(t: &mut Table<'_, '_>, defaults: &SpecDefaults) -> Infrastructure {
    let provider = t.optional("provider").unwrap_or(defaults.provider);
    let sound = t.findings.is_sound("infrastructure.provider");
    Infrastructure {
        provider,
        region: t
            .optional("region")
            .unwrap_or_else(|| defaults.region_of(provider)),
        resource_tier: t
            .optional("resource_tier")
            .unwrap_or(defaults.resource_tier),
        dedicated_compute: t.optional("dedicated_compute").unwrap_or(false),
        gpu: t.optional("gpu").unwrap_or(false),
        credentials: t
            .optional_table("credentials", |t| {
                // Which keys belong here cannot be said without the provider.
                if !sound {
                    t.skip();
                }
                sound.then(|| credentials(t, provider))
            })
            .flatten(),
    }
}

fn credentials(t: &mut Table<'_, '_>, provider: Provider) -> Credentials {
    let credentials = match provider {
        Provider::Azure => Credentials::Azure(AzureCredentials {
            client_id: t.required("client_id").unwrap_or_default(),
            client_secret: t.required("client_secret").unwrap_or_else(unread),
            azure_tenant_id: t.required("azure_tenant_id").unwrap_or_default(),
            subscription_id: t.required("subscription_id").unwrap_or_default(),
        }),
        Provider::Aws => Credentials::Aws(AwsCredentials {
            role_arn: t.required("role_arn").unwrap_or_default(),
            external_id: t.required("external_id").unwrap_or_default(),
            account_id: t.required("account_id").unwrap_or_default(),
        }),
        Provider::Gcp => Credentials::Gcp(GcpCredentials {
            project_id: t.required("project_id").unwrap_or_default(),
            workload_identity_provider: t
                .required("workload_identity_provider")
                .unwrap_or_default(),
            service_account_email: t.required("service_account_email").unwrap_or_default(),
        }),
    };
    rules::infrastructure::foreign_credentials(t, provider);
    credentials
}

fn data_source(t: &mut Table<'_, '_>) -> DataSource {
    let source_type = t.required("type").unwrap_or(DataSourceType::Postgresql);
    let ssl = t.optional("ssl").unwrap_or(true);
    DataSource {
        name: t.required("name").unwrap_or_default(),
        source_type,
        host: t.optional("host"),
        port: t
            .node("port")
            .and_then(|node| ranged(node, 1, 65_535))
            .unwrap_or_else(|| source_type.default_port(ssl)),
        database: t.optional("database"),
        username: t.optional("username"),
        password: t.optional("password"),
        ssl,
    }
}

fn modules(t: &mut Table<'_, '_>) -> Modules {
    Modules {
        core: t.optional("core").unwrap_or(true),
        bi: t.optional("bi").unwrap_or(true),
        context_graph: t.optional("context_graph").unwrap_or(true),
        ml: t.optional("ml").unwrap_or(false),
        data_platform: t.optional("data_platform").unwrap_or(false),
    }
}

fn security(t: &mut Table<'_, '_>, tier: Tier) -> Security {
    let (mfa, compliance) = match tier {
        Tier::Free | Tier::Starter => (MfaPolicy::Optional, vec![]),
        Tier::Professional => (MfaPolicy::Optional, vec![Compliance::Soc2]),
        Tier::Enterprise => (MfaPolicy::Required, vec![Compliance::Soc2]),
    };
    Security {
        auth_method: t
            .optional("auth_method")
            .unwrap_or(AuthMethod::EmailPassword),
        mfa: t.optional("mfa").unwrap_or(mfa),
        retention_days: t
            .node("retention_days")
            .and_then(|node| ranged(node, 1, 3650))
            .unwrap_or(365),
        region_lock: t.optional("region_lock").unwrap_or(false),
        compliance: t.optional("compliance").unwrap_or(compliance),
        oidc: t.optional_table("oidc", |t| Oidc {
            issuer: t.required("issuer").unwrap_or_default(),
            client_id: t.required("client_id").unwrap_or_default(),
            client_secret: t.required("client_secret").unwrap_or_else(unread),
        }),
        saml: t.optional_table("saml", |t| Saml {
            metadata_url: t.required("metadata_url").unwrap_or_default(),
            entity_id: t.required("entity_id").unwrap_or_default(),
        }),
        network: t.table("network", |t| Network {
            public: t.optional("public").unwrap_or(true),
            allow: t.optional("allow").unwrap_or_default(),
        }),
    }
}

fn quota(t: &mut Table<'_, '_>) -> Quota {
    Quota {
        requests_cpu: t.optional("requests_cpu"),
        limits_cpu: t.optional("limits_cpu"),
        requests_memory: t.optional("requests_memory"),
        limits_memory: t.optional("limits_memory"),
        requests_storage: t.optional("requests_storage"),
        persistentvolumeclaims: t.optional("persistentvolumeclaims"),
        services: t.optional("services"),
        services_loadbalancers: t.optional("services_loadbalancers"),
        pods: t.optional("pods"),
    }
}

fn extra_resource(t: &mut Table<'_, '_>) -> Option<ExtraResource> {
    let (kind, name) = (t.required("kind"), t.required("name"));
    let depends_on = t.optional("depends_on").unwrap_or_default();
    let attributes = t.optional("attributes").unwrap_or_default();
    Some(ExtraResource {
        kind: kind?,
        name: name?,
        depends_on,
        attributes,
    })
}

fn moved(t: &mut Table<'_, '_>) -> Option<Moved> {
    let (from, to) = (t.required("from"), t.required("to"));
    Some(Moved {
        from: from?,
        to: to?,
    })
}

fn removed(t: &mut Table<'_, '_>) -> Option<Removed> {
    let address = t.required("address");
    let destroy = t.optional("destroy").unwrap_or(true);
    Some(Removed {
        address: address?,
        destroy,
    })
}

fn lifecycle(t: &mut Table<'_, '_>) -> LifecycleRule {
    LifecycleRule {
        address: t.required("address").unwrap_or_default(),
        protect: t.optional("protect").unwrap_or(false),
        ignore_changes: t.optional("ignore_changes").unwrap_or_default(),
    }
}
