//! A path into a tree of attributes: `manifest.spec.replicas`, with `*` for any one key or index.
//!
//! Keys that themselves hold a dot are written in brackets: `metadata.labels[matih.ai/tier]`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::value::{Attributes, Text, Value};

/// A path, or a pattern of paths where a part is `*`.
///
/// A path stands for the value there *and* all that is inside of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AttributePath(Vec<Text>);

/// The text is not a path.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a path of attributes: write `a.b.c`, `a.*.c` or `a[key.with.dots]`")]
pub struct PathError(pub String);

impl AttributePath {
    /// The empty path: the root of the tree.
    pub fn root() -> Self {
        Self(Vec::new())
    }

    /// The path one key or index further down.
    #[must_use]
    pub fn join(&self, part: impl AsRef<str>) -> Self {
        let mut parts = self.0.clone();
        parts.push(part.as_ref().into());
        Self(parts)
    }

    /// Its keys and indexes, from the root.
    pub fn parts(&self) -> &[Text] {
        &self.0
    }

    /// Whether this pattern covers `path`: it matches the whole of it or a beginning of it.
    pub fn covers(&self, path: &AttributePath) -> bool {
        self.0.len() <= path.0.len()
            && self
                .0
                .iter()
                .zip(&path.0)
                .all(|(mine, part)| &**mine == "*" || mine == part)
    }

    /// The value at this path; a `*` finds nothing.
    pub fn find<'a>(&self, attributes: &'a Attributes) -> Option<&'a Value> {
        let (first, rest) = self.0.split_first()?;
        rest.iter()
            .try_fold(attributes.get(first)?, |value, part| match value {
                Value::Map(map) => map.get(part),
                Value::List(values) => part
                    .parse::<usize>()
                    .ok()
                    .and_then(|index| values.get(index)),
                _ => None,
            })
    }
}

impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            if part.contains(['.', '[', ']']) {
                write!(f, "[{part}]")?;
            } else if index == 0 {
                f.write_str(part)?;
            } else {
                write!(f, ".{part}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for AttributePath {
    type Err = PathError;
    fn from_str(text: &str) -> Result<Self, PathError> {
        let error = || PathError(text.to_owned());
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let part;
            if let Some(inner) = rest.strip_prefix('[') {
                (part, rest) = inner.split_once(']').ok_or_else(error)?;
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                (part, rest) = rest.split_at(end);
            }
            if part.is_empty() {
                return Err(error());
            }
            parts.push(part.into());
            if let Some(next) = rest.strip_prefix('.') {
                if next.is_empty() || next.starts_with('[') {
                    return Err(error());
                }
                rest = next;
            }
        }
        if parts.is_empty() {
            Err(error())
        } else {
            Ok(Self(parts))
        }
    }
}

impl TryFrom<String> for AttributePath {
    type Error = PathError;
    fn try_from(text: String) -> Result<Self, PathError> {
        text.parse()
    }
}

impl From<AttributePath> for String {
    fn from(path: AttributePath) -> String {
        path.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_print_and_parse_back() {
        for text in [
            "a",
            "a.b.c",
            "a.*.c",
            "metadata.labels[matih.ai/tier].x",
            "[a.b]",
        ] {
            assert_eq!(text.parse::<AttributePath>().unwrap().to_string(), text);
        }
        for text in ["", ".", "a.", "a..b", "a[b", "a.[b]"] {
            assert!(text.parse::<AttributePath>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_pattern_covers_what_is_inside() {
        let pattern: AttributePath = "spec.*.name".parse().unwrap();
        let path = |text: &str| text.parse::<AttributePath>().unwrap();
        assert!(pattern.covers(&path("spec.0.name")));
        assert!(pattern.covers(&path("spec.0.name.first")));
        assert!(!pattern.covers(&path("spec.0")));
    }
}
