//! The only I/O of this crate: text from files.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::diagnostic::Source;

/// The largest file that is read, in bytes: 1 MiB, a thousand times a usual spec.
pub const MAX_BYTES: u64 = 1 << 20;

/// Why a file could not be read. Nothing was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// There is nothing at the path.
    #[error("`{0}` does not exist")]
    Missing(PathBuf),
    /// The file or folder is there and cannot be read.
    #[error("`{path}` cannot be read: {cause}")]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        cause: std::io::Error,
    },
    /// The file is larger than [`MAX_BYTES`].
    #[error("`{0}` is larger than 1 MiB, so it is not a spec")]
    TooLarge(PathBuf),
    /// The file is not UTF-8.
    #[error("`{path}` is not UTF-8 text: byte {offset} is not part of a character")]
    NotText {
        /// Which one.
        path: PathBuf,
        /// The first byte that is wrong, from 0.
        offset: usize,
    },
    /// The folder has no `*.toml`.
    #[error("folder `{0}` has no file that ends in `.toml`")]
    EmptyFolder(PathBuf),
}

impl LoadError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Missing(_) => "check the path; `matih init` writes a first spec",
            Self::Unreadable { .. } => "check the permissions of the file and of its folders",
            Self::TooLarge(_) => "check the path; move long values to files of their own",
            Self::NotText { .. } => "save the file as UTF-8",
            Self::EmptyFolder(_) => "name a file, or a folder with tenant specs in it",
        }
    }
}

/// Reads one file.
///
/// # Errors
/// It is not there, cannot be read, is too large or is not UTF-8.
pub fn file(path: &Path) -> Result<Source, LoadError> {
    let failed = |cause: std::io::Error| match cause.kind() {
        ErrorKind::NotFound => LoadError::Missing(path.to_owned()),
        _ => LoadError::Unreadable {
            path: path.to_owned(),
            cause,
        },
    };
    let mut bytes = Vec::new();
    // One byte more than allowed is enough to know, whatever the file's length claims.
    let mut reader = File::open(path).map_err(failed)?.take(MAX_BYTES + 1);
    reader.read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(LoadError::TooLarge(path.to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|error| LoadError::NotText {
        path: path.to_owned(),
        offset: error.utf8_error().valid_up_to(),
    })?;
    Ok(Source::new(&path.to_string_lossy(), &text))
}

/// Reads one file, or each `*.toml` of a folder by name; `matih.toml` is the platform's and left
/// out, and folders inside are not entered.
///
/// # Errors
/// As [`file()`], or the folder has no such file.
pub fn file_or_folder(path: &Path) -> Result<Vec<Source>, LoadError> {
    if !path.is_dir() {
        return Ok(vec![file(path)?]);
    }
    let unreadable = |cause| LoadError::Unreadable {
        path: path.to_owned(),
        cause,
    };
    let mut paths = Vec::new();
    for entry in path.read_dir().map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_spec = path
            .extension()
            .is_some_and(|extension| extension == "toml")
            && path.file_name().is_some_and(|name| name != "matih.toml");
        if is_spec && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(LoadError::EmptyFolder(path.to_owned()));
    }
    paths.iter().map(|path| file(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_specs_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("b.toml", "b"),
            ("a.toml", "a"),
            ("matih.toml", "m"),
            ("c.txt", "c"),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let sources = file_or_folder(folder.path()).unwrap();
        let texts: Vec<_> = sources.iter().map(|source| &*source.text).collect();
        assert_eq!(texts, ["a", "b"]);
    }

    #[test]
    fn every_failure_has_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert!(matches!(file(&path("x.toml")), Err(LoadError::Missing(_))));
        assert!(matches!(
            file_or_folder(folder.path()),
            Err(LoadError::EmptyFolder(_))
        ));
        assert!(matches!(
            file(folder.path()),
            Err(LoadError::Unreadable { .. })
        ));
        std::fs::write(path("a.toml"), b"a\xff").unwrap();
        assert!(matches!(
            file(&path("a.toml")),
            Err(LoadError::NotText { offset: 1, .. })
        ));
        std::fs::write(path("b.toml"), vec![b' '; 1 << 20]).unwrap();
        assert_eq!(file(&path("b.toml")).unwrap().text.len(), 1 << 20);
        std::fs::write(path("b.toml"), vec![b' '; (1 << 20) + 1]).unwrap();
        assert!(matches!(file(&path("b.toml")), Err(LoadError::TooLarge(_))));
    }
}
