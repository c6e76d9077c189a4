//! Every story of `tests/scenarios`, each a test of its own name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use matih_tests::scenario;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// One test a story, and the list of them all to hold against the folder.
macro_rules! scenarios {
    ($($name:ident)*) => {
        const TOLD: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                scenario::check(&folder().join(concat!(stringify!($name), ".scn")));
            }
        )*
    };
}

scenarios! {
    bad_spec
    blocks
    destroy
    documents
    drift
    failure
    first_apply
    fleet
    module_off
    record_care
    releases
    releases_failure
    releases_fleet
    replace
    stale_plan
    tier_upgrade
    unread
    update
    version
}

/// The names in the folder with this extension.
fn named(extension: &str) -> BTreeSet<String> {
    std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn every_story_is_told_and_has_its_golden() {
    let told: BTreeSet<String> = TOLD.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(
        named("scn"),
        told,
        "the stories in the folder, and those in `scenarios!`"
    );
    assert_eq!(
        named("out"),
        told,
        "the goldens in the folder, and the stories"
    );
}
