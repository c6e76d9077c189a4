//! What goes over the wire: whole values, secrets for the moment, and sometimes only half of it.

use matih_model::{Attributes, Call, Digest, ErrorKind, KindSchema, ProviderError, Value};

/// Refuses what a server could not understand: a reference or an unknown value.
pub(super) fn complete(call: &Call<'_>) -> Result<(), ProviderError> {
    let mut open = false;
    for value in call.attributes.values() {
        value.walk(&mut |value| open |= matches!(value, Value::Ref(_) | Value::Unknown));
    }
    if open {
        let text = format!("{}: a value that is not known was sent", call.owner.address);
        return Err(ProviderError::new(ErrorKind::Invalid, text));
    }
    Ok(())
}

/// Reads the secrets, as for the wire, and keeps a digest of each: their values stay outside.
pub(super) fn revealed(call: &Call<'_>) -> Result<String, ProviderError> {
    complete(call)?;
    let mut digests = String::new();
    for secret in call.attributes.secrets() {
        let value = call.secrets.reveal(&secret.reference).map_err(|error| {
            let text = format!("{}: {error}", call.owner.address);
            ProviderError::new(ErrorKind::Invalid, text)
        })?;
        let digest = Digest::of_bytes("matih simulated secret v1", value.expose().as_bytes());
        digests.push_str(&format!("{}={digest}\n", secret.reference));
    }
    Ok(digests)
}

/// What is there when a change stops half-way: only what must be.
pub(super) fn half(schema: &KindSchema, attributes: &Attributes) -> Attributes {
    let must = |name: &str| {
        schema
            .attribute(name)
            .is_some_and(|attribute| attribute.required || attribute.immutable)
    };
    attributes
        .iter()
        .filter(|(name, _)| must(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
