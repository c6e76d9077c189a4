//! Step 2 of the wizard: where the tenant lives.
//!
//! Sources: domain.md sections 2.1 and 2.2 (what a tier has), 7.4 (credentials) and 7.5 (regions).

use matih_model::Tenancy;

use super::forms;
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::nearest::nearest;
use crate::read::Table;
use crate::rule::{Rule, rules};
use crate::schema::{AwsCredentials, Credentials, GcpCredentials, TenantSpec};
use crate::words::{Provider, ResourceTier, Tier, Word};

rules! {
    /// The rules of `[infrastructure]`.
    INFRASTRUCTURE:
    /// A region is one of those that matih knows.
    REGION_UNKNOWN = "MTH-1101" "infrastructure.region.unknown" Error;
    /// A region belongs to the provider that is chosen.
    REGION_PROVIDER = "MTH-1102" "infrastructure.region.provider" Error;
    /// PROFESSIONAL and ENTERPRISE build in the tenant's own cloud account, so they need
    /// credentials for it.
    CREDENTIALS_MISSING = "MTH-1103" "infrastructure.credentials.missing" Error;
    /// FREE and STARTER live in the shared cluster; credentials would be kept without a use.
    CREDENTIALS_UNUSED = "MTH-1104" "infrastructure.credentials.unused" Error;
    /// Credentials have the fields of the provider that is chosen, and no others.
    CREDENTIALS_FOREIGN = "MTH-1105" "infrastructure.credentials.foreign" Error;
    /// The ids of Azure are UUIDs.
    CREDENTIALS_UUID = "MTH-1106" "infrastructure.credentials.uuid" Error;
    /// A role of AWS is named by its ARN.
    ROLE_ARN = "MTH-1107" "infrastructure.credentials.role-arn" Error;
    /// An account of AWS has 12 digits.
    ACCOUNT_ID = "MTH-1108" "infrastructure.credentials.account-id" Error;
    /// The role must be one of the account that is built in.
    ACCOUNT_MISMATCH = "MTH-1109" "infrastructure.credentials.account-mismatch" Error;
    /// An external id of AWS is 2 to 1224 letters, digits and `_+=,.@:/-`.
    EXTERNAL_ID = "MTH-1110" "infrastructure.credentials.external-id" Error;
    /// A project id of Google Cloud is 6 to 30 lower-case letters, digits and hyphens, first a
    /// letter, last no hyphen.
    PROJECT_ID = "MTH-1111" "infrastructure.credentials.project-id" Error;
    /// A workload identity provider of Google Cloud is named by its full path.
    WORKLOAD_IDENTITY = "MTH-1112" "infrastructure.credentials.workload-identity" Error;
    /// A service account of Google Cloud has an address that ends in `.gserviceaccount.com`.
    SERVICE_ACCOUNT = "MTH-1113" "infrastructure.credentials.service-account" Error;
    /// Nodes of one's own need a cluster of one's own: PROFESSIONAL or ENTERPRISE.
    DEDICATED_COMPUTE_TIER = "MTH-1114" "infrastructure.dedicated-compute.tier" Error;
    /// The shared cluster has no GPU to give: PROFESSIONAL or ENTERPRISE.
    GPU_TIER = "MTH-1115" "infrastructure.gpu.tier" Error;
    /// Only the ML platform makes use of a GPU; without it the nodes cost and idle.
    GPU_IDLE = "MTH-1116" "infrastructure.gpu.idle" Warning;
    /// FREE has one size: half of its quota does not hold the nine services, and double is not
    /// free.
    RESOURCE_TIER_FREE = "MTH-1117" "infrastructure.resource-tier.free" Error;
}

/// Judges `[infrastructure]`.
pub(crate) fn check(spec: &TenantSpec, f: &mut Findings) {
    let here = &spec.infrastructure;
    if f.is_sound("infrastructure.provider") {
        region("infrastructure.region", here.provider, &here.region, f);
    }
    if f.is_sound("tenant.tier") {
        tier(spec, f);
    }
    if here.gpu && !spec.modules.ml && spec.tenancy() == Tenancy::Dedicated {
        let diagnostic = Diagnostic::new(GPU_IDLE, "`gpu` is on, and the ML platform is off");
        f.report(
            "infrastructure.gpu",
            diagnostic.hint("set `ml = true` in `[modules]`"),
        );
    }
    match &here.credentials {
        Some(Credentials::Azure(azure)) => {
            for (key, id) in [
                ("client_id", &azure.client_id),
                ("azure_tenant_id", &azure.azure_tenant_id),
                ("subscription_id", &azure.subscription_id),
            ] {
                let hint = "write 8-4-4-4-12 hexadecimal digits, as `az account show` prints it";
                field(f, key, id, forms::is_uuid(id), CREDENTIALS_UUID, hint);
            }
        }
        Some(Credentials::Aws(aws)) => aws_credentials(aws, f),
        Some(Credentials::Gcp(gcp)) => gcp_credentials(gcp, f),
        None => {}
    }
}

/// Judges a region of a provider, in a spec or among the defaults of the platform file.
pub(crate) fn region(path: &str, provider: Provider, region: &str, f: &mut Findings) {
    if provider.regions().contains(&region) {
        return;
    }
    let owner = Provider::ALL
        .iter()
        .find(|other| other.regions().contains(&region));
    let regions = provider.regions().join(", ");
    let diagnostic = match owner {
        Some(owner) => {
            let message =
                format!("`{region}` is a region of {owner}, and the provider is {provider}");
            Diagnostic::new(REGION_PROVIDER, message).hint(format!(
                "write `provider = \"{owner}\"`, or one of {regions}"
            ))
        }
        None => {
            let message = format!("`{region}` is not a region of {provider} that matih knows");
            let hint = match nearest(region, provider.regions().iter().copied()) {
                Some(near) => format!("did you mean `{near}`? The regions are {regions}"),
                None => format!("write one of {regions}"),
            };
            Diagnostic::new(REGION_UNKNOWN, message).hint(hint)
        }
    };
    f.report(path, diagnostic);
}

fn tier(spec: &TenantSpec, f: &mut Findings) {
    let here = &spec.infrastructure;
    let tier = spec.tenant.tier;
    let written = f.is_written("infrastructure.credentials");
    if spec.tenancy() == Tenancy::Dedicated {
        if !written {
            let message = format!(
                "tier {tier} builds in your own {} account, and there are no credentials for it",
                here.provider
            );
            let keys = keys_of(here.provider).join(", ");
            let hint = format!("add `[infrastructure.credentials]` with {keys}");
            f.report(
                "infrastructure",
                Diagnostic::new(CREDENTIALS_MISSING, message).hint(hint),
            );
        }
        return;
    }
    let refuse = |f: &mut Findings, wrong: bool, key: &str, rule, message: String| {
        if wrong {
            let hint = "leave it out, or take tier PROFESSIONAL or ENTERPRISE";
            f.report(
                &format!("infrastructure.{key}"),
                Diagnostic::new(rule, message).hint(hint),
            );
        }
    };
    let message = format!("tier {tier} lives in the shared cluster and uses no credentials");
    refuse(f, written, "credentials", CREDENTIALS_UNUSED, message);
    let message = format!("tier {tier} has no nodes of its own");
    refuse(
        f,
        here.dedicated_compute,
        "dedicated_compute",
        DEDICATED_COMPUTE_TIER,
        message,
    );
    let message = format!("tier {tier} has no GPU");
    refuse(f, here.gpu, "gpu", GPU_TIER, message);
    let odd_size = tier == Tier::Free && here.resource_tier != ResourceTier::Medium;
    let message = format!(
        "tier FREE has one size, and `{}` is another",
        here.resource_tier
    );
    refuse(f, odd_size, "resource_tier", RESOURCE_TIER_FREE, message);
}

/// The fields of a provider's credentials.
fn keys_of(provider: Provider) -> &'static [&'static str] {
    match provider {
        Provider::Azure => &[
            "client_id",
            "client_secret",
            "azure_tenant_id",
            "subscription_id",
        ],
        Provider::Aws => &["role_arn", "external_id", "account_id"],
        Provider::Gcp => &[
            "project_id",
            "workload_identity_provider",
            "service_account_email",
        ],
    }
}

/// Reports fields that belong to the credentials of another provider.
pub(crate) fn foreign_credentials(t: &mut Table<'_, '_>, provider: Provider) {
    for other in Provider::ALL.iter().filter(|other| **other != provider) {
        t.foreign(keys_of(*other), |path| {
            let message = format!("`{path}` is a field of {other}, and the provider is {provider}");
            let hint = format!(
                "the fields of {provider} are {}",
                keys_of(provider).join(", ")
            );
            Diagnostic::new(CREDENTIALS_FOREIGN, message).hint(hint)
        });
    }
}

fn field(f: &mut Findings, key: &str, text: &str, good: bool, rule: &'static Rule, hint: &str) {
    if !good {
        let message = format!("`{key}` cannot be `{text}`");
        let path = format!("infrastructure.credentials.{key}");
        f.report(&path, Diagnostic::new(rule, message).hint(hint));
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

fn aws_credentials(aws: &AwsCredentials, f: &mut Findings) {
    let parts: Vec<_> = aws.role_arn.splitn(6, ':').collect();
    let account = match parts.as_slice() {
        [
            "arn",
            "aws" | "aws-cn" | "aws-us-gov",
            "iam",
            "",
            account,
            role,
        ] if is_account(account) && role.len() > 5 && role.starts_with("role/") => Some(*account),
        _ => None,
    };
    let hint = "write `arn:aws:iam::ACCOUNT:role/NAME`";
    field(
        f,
        "role_arn",
        &aws.role_arn,
        account.is_some(),
        ROLE_ARN,
        hint,
    );
    let good = is_account(&aws.account_id);
    field(
        f,
        "account_id",
        &aws.account_id,
        good,
        ACCOUNT_ID,
        "write 12 digits, in quotes",
    );
    let good = forms::is_plain(&aws.external_id, "_+=,.@:/-", 2, 1224);
    let hint = "use 2 to 1224 letters, digits and `_+=,.@:/-`";
    field(f, "external_id", &aws.external_id, good, EXTERNAL_ID, hint);
    if let Some(account) = account.filter(|account| good && *account != aws.account_id)
        && is_account(&aws.account_id)
    {
        let message = format!(
            "the role is of account {account}, and `account_id` is {}",
            aws.account_id
        );
        let path = "infrastructure.credentials.account_id";
        let other = f.place("infrastructure.credentials.role_arn");
        let diagnostic = Diagnostic::new(ACCOUNT_MISMATCH, message)
            .label(other, "the role")
            .hint("write the account that the role is of");
        f.report(path, diagnostic);
    }
}

fn gcp_credentials(gcp: &GcpCredentials, f: &mut Findings) {
    let project = |text: &str| {
        (6..=30).contains(&text.len())
            && forms::is_label(text)
            && text.starts_with(|c: char| c.is_ascii_lowercase())
    };
    let hint = "use 6 to 30 lower-case letters, digits and hyphens, first a letter";
    field(
        f,
        "project_id",
        &gcp.project_id,
        project(&gcp.project_id),
        PROJECT_ID,
        hint,
    );
    let parts: Vec<_> = gcp.workload_identity_provider.split('/').collect();
    let good = matches!(
        parts.as_slice(),
        ["projects", number, "locations", "global", "workloadIdentityPools", pool, "providers", name]
            if number.bytes().all(|b| b.is_ascii_digit()) && !number.is_empty()
                && forms::is_label(pool) && forms::is_label(name)
    );
    let hint = "write `projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/NAME`";
    let text = &gcp.workload_identity_provider;
    field(
        f,
        "workload_identity_provider",
        text,
        good,
        WORKLOAD_IDENTITY,
        hint,
    );
    let text = &gcp.service_account_email;
    let good = forms::is_email(text) && text.ends_with(".gserviceaccount.com");
    let hint = "write `NAME@PROJECT.iam.gserviceaccount.com`";
    field(
        f,
        "service_account_email",
        text,
        good,
        SERVICE_ACCOUNT,
        hint,
    );
}
