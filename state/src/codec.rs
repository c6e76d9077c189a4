//! Rows as they lie in the file: canonical JSON, and a seal over table, key and content.
//!
//! SQLite's own check does not see a changed byte inside of a row (reliability.md section 0.4),
//! so every row is sealed when written and checked when read. The key is part of the seal: a row
//! that turns up in another row's place does not pass.

use std::fmt::Display;

use matih_model::{Digest, Recorded};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StateError;

/// A row's content and its seal.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    pub(crate) body: Vec<u8>,
    pub(crate) seal: Digest,
}

/// The domain of [`Recorded::digest`], which is the digest of the canonical body as well.
const RECORDED: &str = "matih recorded v1";

fn seal_of(table: &str, key: &dyn Display, body: &[u8]) -> Digest {
    Digest::of_bytes(&format!("matih state {table} {key}"), body)
}

pub(crate) fn json<T: Serialize>(what: &str, value: &T) -> Result<Vec<u8>, StateError> {
    serde_json::to_vec(value).map_err(|error| StateError::damaged(what, error.to_string()))
}

/// Seals a row for its place.
pub(crate) fn seal<T: Serialize>(
    table: &str,
    key: &dyn Display,
    row: &T,
) -> Result<Sealed, StateError> {
    let body = json(table, row)?;
    let seal = seal_of(table, key, &body);
    Ok(Sealed { body, seal })
}

/// Reads a row back, if it is what was written at that place.
pub(crate) fn unseal<T: DeserializeOwned>(
    table: &str,
    key: &dyn Display,
    body: &[u8],
    seal: &[u8],
) -> Result<T, StateError> {
    let place = || format!("{table} row {key}");
    if seal_of(table, key, body).as_bytes() != seal {
        return Err(StateError::damaged(place(), "its digest does not match"));
    }
    serde_json::from_slice(body).map_err(|error| StateError::damaged(place(), error.to_string()))
}

/// The body of a record, and its digest.
pub(crate) fn seal_record(record: &Recorded) -> Result<Sealed, StateError> {
    let body = json("a record", record)?;
    let seal = Digest::of_bytes(RECORDED, &body);
    Ok(Sealed { body, seal })
}

/// Reads a record back, if its body has the digest under which it is kept.
pub(crate) fn unseal_record(digest: &Digest, body: &[u8]) -> Result<Recorded, StateError> {
    let place = || format!("record {}", digest.short());
    if Digest::of_bytes(RECORDED, body) != *digest {
        return Err(StateError::damaged(place(), "its digest does not match"));
    }
    serde_json::from_slice(body).map_err(|error| StateError::damaged(place(), error.to_string()))
}

/// 32 bytes of a column as a digest.
pub(crate) fn digest(place: &str, bytes: &[u8]) -> Result<Digest, StateError> {
    <[u8; 32]>::try_from(bytes)
        .map(Digest::from_bytes)
        .map_err(|_| StateError::damaged(place, "a digest has not 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_passes_at_its_own_place_only_and_unchanged_only() {
        let sealed = seal("runs", &7, &["a", "b"]).unwrap();
        let read = |table: &str, key: u64, body: &[u8]| {
            unseal::<Vec<String>>(table, &key, body, sealed.seal.as_bytes())
        };
        assert_eq!(read("runs", 7, &sealed.body).unwrap(), ["a", "b"]);
        assert!(read("runs", 8, &sealed.body).is_err());
        assert!(read("locks", 7, &sealed.body).is_err());
        assert!(read("runs", 7, b"[\"a\",\"c\"]").is_err());
    }

    #[test]
    fn a_record_is_kept_under_its_own_digest_and_passes_unchanged_only() {
        let json = r#"{"resource":{"address":"acme/helm.release/a","phase":5,"steps":[],
            "attributes":{"chart":"1"},"lifecycle":{},
            "retry":{"timeout_seconds":60,"backoff_seconds":[]}},
            "remote_id":"uid","outputs":{},"generation":1}"#;
        let record: Recorded = serde_json::from_str(json).unwrap();
        let sealed = seal_record(&record).unwrap();
        assert_eq!(sealed.seal, record.digest(), "one digest, two ways to it");
        assert_eq!(unseal_record(&sealed.seal, &sealed.body).unwrap(), record);
        let text = String::from_utf8(sealed.body.clone()).unwrap();
        let changed = text.replace("\"uid\"", "\"uie\"");
        assert!(unseal_record(&sealed.seal, changed.as_bytes()).is_err());
    }
}
