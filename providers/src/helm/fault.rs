//! What Helm says when it fails, as an error that matih understands: pure.
//!
//! Helm tells people, not programs, so its sentences are looked up in a table. What is not in the
//! table may or may not have been done.

use matih_model::{ErrorKind, ProviderError};

/// The longest text of Helm's that a message quotes, in bytes.
const LONGEST: usize = 600;

/// A part of a sentence, lower case, and what it means; the first row that fits counts.
const TABLE: &[(&str, ErrorKind, Option<&str>)] = &[
    (
        "values don't meet the specifications of the schema",
        ErrorKind::Invalid,
        Some("the chart's values.schema.json says what it takes"),
    ),
    (
        "another operation (install/upgrade/rollback) is in progress",
        ErrorKind::Unavailable,
        Some("somebody else's helm is at work on the release"),
    ),
    ("basic credential not found", ErrorKind::Denied, LOGIN),
    ("response status code 401", ErrorKind::Denied, LOGIN),
    ("response status code 403", ErrorKind::Denied, LOGIN),
    (
        "chart reference digest mismatch",
        ErrorKind::Invalid,
        Some("the registry has other files under this version than `chart.digest` says"),
    ),
    ("still in use", ErrorKind::Conflict, None),
    ("invalid ownership metadata", ErrorKind::Conflict, FOREIGN),
    (
        "cannot be imported into the current release",
        ErrorKind::Conflict,
        FOREIGN,
    ),
    (
        "conflict with \"",
        ErrorKind::Conflict,
        Some(
            "another manager owns a field that the chart sets: take it over with `force_conflicts = \
             true` under [providers.helm]",
        ),
    ),
    (
        "exceeded quota",
        ErrorKind::Denied,
        Some("raise the quota of the namespace, or ask for less"),
    ),
    (
        "violates podsecurity",
        ErrorKind::Denied,
        Some("the namespace demands a pod security standard that the chart's pods do not meet"),
    ),
    ("denied the request", ErrorKind::Denied, None),
    ("is forbidden", ErrorKind::Denied, RIGHTS),
    ("forbidden:", ErrorKind::Denied, RIGHTS),
    ("unauthorized", ErrorKind::Denied, RIGHTS),
    ("you must be logged in", ErrorKind::Denied, RIGHTS),
    (
        "field is immutable",
        ErrorKind::Invalid,
        Some("the release must be taken away and made again: `--replace` its address"),
    ),
    (
        "no matches for kind",
        ErrorKind::Invalid,
        Some("the cluster lacks a custom resource definition that the chart needs"),
    ),
    ("is invalid:", ErrorKind::Invalid, None),
    ("unknown field", ErrorKind::Invalid, None),
    ("field not declared in schema", ErrorKind::Invalid, None),
    ("error validating", ErrorKind::Invalid, None),
    (
        "unable to build kubernetes objects",
        ErrorKind::Invalid,
        None,
    ),
    ("execution error at", ErrorKind::Invalid, None),
    ("parse error", ErrorKind::Invalid, None),
    ("failed to parse", ErrorKind::Invalid, None),
    ("chart requires kubeversion", ErrorKind::Invalid, None),
    ("chart.yaml file is missing", ErrorKind::Invalid, CHART),
    ("not found in", ErrorKind::Invalid, CHART),
    ("no chart name found", ErrorKind::Invalid, CHART),
    ("no chart version found", ErrorKind::Invalid, CHART),
    ("no such file or directory", ErrorKind::Invalid, CHART),
    ("release: not found", ErrorKind::NotFound, None),
    (": not found", ErrorKind::Invalid, CHART),
    ("too many requests", ErrorKind::Throttled(None), None),
    ("context deadline exceeded", ErrorKind::Unavailable, AGAIN),
    ("timed out waiting", ErrorKind::Unavailable, AGAIN),
    (
        "kubernetes cluster unreachable",
        ErrorKind::Unavailable,
        Some("check the target's kubeconfig and context"),
    ),
    ("looks like \"", ErrorKind::Unavailable, None),
    ("failed to download", ErrorKind::Unavailable, None),
    ("failed to fetch", ErrorKind::Unavailable, None),
    ("\"fetchreference\" on source", ErrorKind::Unavailable, None),
];

const FOREIGN: Option<&str> =
    Some("an object of that name is there already and belongs to no or to another release");
const AGAIN: Option<&str> = Some("when the cause is gone, apply again");
const RIGHTS: Option<&str> = Some("the target's user lacks a right that the chart's objects need");
const LOGIN: Option<&str> = Some(
    "`helm registry login` with `--registry-config FILE` makes the file that `registries` under \
     [providers.helm] names",
);
const CHART: Option<&str> = Some("check repository, name and version of the chart");

/// What Helm said, as an error about `what` ("installing", "uninstalling").
pub(super) fn of(what: &str, stderr: &str) -> ProviderError {
    let said = said(stderr);
    let lower = stderr.to_lowercase();
    let row = TABLE.iter().find(|(part, ..)| lower.contains(part));
    let (kind, hint) = row.map_or((ErrorKind::Unknown, None), |(_, kind, hint)| (*kind, *hint));
    let error = ProviderError::new(kind, format!("{what} failed: {said}"));
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// Helm's last word: what follows the last `Error:`, on one line.
fn said(stderr: &str) -> String {
    let last = stderr.rfind("Error: ").map(|at| at + "Error: ".len());
    let text = last.and_then(|at| stderr.get(at..)).unwrap_or(stderr);
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for verb in ["INSTALLATION FAILED: ", "UPGRADE FAILED: "] {
        text = text.replacen(verb, "", 1);
    }
    if text.is_empty() {
        return "Helm said nothing".to_owned();
    }
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_become_kinds() {
        for (stderr, kind) in [
            (
                "Error: UPGRADE FAILED: values don't meet the specifications of the schema(s) in the following chart(s):\nmatih-ai-service:\n- at '/replicaCount': got string, want integer",
                ErrorKind::Invalid,
            ),
            (
                "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
                ErrorKind::Unavailable,
            ),
            (
                "Error: INSTALLATION FAILED: cannot reuse a name that is still in use",
                ErrorKind::Conflict,
            ),
            (
                "Error: Unable to continue with install: ConfigMap \"x\" in namespace \"a\" exists and cannot be imported into the current release: invalid ownership metadata; label validation error",
                ErrorKind::Conflict,
            ),
            (
                "Error: UPGRADE FAILED: conflict occurred while applying object a/x apps/v1, Kind=Deployment: Apply failed with 1 conflict: conflict with \"kubectl\" using apps/v1: .spec.replicas: conflicts with \"kubectl\"",
                ErrorKind::Conflict,
            ),
            (
                "Error: INSTALLATION FAILED: services \"x\" is forbidden: exceeded quota: tenant-quota, requested: services=1, used: services=10, limited: services=10",
                ErrorKind::Denied,
            ),
            (
                "Error: pods \"x\" is forbidden: violates PodSecurity \"restricted:v1.29\": runAsNonRoot != true",
                ErrorKind::Denied,
            ),
            (
                "Error: roles.rbac.authorization.k8s.io is forbidden: User \"matih\" cannot create resource",
                ErrorKind::Denied,
            ),
            (
                "Error: UPGRADE FAILED: cannot patch \"x\" with kind Deployment: Deployment.apps \"x\" is invalid: spec.selector: Invalid value: field is immutable",
                ErrorKind::Invalid,
            ),
            (
                "Error: unable to build kubernetes objects from release manifest: resource mapping not found: no matches for kind \"ServiceMonitor\" in version \"monitoring.coreos.com/v1\"",
                ErrorKind::Invalid,
            ),
            (
                "Error: execution error at (x/templates/a.yaml:1:4): no host",
                ErrorKind::Invalid,
            ),
            (
                "Error: uninstall: Release not loaded: x: release: not found",
                ErrorKind::NotFound,
            ),
            (
                "Error: Kubernetes cluster unreachable: Get \"https://127.0.0.1:1/version\": dial tcp: connect: connection refused",
                ErrorKind::Unavailable,
            ),
            ("Error: Too Many Requests", ErrorKind::Throttled(None)),
            (
                "Error: INSTALLATION FAILED: resource Deployment/a/x not ready. status: InProgress, message: Available: 0/1\ncontext deadline exceeded",
                ErrorKind::Unavailable,
            ),
            ("", ErrorKind::Unknown),
        ] {
            assert_eq!(of("installing", stderr).kind, kind, "{stderr}");
        }
    }

    #[test]
    fn what_registries_say_becomes_kinds() {
        for (stderr, kind) in [
            (
                "Error: failed to perform \"FetchReference\" on source: registry.example/charts/way:1.0.0: GET \"https://registry.example/v2/charts/way/manifests/1.0.0\": basic credential not found",
                ErrorKind::Denied,
            ),
            (
                "Error: chart reference digest mismatch: sha256:1c97 is not sha256:94b9",
                ErrorKind::Invalid,
            ),
            (
                "Error: failed to perform \"FetchReference\" on source: registry.example/charts/way:9.9.9: not found",
                ErrorKind::Invalid,
            ),
            (
                "Error: failed to perform \"FetchReference\" on source: Get \"https://registry.example/v2/\": dial tcp: connection refused",
                ErrorKind::Unavailable,
            ),
        ] {
            assert_eq!(of("downloading", stderr).kind, kind, "{stderr}");
        }
    }

    #[test]
    fn a_message_quotes_the_last_word_on_one_line() {
        let stderr = "level=WARN msg=old\nError: UPGRADE FAILED: a\n  b\n";
        assert_eq!(of("upgrading", stderr).message, "upgrading failed: a b");
        let nothing = of("upgrading", " ").message;
        assert_eq!(nothing, "upgrading failed: Helm said nothing");
        let long = of("upgrading", &format!("Error: {}", "ä".repeat(1000))).message;
        assert!(long.len() < LONGEST + 40 && long.ends_with('…'));
    }
}
