//! Where the secrets of a simulation are kept: every name has a value, and values are rotated.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use matih_model::{
    Attributes, Digest, SecretError, SecretRef, SecretSource, SecretUse, SecretValue, Value,
};

/// The key of all digests of secrets.
pub(super) const KEY: [u8; 32] = [7; 32];

/// All secrets that there can be.
#[derive(Debug, Default)]
pub(super) struct Vault(Mutex<BTreeMap<SecretRef, u32>>);

/// What a secret holds after so many rotations.
pub(super) fn content(reference: &SecretRef, rotations: u32) -> String {
    format!("{reference} number {rotations}")
}

impl Vault {
    fn rotations(&self, reference: &SecretRef) -> u32 {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(reference).copied().unwrap_or_default()
    }

    /// Gives a secret another value.
    pub(super) fn rotate(&self, reference: &SecretRef) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(reference.clone()).or_default() += 1;
    }

    /// The digest of what a secret holds now.
    pub(super) fn digest(&self, reference: &SecretRef) -> Digest {
        Digest::keyed(
            &KEY,
            content(reference, self.rotations(reference)).as_bytes(),
        )
    }

    /// The same attributes, with the digests that their secrets have now: what a compile does.
    pub(super) fn refreshed(&self, attributes: &Attributes) -> Attributes {
        let fresh = |(key, value): (&matih_model::Text, &Value)| (key.clone(), self.fresh(value));
        attributes.iter().map(fresh).collect()
    }

    fn fresh(&self, value: &Value) -> Value {
        match value {
            Value::Secret(secret) => Value::Secret(SecretUse {
                reference: secret.reference.clone(),
                digest: Some(self.digest(&secret.reference)),
            }),
            Value::Map(map) => Value::Map(self.refreshed(map)),
            Value::List(values) => Value::List(values.iter().map(|it| self.fresh(it)).collect()),
            other => other.clone(),
        }
    }
}

impl SecretSource for Vault {
    fn reveal(&self, reference: &SecretRef) -> Result<SecretValue, SecretError> {
        let rotations = self.rotations(reference);
        Ok(SecretValue::new(content(reference, rotations)))
    }
}
