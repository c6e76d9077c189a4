//! The binary under test: the one that belongs to this test build, never an older one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use crate::{fail, workspace_root};

/// Names another `matih` to test, such as a release build, by its full path.
const CHOSEN: &str = "MATIH_BIN";

/// `cargo` in the workspace's root: the one that runs this test, where one does.
#[must_use]
pub fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(workspace_root());
    command
}

/// Path of the built `matih`, built first if it is missing or older than its sources.
///
/// `cargo test --workspace` has built it before any test runs; a run of this crate alone may find
/// none, or an old one, and an old one would pass or fail for reasons long gone.
#[must_use]
pub fn matih_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os(CHOSEN) {
        Some(chosen) => chosen.into(),
        None => built(),
    })
}

fn built() -> PathBuf {
    // A test runs from TARGET/PROFILE/deps/NAME, the binary lies in TARGET/PROFILE.
    let test = std::env::current_exe().unwrap_or_default();
    let Some(folder) = test.parent().and_then(Path::parent) else {
        fail("the test does not run from cargo's target folder");
    };
    let binary = folder
        .join("matih")
        .with_extension(std::env::consts::EXE_EXTENSION);
    if !is_fresh(&binary, &folder.join("matih.d")) {
        build(folder);
    }
    binary
}

fn build(folder: &Path) {
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    // With `--workspace` the dependencies have the features of `cargo test --workspace`, so most
    // of them are there already.
    let built = cargo()
        .args(["build", "--quiet", "--locked", "--workspace"])
        .args(["--bin", "matih"])
        .args(["--profile", profile])
        .status();
    match built {
        Ok(status) if status.success() => {}
        Ok(status) => fail(&format!("cargo build of matih: {status}")),
        Err(error) => fail(&format!("cargo build of matih: {error}")),
    }
}

/// Whether the binary is newer than every file that cargo's list says it was built from.
fn is_fresh(binary: &Path, list: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let (Some(built), Ok(list)) = (modified(binary), fs::read_to_string(list)) else {
        return false;
    };
    let older = |time: SystemTime| time <= built;
    let lock = workspace_root().join("Cargo.lock");
    modified(&lock).is_some_and(older)
        && inputs(&list).all(|path| modified(Path::new(&path)).is_some_and(older))
}

/// The files of a line of cargo's `TARGET: FILE FILE …`, where a space in a name is `\ `.
fn inputs(list: &str) -> impl Iterator<Item = String> {
    let (_, files) = list.split_once(": ").unwrap_or_default();
    let mut names = vec![String::new()];
    for part in files.trim_end().split(' ') {
        if let Some(name) = names.last_mut().filter(|name| name.ends_with('\\')) {
            name.pop();
            *name = format!("{name} {part}");
        } else {
            names.push(part.to_owned());
        }
    }
    names.into_iter().skip(1)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_binary_older_than_a_source_is_stale() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["main.rs", "a b.rs", "matih"] {
            fs::write(at(name), "").unwrap();
        }
        let spaced = at("a b.rs").display().to_string().replace(' ', "\\ ");
        fs::write(
            at("matih.d"),
            format!("matih: {} {spaced}\n", at("main.rs").display()),
        )
        .unwrap();
        let later = |hours: u64| SystemTime::now() + Duration::from_secs(3600 * hours);
        let touch = |name: &str, time| File::open(at(name)).unwrap().set_modified(time).unwrap();

        touch("matih", later(1));
        assert!(is_fresh(&at("matih"), &at("matih.d")));
        touch("a b.rs", later(2));
        assert!(!is_fresh(&at("matih"), &at("matih.d")));
        assert!(!is_fresh(&at("missing"), &at("matih.d")));
    }
}
