//! Step 1 of the wizard: who the tenant is.
//!
//! Numbers: domain.md sections 2.3 (limits of the tiers), 8 (reserved slugs) and 10 (the rest).

use matih_model::TenantId;

use super::forms;
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::rule::rules;
use crate::schema::Tenant;
use crate::words::Tier;

rules! {
    /// The rules of `[tenant]`.
    TENANT:
    /// A slug is lower-case letters, digits and single hyphens, first a letter, last a letter or
    /// digit: it becomes part of namespaces, releases and domains.
    SLUG_PATTERN = "MTH-1007" "tenant.slug.pattern" Error;
    /// A slug has 3 to 32 characters, so that the longest name made of it still fits in 53
    /// characters, the limit of Helm.
    SLUG_LENGTH = "MTH-1008" "tenant.slug.length" Error;
    /// Some slugs are names of the platform's own hosts and namespaces.
    SLUG_RESERVED = "MTH-1009" "tenant.slug.reserved" Error;
    /// A name has 3 to 100 characters.
    NAME_LENGTH = "MTH-1010" "tenant.name.length" Error;
    /// A name has no control characters and no blanks at its ends: it is shown in lists and mails.
    NAME_CHARACTERS = "MTH-1011" "tenant.name.characters" Error;
    /// A description has at most 500 characters.
    DESCRIPTION_LENGTH = "MTH-1012" "tenant.description.length" Error;
    /// An e-mail address must be one that a mail can be sent to.
    EMAIL = "MTH-1013" "tenant.email.form" Error;
    /// The logo is loaded by browsers, so its address is https.
    LOGO_URL = "MTH-1014" "tenant.logo-url.form" Error;
    /// A custom domain is a full domain name in lower case, without scheme and final dot.
    CUSTOM_DOMAIN = "MTH-1015" "tenant.custom-domain.form" Error;
    /// A custom domain is the tenant's own; names under `matih.ai` are given out by the platform.
    CUSTOM_DOMAIN_PLATFORM = "MTH-1016" "tenant.custom-domain.platform" Error;
    /// A cost centre becomes a Kubernetes label: 1 to 63 letters, digits, `-`, `_` and `.`, with a
    /// letter or digit at both ends.
    COST_CENTER = "MTH-1017" "tenant.cost-center.form" Error;
    /// A tax number is 4 to 20 letters, digits, blanks, dots and hyphens.
    TAX_ID = "MTH-1018" "tenant.tax-id.form" Error;
    /// A billing address has at most 500 characters.
    BILLING_ADDRESS = "MTH-1019" "tenant.billing-address.length" Error;
    /// A limit above that of the tier has no effect: the tier's own limit is met first.
    LIMIT_ABOVE_TIER = "MTH-1020" "tenant.limits.above-tier" Warning;
}

/// Slugs that belong to the platform; those that begin with `kube-` too.
const RESERVED: &[&str] = &[
    "admin", "api", "app", "auth", "default", "docs", "login", "mail", "matih", "platform",
    "status", "support", "system", "www",
];

/// Reads a slug.
pub(crate) fn slug(text: &str) -> Result<TenantId, Diagnostic> {
    if !(3..=32).contains(&text.len()) && text.is_ascii() {
        let message = format!(
            "slug `{text}` has {} characters, and must have 3 to 32",
            text.len()
        );
        return Err(Diagnostic::new(SLUG_LENGTH, message).hint("it becomes part of longer names"));
    }
    if RESERVED.contains(&text) || text.starts_with("kube-") {
        let message = format!("slug `{text}` is reserved for the platform");
        let hint = "take another one: it cannot be changed later";
        return Err(Diagnostic::new(SLUG_RESERVED, message).hint(hint));
    }
    TenantId::new(text).map_err(|_| {
        let message = format!(
            "slug `{text}` must be lower-case letters, digits and single hyphens, \
             first a letter, last a letter or digit"
        );
        let diagnostic = Diagnostic::new(SLUG_PATTERN, message);
        Diagnostic {
            hint: suggestion(text),
            ..diagnostic
        }
    })
}

/// A slug near to what was written.
fn suggestion(text: &str) -> Option<String> {
    let words = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let joined = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    let slug = joined.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    slug.parse::<TenantId>()
        .ok()
        .map(|slug| format!("`{slug}` would do"))
}

/// Judges `[tenant]`.
pub(crate) fn check(tenant: &Tenant, f: &mut Findings) {
    name(&tenant.name, f);
    texts(tenant, f);
    let emails = [
        ("tenant.admin_email", Some(&tenant.admin_email)),
        ("tenant.contact_email", tenant.contact_email.as_ref()),
        ("tenant.billing_email", tenant.billing_email.as_ref()),
    ];
    for (path, email) in emails {
        if let Some(email) = email.filter(|email| !forms::is_email(email)) {
            let message = format!("`{email}` is not an e-mail address");
            f.report(
                path,
                Diagnostic::new(EMAIL, message).hint("write `name@example.com`"),
            );
        }
    }
    if let Some(url) = tenant
        .logo_url
        .as_ref()
        .filter(|url| !forms::is_https_url(url))
    {
        let diagnostic = Diagnostic::new(LOGO_URL, format!("`{url}` is not an https address"));
        f.report(
            "tenant.logo_url",
            diagnostic.hint("write `https://HOST/PATH`"),
        );
    }
    if let Some(domain) = &tenant.custom_domain {
        custom_domain(domain, f);
    }
    limits(tenant, f);
}

fn name(name: &str, f: &mut Findings) {
    let length = name.chars().count();
    if !(3..=100).contains(&length) {
        let message = format!("the name has {length} characters, and must have 3 to 100");
        let hint = "write the name that people see in lists and mails";
        f.report(
            "tenant.name",
            Diagnostic::new(NAME_LENGTH, message).hint(hint),
        );
    } else if name.trim() != name || name.chars().any(char::is_control) {
        let message = "the name has a control character, or a blank at one of its ends";
        let diagnostic = Diagnostic::new(NAME_CHARACTERS, message);
        f.report("tenant.name", diagnostic.hint("take them out"));
    }
}

fn texts(tenant: &Tenant, f: &mut Findings) {
    for (rule, path, text) in [
        (
            DESCRIPTION_LENGTH,
            "tenant.description",
            &tenant.description,
        ),
        (
            BILLING_ADDRESS,
            "tenant.billing_address",
            &tenant.billing_address,
        ),
    ] {
        let length = text.as_deref().unwrap_or_default().chars().count();
        if length > 500 {
            let message = format!("the text has {length} characters, and may have at most 500");
            f.report(path, Diagnostic::new(rule, message).hint("make it shorter"));
        }
    }
    let edge = |c: char| !c.is_ascii_alphanumeric();
    if let Some(cost_center) = &tenant.cost_center
        && (!forms::is_plain(cost_center, "-_.", 1, 63)
            || cost_center.starts_with(edge)
            || cost_center.ends_with(edge))
    {
        let message = format!("cost centre `{cost_center}` cannot be a label");
        let hint = "use 1 to 63 letters, digits, `-`, `_` and `.`, a letter or digit at both ends";
        f.report(
            "tenant.cost_center",
            Diagnostic::new(COST_CENTER, message).hint(hint),
        );
    }
    if let Some(tax_id) = &tenant.tax_id
        && !forms::is_plain(tax_id, " .-", 4, 20)
    {
        let message = format!("tax number `{tax_id}` has a character or a length that none has");
        let hint = "use 4 to 20 letters, digits, blanks, dots and hyphens";
        f.report("tenant.tax_id", Diagnostic::new(TAX_ID, message).hint(hint));
    }
}

fn custom_domain(domain: &str, f: &mut Findings) {
    let path = "tenant.custom_domain";
    if !forms::is_domain(domain) {
        let message = format!("`{domain}` is not a full domain name");
        let hint = "write it in lower case without scheme, path and final dot: `data.acme.example`";
        f.report(path, Diagnostic::new(CUSTOM_DOMAIN, message).hint(hint));
    } else if domain == "matih.ai" || domain.ends_with(".matih.ai") {
        let message = format!("`{domain}` belongs to the platform");
        let hint = "leave `custom_domain` out: every tenant has `SLUG.matih.ai` anyway";
        f.report(
            path,
            Diagnostic::new(CUSTOM_DOMAIN_PLATFORM, message).hint(hint),
        );
    }
}

fn limits(tenant: &Tenant, f: &mut Findings) {
    // domain.md section 2.3: users and gigabytes of the tier's plan.
    let (users, gigabytes) = match tenant.tier {
        Tier::Free => (3, 5),
        Tier::Starter => (5, 10),
        Tier::Professional => (25, 100),
        Tier::Enterprise => return,
    };
    for (path, limit, most) in [
        ("tenant.limits.max_users", tenant.limits.max_users, users),
        (
            "tenant.limits.storage_limit_gb",
            tenant.limits.storage_limit_gb,
            gigabytes,
        ),
    ] {
        if let Some(limit) = limit.filter(|limit| *limit > most && f.is_sound("tenant.tier")) {
            let message = format!("{limit} is above the {most} of tier {}", tenant.tier);
            let hint = "take a higher tier, or leave the limit out";
            f.report(path, Diagnostic::new(LIMIT_ABOVE_TIER, message).hint(hint));
        }
    }
}
