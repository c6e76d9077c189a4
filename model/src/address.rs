//! How a thing is named: tenant, kind and name make an address, for good.
//!
//! Promises that a parsed name is safe to print, to use as a map key and to write into a label.
//! Does not know which kinds exist (that is the [`crate::Catalog`]'s).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

/// Why a piece of an address was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The tenant slug breaks the rule of domain.md section 10 (C14).
    #[error(
        "tenant `{0}` is not a slug: 3 to 32 characters, lower-case letters, digits and single hyphens, first a letter, last a letter or digit"
    )]
    Tenant(String),
    /// The kind is not `family.noun` in lower case.
    #[error("kind `{0}` is not of the form `family.noun` in lower-case letters, digits and `_`")]
    Kind(String),
    /// The name has a character outside `a-z 0-9 . _ -`, is empty, or is longer than 100 bytes.
    #[error(
        "name `{0}` is not 1 to 100 lower-case letters, digits, `.`, `_` or `-`, with a letter or digit at both ends"
    )]
    Name(String),
    /// The text does not have the two or three parts of an address.
    #[error("`{0}` is not an address: write `tenant/kind/name`")]
    Shape(String),
}

macro_rules! text_newtype {
    ($(#[$doc:meta])* $type:ident, $check:path, $error:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $type(Arc<str>);

        impl $type {
            /// Parses and checks.
            ///
            /// # Errors
            /// The text breaks the rule of this type; the error quotes it.
            pub fn new(text: impl AsRef<str>) -> Result<Self, AddressError> {
                let text = text.as_ref();
                if $check(text) { Ok(Self(text.into())) } else { Err($error(text.to_owned())) }
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "`{}`", self.0)
            }
        }

        impl FromStr for $type {
            type Err = AddressError;
            fn from_str(text: &str) -> Result<Self, AddressError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = AddressError;
            fn try_from(text: String) -> Result<Self, AddressError> {
                Self::new(text)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

text_newtype! {
    /// A tenant's slug, its identity for good (domain.md section 10, C14: 3 to 32 characters).
    TenantId, is_slug, AddressError::Tenant
}
text_newtype! {
    /// A type of resource, `family.noun`, such as `kubernetes.manifest` or `helm.release`.
    Kind, is_kind, AddressError::Kind
}
text_newtype! {
    /// Our stable name of a resource, unique among its tenant's resources of one kind.
    Name, is_name, AddressError::Name
}

/// `family.noun` of a resource without its tenant: the form used inside a spec and a blueprint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct ResourceName {
    /// The type of the resource.
    pub kind: Kind,
    /// Its name within tenant and kind.
    pub name: Name,
}

impl ResourceName {
    fn text(&self) -> String {
        [&*self.kind.0, &*self.name.0].join("/")
    }

    /// The address of this resource in one tenant.
    pub fn of(&self, tenant: &TenantId) -> Address {
        Address {
            tenant: tenant.clone(),
            kind: self.kind.clone(),
            name: self.name.clone(),
        }
    }
}

/// Where a resource lives in matih's world: prints `acme/kubernetes.manifest/namespace`.
///
/// Every map is keyed by it and every message names it. The order (tenant, kind, name) is the
/// order of all output that has no better one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Address {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its type.
    pub kind: Kind,
    /// Its name within tenant and kind.
    pub name: Name,
}

impl Address {
    /// Builds an address from parts that are valid already.
    pub fn new(tenant: TenantId, kind: Kind, name: Name) -> Self {
        Self { tenant, kind, name }
    }

    /// As it prints: in one piece, since addresses are written far more often than anything else.
    fn text(&self) -> String {
        [&*self.tenant.0, &*self.kind.0, &*self.name.0].join("/")
    }

    /// The address without its tenant.
    pub fn resource_name(&self) -> ResourceName {
        ResourceName {
            kind: self.kind.clone(),
            name: self.name.clone(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text())
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl Serialize for ResourceName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text())
    }
}

impl FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut parts = text.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(tenant), Some(kind), Some(name), None) => Ok(Self::new(
                TenantId::new(tenant)?,
                Kind::new(kind)?,
                Name::new(name)?,
            )),
            _ => Err(AddressError::Shape(text.to_owned())),
        }
    }
}

impl FromStr for ResourceName {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.split_once('/') {
            Some((kind, name)) => Ok(Self {
                kind: Kind::new(kind)?,
                name: Name::new(name)?,
            }),
            None => Err(AddressError::Shape(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl TryFrom<String> for ResourceName {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

/// The name that the provider gave the thing: an ARM id, a Kubernetes uid, a zone id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RemoteId(Arc<str>);

impl RemoteId {
    /// Takes the provider's word as it is.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().into())
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RemoteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn is_slug(text: &str) -> bool {
    let bytes = text.as_bytes();
    (3..=32).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && bytes[bytes.len() - 1] != b'-'
        && !text.contains("--")
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

fn is_kind(text: &str) -> bool {
    let part = |p: &str| {
        p.starts_with(|c: char| c.is_ascii_lowercase())
            && p.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    text.len() <= 63
        && matches!(text.split_once('.'), Some((family, noun)) if part(family) && part(noun))
}

fn is_name(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    bytes.len() <= 100
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_prints_and_parses_back() {
        let address: Address = "acme/kubernetes.manifest/namespace".parse().unwrap();
        assert_eq!(address.to_string(), "acme/kubernetes.manifest/namespace");
        assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
    }

    #[test]
    fn bad_parts_are_refused_and_named() {
        for (text, error) in [
            (
                "acme/helm.release",
                AddressError::Shape("acme/helm.release".into()),
            ),
            ("a/helm.release/x", AddressError::Tenant("a".into())),
            ("a--b/helm.release/x", AddressError::Tenant("a--b".into())),
            ("acme/helm/x", AddressError::Kind("helm".into())),
            ("acme/helm.release/X", AddressError::Name("X".into())),
            ("acme/helm.release/-x", AddressError::Name("-x".into())),
        ] {
            assert_eq!(text.parse::<Address>().unwrap_err(), error, "{text}");
        }
    }
}
