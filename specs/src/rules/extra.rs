//! What a spec adds to, or says about, the resources of the blueprint.

use std::collections::{BTreeMap, BTreeSet};

use matih_model::{AttributePath, Kind, Name, ResourceName};

use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::rule::rules;
use crate::schema::{ExtraResource, LifecycleRule, Moved, Removed, TenantSpec};

rules! {
    /// The rules of `[[resource]]`, `[[moved]]`, `[[removed]]` and `[[lifecycle]]`.
    EXTRA:
    /// A kind is `family.noun` in lower-case letters, digits and `_`.
    KIND_FORM = "MTH-1601" "resource.kind.form" Error;
    /// A name is 1 to 100 lower-case letters, digits, `.`, `_` and `-`, a letter or digit at both
    /// ends.
    NAME_FORM = "MTH-1602" "resource.name.form" Error;
    /// A resource is named as `kind/name`; the tenant is the one of the spec.
    ADDRESS_FORM = "MTH-1603" "resource.address.form" Error;
    /// No two resources of a tenant have the same kind and name.
    DUPLICATE = "MTH-1604" "resource.duplicate" Error;
    /// A resource cannot wait for itself.
    DEPENDS_ON_SELF = "MTH-1605" "resource.depends-on.self" Error;
    /// Attributes are text, whole numbers, truth values, lists and tables: fractions and dates
    /// have more than one spelling, so they are written as text.
    ATTRIBUTE_VALUE = "MTH-1606" "resource.attributes.value" Error;
    /// A move goes from one name to another.
    MOVED_SAME = "MTH-1611" "moved.same" Error;
    /// A move changes the name of a resource and not its kind.
    MOVED_KIND = "MTH-1612" "moved.kind" Error;
    /// Each old and each new address is in one move only.
    MOVED_DUPLICATE = "MTH-1613" "moved.duplicate" Error;
    /// The new address of one move cannot be the old one of another: write the last name at once.
    MOVED_CHAIN = "MTH-1614" "moved.chain" Error;
    /// A resource that was moved away is no longer declared under its old name.
    MOVED_DECLARED = "MTH-1615" "moved.still-declared" Error;
    /// Each address is removed once.
    REMOVED_DUPLICATE = "MTH-1621" "removed.duplicate" Error;
    /// What is to be removed is no longer declared.
    REMOVED_DECLARED = "MTH-1622" "removed.still-declared" Error;
    /// An address is either moved or removed.
    REMOVED_MOVED = "MTH-1623" "removed.moved" Error;
    /// The address of a lifecycle rule is `kind/name`, where a `*` stands for any characters but
    /// `/`.
    LIFECYCLE_ADDRESS = "MTH-1631" "lifecycle.address.form" Error;
    /// Each address has one lifecycle rule.
    LIFECYCLE_DUPLICATE = "MTH-1632" "lifecycle.duplicate" Error;
    /// A lifecycle rule that neither protects nor ignores says nothing.
    LIFECYCLE_EMPTY = "MTH-1633" "lifecycle.empty" Warning;
    /// A path of attributes is keys and indexes joined by dots, with `*` for any one of them.
    IGNORE_PATH = "MTH-1634" "lifecycle.ignore-changes.path" Error;
    /// What is protected cannot be removed and deleted in the same spec.
    PROTECT_REMOVED = "MTH-1635" "lifecycle.protect-removed" Error;
}

/// Reads a kind.
pub(crate) fn kind(text: &str) -> Result<Kind, Diagnostic> {
    let hint = "write `family.noun` in lower case, such as `kubernetes.manifest`";
    let refused = |_| Diagnostic::new(KIND_FORM, format!("`{text}` cannot be a kind")).hint(hint);
    Kind::new(text).map_err(refused)
}

/// Reads a name.
pub(crate) fn name(text: &str) -> Result<Name, Diagnostic> {
    let refused = |_| {
        Diagnostic::new(
            NAME_FORM,
            format!("`{text}` cannot be the name of a resource"),
        )
        .hint("use 1 to 100 lower-case letters, digits, `.`, `_` and `-`")
    };
    Name::new(text).map_err(refused)
}

/// Reads `kind/name`.
pub(crate) fn resource_name(text: &str) -> Result<ResourceName, Diagnostic> {
    text.parse().map_err(|_| {
        let message = format!("`{text}` is not the name of a resource");
        Diagnostic::new(ADDRESS_FORM, message)
            .hint("write `kind/name`, such as `kubernetes.manifest/namespace`, without the tenant")
    })
}

/// Reads a path of attributes.
pub(crate) fn attribute_path(text: &str) -> Result<AttributePath, Diagnostic> {
    let refused = |_: matih_model::path::PathError| {
        Diagnostic::new(IGNORE_PATH, format!("`{text}` is not a path of attributes"))
            .hint("write `a.b.c`, `a.*.c` or `a[key.with.dots]`")
    };
    text.parse().map_err(refused)
}

/// The finding for a value that attributes cannot hold.
pub(crate) fn not_a_value(path: &str) -> Diagnostic {
    let message = format!("`{path}` is a fraction, date or time, which attributes do not have");
    Diagnostic::new(ATTRIBUTE_VALUE, message).hint("put the value in quotes")
}

/// Judges the resources of the spec's own, and what it says about others.
pub(crate) fn check(spec: &TenantSpec, f: &mut Findings) {
    // A list with an entry that could not be read is short of it, so places would be wrong.
    let whole = ["resource", "moved", "removed", "lifecycle"].map(|list| f.is_wholly_sound(list));
    if whole != [true; 4] {
        return;
    }
    resources(&spec.resource, f);
    moves(&spec.moved, f);
    removals(&spec.removed, f);
    lifecycle(&spec.lifecycle, f);
    conflicts(spec, f);
}

/// Reports every entry whose key an earlier one has.
fn duplicates<K: Ord>(
    entries: impl Iterator<Item = (K, String)>,
    f: &mut Findings,
    finding: impl Fn(&K) -> Diagnostic,
) {
    let mut seen: BTreeMap<K, String> = BTreeMap::new();
    for (key, path) in entries {
        if let Some(first) = seen.get(&key) {
            let diagnostic = finding(&key).label(f.place(first), "the other one");
            f.report(&path, diagnostic);
        } else {
            seen.insert(key, path);
        }
    }
}

fn resources(resources: &[ExtraResource], f: &mut Findings) {
    let names = resources.iter().enumerate();
    let names = names.map(|(i, r)| (r.resource_name(), format!("resource[{i}].name")));
    duplicates(names, f, |name| {
        Diagnostic::new(DUPLICATE, format!("`{name}` is declared twice")).hint("rename one of them")
    });
    for (index, resource) in resources.iter().enumerate() {
        let own = resource.resource_name();
        for (at, _) in resource
            .depends_on
            .iter()
            .enumerate()
            .filter(|(_, name)| **name == own)
        {
            let path = format!("resource[{index}].depends_on[{at}]");
            let diagnostic = Diagnostic::new(DEPENDS_ON_SELF, format!("`{own}` waits for itself"));
            f.report(&path, diagnostic.hint("take it out of `depends_on`"));
        }
    }
}
fn moves(moves: &[Moved], f: &mut Findings) {
    let twice = |name: &&ResourceName| {
        Diagnostic::new(MOVED_DUPLICATE, format!("`{name}` is in two moves"))
            .hint("keep one of them")
    };
    let froms = moves
        .iter()
        .enumerate()
        .map(|(i, m)| (&m.from, format!("moved[{i}].from")));
    duplicates(froms, f, twice);
    let tos = moves
        .iter()
        .enumerate()
        .map(|(i, m)| (&m.to, format!("moved[{i}].to")));
    duplicates(tos, f, twice);
    let olds: BTreeSet<_> = moves.iter().map(|moved| &moved.from).collect();
    for (index, moved) in moves.iter().enumerate() {
        let path = format!("moved[{index}].to");
        if moved.from == moved.to {
            let message = format!("`{}` is moved to itself", moved.to);
            f.report(
                &path,
                Diagnostic::new(MOVED_SAME, message).hint("take the move out"),
            );
        } else if moved.from.kind != moved.to.kind {
            let message = format!(
                "a move cannot make a {} of a {}",
                moved.to.kind, moved.from.kind
            );
            let hint = "declare the new resource, and remove the old one with `[[removed]]`";
            f.report(&path, Diagnostic::new(MOVED_KIND, message).hint(hint));
        } else if olds.contains(&moved.to) {
            let message = format!("`{}` is the old address of another move", moved.to);
            let hint = "write one move, from the first name to the last";
            f.report(&path, Diagnostic::new(MOVED_CHAIN, message).hint(hint));
        }
    }
}

fn removals(removed: &[Removed], f: &mut Findings) {
    let names = removed.iter().enumerate();
    let names = names.map(|(i, r)| (&r.address, format!("removed[{i}].address")));
    duplicates(names, f, |name| {
        Diagnostic::new(REMOVED_DUPLICATE, format!("`{name}` is removed twice")).hint("keep one")
    });
}

fn lifecycle(rules: &[LifecycleRule], f: &mut Findings) {
    let addresses = rules.iter().enumerate();
    let addresses = addresses.map(|(i, r)| (&r.address, format!("lifecycle[{i}].address")));
    duplicates(addresses, f, |address| {
        Diagnostic::new(
            LIFECYCLE_DUPLICATE,
            format!("`{address}` has two lifecycle rules"),
        )
        .hint("make one of the two")
    });
    for (index, rule) in rules.iter().enumerate() {
        let path = format!("lifecycle[{index}]");
        if !is_pattern(&rule.address) {
            let message = format!(
                "`{}` is not an address or a pattern of addresses",
                rule.address
            );
            let hint = "write `kind/name`, with `*` for any characters but `/`";
            let diagnostic = Diagnostic::new(LIFECYCLE_ADDRESS, message).hint(hint);
            f.report(&format!("{path}.address"), diagnostic);
        }
        if !rule.protect && rule.ignore_changes.is_empty() {
            let message = format!("the lifecycle rule of `{}` says nothing", rule.address);
            let hint = "add `protect = true` or `ignore_changes = [\"…\"]`";
            f.report(&path, Diagnostic::new(LIFECYCLE_EMPTY, message).hint(hint));
        }
    }
}

/// Whether the text would be `kind/name` if each `*` were a letter, or is a kind of `*` alone.
fn is_pattern(text: &str) -> bool {
    let Some((kind, name)) = text.split_once('/') else {
        return false;
    };
    let filled = |part: &str| part.replace('*', "x");
    (kind == "*" || Kind::new(filled(kind)).is_ok()) && Name::new(filled(name)).is_ok()
}

/// What several of the lists say about one resource, and cannot all mean.
fn conflicts(spec: &TenantSpec, f: &mut Findings) {
    let declared: BTreeMap<_, _> = spec
        .resource
        .iter()
        .enumerate()
        .map(|(index, resource)| (resource.resource_name(), format!("resource[{index}].name")))
        .collect();
    for (index, moved) in spec.moved.iter().enumerate() {
        if let Some(place) = declared.get(&moved.from) {
            let message = format!("`{}` is moved away and still declared", moved.from);
            let diagnostic = Diagnostic::new(MOVED_DECLARED, message)
                .label(f.place(place), "declared here")
                .hint(format!("declare it as `{}`", moved.to));
            f.report(&format!("moved[{index}].from"), diagnostic);
        }
    }
    for (index, removed) in spec.removed.iter().enumerate() {
        let path = format!("removed[{index}].address");
        let name = &removed.address;
        if let Some(place) = declared.get(name) {
            let message = format!("`{name}` is removed and still declared");
            let diagnostic = Diagnostic::new(REMOVED_DECLARED, message)
                .label(f.place(place), "declared here")
                .hint("take the `[[resource]]` or the `[[removed]]` out");
            f.report(&path, diagnostic);
        }
        if spec
            .moved
            .iter()
            .any(|moved| moved.from == *name || moved.to == *name)
        {
            let message = format!("`{name}` is both moved and removed");
            f.report(
                &path,
                Diagnostic::new(REMOVED_MOVED, message).hint("remove the old address only"),
            );
        }
        let guarded = spec
            .lifecycle
            .iter()
            .any(|r| r.protect && r.address == name.to_string());
        if guarded && removed.destroy {
            let message = format!("`{name}` is protected, and to be deleted");
            let hint = "write `destroy = false` to forget it only, or drop `protect`";
            f.report(&path, Diagnostic::new(PROTECT_REMOVED, message).hint(hint));
        }
    }
}
