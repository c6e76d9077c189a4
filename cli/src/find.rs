//! Which specs a command is about: the files that were named, those of a folder, or the only one.

use std::path::{Path, PathBuf};

use matih_specs::Source;
use matih_specs::load::{self, LoadError};

use crate::failure::Failure;

/// The platform file's usual name: never a tenant spec.
pub(crate) const PLATFORM: &str = "matih.toml";

/// The texts of a command line's specs, folders expanded, in the order given.
///
/// # Errors
/// A path cannot be read, a folder holds no spec, or nothing was named and the current folder
/// does not hold exactly one spec.
pub(crate) fn specs(named: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    if named.is_empty() {
        return the_only_one(Path::new(".")).map(|source| vec![source]);
    }
    let mut found = Vec::new();
    for path in named {
        found.extend(load::file_or_folder(path).map_err(unread)?);
    }
    Ok(found)
}

/// One spec: the one that was named, or the only one of the current folder.
///
/// # Errors
/// As [`specs`], or a folder with several was named.
pub(crate) fn spec(named: Option<&Path>) -> Result<Source, Failure> {
    match named {
        Some(path) => load::file(path).map_err(unread),
        None => the_only_one(Path::new(".")),
    }
}

fn unread(error: LoadError) -> Failure {
    Failure::error(format!("{error}.")).hint(error.hint())
}

/// The spec of a folder, if it has exactly one: a TOML file with a `[tenant]` table.
fn the_only_one(folder: &Path) -> Result<Source, Failure> {
    let mut candidates = match load::file_or_folder(folder) {
        Ok(sources) => sources,
        Err(LoadError::EmptyFolder(_)) => Vec::new(),
        Err(error) => return Err(unread(error)),
    };
    candidates.retain(|source| source.text.lines().any(|line| line.trim() == "[tenant]"));
    for source in &mut candidates {
        source.name = source.name.trim_start_matches("./").into();
    }
    match candidates.len() {
        1 => Ok(candidates.remove(0)),
        0 => Err(
            Failure::usage("No tenant spec was named, and this folder has none.")
                .hint("name one, or write one with `matih init`"),
        ),
        _ => {
            let names: Vec<_> = candidates.iter().map(|source| &*source.name).collect();
            let message = format!(
                "This folder has several tenant specs: {}.",
                names.join(", ")
            );
            Err(Failure::usage(message).hint("name the one that is meant, or `.` for all of them"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_spec_of_a_folder_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        assert!(the_only_one(folder.path()).is_err());
        write("Cargo.toml", "[package]\n");
        write("acme.toml", "[tenant]\nslug = \"acme\"\n");
        write("matih.toml", "[tenant]\n");
        assert!(
            the_only_one(folder.path())
                .unwrap()
                .name
                .ends_with("acme.toml")
        );
        write("other.toml", "[tenant]\n");
        let failure = the_only_one(folder.path()).unwrap_err();
        assert!(failure.message.contains("acme.toml") && failure.message.contains("other.toml"));
        assert_eq!(specs(&[folder.path().to_owned()]).unwrap().len(), 3);
    }
}
