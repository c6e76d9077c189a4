//! What several specs that are used together must not share.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::parse::Parsed;
use crate::rule::{Rule, rules};

rules! {
    /// The rules of a folder of specs.
    FLEET:
    /// A slug is the identity of one tenant; two specs with one slug would undo each other.
    SLUG_TAKEN = "MTH-1021" "tenant.slug.taken" Error;
    /// A custom domain leads to one tenant.
    CUSTOM_DOMAIN_TAKEN = "MTH-1022" "tenant.custom-domain.taken" Error;
}

/// Judges specs that are used together; the order decides which of two is called the other one.
pub fn check_fleet(specs: &[Parsed]) -> Diagnostics {
    let mut found = Diagnostics::default();
    taken(specs, "tenant.slug", SLUG_TAKEN, &mut found, |spec| {
        Some(spec.spec.tenant.slug.as_str())
    });
    taken(
        specs,
        "tenant.custom_domain",
        CUSTOM_DOMAIN_TAKEN,
        &mut found,
        |spec| spec.spec.tenant.custom_domain.as_deref(),
    );
    found
}

fn taken<'a>(
    specs: &'a [Parsed],
    path: &str,
    rule: &'static Rule,
    found: &mut Diagnostics,
    value: impl Fn(&'a Parsed) -> Option<&'a str>,
) {
    let mut owners: BTreeMap<&str, &Parsed> = BTreeMap::new();
    for spec in specs {
        let Some(value) = value(spec) else { continue };
        let Some(owner) = owners.get(value) else {
            owners.insert(value, spec);
            continue;
        };
        let diagnostic = Diagnostic::new(rule, format!("`{value}` belongs to two tenants"))
            .at(spec.places.nearest(path))
            .label(owner.places.nearest(path), "the other one")
            .hint("change it in one of the specs, or take that spec out");
        let mut one = Diagnostics::new(spec.places.source().clone());
        one.extend(Diagnostics::new(owner.places.source().clone()));
        one.push(diagnostic);
        found.extend(one);
    }
}
