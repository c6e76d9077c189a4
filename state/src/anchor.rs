//! The anchor: a small file beside the state file that knows how far the state has come.
//!
//! A file that was cut, emptied, deleted or replaced by an older copy can be in perfect order by
//! itself. The anchor holds the number and hash of the last audit row at the start of a run, at
//! its commit and at the release of a lock, so such a file is seen to lack what was there.
//! What it does not see: a state file and its anchor put back *together*.
//!
//! The anchor never moves backwards: a writer holds a lock on the folder while it compares and
//! replaces it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use matih_model::Digest;
use serde::{Deserialize, Serialize};

use crate::error::StateError;

/// What the anchor says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Anchor {
    /// Whose state it is.
    pub(crate) installation: String,
    /// The schema of the file.
    pub(crate) schema: i64,
    /// The last audit row that was anchored.
    pub(crate) audit_seq: u64,
    /// Its hash, which covers all rows before it.
    pub(crate) audit_hash: Digest,
    /// The highest fence granted until then.
    pub(crate) fence: u64,
}

#[derive(Serialize, Deserialize)]
struct AnchorFile {
    #[serde(flatten)]
    anchor: Anchor,
    digest: Digest,
}

const DOMAIN: &str = "matih anchor v1";

/// Where the anchor of a state file lies.
pub(crate) fn path_of(state: &Path) -> PathBuf {
    with_suffix(state, ".anchor")
}

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(suffix);
    PathBuf::from(name)
}

/// Reads the anchor of a state file; `None` if there is none.
pub(crate) fn read(state: &Path) -> Result<Option<Anchor>, StateError> {
    let path = path_of(state);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StateError::io(path, "read")(error)),
    };
    match serde_json::from_slice::<AnchorFile>(&bytes) {
        Ok(file) if Digest::of(DOMAIN, &file.anchor) == file.digest => Ok(Some(file.anchor)),
        _ => Err(StateError::AnchorDamaged { path }),
    }
}

/// Moves the anchor forward to `anchor`; keeps it where it is if another process has moved it
/// further already.
pub(crate) fn advance(state: &Path, anchor: &Anchor) -> Result<(), StateError> {
    let folder = lock_folder(state)?;
    match read(state)? {
        Some(old) if old.audit_seq >= anchor.audit_seq => Ok(()),
        _ => replace(state, anchor, &folder),
    }
}

/// Sets the anchor whatever it said before: only for an explicit restore.
pub(crate) fn overwrite(state: &Path, anchor: &Anchor) -> Result<(), StateError> {
    let folder = lock_folder(state)?;
    replace(state, anchor, &folder)
}

/// The folder's own handle is locked, not the state file's: closing a second handle to a file
/// that SQLite has open would drop SQLite's locks.
fn lock_folder(state: &Path) -> Result<File, StateError> {
    let path = match state.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let folder = File::open(path).map_err(StateError::io(path, "opened"))?;
    folder.lock().map_err(StateError::io(path, "locked"))?;
    Ok(folder)
}

fn replace(state: &Path, anchor: &Anchor, folder: &File) -> Result<(), StateError> {
    let path = path_of(state);
    let new = with_suffix(&path, ".new");
    let digest = Digest::of(DOMAIN, anchor);
    let file = AnchorFile {
        anchor: anchor.clone(),
        digest,
    };
    let mut bytes = crate::codec::json("the anchor", &file)?;
    bytes.push(b'\n');
    let written = (|| {
        let mut file = File::create(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        folder.sync_all()
    })();
    written.map_err(StateError::io(path, "written"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seq: u64) -> Anchor {
        Anchor {
            installation: "test".into(),
            schema: 1,
            audit_seq: seq,
            audit_hash: Digest::of("test", &seq),
            fence: seq,
        }
    }

    #[test]
    fn it_moves_forward_only() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state.db");
        assert_eq!(read(&state).unwrap(), None);
        advance(&state, &at(5)).unwrap();
        advance(&state, &at(3)).unwrap();
        assert_eq!(read(&state).unwrap(), Some(at(5)));
        overwrite(&state, &at(3)).unwrap();
        assert_eq!(read(&state).unwrap(), Some(at(3)));
    }

    #[test]
    fn a_changed_anchor_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state.db");
        advance(&state, &at(5)).unwrap();
        let text = fs::read_to_string(path_of(&state)).unwrap();
        for damaged in [text.replace("\"fence\":5", "\"fence\":4"), String::new()] {
            fs::write(path_of(&state), damaged).unwrap();
            assert!(matches!(
                read(&state),
                Err(StateError::AnchorDamaged { .. })
            ));
        }
    }
}
