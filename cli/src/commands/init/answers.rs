//! What the wizard's five forms hold (domain.md section 10), and the spec that they make.

use std::path::Path;

use matih_specs::words::{Provider, Tier};
use matih_specs::{Diagnostics, Word};

const TEMPLATE: &str = include_str!("template.toml");

/// One answer to each question; every field has an answer from the start.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    pub(super) name: String,
    pub(super) slug: String,
    pub(super) tier: String,
    pub(super) admin_email: String,
    pub(super) provider: String,
    pub(super) region: String,
    pub(super) resource_tier: String,
    pub(super) dedicated_compute: bool,
    pub(super) gpu: bool,
    /// Key and value of each credential; a secret's value is the name of its variable.
    pub(super) credentials: Vec<(&'static str, String)>,
    pub(super) bi: bool,
    pub(super) context_graph: bool,
    pub(super) ml: bool,
    pub(super) data_platform: bool,
    pub(super) auth_method: String,
    /// Key and value of `[security.oidc]` or `[security.saml]`.
    pub(super) sign_in: Vec<(&'static str, String)>,
    pub(super) mfa: String,
    pub(super) retention_days: u32,
    pub(super) region_lock: bool,
}

/// Keys whose value is a secret: written as a reference to a variable of the environment.
const SECRETS: &[&str] = &["client_secret"];

impl Answers {
    /// The defaults of a tier and a cloud; the file's name suggests the slug.
    pub(super) fn new(tier: &str, provider: &str, path: &Path) -> Self {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let slug = match stem.as_ref() {
            "tenant" | "spec" => "acme".to_owned(),
            stem => stem.trim_end_matches(".tenant").to_owned(),
        };
        let mut answers = Self {
            name: capitalised(&slug),
            slug,
            tier: tier.to_ascii_uppercase(),
            admin_email: "admin@example.com".to_owned(),
            provider: provider.to_owned(),
            region: String::new(),
            resource_tier: "medium".to_owned(),
            dedicated_compute: false,
            gpu: false,
            credentials: Vec::new(),
            bi: true,
            context_graph: true,
            ml: false,
            data_platform: false,
            auth_method: "email_password".to_owned(),
            sign_in: Vec::new(),
            mfa: "optional".to_owned(),
            retention_days: 365,
            region_lock: false,
        };
        answers.follow_tier();
        answers.follow_provider();
        answers
    }

    /// Whether the tenant has a cloud account and infrastructure of its own.
    pub(super) fn is_dedicated(&self) -> bool {
        matches!(self.tier.as_str(), "PROFESSIONAL" | "ENTERPRISE")
    }

    /// Answers that another tier makes different.
    pub(super) fn follow_tier(&mut self) {
        if self.tier == "ENTERPRISE" {
            self.mfa = "required".to_owned();
        }
    }

    /// Answers that another cloud makes different.
    pub(super) fn follow_provider(&mut self) {
        let regions = regions(&self.provider);
        self.region = regions
            .first()
            .map(|it| (*it).to_owned())
            .unwrap_or_default();
        const ID: &str = "00000000-0000-0000-0000-000000000000";
        let examples: &[(&str, &str)] = match self.provider.as_str() {
            "aws" => &[
                ("role_arn", "arn:aws:iam::000000000000:role/matih"),
                ("external_id", "matih-external-id"),
                ("account_id", "000000000000"),
            ],
            "gcp" => &[
                ("project_id", "my-project"),
                (
                    "workload_identity_provider",
                    "projects/1/locations/global/workloadIdentityPools/matih/providers/matih",
                ),
                (
                    "service_account_email",
                    "matih@my-project.iam.gserviceaccount.com",
                ),
            ],
            _ => &[
                ("client_id", ID),
                ("client_secret", "AZURE_CLIENT_SECRET"),
                ("azure_tenant_id", ID),
                ("subscription_id", ID),
            ],
        };
        self.credentials = examples
            .iter()
            .map(|(key, value)| (*key, (*value).to_owned()))
            .collect();
    }

    /// Keys that another sign-in method asks for.
    pub(super) fn follow_auth_method(&mut self) {
        let examples: &[(&str, &str)] = match self.auth_method.as_str() {
            "oidc" => &[
                ("issuer", "https://login.example.com"),
                ("client_id", "matih"),
                ("client_secret", "OIDC_CLIENT_SECRET"),
            ],
            "saml" => &[
                ("metadata_url", "https://login.example.com/metadata.xml"),
                ("entity_id", "https://login.example.com"),
            ],
            _ => &[],
        };
        self.sign_in = examples
            .iter()
            .map(|(key, value)| (*key, (*value).to_owned()))
            .collect();
    }

    /// The spec.
    pub(super) fn spec(&self) -> String {
        let flag = |truth: bool| truth.to_string();
        let compute = if self.is_dedicated() {
            format!(
                "dedicated_compute = {}\ngpu = {}\n",
                self.dedicated_compute, self.gpu
            )
        } else {
            String::new()
        };
        let credentials = if self.is_dedicated() {
            format!(
                "\n# The identity by which matih builds in the tenant's cloud account.\n{}",
                table("infrastructure.credentials", &self.credentials)
            )
        } else {
            String::new()
        };
        let sign_in = match self.sign_in.as_slice() {
            [] => String::new(),
            keys => format!(
                "\n{}",
                table(&format!("security.{}", self.auth_method), keys)
            ),
        };
        let values: &[(&str, String)] = &[
            ("name", escaped(&self.name)),
            ("slug", escaped(&self.slug)),
            ("tier", self.tier.clone()),
            ("admin_email", escaped(&self.admin_email)),
            ("provider", self.provider.clone()),
            ("region", self.region.clone()),
            ("resource_tier", self.resource_tier.clone()),
            ("compute", compute),
            ("credentials", credentials),
            ("bi", flag(self.bi)),
            ("context_graph", flag(self.context_graph)),
            ("ml", flag(self.ml)),
            ("data_platform", flag(self.data_platform)),
            ("auth_method", self.auth_method.clone()),
            ("mfa", self.mfa.clone()),
            ("retention_days", self.retention_days.to_string()),
            ("region_lock", flag(self.region_lock)),
            ("sign_in", sign_in),
        ];
        values
            .iter()
            .fold(TEMPLATE.to_owned(), |text, (key, value)| {
                text.replace(&format!("{{{{{key}}}}}"), value)
            })
    }

    /// Sets the text at a path such as `tenant.slug`.
    pub(super) fn set(&mut self, path: &str, value: String) {
        let key = path.rsplit('.').next().unwrap_or(path);
        let keys = if path.starts_with("infrastructure.credentials.") {
            &mut self.credentials
        } else {
            &mut self.sign_in
        };
        match path {
            "tenant.name" => self.name = value,
            "tenant.slug" => self.slug = value,
            "tenant.admin_email" => self.admin_email = value,
            _ => {
                for pair in keys.iter_mut().filter(|pair| pair.0 == key) {
                    pair.1.clone_from(&value);
                }
            }
        }
    }

    /// What is wrong with the answers so far at a path such as `tenant.slug`.
    pub(super) fn fault(&self, path: &str) -> Option<String> {
        let key = path.rsplit('.').next().unwrap_or(path);
        let text = self.spec();
        let about = |findings: &Diagnostics| {
            let of_key = |line: u32| {
                let line = text
                    .lines()
                    .nth(line.saturating_sub(1) as usize)
                    .unwrap_or_default();
                line.split('=').next().unwrap_or_default().trim() == key
            };
            findings
                .iter()
                .find(|it| it.place.as_ref().is_some_and(|place| of_key(place.line)))
                .map(|it| it.message.clone())
        };
        match matih_specs::parse_tenant("", &text) {
            Ok(_) => None,
            Err(findings) => about(&findings),
        }
    }
}

/// The regions of a cloud, the default one first.
pub(super) fn regions(provider: &str) -> &'static [&'static str] {
    let found = Provider::ALL.iter().find(|it| it.as_str() == provider);
    found.map_or(&[], |provider| provider.regions())
}

/// The words of the tiers.
pub(super) fn tiers() -> Vec<&'static str> {
    Tier::ALL.iter().map(|tier| tier.as_str()).collect()
}

fn table(name: &str, keys: &[(&str, String)]) -> String {
    let mut text = format!("[{name}]\n");
    for (key, value) in keys {
        let value = escaped(value);
        text += &if SECRETS.contains(key) {
            format!("{key} = {{ env = \"{value}\" }}\n")
        } else {
            format!("{key} = \"{value}\"\n")
        };
    }
    text
}

/// Text as the inside of a TOML string.
fn escaped(text: &str) -> String {
    let quoted = toml::Value::from(text).to_string();
    match quoted.strip_prefix('"').and_then(|it| it.strip_suffix('"')) {
        Some(inner) => inner.to_owned(),
        // The writer chose another kind of quotes; JSON's escapes are TOML's too.
        None => {
            let json = serde_json::Value::from(text).to_string();
            json.trim_matches('"').to_owned()
        }
    }
}

fn capitalised(slug: &str) -> String {
    let mut letters = slug.replace('-', " ").chars().collect::<Vec<_>>();
    if let Some(first) = letters.first_mut() {
        *first = first.to_ascii_uppercase();
    }
    letters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tier_and_cloud_gives_a_spec_that_obeys_every_rule() {
        for tier in tiers() {
            for provider in ["azure", "aws", "gcp"] {
                let answers = Answers::new(tier, provider, Path::new("acme.toml"));
                let text = answers.spec();
                assert!(!text.contains("{{"), "{text}");
                let parsed = matih_specs::parse_tenant("acme.toml", &text);
                assert!(
                    parsed.is_ok(),
                    "{tier} {provider}: {}\n{text}",
                    parsed.unwrap_err()
                );
                assert_eq!(matih_specs::format("acme.toml", &text).unwrap(), text);
            }
        }
    }

    #[test]
    fn an_answer_that_breaks_a_rule_has_its_fault() {
        let mut answers = Answers::new("PROFESSIONAL", "azure", Path::new("acme.toml"));
        assert_eq!(answers.fault("tenant.slug"), None);
        answers.slug = "Not A Slug".to_owned();
        assert!(answers.fault("tenant.slug").is_some());
        assert_eq!(answers.fault("tenant.admin_email"), None);
        answers.name = "quote \" and \\ and \n".to_owned();
        assert!(answers.spec().parse::<toml::Table>().is_ok());
    }

    #[test]
    fn single_sign_on_brings_its_table() {
        let mut answers = Answers::new("ENTERPRISE", "aws", Path::new("tenant.toml"));
        for method in ["oidc", "saml"] {
            answers.auth_method = method.to_owned();
            answers.follow_auth_method();
            let text = answers.spec();
            let parsed = matih_specs::parse_tenant("acme.toml", &text);
            assert!(parsed.is_ok(), "{}\n{text}", parsed.unwrap_err());
        }
    }
}
