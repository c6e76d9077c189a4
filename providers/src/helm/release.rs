//! A revision of a release as Helm keeps it: in a Secret, as base64 of gzip of JSON.
//!
//! Promises to read what Helm 3 and 4 write, and to give up on what would not fit into memory.
//! Only what matih compares or tells is read; the chart's own files, most of it, are passed over.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use thiserror::Error;

/// The largest revision that is read, unpacked: Helm's own limit is 1 MiB packed.
const LARGEST: u64 = 64 << 20;

/// The first bytes of what is packed by gzip.
const GZIP: [u8; 3] = [0x1f, 0x8b, 0x08];

/// A revision cannot be read.
#[derive(Debug, Error)]
pub(super) enum Unreadable {
    #[error("it is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    #[error("it does not unpack: {0}")]
    Gzip(#[from] std::io::Error),
    #[error("it is larger than {} MiB", LARGEST >> 20)]
    TooLarge,
    #[error("it is not a release: {0}")]
    Json(#[from] serde_json::Error),
}

/// One revision.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Release {
    /// Its number, from 1.
    pub(super) version: u64,
    pub(super) info: Info,
    pub(super) chart: Chart,
    /// The values that it was installed with, without the chart's own.
    #[serde(default, deserialize_with = "nothing_is_empty")]
    pub(super) config: Map<String, Json>,
    /// What was sent to the cluster, as YAML documents.
    #[serde(default)]
    pub(super) manifest: String,
}

/// What became of it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Info {
    pub(super) status: String,
    #[serde(default)]
    pub(super) description: String,
    /// When, in RFC 3339.
    #[serde(default)]
    pub(super) last_deployed: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Chart {
    pub(super) metadata: Metadata,
}

/// Which chart.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) version: String,
    #[serde(default, rename = "appVersion")]
    pub(super) app_version: String,
}

fn nothing_is_empty<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Map<String, Json>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Release {
    /// Reads the bytes under the key `release` of Helm's Secret.
    ///
    /// # Errors
    /// They are no release.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let packed = STANDARD.decode(bytes)?;
        if !packed.starts_with(&GZIP) {
            return Ok(serde_json::from_slice(&packed)?);
        }
        let mut json = Vec::new();
        let mut reader = GzDecoder::new(packed.as_slice()).take(LARGEST + 1);
        reader.read_to_end(&mut json)?;
        if json.len() as u64 > LARGEST {
            return Err(Unreadable::TooLarge);
        }
        Ok(serde_json::from_slice(&json)?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::json;

    use super::*;

    fn packed(json: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(json).unwrap();
        STANDARD.encode(encoder.finish().unwrap()).into_bytes()
    }

    fn release() -> Json {
        json!({
            "name": "acme-ai", "namespace": "matih", "version": 7,
            "info": { "status": "deployed", "description": "Upgrade complete",
                "first_deployed": "2026-11-21T10:00:00Z", "last_deployed": "2026-11-22T10:00:00Z" },
            "chart": { "metadata": { "name": "matih-ai", "version": "1.0.0", "appVersion": "2.0.0" },
                "templates": [{ "name": "a", "data": "eA==" }] },
            "config": { "replicaCount": 2 },
            "manifest": "---\nkind: Service\n",
        })
    }

    #[test]
    fn a_revision_is_read_packed_or_not() {
        let json = release().to_string();
        for bytes in [packed(json.as_bytes()), STANDARD.encode(&json).into_bytes()] {
            let read = Release::decode(&bytes).unwrap();
            assert_eq!((read.version, &*read.info.status), (7, "deployed"));
            assert_eq!(read.chart.metadata.app_version, "2.0.0");
            assert_eq!(read.config["replicaCount"], 2);
        }
    }

    #[test]
    fn what_helm_leaves_out_is_empty() {
        let mut json = release();
        json["config"] = Json::Null;
        json.as_object_mut().unwrap().remove("manifest");
        let read = Release::decode(&packed(json.to_string().as_bytes())).unwrap();
        assert!(read.config.is_empty() && read.manifest.is_empty());
    }

    #[test]
    fn what_is_no_release_is_an_error() {
        let refused = |bytes: &[u8]| Release::decode(bytes).unwrap_err();
        assert!(matches!(refused(b"*"), Unreadable::Base64(_)));
        assert!(matches!(refused(&packed(b"{}")), Unreadable::Json(_)));
        let cut = STANDARD.encode([0x1f, 0x8b, 0x08, 0]);
        assert!(matches!(refused(cut.as_bytes()), Unreadable::Gzip(_)));
        let bomb = vec![b' '; usize::try_from(LARGEST).unwrap() + 1];
        assert!(matches!(refused(&packed(&bomb)), Unreadable::TooLarge));
    }
}
