//! Step 5 of the wizard: how people get in and how data is kept.
//!
//! Sources: domain.md sections 9.3 (single sign-on), 9.6 (policy packs) and 10 (the rest).

use std::collections::BTreeMap;

use matih_model::Tenancy;

use super::cidr::Cidr;
use super::forms;
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::rule::rules;
use crate::schema::{Network, TenantSpec};
use crate::words::{AuthMethod, Compliance, MfaPolicy, Tier};

rules! {
    /// The rules of `[security]`.
    SECURITY:
    /// Single sign-on needs a realm of one's own, which PROFESSIONAL and ENTERPRISE have.
    SSO_TIER = "MTH-1401" "security.sso.tier" Error;
    /// The chosen way of single sign-on needs its section.
    SSO_MISSING = "MTH-1402" "security.sso.missing" Error;
    /// The section of a way to sign in that is not chosen has no effect.
    SSO_UNUSED = "MTH-1403" "security.sso.unused" Error;
    /// An issuer is an https address without a query: it is compared letter by letter with the
    /// one in the tokens.
    OIDC_ISSUER = "MTH-1404" "security.oidc.issuer" Error;
    /// The client id is the name that the identity provider knows the platform by.
    OIDC_CLIENT = "MTH-1405" "security.oidc.client-id" Error;
    /// SAML metadata is read from an https address.
    SAML_METADATA = "MTH-1406" "security.saml.metadata-url" Error;
    /// An entity id is 1 to 1024 characters without blanks (SAML 2.0 core, section 8.3.6).
    SAML_ENTITY = "MTH-1407" "security.saml.entity-id" Error;
    /// ENTERPRISE requires a second factor.
    MFA_ENTERPRISE = "MTH-1408" "security.mfa.enterprise" Error;
    /// A policy pack expects that users can at least set up a second factor.
    MFA_COMPLIANCE = "MTH-1409" "security.mfa.compliance" Warning;
    /// A network is an address, a slash and the number of its fixed bits.
    CIDR_FORM = "MTH-1410" "security.network.cidr" Error;
    /// The bits of an address after the fixed ones must be 0, or it is not clear what was meant.
    CIDR_HOST_BITS = "MTH-1411" "security.network.host-bits" Error;
    /// There may be at most 50 networks.
    CIDR_COUNT = "MTH-1412" "security.network.count" Error;
    /// Each network is named once.
    CIDR_DUPLICATE = "MTH-1413" "security.network.duplicate" Error;
    /// A network that lies in another one of the list changes nothing.
    CIDR_OVERLAP = "MTH-1414" "security.network.overlap" Warning;
    /// A list that lets in every address is no list.
    CIDR_WORLD = "MTH-1415" "security.network.world" Warning;
    /// A tenant without a public address cannot be reached by the networks of the list.
    ALLOW_UNUSED = "MTH-1416" "security.network.allow-unused" Warning;
    /// A policy pack is one of those that the tier has.
    COMPLIANCE_TIER = "MTH-1417" "security.compliance.tier" Error;
    /// Each policy pack is named once.
    COMPLIANCE_DUPLICATE = "MTH-1418" "security.compliance.duplicate" Error;
    /// GDPR is easiest to keep in a region of the European Union; elsewhere it needs a legal basis
    /// for the transfer.
    GDPR_REGION = "MTH-1419" "security.compliance.gdpr-region" Warning;
    /// HIPAA asks to keep records for six years, 2190 days (45 CFR 164.316(b)(2)).
    HIPAA_RETENTION = "MTH-1420" "security.compliance.hipaa-retention" Error;
}

/// Judges `[security]`.
pub(crate) fn check(spec: &TenantSpec, f: &mut Findings) {
    if f.is_sound("security.auth_method") {
        sign_in(spec, f);
    }
    identity_providers(spec, f);
    second_factor(spec, f);
    network(&spec.security.network, f);
    compliance(spec, f);
}

fn sign_in(spec: &TenantSpec, f: &mut Findings) {
    let method = spec.security.auth_method;
    let sso = method != AuthMethod::EmailPassword;
    if sso && spec.tenancy() == Tenancy::Shared && f.is_sound("tenant.tier") {
        let message = format!("tier {} has no single sign-on", spec.tenant.tier);
        let hint = "write `auth_method = \"email_password\"`, or take tier PROFESSIONAL or above";
        f.report(
            "security.auth_method",
            Diagnostic::new(SSO_TIER, message).hint(hint),
        );
    }
    for (section, owner) in [("oidc", AuthMethod::Oidc), ("saml", AuthMethod::Saml)] {
        let path = format!("security.{section}");
        let written = f.is_written(&path);
        if method == owner && !written {
            let message = format!("users sign in by {section}, and there is no `[{path}]`");
            let diagnostic = Diagnostic::new(SSO_MISSING, message);
            f.report(
                "security.auth_method",
                diagnostic.hint(format!("add `[{path}]`")),
            );
        } else if method != owner && written {
            let message = format!("`[{path}]` has no effect: users sign in by {method}");
            let hint = format!("write `auth_method = \"{section}\"`, or leave the section out");
            f.report(&path, Diagnostic::new(SSO_UNUSED, message).hint(hint));
        }
    }
}

fn identity_providers(spec: &TenantSpec, f: &mut Findings) {
    if let Some(oidc) = &spec.security.oidc {
        if !forms::is_https_url(&oidc.issuer) || oidc.issuer.contains('?') {
            let message = format!("`{}` cannot be an issuer", oidc.issuer);
            let hint = "write the https address that `/.well-known/openid-configuration` is under";
            f.report(
                "security.oidc.issuer",
                Diagnostic::new(OIDC_ISSUER, message).hint(hint),
            );
        }
        if oidc.client_id.trim().is_empty() || oidc.client_id.chars().any(char::is_control) {
            let diagnostic = Diagnostic::new(OIDC_CLIENT, "the client id is empty or not text");
            f.report(
                "security.oidc.client_id",
                diagnostic.hint("write the id that the provider gave"),
            );
        }
    }
    if let Some(saml) = &spec.security.saml {
        if !forms::is_https_url(&saml.metadata_url) {
            let message = format!("`{}` is not an https address", saml.metadata_url);
            let diagnostic = Diagnostic::new(SAML_METADATA, message);
            f.report(
                "security.saml.metadata_url",
                diagnostic.hint("write `https://HOST/PATH`"),
            );
        }
        let length = saml.entity_id.chars().count();
        if !(1..=1024).contains(&length) || saml.entity_id.contains(char::is_whitespace) {
            let message = "an entity id has 1 to 1024 characters and no blanks";
            let hint = "copy `entityID` from the metadata";
            f.report(
                "security.saml.entity_id",
                Diagnostic::new(SAML_ENTITY, message).hint(hint),
            );
        }
    }
}

fn second_factor(spec: &TenantSpec, f: &mut Findings) {
    let security = &spec.security;
    let enterprise = spec.tenant.tier == Tier::Enterprise;
    if enterprise && security.mfa != MfaPolicy::Required && f.is_sound("tenant.tier") {
        let message = format!(
            "tier ENTERPRISE requires a second factor, and `mfa` is {}",
            security.mfa
        );
        let diagnostic = Diagnostic::new(MFA_ENTERPRISE, message);
        f.report(
            "security.mfa",
            diagnostic.hint("write `mfa = \"required\"`"),
        );
    } else if security.mfa == MfaPolicy::Off
        && let Some(pack) = security.compliance.first()
    {
        let message =
            format!("policy pack {pack} without any second factor will not pass an audit");
        let diagnostic = Diagnostic::new(MFA_COMPLIANCE, message);
        f.report(
            "security.mfa",
            diagnostic.hint("write `mfa = \"required\"`"),
        );
    }
}

fn network(network: &Network, f: &mut Findings) {
    let list = "security.network.allow";
    if !network.allow.is_empty() && !network.public {
        let message = "the tenant has no public address, so the list lets nobody in";
        let hint = "write `public = true`, or leave the list out";
        f.report(list, Diagnostic::new(ALLOW_UNUSED, message).hint(hint));
    }
    if network.allow.len() > 50 {
        let message = format!(
            "there are {} networks, and there may be 50",
            network.allow.len()
        );
        let hint = "put neighbours together under a shorter prefix";
        f.report(list, Diagnostic::new(CIDR_COUNT, message).hint(hint));
    }
    if !f.is_wholly_sound(list) {
        return;
    }
    let mut seen: BTreeMap<Cidr, String> = BTreeMap::new();
    for (index, text) in network.allow.iter().enumerate() {
        let path = format!("{list}[{index}]");
        let Some(cidr) = cidr(&path, text, f) else {
            continue;
        };
        let around = seen
            .iter()
            .find(|(other, _)| other.contains(cidr) || cidr.contains(**other));
        if let Some((other, first)) = around {
            let (rule, message) = if *other == cidr {
                (CIDR_DUPLICATE, format!("network {cidr} is named twice"))
            } else {
                (
                    CIDR_OVERLAP,
                    format!("networks {cidr} and {other} lie one in the other"),
                )
            };
            let diagnostic = Diagnostic::new(rule, message)
                .label(f.place(first), "the other one")
                .hint("keep the wider of the two");
            f.report(&path, diagnostic);
        }
        seen.insert(cidr, path);
    }
}

fn cidr(path: &str, text: &str, f: &mut Findings) -> Option<Cidr> {
    let Some(cidr) = Cidr::parse(text) else {
        let message = format!("`{text}` is not a network");
        let hint = "write an address and a prefix length, as in `203.0.113.0/24`";
        f.report(path, Diagnostic::new(CIDR_FORM, message).hint(hint));
        return None;
    };
    if cidr.network() != cidr {
        let message = format!("`{text}` has bits after the first {}", cidr.fixed);
        let hint = format!("write `{}`, or a longer prefix", cidr.network());
        f.report(path, Diagnostic::new(CIDR_HOST_BITS, message).hint(hint));
    } else if cidr.fixed == 0 {
        let message = format!("`{text}` lets in every address");
        f.report(
            path,
            Diagnostic::new(CIDR_WORLD, message).hint("leave the list out if this is meant"),
        );
    }
    Some(cidr.network())
}

fn compliance(spec: &TenantSpec, f: &mut Findings) {
    let path = "security.compliance";
    let (tier, packs) = (spec.tenant.tier, &spec.security.compliance);
    if !f.is_sound("tenant.tier") || !f.is_wholly_sound(path) {
        return;
    }
    for (index, pack) in packs.iter().enumerate() {
        let at = format!("{path}[{index}]");
        if !tier.compliance().contains(pack) {
            let message = format!("tier {tier} does not have policy pack {pack}");
            let hint = match tier.compliance() {
                [] => "leave `compliance` out: the baseline is always on".to_owned(),
                [pack, ..] => format!("write `compliance = [\"{pack}\"]`, or take tier ENTERPRISE"),
            };
            f.report(&at, Diagnostic::new(COMPLIANCE_TIER, message).hint(hint));
        }
        if packs.iter().take(index).any(|other| other == pack) {
            let diagnostic =
                Diagnostic::new(COMPLIANCE_DUPLICATE, format!("{pack} is named twice"));
            f.report(&at, diagnostic.hint("name it once"));
        }
    }
    let home = &spec.infrastructure;
    let in_union = home.provider.eu_regions().contains(&home.region.as_str());
    if packs.contains(&Compliance::Gdpr) && !in_union {
        let message = format!(
            "GDPR is chosen, and `{}` is outside the European Union",
            home.region
        );
        let hint = format!(
            "the regions inside are {}",
            home.provider.eu_regions().join(", ")
        );
        f.report(path, Diagnostic::new(GDPR_REGION, message).hint(hint));
    }
    let days = spec.security.retention_days;
    let hipaa = packs.contains(&Compliance::Hipaa) && tier == Tier::Enterprise;
    if hipaa && days < 2190 {
        let message =
            format!("HIPAA asks for 2190 days of records, and `retention_days` is {days}");
        let diagnostic = Diagnostic::new(HIPAA_RETENTION, message);
        f.report(
            "security.retention_days",
            diagnostic.hint("write `retention_days = 2190` or more"),
        );
    }
}
