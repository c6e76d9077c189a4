//! Faults: what goes wrong, when, and how often it did.
//!
//! Two sources, one effect. A [`FaultRule`] is a line of a script; it is kept in the world's file
//! with its counts, so that one process can plan what another will meet. A [`super::FaultPlan`] strikes
//! by chance and is kept in memory; the same seed and the same calls meet the same faults.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use matih_model::{ErrorKind, Kind};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a call wants of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOp {
    /// Makes an object.
    Create,
    /// Alters an object.
    Update,
    /// Takes an object away.
    Delete,
    /// Runs a check.
    Check,
    /// Reads objects, one match for each object that is asked for.
    Read,
    /// Lists a tenant's objects; a rule's `on` is held against the tenant.
    List,
}

impl CallOp {
    /// Whether it changes anything.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Delete)
    }

    /// Its word in scripts and counts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Check => "check",
            Self::Read => "read",
            Self::List => "list",
        }
    }
}

/// What goes wrong. Written `fail`, `fail:denied`, `fail:invalid:no such chart`, `throttle`,
/// `throttle:500` (milliseconds), `lose_reply`, `hang`, `partial`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Fault {
    /// Nothing is done, and the server says so.
    Fail {
        /// The kind of the error; scripts know `not_found`, `conflict`, `invalid`, `denied`,
        /// `unavailable` and `unknown`.
        kind: ErrorKind,
        /// What the server says.
        message: String,
    },
    /// Nothing is done, since there were too many calls.
    Throttle {
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// It is done, and the reply is lost. A read or a check fails with an unknown outcome.
    LoseReply,
    /// Nothing is done, and no reply comes until the time of the call is over (a minute for a
    /// read). It is tokio's time: a test that pauses it does not wait.
    Hang,
    /// A create or update stops half-way, with nothing but the attributes that must be set or
    /// stay for good, and the reply is lost. For other calls the same as [`Fault::LoseReply`].
    Partial,
}

impl Fault {
    /// Its word in scripts and counts, without details.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fail { .. } => "fail",
            Self::Throttle { .. } => "throttle",
            Self::LoseReply => "lose_reply",
            Self::Hang => "hang",
            Self::Partial => "partial",
        }
    }
}

const KINDS: &[(&str, ErrorKind)] = &[
    ("not_found", ErrorKind::NotFound),
    ("conflict", ErrorKind::Conflict),
    ("invalid", ErrorKind::Invalid),
    ("denied", ErrorKind::Denied),
    ("unavailable", ErrorKind::Unavailable),
    ("unknown", ErrorKind::Unknown),
];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail { kind, message } => {
                let word = KINDS.iter().find(|(_, known)| known == kind);
                write!(
                    f,
                    "fail:{}:{message}",
                    word.map_or("unavailable", |(word, _)| word)
                )
            }
            Self::Throttle {
                retry_after: Some(wait),
            } => write!(f, "throttle:{}", wait.as_millis()),
            other => f.write_str(other.name()),
        }
    }
}

/// The text is not a fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not a fault: write `fail`, `fail:KIND:MESSAGE`, `throttle:MILLISECONDS`, `lose_reply`, `hang` or `partial`"
)]
pub struct FaultError(pub String);

impl FromStr for Fault {
    type Err = FaultError;
    fn from_str(text: &str) -> Result<Self, FaultError> {
        let error = || FaultError(text.to_owned());
        let (word, detail) = text.split_once(':').unwrap_or((text, ""));
        match (word, detail) {
            ("lose_reply", "") => Ok(Self::LoseReply),
            ("hang", "") => Ok(Self::Hang),
            ("partial", "") => Ok(Self::Partial),
            ("throttle", "") => Ok(Self::Throttle { retry_after: None }),
            ("throttle", wait) => {
                let wait = Duration::from_millis(wait.parse().map_err(|_| error())?);
                Ok(Self::Throttle {
                    retry_after: Some(wait),
                })
            }
            ("fail", detail) => {
                let (kind, message) = detail.split_once(':').unwrap_or((detail, ""));
                let kind = if kind.is_empty() { "unavailable" } else { kind };
                let (_, kind) = KINDS
                    .iter()
                    .find(|(word, _)| *word == kind)
                    .ok_or_else(error)?;
                let message = if message.is_empty() {
                    "the server refused"
                } else {
                    message
                };
                Ok(Self::Fail {
                    kind: *kind,
                    message: message.to_owned(),
                })
            }
            _ => Err(error()),
        }
    }
}

impl TryFrom<String> for Fault {
    type Error = FaultError;
    fn try_from(text: String) -> Result<Self, FaultError> {
        text.parse()
    }
}

impl From<Fault> for String {
    fn from(fault: Fault) -> String {
        fault.to_string()
    }
}

/// Which of the calls that match a rule are struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// This one only, counted from 1.
    At(u64),
    /// Every so many: 1 is all of them.
    Every(u64),
}

/// One line of a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// What is struck: a kind, `kind/name` or an address, with `*` for anything.
    pub on: String,
    /// Which calls; `None`: those that change something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<CallOp>,
    /// Which of them.
    pub when: When,
    /// What goes wrong.
    pub fault: Fault,
}

impl FaultRule {
    /// Strikes the `n`-th call on what `on` names.
    pub fn at(n: u64, on: impl Into<String>, op: CallOp, fault: Fault) -> Self {
        let (on, op) = (on.into(), Some(op));
        Self {
            on,
            op,
            when: When::At(n),
            fault,
        }
    }

    /// Strikes every call on what `on` names.
    pub fn always(on: impl Into<String>, op: CallOp, fault: Fault) -> Self {
        let (on, op) = (on.into(), Some(op));
        Self {
            on,
            op,
            when: When::Every(1),
            fault,
        }
    }

    /// Whether it speaks of this call.
    pub(super) fn covers(&self, target: &Target<'_>) -> bool {
        let names = [
            target.subject,
            target.subject.split_once('/').map_or("", |(_, name)| name),
            target.kind.map_or("", Kind::as_str),
        ];
        self.op.map_or(target.op.is_change(), |op| op == target.op)
            && names
                .iter()
                .any(|name| !name.is_empty() && glob(&self.on, name))
    }

    /// Whether the call that matched as the `n`-th, from 1, is struck.
    pub(super) fn strikes(&self, n: u64) -> bool {
        match self.when {
            When::At(at) => n == at,
            When::Every(every) => every > 0 && n.is_multiple_of(every),
        }
    }
}

/// A call, as far as faults look at it.
pub(super) struct Target<'a> {
    /// What it wants.
    pub(super) op: CallOp,
    /// Of which kind; a list is of none.
    pub(super) kind: Option<&'a Kind>,
    /// The address, or the tenant that is listed.
    pub(super) subject: &'a str,
}

/// `*` stands for any characters, also none.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_print_and_parse_back() {
        for text in [
            "fail:denied:not today: really",
            "throttle:500",
            "throttle",
            "lose_reply",
            "hang",
            "partial",
        ] {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        assert_eq!("fail".parse::<Fault>().unwrap().name(), "fail");
        for text in ["", "fail:sometimes", "throttle:soon", "hang:1"] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_rule_names_kinds_names_and_addresses() {
        let kind = Kind::new("helm.release").unwrap();
        let target = |op| Target {
            op,
            kind: Some(&kind),
            subject: "acme/helm.release/ai-service",
        };
        let covers = |on: &str, op| {
            FaultRule {
                op: None,
                ..FaultRule::at(1, on, op, Fault::Hang)
            }
            .covers(&target(op))
        };
        for on in [
            "*",
            "helm.*",
            "helm.release",
            "helm.release/ai-*",
            "acme/*",
            "*/ai-service",
        ] {
            assert!(covers(on, CallOp::Create), "{on}");
        }
        for on in ["helm", "acme", "*.releases", "ai-service", "a*b*c"] {
            assert!(!covers(on, CallOp::Create), "{on}");
        }
        assert!(!covers("*", CallOp::Read), "only changes, unless said");
    }
}
