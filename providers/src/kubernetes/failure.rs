//! What a server or the way to it says, as one of our kinds of error.
//!
//! The line that matters: was anything done? A refused connection, a refusal and a server that is
//! busy did nothing. A changing request that was sent and got no answer, or an answer from a
//! server in trouble, may have been carried out: that is unknown, and is settled by looking.

use std::time::Duration;

use hyper_util::client::legacy;
use matih_model::{ErrorKind, ProviderError};
use serde::Deserialize;

use super::connect::told;
use super::proxy::TUNNEL;

/// A refusal of the API server, as far as we look at it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Status {
    pub(super) message: String,
    pub(super) reason: String,
    pub(super) details: Details,
}

/// What a refusal is about.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Details {
    pub(super) causes: Vec<Cause>,
    /// The plural of the kind that it is about.
    pub(super) kind: String,
    pub(super) retry_after_seconds: u64,
}

/// One cause of a refusal.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Cause {
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) field: String,
}

/// A request that did not succeed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// The code of HTTP, if there was an answer.
    pub(crate) code: Option<u16>,
    pub(super) status: Box<Status>,
    pub(super) kind: ErrorKind,
    /// What happened, in words.
    pub(super) message: String,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            code: None,
            status: Box::default(),
            kind,
            message: message.into(),
        }
    }

    /// From an answer that is no success.
    pub(super) fn answered(code: u16, after: Option<Duration>, body: &[u8], changes: bool) -> Self {
        let status: Status = serde_json::from_slice(body).unwrap_or_default();
        let message = if status.message.is_empty() {
            format!("the server answered with code {code}")
        } else {
            status.message.clone()
        };
        let kind = kind(code, after, &status, changes);
        Self {
            code: Some(code),
            status: Box::new(status),
            kind,
            message,
        }
    }

    /// From a request that has no answer.
    pub(super) fn unanswered(error: &kube::Error, changes: bool) -> Self {
        if matches!(error, kube::Error::Auth(_)) {
            return Self::new(ErrorKind::Denied, told(error));
        }
        let never_sent = chain(error).any(|cause| {
            cause
                .downcast_ref::<legacy::Error>()
                .is_some_and(legacy::Error::is_connect)
        });
        let plugin = chain(error).find_map(|cause| cause.downcast_ref::<kube::Error>());
        if let Some(plugin @ kube::Error::Auth(_)) = plugin {
            return Self::new(ErrorKind::Denied, told(plugin));
        }
        let last = chain(error).last().map(ToString::to_string);
        let last = last.unwrap_or_default();
        if never_sent {
            let proxied = chain(error).any(|cause| cause.to_string().starts_with(TUNNEL));
            let way = if proxied { " through its proxy" } else { "" };
            let message = format!("the server cannot be reached{way}: {last}");
            return Self::new(ErrorKind::Unavailable, message);
        }
        Self::new(lost(changes), format!("the connection broke: {last}"))
    }

    /// Whether a refusal has a cause of this reason.
    pub(super) fn has_cause(&self, reason: &str) -> bool {
        self.status
            .details
            .causes
            .iter()
            .any(|it| it.reason == reason)
    }

    /// The object is not there.
    pub(crate) fn is_absent(&self) -> bool {
        self.code == Some(404)
    }

    /// The object is not there because its namespace is not.
    pub(super) fn is_without_home(&self) -> bool {
        self.is_absent() && self.status.details.kind == "namespaces"
    }

    /// Another object has this one's name, and nothing was done.
    pub(super) fn is_other_life(&self) -> bool {
        let told = ["UID in the precondition", "UID in precondition"];
        self.code == Some(409) && told.iter().any(|it| self.message.contains(it))
    }

    /// The server does not know us, or says that our role has no such right.
    pub(super) fn is_about_rights(&self) -> bool {
        self.code == Some(401) || self.message.contains(" cannot ")
    }

    /// The object was changed since it was read, and nothing was done.
    pub(super) fn is_stale(&self) -> bool {
        self.code == Some(409)
            && self.status.reason == "Conflict"
            && !self.has_cause("FieldManagerConflict")
    }
}

impl From<Failure> for ProviderError {
    fn from(failure: Failure) -> Self {
        let hint = match (failure.kind, failure.code) {
            (ErrorKind::Denied, Some(401)) => {
                Some("log in anew: the credentials are not valid any more")
            }
            (ErrorKind::Denied, _) if failure.message.contains("exceeded quota") => {
                Some("raise the quota of the tenant, or ask for less")
            }
            (ErrorKind::Denied, Some(403)) => {
                Some("give matih's role this right, or ask who runs the cluster")
            }
            _ => None,
        };
        let error = Self::new(failure.kind, failure.message);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

fn chain<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// The kind of a request whose answer never came.
pub(super) fn lost(changes: bool) -> ErrorKind {
    if changes {
        ErrorKind::Unknown
    } else {
        ErrorKind::Unavailable
    }
}

fn kind(code: u16, after: Option<Duration>, status: &Status, changes: bool) -> ErrorKind {
    let terminating = |cause: &Cause| cause.reason == "NamespaceTerminating";
    match code {
        401 => ErrorKind::Denied,
        // A namespace that is going: nothing was done, and later there is none.
        403 if status.details.causes.iter().any(terminating) => ErrorKind::Unavailable,
        403 => ErrorKind::Denied,
        404 => ErrorKind::NotFound,
        409 => ErrorKind::Conflict,
        429 => {
            let told = Some(status.details.retry_after_seconds).filter(|seconds| *seconds > 0);
            ErrorKind::Throttled(after.or(told.map(Duration::from_secs)))
        }
        503 => ErrorKind::Unavailable,
        // The server calls it its own failure when an apply does not fit the kind's schema.
        500 if status.message.contains("typed patch object") => ErrorKind::Invalid,
        500.. => lost(changes),
        _ => ErrorKind::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(code: u16, body: &str, changes: bool) -> Failure {
        Failure::answered(code, None, body.as_bytes(), changes)
    }

    #[test]
    fn a_code_is_a_kind() {
        for (code, reading, changing) in [
            (400, ErrorKind::Invalid, ErrorKind::Invalid),
            (401, ErrorKind::Denied, ErrorKind::Denied),
            (403, ErrorKind::Denied, ErrorKind::Denied),
            (404, ErrorKind::NotFound, ErrorKind::NotFound),
            (409, ErrorKind::Conflict, ErrorKind::Conflict),
            (415, ErrorKind::Invalid, ErrorKind::Invalid),
            (422, ErrorKind::Invalid, ErrorKind::Invalid),
            (429, ErrorKind::Throttled(None), ErrorKind::Throttled(None)),
            (500, ErrorKind::Unavailable, ErrorKind::Unknown),
            (502, ErrorKind::Unavailable, ErrorKind::Unknown),
            (503, ErrorKind::Unavailable, ErrorKind::Unavailable),
            (504, ErrorKind::Unavailable, ErrorKind::Unknown),
        ] {
            assert_eq!(failed(code, "", false).kind, reading, "{code}");
            assert_eq!(failed(code, "no JSON", true).kind, changing, "{code}");
        }
    }

    #[test]
    fn what_does_not_fit_the_schema_is_no_trouble_of_the_server() {
        let body = r#"{"reason":"InternalError","message":"failed to create typed patch object (n/c; /v1, Kind=ConfigMap): .dta: field not declared in schema"}"#;
        assert_eq!(failed(500, body, true).kind, ErrorKind::Invalid);
    }

    #[test]
    fn a_namespace_that_is_not_there_is_told_from_a_role_that_is_not() {
        let gone = |kind: &str| {
            format!(r#"{{"reason":"NotFound","details":{{"name":"x","kind":"{kind}"}}}}"#)
        };
        assert!(failed(404, &gone("namespaces"), true).is_without_home());
        assert!(!failed(404, &gone("roles"), true).is_without_home());
    }

    #[test]
    fn a_busy_server_says_how_long() {
        let told = r#"{"details":{"retryAfterSeconds":7}}"#;
        let seconds = |s| Some(Duration::from_secs(s));
        assert_eq!(
            failed(429, told, true).kind,
            ErrorKind::Throttled(seconds(7))
        );
        let header = Failure::answered(429, seconds(3), told.as_bytes(), true);
        assert_eq!(header.kind, ErrorKind::Throttled(seconds(3)));
    }

    #[test]
    fn conflicts_are_told_apart() {
        let stale = r#"{"reason":"Conflict","message":"the object has been modified"}"#;
        assert!(failed(409, stale, true).is_stale());
        let owned = r#"{"reason":"Conflict","details":{"causes":[
            {"reason":"FieldManagerConflict","field":".spec.replicas","message":"conflict with \"x\""}]}}"#;
        assert!(!failed(409, owned, true).is_stale());
        assert!(failed(409, owned, true).has_cause("FieldManagerConflict"));
        assert!(!failed(409, r#"{"reason":"AlreadyExists"}"#, true).is_stale());
    }

    #[test]
    fn a_namespace_that_is_going_is_waited_for() {
        let body = r#"{"reason":"Forbidden","message":"because it is being terminated",
            "details":{"causes":[{"reason":"NamespaceTerminating","field":"metadata.namespace"}]}}"#;
        assert_eq!(failed(403, body, true).kind, ErrorKind::Unavailable);
    }

    #[test]
    fn a_quota_has_its_own_hint() {
        let body = r#"{"message":"forbidden: exceeded quota: tenant-quota"}"#;
        let error = ProviderError::from(failed(403, body, true));
        assert!(error.hint.unwrap().contains("quota"));
    }
}
