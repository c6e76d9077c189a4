//! The JSON Schema and the reader know the same keys, each in its own way.

use std::collections::BTreeSet;

use matih_specs::Diagnostics;
use serde_json::Value;

/// Each table of a tenant spec: its type in the schema, and a spec with a key in it that nobody
/// knows.
const TENANT: [(&str, &str); 18] = [
    ("", "?"),
    ("Tenant", "[tenant]\n?"),
    ("Limits", "[tenant.limits]\n?"),
    ("Infrastructure", "[infrastructure]\n?"),
    ("AzureCredentials", "[infrastructure.credentials]\n?"),
    (
        "AwsCredentials",
        "infrastructure = { provider = \"aws\", credentials = { ? } }",
    ),
    (
        "GcpCredentials",
        "infrastructure = { provider = \"gcp\", credentials = { ? } }",
    ),
    ("DataSource", "[[data_sources]]\n?"),
    ("Modules", "[modules]\n?"),
    ("Security", "[security]\n?"),
    ("Oidc", "[security.oidc]\n?"),
    ("Saml", "[security.saml]\n?"),
    ("Network", "[security.network]\n?"),
    ("Quota", "[quota]\n?"),
    ("ExtraResource", "[[resource]]\n?"),
    ("Moved", "[[moved]]\n?"),
    ("Removed", "[[removed]]\n?"),
    ("LifecycleRule", "[[lifecycle]]\n?"),
];

/// The same for a platform file.
const PLATFORM: [(&str, &str); 10] = [
    ("", "?"),
    ("Platform", "[platform]\n?"),
    ("ImageRegistry", "[platform.registry]\n?"),
    ("Features", "[platform.features]\n?"),
    ("StateSettings", "[state]\n?"),
    ("ApplySettings", "[apply]\n?"),
    ("RetrySettings", "[retries]\n?"),
    ("SecretSettings", "[secrets]\n?"),
    ("SimulatedSettings", "[providers.simulated]\n?"),
    ("SpecDefaults", "[defaults]\n?"),
];

fn keys(schema: &Value) -> BTreeSet<String> {
    schema["properties"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

/// The keys that the finding about the unknown one lists.
fn known_keys(found: &Diagnostics) -> BTreeSet<String> {
    let finding = found
        .iter()
        .find(|finding| finding.rule.name == "toml.unknown-key")
        .unwrap();
    let list = finding
        .hint
        .as_deref()
        .unwrap()
        .strip_prefix("the keys here are ")
        .unwrap();
    list.split(", ").map(str::to_owned).collect()
}

fn agree(schema: &Value, tables: &[(&str, &str)], judge: impl Fn(&str) -> Diagnostics) {
    for (name, text) in tables {
        let described = if name.is_empty() {
            schema
        } else {
            &schema["$defs"][name]
        };
        let known = known_keys(&judge(&text.replace('?', "zzzzzzzzzz = 1")));
        // The fields of other providers' credentials are known, to say whose they are.
        let known: BTreeSet<_> = known
            .into_iter()
            .filter(|key| !is_foreign(name, key))
            .collect();
        assert_eq!(known, keys(described), "{name}");
    }
}

#[test]
fn the_schemas_and_the_reader_know_the_same_keys() {
    let tenant = |text: &str| matih_specs::parse_tenant("a.toml", text).unwrap_err();
    agree(&matih_specs::tenant_schema(), &TENANT, tenant);
    let platform = |text: &str| matih_specs::parse_platform("matih.toml", text).unwrap_err();
    agree(&matih_specs::platform_schema(), &PLATFORM, platform);
}

fn is_foreign(table: &str, key: &str) -> bool {
    let owner = match key {
        "client_id" | "client_secret" | "azure_tenant_id" | "subscription_id" => "Azure",
        "role_arn" | "external_id" | "account_id" => "Aws",
        "project_id" | "workload_identity_provider" | "service_account_email" => "Gcp",
        _ => return false,
    };
    table.ends_with("Credentials") && !table.starts_with(owner)
}
