//! Every kind that matih knows, as tables in `providers/kinds/*.toml`, embedded in the binary.
//!
//! Promises that the tables are what a real provider of the kind needs; who serves a kind is not
//! known here. A new attribute is a row in a table.

use std::sync::LazyLock;

use matih_model::KindSchema;
use serde::Deserialize;
use thiserror::Error;

const FILES: &[(&str, &str)] = &[
    ("checks.toml", include_str!("../kinds/checks.toml")),
    ("tenant.toml", include_str!("../kinds/tenant.toml")),
    ("iam.toml", include_str!("../kinds/iam.toml")),
    ("kubernetes.toml", include_str!("../kinds/kubernetes.toml")),
    ("helm.toml", include_str!("../kinds/helm.toml")),
    ("cloud.toml", include_str!("../kinds/cloud.toml")),
    ("data.toml", include_str!("../kinds/data.toml")),
    ("dns.toml", include_str!("../kinds/dns.toml")),
    (
        "observability.toml",
        include_str!("../kinds/observability.toml"),
    ),
    ("services.toml", include_str!("../kinds/services.toml")),
    ("terraform.toml", include_str!("../kinds/terraform.toml")),
    (
        "notification.toml",
        include_str!("../kinds/notification.toml"),
    ),
];

/// A table of kinds cannot be read: the binary was built from a broken one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the table of kinds `{file}` is broken: {cause}")]
pub struct KindsError {
    /// The file under `providers/kinds`.
    pub file: &'static str,
    /// What the TOML reader says, with the place.
    pub cause: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    kind: Vec<KindSchema>,
}

/// The schemas of all kinds, in the order of the tables.
///
/// # Errors
/// A table is broken. The tests of this crate read them all, so a released binary has none such.
pub fn all() -> Result<Vec<KindSchema>, KindsError> {
    static ALL: LazyLock<Result<Vec<KindSchema>, KindsError>> = LazyLock::new(read);
    ALL.clone()
}

fn read() -> Result<Vec<KindSchema>, KindsError> {
    let mut schemas = Vec::new();
    for (file, text) in FILES {
        let table: File = toml::from_str(text).map_err(|error| KindsError {
            file,
            cause: error.to_string(),
        })?;
        schemas.extend(table.kind);
    }
    Ok(schemas)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use matih_model::{Catalog, Kind, KindRole, UndoClass};

    use super::*;

    /// The kinds that the blueprint is written in.
    const NAMES: &str = "check.input check.capacity check.credentials check.connectivity \
        tenant.record tenant.endpoints tenant.activation \
        iam.user iam.role iam.role_binding iam.api_key kubernetes.manifest helm.release \
        object_storage.prefix vault.prefix vault.secret azure.resource aws.resource gcp.resource \
        postgres.database postgres.role postgres.schema redis.acl_user vector.collection \
        search.index search.alias kafka.topic kafka.user dns.zone dns.record \
        monitoring.dashboard_folder monitoring.dashboard logging.tenant tracing.pipeline \
        audit.retention_policy identity.realm identity.client billing.subscription \
        gateway.rate_limit compliance.policy encryption.key_registration \
        terraform.workspace notification.email";

    #[test]
    fn the_tables_hold_every_kind_of_the_blueprint_and_no_other() {
        let catalog = Catalog::new(all().unwrap()).unwrap();
        let found: BTreeSet<&str> = catalog.iter().map(|schema| schema.kind.as_str()).collect();
        assert_eq!(found, NAMES.split_whitespace().collect());
    }

    #[test]
    fn every_row_is_documented_unique_and_rooted() {
        for schema in all().unwrap() {
            assert!(schema.doc.ends_with('.'), "{}", schema.kind);
            let mut seen = BTreeSet::new();
            for attribute in &schema.attributes {
                let path = &attribute.path;
                assert!(attribute.doc.ends_with('.'), "{} {path}", schema.kind);
                assert!(seen.insert(path), "{} has `{path}` twice", schema.kind);
                assert!(
                    schema.attribute(&path.parts()[0]).is_some(),
                    "{} has no row for the first part of `{path}`",
                    schema.kind
                );
                assert!(!attribute.required || path.parts().len() == 1);
            }
            let outputs: BTreeSet<_> = schema.outputs.iter().map(|output| &output.name).collect();
            assert_eq!(outputs.len(), schema.outputs.len(), "{}", schema.kind);
            assert!(
                schema
                    .outputs
                    .iter()
                    .all(|output| output.doc.ends_with('.'))
            );
            if schema.role == KindRole::Check {
                assert!(schema.outputs.is_empty() && schema.undo == UndoClass::Reversible);
            }
        }
    }

    #[test]
    fn undo_is_by_what_the_resource_is() {
        let catalog = Catalog::new(all().unwrap()).unwrap();
        let undo = |kind: &str, attributes: &str| {
            catalog
                .get(&Kind::new(kind).unwrap())
                .unwrap()
                .undo_of(&serde_json::from_str(attributes).unwrap())
        };
        let manifest = |kind: &str| format!(r#"{{"manifest":{{"kind":"{kind}"}}}}"#);
        assert_eq!(
            undo("kubernetes.manifest", &manifest("Namespace")),
            UndoClass::DataBearing
        );
        assert_eq!(
            undo("kubernetes.manifest", &manifest("ResourceQuota")),
            UndoClass::Reversible
        );
        assert_eq!(
            undo(
                "azure.resource",
                r#"{"type":"Microsoft.Storage/storageAccounts"}"#
            ),
            UndoClass::DataBearing
        );
        assert_eq!(undo("notification.email", "{}"), UndoClass::OneWay);
    }
}
