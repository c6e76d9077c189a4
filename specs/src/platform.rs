//! `matih.toml`, the platform file: where state lives, how apply behaves, what specs may leave out.
//!
//! Every key has a default, so an empty file is a good one. Relative paths are relative to the
//! folder that the file is in; resolving them is the caller's work, as is all I/O.
//!
//! Defaults: domain.md sections 3.4 (retries) and 12 (C5 the tier, C8 the features of dev).

use std::collections::BTreeMap;
use std::time::Duration;

use matih_model::SecretRef;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::duration;
use crate::fields::ranged;
use crate::findings::{Findings, Places};
use crate::read::{Table, read_file};
use crate::rules;
use crate::schema::Secret;
use crate::words::{Environment, Latency, OnFailure, Provider, ResourceTier, SecretStore, Tier};

/// All of `matih.toml`, defaults filled.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlatformFile {
    /// What the platform is.
    #[schemars(with = "Option<Platform>")]
    pub platform: Platform,
    /// Where matih keeps what it knows.
    #[schemars(with = "Option<StateSettings>")]
    pub state: StateSettings,
    /// How `apply` behaves.
    #[schemars(with = "Option<ApplySettings>")]
    pub apply: ApplySettings,
    /// How often a failed call is tried again.
    #[schemars(with = "Option<RetrySettings>")]
    pub retries: RetrySettings,
    /// Where named secrets come from.
    #[schemars(with = "Option<SecretSettings>")]
    pub secrets: SecretSettings,
    /// What the providers need to know.
    #[schemars(with = "Option<ProviderSettings>")]
    pub providers: ProviderSettings,
    /// The places to build in, by name.
    #[schemars(with = "Option<BTreeMap<String, Target>>")]
    pub targets: BTreeMap<String, Target>,
    /// What stands for keys that a tenant spec leaves out.
    #[schemars(with = "Option<SpecDefaults>")]
    pub defaults: SpecDefaults,
}

/// What the platform is.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// Its name, a lower-case label. Default: matih.
    #[schemars(with = "Option<String>")]
    pub name: String,
    /// The zone under which each tenant gets `SLUG.ZONE`. Default: matih.ai.
    #[schemars(with = "Option<String>")]
    pub root_domain: String,
    /// Whether certificates are real (prod) or from the staging issuer (dev). Default: prod.
    #[schemars(with = "Option<Environment>")]
    pub environment: Environment,
    /// A folder whose files are laid over the built-in blueprint.
    pub blueprint: Option<String>,
    /// Where images come from.
    #[schemars(with = "Option<ImageRegistry>")]
    pub registry: ImageRegistry,
    /// Parts of the blueprint that can be switched off.
    #[schemars(with = "Option<Features>")]
    pub features: Features,
}

/// Where images come from.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageRegistry {
    /// Its host. Default: matihlabsacr.azurecr.io.
    #[schemars(with = "Option<String>")]
    pub host: String,
    /// The secret to pull with. Default: `{ secret = "platform/registry" }`.
    #[schemars(with = "Option<Secret>")]
    pub pull_secret: Secret,
}

/// Parts of the blueprint that can be switched off.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// Whether tenants get an ingress of their own. Default: yes, in dev no.
    #[schemars(with = "Option<bool>")]
    pub ingress: bool,
    /// Whether tenants get a DNS zone. Default: yes, in dev no.
    #[schemars(with = "Option<bool>")]
    pub dns: bool,
}

/// Where matih keeps what it knows.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateSettings {
    /// The SQLite file. Default: .matih/state.db.
    #[schemars(with = "Option<String>")]
    pub path: String,
}

/// How `apply` behaves.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplySettings {
    /// How many actions may run at once, 1 to 64. Default: 10.
    #[schemars(with = "Option<u32>", range(min = 1, max = 64))]
    pub parallelism: u32,
    /// What a failed action leads to. Default: stop.
    #[schemars(with = "Option<OnFailure>")]
    pub on_failure: OnFailure,
    /// How long to wait for another run to end, such as `30s`. Default: 0s.
    #[serde(serialize_with = "duration::serialize")]
    #[schemars(with = "Option<String>")]
    pub lock_timeout: Duration,
    /// How long a lock holds without a sign of life, at least 1s. Default: 30s.
    #[serde(serialize_with = "duration::serialize")]
    #[schemars(with = "Option<String>")]
    pub lease: Duration,
}

/// How often a failed call is tried again.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetrySettings {
    /// At most so often, 0 to 10. Default: 3.
    #[schemars(with = "Option<u32>", range(max = 10))]
    pub max: u32,
}

/// Where named secrets come from.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretSettings {
    /// The store. Default: derived.
    #[schemars(with = "Option<SecretStore>")]
    pub store: SecretStore,
}

/// What the providers need to know.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ProviderSettings {
    /// The simulated world.
    #[schemars(with = "Option<SimulatedSettings>")]
    pub simulated: SimulatedSettings,
    /// Settings of every other provider, by its name; what they mean is the provider's.
    #[serde(flatten)]
    pub others: BTreeMap<String, Map<String, Value>>,
}

/// The simulated world.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulatedSettings {
    /// The file that it lives in. Default: .matih/world.db.
    #[schemars(with = "Option<String>")]
    pub world: String,
    /// How long its calls take. Default: none.
    #[schemars(with = "Option<Latency>")]
    pub latency: Latency,
}

/// A place to build in.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Target {
    /// The provider that knows how.
    pub provider: String,
    /// What that provider needs to know about this place.
    #[serde(flatten)]
    pub options: Map<String, Value>,
}

/// What stands for keys that a tenant spec leaves out.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpecDefaults {
    /// The tier. Default: PROFESSIONAL.
    #[schemars(with = "Option<Tier>")]
    pub tier: Tier,
    /// The cloud. Default: azure.
    #[schemars(with = "Option<Provider>")]
    pub provider: Provider,
    /// The region of that cloud. Default: the first that matih knows of it.
    pub region: Option<String>,
    /// The size. Default: medium.
    #[schemars(with = "Option<ResourceTier>")]
    pub resource_tier: ResourceTier,
}

impl Default for SpecDefaults {
    fn default() -> Self {
        Self {
            tier: Tier::Professional,
            provider: Provider::Azure,
            region: None,
            resource_tier: ResourceTier::Medium,
        }
    }
}

impl SpecDefaults {
    /// The region for a spec that names a provider and no region.
    pub fn region_of(&self, provider: Provider) -> String {
        let own = self.region.as_deref().filter(|_| provider == self.provider);
        own.or(provider.regions().first().copied())
            .unwrap_or_default()
            .to_owned()
    }
}

impl Default for PlatformFile {
    /// What an empty file means.
    fn default() -> Self {
        let mut findings = Findings::new("", "");
        Table::read_empty(&mut findings, platform_file)
    }
}

/// A platform file that obeys every rule, and where its keys stand.
#[derive(Clone, Debug)]
pub struct ParsedPlatform {
    /// The file.
    pub file: PlatformFile,
    /// Findings that do not stand in the way.
    pub warnings: Diagnostics,
    /// Where each key stands.
    pub places: Places,
}

/// A setting that a provider cannot use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedSetting {
    /// Its path, or that of the table that should have it.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl ParsedPlatform {
    /// What providers refuse, each at its place in the file.
    pub fn refused(&self, settings: impl IntoIterator<Item = RefusedSetting>) -> Diagnostics {
        let mut findings = Diagnostics::new(self.places.source().clone());
        for setting in settings {
            let message = format!("`{}`: {}", setting.path, setting.message);
            let diagnostic = Diagnostic::new(rules::platform::PROVIDER_SETTING, message);
            let place = self.places.nearest(&setting.path);
            findings.push(diagnostic.hint(setting.hint).at(place));
        }
        findings
    }
}

/// Reads and checks a platform file; `file` is the name that findings show.
///
/// # Errors
/// All findings, warnings too, if one of them is an error.
pub fn parse_platform(file: &str, text: &str) -> Result<ParsedPlatform, Diagnostics> {
    let mut findings = Findings::new(file, text);
    let platform = read_file(&mut findings, text, platform_file);
    if let Some(platform) = &platform {
        rules::platform::check(platform, &mut findings);
    }
    let failed = findings.has_errors();
    let (warnings, places) = findings.into_parts();
    match platform {
        Some(file) if !failed => Ok(ParsedPlatform {
            file,
            warnings,
            places,
        }),
        _ => Err(warnings),
    }
}

fn platform_file(root: &mut Table<'_, '_>) -> PlatformFile {
    let text = |t: &mut Table<'_, '_>, key, default: &str| {
        t.optional(key).unwrap_or_else(|| default.to_owned())
    };
    PlatformFile {
        platform: root.table("platform", |t| {
            let environment = t.optional("environment").unwrap_or(Environment::Prod);
            let real = environment == Environment::Prod;
            Platform {
                name: text(t, "name", "matih"),
                root_domain: text(t, "root_domain", "matih.ai"),
                environment,
                blueprint: t.optional("blueprint"),
                registry: t.table("registry", |t| ImageRegistry {
                    host: text(t, "host", "matihlabsacr.azurecr.io"),
                    pull_secret: t.optional("pull_secret").unwrap_or_else(|| {
                        Secret(SecretRef::Store("platform/registry".to_owned()))
                    }),
                }),
                features: t.table("features", |t| Features {
                    ingress: t.optional("ingress").unwrap_or(real),
                    dns: t.optional("dns").unwrap_or(real),
                }),
            }
        }),
        state: root.table("state", |t| StateSettings {
            path: text(t, "path", ".matih/state.db"),
        }),
        apply: root.table("apply", apply_settings),
        retries: root.table("retries", |t| RetrySettings {
            max: t
                .node("max")
                .and_then(|node| ranged(node, 0, 10))
                .unwrap_or(3),
        }),
        secrets: root.table("secrets", |t| SecretSettings {
            store: t.optional("store").unwrap_or(SecretStore::Derived),
        }),
        providers: root.table("providers", |t| ProviderSettings {
            simulated: t.table("simulated", |t| SimulatedSettings {
                world: text(t, "world", ".matih/world.db"),
                latency: t.optional("latency").unwrap_or(Latency::None),
            }),
            others: t.others().into_iter().collect(),
        }),
        targets: root
            .named_tables("targets", |t| Target {
                provider: t.required("provider").unwrap_or_default(),
                options: t.others().into_iter().collect(),
            })
            .into_iter()
            .collect(),
        defaults: root.table("defaults", spec_defaults),
    }
}

fn apply_settings(t: &mut Table<'_, '_>) -> ApplySettings {
    ApplySettings {
        parallelism: t
            .node("parallelism")
            .and_then(|node| ranged(node, 1, 64))
            .unwrap_or(10),
        on_failure: t.optional("on_failure").unwrap_or(OnFailure::Stop),
        lock_timeout: t.optional("lock_timeout").unwrap_or(Duration::ZERO),
        lease: t.optional("lease").unwrap_or(Duration::from_secs(30)),
    }
}

fn spec_defaults(t: &mut Table<'_, '_>) -> SpecDefaults {
    let default = SpecDefaults::default();
    SpecDefaults {
        tier: t.optional("tier").unwrap_or(default.tier),
        provider: t.optional("provider").unwrap_or(default.provider),
        region: t.optional("region"),
        resource_tier: t.optional("resource_tier").unwrap_or(default.resource_tier),
    }
}
