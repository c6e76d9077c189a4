//! Which release of which cluster a call or a question is about.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use matih_model::{Attributes, Digest, ErrorKind, OwnerMark, ProviderError, RemoteId};

use super::child::Access;
use crate::kubernetes::Cluster;

/// A release by its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The name of the target that stands for the cluster.
    pub(super) target: String,
    pub(super) namespace: String,
    pub(super) release: String,
}

impl Place {
    /// Reads a remote id: `TARGET/NAMESPACE/RELEASE`.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn parse(id: &RemoteId) -> Result<Self, ProviderError> {
        let mut parts = id.as_str().split('/');
        let mut next = || {
            parts
                .next()
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
        };
        match (next(), next(), next(), next()) {
            (Some(target), Some(namespace), Some(release), None) => Ok(Self {
                target,
                namespace,
                release,
            }),
            _ => {
                let text = format!("`{id}` is not the id of a release");
                let hint = "write TARGET/NAMESPACE/RELEASE";
                Err(ProviderError::new(ErrorKind::Invalid, text).with_hint(hint))
            }
        }
    }

    /// Its remote id.
    pub(super) fn id(&self) -> RemoteId {
        RemoteId::new(self.to_string())
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.target, self.namespace, self.release)
    }
}

/// A release of a cluster that is connected to.
#[derive(Clone)]
pub(super) struct Site {
    pub(super) place: Place,
    pub(super) cluster: Arc<Cluster>,
    /// The same way for helm.
    pub(super) access: Access,
}

/// One text of a release's attributes.
///
/// # Errors
/// It is missing, or not known yet.
pub(super) fn required<'a>(
    attributes: &'a Attributes,
    key: &str,
) -> Result<&'a str, ProviderError> {
    let text = attributes.text(key).filter(|text| !text.is_empty());
    text.ok_or_else(|| {
        let text = format!("`{key}` is missing, or is no text");
        ProviderError::new(ErrorKind::Invalid, text)
    })
}

/// This machine and the folder of its locks, in short: what a lock can tell is true between the two
/// only.
pub(super) fn host(folder: &Path) -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let folder = folder.to_string_lossy();
    let mut text = Digest::of("matih helm host v1", &(name, folder)).to_string();
    text.truncate(12);
    text
}

/// Seconds since the Unix epoch.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// A mark, for people.
pub(super) fn whose(mark: Option<&OwnerMark>) -> String {
    match mark {
        None => "nobody that matih knows".to_owned(),
        Some(mark) => format!(
            "{}, generation {}, of installation {}",
            mark.address, mark.generation, mark.installation
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_id_goes_both_ways() {
        let id = RemoteId::new("prod/tenant-acme/acme-ai");
        let place = Place::parse(&id).unwrap();
        assert_eq!(place.namespace, "tenant-acme");
        assert_eq!(place.id(), id);
        for wrong in ["", "prod", "prod/ns", "prod/ns/r/x", "prod//r"] {
            Place::parse(&RemoteId::new(wrong)).unwrap_err();
        }
    }

    #[test]
    fn a_host_is_a_machine_and_a_folder() {
        let one = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let host = |folder: &tempfile::TempDir| host(folder.path());
        assert_eq!(host(&one), host(&one));
        assert_ne!(host(&one), host(&other));
    }
}
