//! The one way to turn a value into 32 bytes.
//!
//! A digest is blake3 over a domain word and the canonical encoding of a value. Canonical means
//! JSON without white space, object keys in byte order, no floating point; all maps of this crate
//! are ordered, so serde writes it so by itself. Two values have one digest if and only if they
//! are equal; values of two domains never share one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A blake3 digest; prints as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a value in a domain, such as `"matih recorded v1"`.
    ///
    /// The value must encode to JSON: the types of this crate all do. One that does not (a map
    /// with keys that are no strings) gets the digest of what was written before the fault.
    pub fn of(domain: &str, value: &impl Serialize) -> Self {
        // Whole, since the hash takes many small pieces slowly.
        let mut bytes = Vec::with_capacity(1024);
        let written = serde_json::to_writer(&mut bytes, value);
        debug_assert!(
            written.is_ok(),
            "a value of domain {domain} does not encode: {written:?}"
        );
        Self::of_bytes(domain, &bytes)
    }

    /// The digest of plain bytes in a domain: a spec file, a blueprint file.
    pub fn of_bytes(domain: &str, bytes: &[u8]) -> Self {
        let mut hasher = Self::hasher(domain);
        hasher.update(bytes);
        Self(*hasher.finalize().as_bytes())
    }

    /// The digest of bytes under a key: only the holder of the key can confirm a guess.
    /// It stands in state where a secret's value may not.
    pub fn keyed(key: &[u8; 32], bytes: &[u8]) -> Self {
        Self(*blake3::keyed_hash(key, bytes).as_bytes())
    }

    fn hasher(domain: &str) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(domain.len() as u64).to_le_bytes());
        hasher.update(domain.as_bytes());
        hasher
    }

    /// Takes 32 bytes as a digest: for one that was stored.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes themselves.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 12 hex digits: enough for people, never for a comparison.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(12);
        text
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

/// The text is not 64 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest of 64 hex digits")]
pub struct DigestError(pub String);

impl FromStr for Digest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        blake3::Hash::from_hex(text)
            .map(|hash| Self(*hash.as_bytes()))
            .map_err(|_| DigestError(text.to_owned()))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_and_a_value_decide_the_digest() {
        let digest = Digest::of("a", &["x"]);
        assert_eq!(digest, Digest::of("a", &["x"]));
        assert_ne!(digest, Digest::of("b", &["x"]));
        assert_ne!(digest, Digest::of("a", &["y"]));
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
    }
}
