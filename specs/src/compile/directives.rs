//! What a spec says about single resources: protection, moves and removals.

use std::collections::BTreeSet;

use matih_model::{Resource, ResourceName};

use super::{CONTRADICTION, NO_MATCH};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::parse::Parsed;
use crate::template::Origin;

/// Where to look for a name.
const LISTED: &str = "`matih steps` lists the resources that there are";

/// What a spec says about resources that the last apply recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// Old and new name of what has moved.
    pub moved: Vec<(ResourceName, ResourceName)>,
    /// What is taken out of the record while the object stays.
    pub forget: Vec<ResourceName>,
}

/// Applies the `[[lifecycle]]` blocks.
pub(super) fn protect(
    parsed: &Parsed,
    origin: &Origin,
    resources: &mut [Resource],
    diagnostics: &mut Diagnostics,
) {
    for (index, rule) in parsed.spec.lifecycle.iter().enumerate() {
        let mut matched = false;
        for resource in resources.iter_mut() {
            if matches(&rule.address, &resource.address.resource_name().to_string()) {
                matched = true;
                resource.lifecycle.protect |= rule.protect;
                resource
                    .lifecycle
                    .ignore_changes
                    .extend(rule.ignore_changes.iter().cloned());
            }
        }
        if !matched {
            let message = format!("no resource is called `{}`", rule.address);
            let place = origin.place(&format!("lifecycle[{index}].address"));
            diagnostics.push(Diagnostic::new(NO_MATCH, message).hint(LISTED).at(place));
        }
    }
}

/// Reads the `[[moved]]` and `[[removed]]` blocks.
pub(super) fn read(
    parsed: &Parsed,
    origin: &Origin,
    resources: &[Resource],
    diagnostics: &mut Diagnostics,
) -> Directives {
    let names: BTreeSet<ResourceName> = resources
        .iter()
        .map(|resource| resource.address.resource_name())
        .collect();
    let mut directives = Directives::default();
    for (index, moved) in parsed.spec.moved.iter().enumerate() {
        let at = |key: &str| origin.place(&format!("moved[{index}].{key}"));
        if names.contains(&moved.from) {
            let message = format!("{} is still wanted, so it has not moved", moved.from);
            let hint = "take the `[[moved]]` away, or what makes the resource of the old name";
            diagnostics.push(
                Diagnostic::new(CONTRADICTION, message)
                    .hint(hint)
                    .at(at("from")),
            );
        }
        if !names.contains(&moved.to) {
            let message = format!("no resource is called `{}`", moved.to);
            diagnostics.push(Diagnostic::new(NO_MATCH, message).hint(LISTED).at(at("to")));
        }
        directives
            .moved
            .push((moved.from.clone(), moved.to.clone()));
    }
    for (index, removed) in parsed.spec.removed.iter().enumerate() {
        if names.contains(&removed.address) {
            let place = origin.place(&format!("removed[{index}].address"));
            let message = format!("{} is still wanted, so it is not removed", removed.address);
            let hint = "take the `[[removed]]` away, or what makes the resource";
            diagnostics.push(Diagnostic::new(CONTRADICTION, message).hint(hint).at(place));
        }
        if !removed.destroy {
            directives.forget.push(removed.address.clone());
        }
    }
    directives
}

/// Whether a pattern names an address: `*` stands for any run of characters without `/`.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let run = rest.find('/').unwrap_or(rest.len());
            (0..=run).any(|end| rest.get(end..).is_some_and(|rest| matches(after, rest)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_its_part() {
        for (pattern, text, expected) in [
            ("helm.release/*", "helm.release/ai-service", true),
            ("*/*", "helm.release/ai-service", true),
            ("*", "helm.release/ai-service", false),
            ("helm.release/*-service", "helm.release/ai-service", true),
            ("helm.release/*-service", "helm.release/query-engine", false),
            ("helm.release/ai", "helm.release/ai-service", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
