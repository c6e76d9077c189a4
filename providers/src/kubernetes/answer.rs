//! The server's word on a dry run, in the words of a rehearsal.
//!
//! A server has no code for "this cannot be altered": it says so in the message of a cause that
//! names a field. Only where each cause says so, making the object anew is the cure. A policy of
//! whoever runs the cluster names no field, and is never taken for it.

use matih_model::{AttributePath, Attributes, ErrorKind, Filled, Text, Value};

use super::failure::{Cause, Failure};
use super::json::at;
use super::live::Live;
use super::manifest::shape;
use super::mark;
use super::project::project;
use super::shown::without_the_servers;

/// How servers say that a field cannot be altered.
const FIXED: &[&str] = &[
    "immutable",
    "may not be changed",
    "may not change",
    "may not be updated",
    "cannot be changed",
    "cannot be updated",
    "cannot change",
    "updates to ",
];

/// What of an update cannot be altered, and the server's words, without any value; `None`: its
/// refusal is about something else, or about something else too.
pub(super) fn immutable(failure: &Failure) -> Option<(Vec<AttributePath>, Text)> {
    let causes = &failure.status.details.causes;
    let is_fixed = |cause: &Cause| {
        let told = cause.message.to_ascii_lowercase();
        !cause.field.is_empty()
            && cause.reason.starts_with("FieldValue")
            && FIXED.iter().any(|words| told.contains(words))
    };
    if failure.code != Some(422) || causes.is_empty() || !causes.iter().all(is_fixed) {
        return None;
    }
    let mut paths: Vec<AttributePath> = causes.iter().map(|cause| path(&cause.field)).collect();
    paths.sort();
    paths.dedup();
    // The value that the server quotes stands before its last words, and is long.
    let last = |cause: &Cause| {
        let words = cause.message.rsplit(": ").next().unwrap_or_default();
        format!("{}: {words}", cause.field)
    };
    let mut told: Vec<String> = causes.iter().map(last).collect();
    told.dedup();
    Some((paths, told.join("; ").into()))
}

/// The path of a field as the server writes it: `spec.ports[0].port`.
fn path(field: &str) -> AttributePath {
    let whole = format!("manifest.{field}").parse();
    whole.unwrap_or_else(|_| AttributePath::root().join("manifest"))
}

/// Whether the refusal is about the form of the object, which nothing but another manifest cures.
pub(super) fn is_misfit(failure: &Failure) -> bool {
    failure.kind == ErrorKind::Invalid
        && (failure.code == Some(400) || failure.message.contains("typed patch object"))
}

/// Whether the server was kept from answering by a webhook that knows no dry runs.
pub(super) fn knows_no_dry_run(failure: &Failure) -> bool {
    failure.message.contains("does not support dry run")
}

/// Whether a quota is too small.
pub(super) fn is_over_quota(failure: &Failure) -> bool {
    failure.kind == ErrorKind::Denied && failure.message.contains("exceeded quota")
}

/// What would be set on an object beside what its manifest says, or otherwise than it says, and is
/// not so already. Of a Secret nothing is told.
pub(super) fn filled(now: &Live, before: Option<&Live>, manifest: &Attributes) -> Vec<Filled> {
    let mut filled = Vec::new();
    if now.is_secret() {
        return filled;
    }
    let asked = shape(manifest);
    let seen = |live: &Live| {
        let mut seen = project(live, &asked).manifest;
        without_the_servers(&mut seen);
        mark::strip(&mut seen);
        unlabel(&mut seen, &asked);
        Value::Map(seen)
    };
    let path = AttributePath::root().join("manifest");
    let (now, before) = (seen(now), before.map(seen));
    differ(
        Some(&Value::Map(asked)),
        &now,
        before.as_ref(),
        &path,
        &mut filled,
    );
    filled
}

fn differ(
    asked: Option<&Value>,
    now: &Value,
    before: Option<&Value>,
    path: &AttributePath,
    filled: &mut Vec<Filled>,
) {
    let is_map = |value: Option<&Value>| matches!(value, Some(Value::Map(_)));
    match (asked, now) {
        (Some(Value::Ref(_) | Value::Secret(_) | Value::Unknown), _) => {}
        (asked, Value::Map(now)) if is_map(asked) || (asked.is_none() && is_map(before)) => {
            let of = |value: Option<&'_ Value>, key: &str| -> Option<Value> {
                value.and_then(Value::as_map)?.get(key).cloned()
            };
            for (key, now) in now.iter() {
                let (asked, before) = (of(asked, key), of(before, key));
                differ(
                    asked.as_ref(),
                    now,
                    before.as_ref(),
                    &path.join(key),
                    filled,
                );
            }
        }
        (Some(Value::List(asked)), Value::List(now)) if asked.len() <= now.len() => {
            let before = before.and_then(Value::as_list).unwrap_or_default();
            for (index, now) in now.iter().enumerate() {
                let path = path.join(index.to_string());
                differ(asked.get(index), now, before.get(index), &path, filled);
            }
        }
        (asked, now) if asked == Some(now) || before == Some(now) || is_nothing(now) => {}
        (_, now) => filled.push(Filled {
            path: path.clone(),
            value: now.clone(),
        }),
    }
}

/// Takes off the labels that we set ourselves beside the manifest.
fn unlabel(seen: &mut Attributes, asked: &Attributes) {
    let metadata = seen.get_mut("metadata").and_then(|it| match it {
        Value::Map(metadata) => metadata.get_mut("labels"),
        _ => None,
    });
    if let Some(Value::Map(labels)) = metadata {
        for label in [mark::MANAGED_BY, mark::TENANT] {
            if at(asked, &["metadata", "labels", label]).is_none() {
                labels.remove(label);
            }
        }
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Map(map) => map.values().all(is_nothing),
        Value::List(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn failure(code: u16, causes: Json) -> Failure {
        let body = json!({"message": "it", "reason": "Invalid", "details": {"causes": causes}});
        Failure::answered(code, None, body.to_string().as_bytes(), false)
    }

    fn cause(reason: &str, field: &str, message: &str) -> Json {
        json!({"reason": reason, "field": field, "message": message})
    }

    /// As servers of 1.30 to 1.35 say it.
    #[test]
    fn what_cannot_be_altered_is_told_by_its_path_and_without_its_value() {
        for (reason, field, message, path, told) in [
            (
                "FieldValueInvalid",
                "spec.selector",
                r#"Invalid value: {"matchLabels":{"app":"b"}}: field is immutable"#,
                "manifest.spec.selector",
                "spec.selector: field is immutable",
            ),
            (
                "FieldValueForbidden",
                "spec",
                "Forbidden: updates to statefulset spec for fields other than 'replicas', 'template' are forbidden",
                "manifest.spec",
                "spec: updates to statefulset spec for fields other than 'replicas', 'template' are forbidden",
            ),
            (
                "FieldValueInvalid",
                "spec.clusterIPs[0]",
                r#"Invalid value: ["10.0.0.9"]: may not change once set"#,
                "manifest.spec.clusterIPs.0",
                "spec.clusterIPs[0]: may not change once set",
            ),
            (
                "FieldValueInvalid",
                "roleRef",
                r#"Invalid value: {"kind":"Role","name":"b"}: cannot change roleRef"#,
                "manifest.roleRef",
                "roleRef: cannot change roleRef",
            ),
            (
                "FieldValueForbidden",
                "data",
                "Forbidden: field is immutable when `immutable` is set",
                "manifest.data",
                "data: field is immutable when `immutable` is set",
            ),
        ] {
            let failure = failure(422, json!([cause(reason, field, message)]));
            let (paths, words) = immutable(&failure).unwrap_or_else(|| panic!("{message}"));
            assert_eq!((paths[0].to_string().as_str(), &*words), (path, told));
        }
    }

    #[test]
    fn another_refusal_is_no_reason_to_make_it_anew() {
        let fixed = || {
            cause(
                "FieldValueInvalid",
                "spec.selector",
                "Invalid value: 1: field is immutable",
            )
        };
        let wrong = cause(
            "FieldValueInvalid",
            "spec.replicas",
            "Invalid value: -1: must be greater than or equal to 0",
        );
        let policy = cause(
            "FieldValueForbidden",
            "",
            "replicas may not be changed on a Friday",
        );
        assert!(immutable(&failure(422, json!([fixed()]))).is_some());
        assert!(immutable(&failure(422, json!([fixed(), wrong]))).is_none());
        assert!(immutable(&failure(422, json!([policy]))).is_none());
        assert!(immutable(&failure(422, json!([]))).is_none());
        assert!(immutable(&failure(403, json!([fixed()]))).is_none());
    }

    #[test]
    fn what_does_not_fit_is_told_apart_from_what_is_refused() {
        let said = |code, message: &str| {
            let body = json!({"message": message}).to_string();
            Failure::answered(code, None, body.as_bytes(), false)
        };
        let strict = r#"failed to create typed patch object (n/c; /v1, Kind=ConfigMap): .dta: field not declared in schema"#;
        assert!(is_misfit(&said(500, strict)));
        let unknown = r#"ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dta""#;
        assert!(is_misfit(&said(400, unknown)));
        assert!(!is_misfit(&said(422, "spec.replicas: Invalid value: -1")));
        assert!(is_over_quota(&said(
            403,
            "forbidden: exceeded quota: q, requested: pods=1"
        )));
        assert!(knows_no_dry_run(&said(
            400,
            r#"admission webhook "x" does not support dry run"#
        )));
    }

    fn live(mut spec: Json) -> Live {
        spec["protocol"] = json!("TCP");
        Live::read(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "n", "uid": "u", "generation": 1, "creationTimestamp": "2026-11-21T10:00:00Z",
                "labels": {"app": "web", "app.kubernetes.io/managed-by": "matih", "injected": "yes"},
                "annotations": {"matih.ai/run": "run-1"}},
            "spec": spec, "status": {"replicas": 1},
        }))
        .unwrap()
    }

    fn told(filled: Vec<Filled>) -> Vec<String> {
        let text = |it: &Filled| {
            format!(
                "{}={}",
                it.path,
                serde_json::to_string(&it.value).unwrap_or_default()
            )
        };
        filled.iter().map(text).collect()
    }

    #[test]
    fn what_the_server_adds_is_told_and_what_was_so_before_is_not() {
        let manifest: Attributes = serde_json::from_value(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "n", "labels": {"app": "web"}},
            "spec": {"replicas": 2, "limits": {"cpu": "0.5"}, "containers": [{"name": "a"}]},
        }))
        .unwrap();
        let now = live(
            json!({"replicas": 2, "limits": {"cpu": "500m"}, "strategy": {"type": "Rolling"},
            "containers": [{"name": "a", "pull": "Always"}, {"name": "sidecar"}]}),
        );
        assert_eq!(
            told(filled(&now, None, &manifest)),
            [
                r#"manifest.metadata.labels.injected="yes""#,
                r#"manifest.spec.containers.0.pull="Always""#,
                r#"manifest.spec.containers.1={"name":"sidecar"}"#,
                r#"manifest.spec.protocol="TCP""#,
                r#"manifest.spec.strategy={"type":"Rolling"}"#,
            ]
        );
        let before = live(json!({"replicas": 1, "containers": [{"name": "a", "pull": "Never"}]}));
        assert_eq!(
            told(filled(&now, Some(&before), &manifest)),
            [
                r#"manifest.spec.containers.0.pull="Always""#,
                r#"manifest.spec.containers.1={"name":"sidecar"}"#,
                r#"manifest.spec.strategy={"type":"Rolling"}"#,
            ]
        );
    }
}
