//! The owner's mark on an object: labels to find it by, annotations that say it in full.
//!
//! A label holds 63 characters of a small alphabet, so what does not fit stands there as its
//! digest and beside it, in an annotation, as it is. Labels that we do not need to find an object
//! by are left to the blueprint (domain.md section 4).

use matih_model::{Address, Attributes, Digest, OwnerMark, RunId, Value};

use super::json::text;

/// Who makes our objects; left alone where the manifest names another.
pub(super) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The installation: label, and annotation where the label holds a digest.
pub(super) const INSTALLATION: &str = "matih.ai/installation";
/// The tenant's slug.
pub(super) const TENANT: &str = "matih.ai/tenant-slug";
/// The digest of the address.
pub(super) const ADDRESS_HASH: &str = "matih.ai/address-hash";
/// The address in full.
pub(super) const ADDRESS: &str = "matih.ai/address";
/// Which life of the address.
pub(super) const GENERATION: &str = "matih.ai/generation";
/// The run that created it.
pub(super) const RUN: &str = "matih.ai/run";
/// The cluster as the resource names it.
pub(super) const CLUSTER: &str = "matih.ai/cluster";
/// What is waited for after each change.
pub(super) const WAIT: &str = "matih.ai/wait";

/// A text as the value of a label.
pub(super) fn label(text: &str) -> String {
    let edge = |b: Option<&u8>| b.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let fits = bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if fits { text.to_owned() } else { short(text) }
}

fn short(text: &str) -> String {
    let mut digest = Digest::of_bytes("matih kubernetes label v1", text.as_bytes()).to_string();
    digest.truncate(40);
    digest
}

/// The label that an address is found by.
pub(super) fn address_hash(address: &Address) -> String {
    short(&address.to_string())
}

/// The labels of a mark.
pub(super) fn labels(owner: &OwnerMark) -> [(&'static str, String); 3] {
    [
        (INSTALLATION, label(&owner.installation)),
        (TENANT, owner.tenant().as_str().to_owned()),
        (ADDRESS_HASH, address_hash(&owner.address)),
    ]
}

/// The annotations of a mark.
pub(super) fn annotations(owner: &OwnerMark) -> Vec<(&'static str, String)> {
    let mut all = vec![
        (ADDRESS, owner.address.to_string()),
        (GENERATION, owner.generation.to_string()),
        (RUN, owner.run.as_str().to_owned()),
    ];
    if label(&owner.installation) != owner.installation {
        all.push((INSTALLATION, owner.installation.clone()));
    }
    all
}

/// The mark that a live object bears; half a mark is none.
pub(super) fn of(body: &Attributes) -> Option<OwnerMark> {
    read(
        |name| text(body, &["metadata", "labels", name]),
        |name| text(body, &["metadata", "annotations", name]),
    )
}

/// The mark that labels and annotations say, each empty where it is not there.
pub(super) fn read<'a>(
    label: impl Fn(&'static str) -> &'a str,
    note: impl Fn(&'static str) -> &'a str,
) -> Option<OwnerMark> {
    let installation = match (note(INSTALLATION), label(INSTALLATION)) {
        (_, "") => return None,
        ("", label) => label,
        (note, _) => note,
    };
    Some(OwnerMark {
        installation: installation.to_owned(),
        address: note(ADDRESS).parse().ok()?,
        generation: note(GENERATION).parse().ok()?,
        run: RunId::new(Some(note(RUN)).filter(|run| !run.is_empty())?),
    })
}

/// Takes the mark off a manifest that is shown to people.
pub(super) fn strip(manifest: &mut Attributes) {
    for (table, names) in [
        ("labels", &[INSTALLATION, ADDRESS_HASH][..]),
        (
            "annotations",
            &[INSTALLATION, ADDRESS, GENERATION, RUN, CLUSTER, WAIT][..],
        ),
    ] {
        let inside = manifest.get_mut("metadata").and_then(|it| match it {
            Value::Map(metadata) => metadata.get_mut(table),
            _ => None,
        });
        if let Some(Value::Map(map)) = inside {
            names.iter().for_each(|name| drop(map.remove(name)));
        }
    }
}

/// Whether two marks are of one installation and address.
pub(super) fn same(one: &OwnerMark, other: &OwnerMark) -> bool {
    one.installation == other.installation && one.address == other.address
}

/// Whose an object is, for people.
pub(super) fn whose(mark: Option<&OwnerMark>) -> String {
    match mark {
        None => "nobody that matih knows".to_owned(),
        Some(owner) => format!(
            "{}, generation {}, of installation {}",
            owner.address, owner.generation, owner.installation
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(installation: &str) -> OwnerMark {
        OwnerMark {
            installation: installation.to_owned(),
            address: "acme/kubernetes.manifest/namespace".parse().unwrap(),
            generation: 3,
            run: RunId::new("run-1"),
        }
    }

    fn body(owner: &OwnerMark) -> Attributes {
        let table = |pairs: Vec<(&'static str, String)>| -> Attributes {
            let pair = |(key, value): (&str, String)| (key.into(), Value::from(value));
            pairs.into_iter().map(pair).collect()
        };
        let mut metadata = Attributes::new();
        metadata.insert("labels", table(labels(owner).to_vec()));
        metadata.insert("annotations", table(annotations(owner)));
        let mut body = Attributes::new();
        body.insert("metadata", metadata);
        body
    }

    #[test]
    fn a_mark_is_written_and_read_back_whatever_the_installation_is_called() {
        for installation in ["here", "not a label!", &"x".repeat(200), "-x"] {
            let owner = mark(installation);
            let body = body(&owner);
            assert_eq!(of(&body), Some(owner.clone()), "{installation}");
            for (_, label) in labels(&owner) {
                assert!(
                    label.len() <= 63 && super::label(&label) == label,
                    "{label}"
                );
            }
        }
    }

    #[test]
    fn half_a_mark_is_none() {
        for (table, name) in [
            ("labels", INSTALLATION),
            ("annotations", ADDRESS),
            ("annotations", GENERATION),
            ("annotations", RUN),
        ] {
            let mut body = body(&mark("here"));
            let Some(Value::Map(metadata)) = body.get_mut("metadata") else {
                panic!("no metadata");
            };
            let Some(Value::Map(inside)) = metadata.get_mut(table) else {
                panic!("no {table}");
            };
            inside.remove(name);
            assert_eq!(of(&body), None, "{name}");
        }
    }
}
