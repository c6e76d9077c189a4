//! The quota that an ENTERPRISE tenant may set by itself.
//!
//! Sums of the full set of services: domain.md section 2.2.

use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::quantity::Quantity;
use crate::rule::rules;
use crate::schema::{Quota, TenantSpec};
use crate::words::Tier;

rules! {
    /// The rules of `[quota]`.
    QUOTA:
    /// Only ENTERPRISE may edit its quota; that of the others is part of the price.
    QUOTA_TIER = "MTH-1501" "quota.tier" Error;
    /// An amount is a positive Kubernetes quantity.
    QUANTITY = "MTH-1502" "quota.quantity" Error;
    /// What pods may use is never less than what they may ask for.
    LIMIT_BELOW_REQUEST = "MTH-1503" "quota.limit-below-request" Error;
    /// The 13 services and the ingress must fit, or the run would fail half way.
    BELOW_SERVICES = "MTH-1504" "quota.below-services" Error;
    /// The 13 services and the ingress need a Service and at least a pod each.
    COUNT_BELOW_SERVICES = "MTH-1505" "quota.count-below-services" Error;
}

/// The finding for text that is no quantity.
pub(crate) fn not_a_quantity(path: &str, text: &str) -> Diagnostic {
    let message = format!("`{path}`: `{text}` is not a positive quantity");
    Diagnostic::new(QUANTITY, message).hint("write a number with a unit: 80, \"7500m\", \"160Gi\"")
}

/// Judges `[quota]`.
pub(crate) fn check(spec: &TenantSpec, f: &mut Findings) {
    let Some(quota) = &spec.quota else { return };
    if spec.tenant.tier != Tier::Enterprise {
        if f.is_sound("tenant.tier") {
            let message = format!("the quota of tier {} cannot be edited", spec.tenant.tier);
            let hint =
                "leave `[quota]` out, choose another `resource_tier`, or take tier ENTERPRISE";
            f.report("quota", Diagnostic::new(QUOTA_TIER, message).hint(hint));
        }
        return;
    }
    for (limits, requests, limit, request) in [
        (
            "quota.limits_cpu",
            "requests_cpu",
            &quota.limits_cpu,
            &quota.requests_cpu,
        ),
        (
            "quota.limits_memory",
            "requests_memory",
            &quota.limits_memory,
            &quota.requests_memory,
        ),
    ] {
        if let (Some(limit), Some(request)) = (limit, request)
            && limit.millis() < request.millis()
        {
            let message = format!("{limit} is less than the {request} of `{requests}`");
            let label = f.place(&format!("quota.{requests}"));
            let diagnostic =
                Diagnostic::new(LIMIT_BELOW_REQUEST, message).label(label, "the request");
            f.report(
                limits,
                diagnostic.hint("raise the limit, or lower the request"),
            );
        }
    }
    amounts(quota, f);
    counts(quota, f);
}

fn amounts(quota: &Quota, f: &mut Findings) {
    // domain.md section 2.2: the full set with the ingress, processors in thousandths, memory in
    // tenths of a Gi.
    let cpu = |thousandths: u128| thousandths;
    let memory = |tenths: u128| tenths * 100 * (1 << 30);
    let needs: [(&str, &Option<Quantity>, u128, &str); 4] = [
        ("requests_cpu", &quota.requests_cpu, cpu(7_800), "7.8 cores"),
        ("limits_cpu", &quota.limits_cpu, cpu(31_500), "31.5 cores"),
        (
            "requests_memory",
            &quota.requests_memory,
            memory(156),
            "15.6Gi",
        ),
        ("limits_memory", &quota.limits_memory, memory(430), "43Gi"),
    ];
    for (key, amount, least, shown) in needs {
        if let Some(amount) = amount.as_ref().filter(|amount| amount.millis() < least) {
            let message = format!("{amount} does not hold the services, which need {shown}");
            let hint = "raise it, or leave it out for the default of the tier";
            f.report(
                &format!("quota.{key}"),
                Diagnostic::new(BELOW_SERVICES, message).hint(hint),
            );
        }
    }
}

fn counts(quota: &Quota, f: &mut Findings) {
    let needs = [
        (
            "services",
            quota.services,
            14,
            "13 services and the ingress",
        ),
        (
            "pods",
            quota.pods,
            14,
            "a pod of each of 13 services and of the ingress",
        ),
        (
            "services_loadbalancers",
            quota.services_loadbalancers,
            1,
            "the ingress",
        ),
        (
            "persistentvolumeclaims",
            quota.persistentvolumeclaims,
            1,
            "the database",
        ),
    ];
    for (key, count, least, what) in needs {
        if let Some(count) = count.filter(|count| *count < least) {
            let message = format!("{count} is not enough for {what}");
            let diagnostic = Diagnostic::new(COUNT_BELOW_SERVICES, message);
            f.report(
                &format!("quota.{key}"),
                diagnostic.hint(format!("write at least {least}")),
            );
        }
    }
}
