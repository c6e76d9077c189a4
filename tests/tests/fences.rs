//! The fences of the house: who may name what.
//!
//! The crates' manifests say which crate may be named where, so most fences are read from
//! `cargo metadata`. What a manifest cannot say (a clock in a pure crate, a file that grows into a
//! drawer) is read from the sources. `clippy.toml` in each pure crate holds the same line while
//! one types; this test also holds those files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use matih_tests::source::{Source, tracked};
use matih_tests::workspace_root;
use regex::Regex;
use serde_json::Value;

/// What a crate may name among its `[dependencies]`; dev-dependencies are free.
enum Fence {
    /// Nothing else than these.
    Only(&'static [&'static str]),
    /// Anything but these.
    Not(&'static [&'static str]),
}

/// Each crate's fence. A crate that is not in this table fails the test, so a new crate brings
/// its fence along.
const FENCES: &[(&str, Fence)] = &[
    (
        "matih-model",
        Fence::Only(&["blake3", "serde", "serde_json", "thiserror"]),
    ),
    (
        "matih-planner",
        Fence::Only(&["matih-model", "petgraph", "serde", "thiserror"]),
    ),
    (
        "matih-specs",
        Fence::Not(&[
            "clap",
            "kube",
            "matih-cli",
            "matih-executor",
            "matih-planner",
            "matih-providers",
            "matih-state",
            "petgraph",
            "reqwest",
            "rusqlite",
            "tokio",
        ]),
    ),
    (
        "matih-state",
        Fence::Not(&[
            "clap",
            "kube",
            "matih-cli",
            "matih-executor",
            "matih-planner",
            "matih-providers",
            "matih-specs",
            "petgraph",
            "reqwest",
            "tokio",
        ]),
    ),
    (
        "matih-providers",
        Fence::Not(&[
            "clap",
            "matih-cli",
            "matih-executor",
            "matih-planner",
            "matih-specs",
            "matih-state",
            "petgraph",
        ]),
    ),
    (
        "matih-executor",
        Fence::Not(&[
            "clap",
            "kube",
            "matih-cli",
            "matih-planner",
            "matih-providers",
            "matih-specs",
            "petgraph",
            "reqwest",
            "rusqlite",
        ]),
    ),
    ("matih-cli", Fence::Not(&["kube", "petgraph", "rusqlite"])),
    // The tests stand outside the house and may look into every room.
    ("matih-tests", Fence::Not(&[])),
];

/// Crates that one place only may name, and that place.
const ONE_PLACE: &[(&str, &[&str])] = &[
    ("petgraph", &["planner/src/order.rs"]),
    ("rusqlite", &["state/", "providers/src/simulated", "tests/"]),
    ("kube", &["providers/", "tests/"]),
    ("clap", &["cli/"]),
];

/// What the pure crates never name: the same input gives the same bytes on any machine.
const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "Instant",
    "SystemTime",
    "tokio",
];

/// Names of files that end up as drawers for everything.
const DRAWERS: &[&str] = &["common.rs", "helpers.rs", "types.rs", "utils.rs"];

/// Lines of one source file without its tests. Files aim at 300.
const LONGEST_FILE: usize = 400;

fn sources() -> Vec<Source> {
    tracked()
        .into_iter()
        .filter(|file| file.path.ends_with(".rs"))
        .collect()
}

/// Fails with the findings, one a line, when there are any.
#[track_caller]
fn assert_none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}\n  {}", findings.join("\n  "));
}

/// The direct `[dependencies]` of every package of the workspace, build scripts' included.
fn direct_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = matih_tests::cargo()
        .args(["metadata", "--format-version", "1", "--locked", "--no-deps"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|dependency| dependency["kind"] != "dev")
                .map(|dependency| text(&dependency["name"]))
                .collect();
            (text(&package["name"]), dependencies)
        })
        .collect()
}

#[test]
fn each_crate_names_only_what_its_fence_lets_in() {
    let mut findings = Vec::new();
    let packages = direct_dependencies();
    for (package, dependencies) in &packages {
        let Some((_, fence)) = FENCES.iter().find(|(name, _)| name == package) else {
            findings.push(format!("{package} has no fence"));
            continue;
        };
        let crosses = |name: &str| match fence {
            Fence::Only(allowed) => !allowed.contains(&name),
            Fence::Not(refused) => refused.contains(&name),
        };
        findings.extend(
            dependencies
                .iter()
                .filter(|dependency| crosses(dependency))
                .map(|dependency| format!("{package} names {dependency}")),
        );
    }
    findings.extend(
        FENCES
            .iter()
            .filter(|(name, _)| !packages.contains_key(*name))
            .map(|(name, _)| format!("{name} has a fence but is no package")),
    );
    assert_none("a crate crosses its fence:", &findings);
}

#[test]
fn heavy_crates_are_named_in_one_place() {
    let mut findings = Vec::new();
    for (name, places) in ONE_PLACE {
        let named = Regex::new(&format!(r"\b{name}::|\buse {name}\b")).unwrap();
        for file in sources() {
            if !places.iter().any(|place| file.path.starts_with(place)) {
                findings.extend(file.code_matching(&named));
            }
        }
    }
    assert_none("a heavy crate is named outside its place:", &findings);
}

#[test]
fn model_and_planner_are_pure() {
    let impure = Regex::new(&format!(r"\b(?:{})\b", IMPURE.join("|"))).unwrap();
    let findings: Vec<String> = sources()
        .iter()
        .filter(|file| {
            ["model/src/", "planner/src/"]
                .iter()
                .any(|at| file.path.starts_with(at))
        })
        .flat_map(|file| file.code_matching(&impure))
        .collect();
    assert_none("a pure crate reaches out:", &findings);
}

#[test]
fn specs_reads_files_in_load_only() {
    let files = Regex::new(r"\bstd::fs\b|\bfs::").unwrap();
    let findings: Vec<String> = sources()
        .iter()
        .filter(|file| file.path.starts_with("specs/src/"))
        .filter(|file| !file.path.starts_with("specs/src/load"))
        .flat_map(|file| file.code_matching(&files))
        .collect();
    assert_none("specs reads a file outside of `load`:", &findings);
}

#[test]
fn files_are_short_and_named_for_what_they_hold() {
    let mut findings = Vec::new();
    for file in sources() {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        if DRAWERS.contains(&name) {
            findings.push(format!("{}: name it for what it holds", file.path));
        }
        let lines = file.lines_without_tests();
        if lines > LONGEST_FILE && !file.is_test() {
            findings.push(format!(
                "{}: {lines} lines, at most {LONGEST_FILE}",
                file.path
            ));
        }
    }
    assert_none("a file has outgrown its name:", &findings);
}

#[test]
fn nothing_names_a_machine_or_a_package_host() {
    // Spelt in halves, so that this file does not name them either.
    let hosts = [
        ("crates", "io"),
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
    ]
    .map(|(name, end)| format!(r"\b{name}\.{end}\b"));
    let machine = ["work", "root", "home", "tmp"]
        .map(|folder| format!(r"(?:^|[\s\x22'=(:]){0}{folder}{0}", "/"));
    let refused = Regex::new(&[hosts.join("|"), machine.join("|")].join("|")).unwrap();
    let findings: Vec<String> = tracked()
        .iter()
        .filter(|file| file.path != "Cargo.lock")
        .flat_map(|file| file.lines_matching(&refused))
        .collect();
    assert_none(
        "a file names a machine's folder or a package host:",
        &findings,
    );
}

#[test]
fn a_crates_clippy_file_keeps_the_roots_settings() {
    // Clippy reads the nearest clippy.toml only, so a crate's own must repeat the root's lines.
    let root = std::fs::read_to_string(workspace_root().join("clippy.toml")).unwrap();
    let mut findings = Vec::new();
    for file in tracked() {
        if Path::new(&file.path)
            .file_name()
            .is_some_and(|name| name == "clippy.toml")
        {
            findings.extend(
                root.lines()
                    .filter(|setting| !file.text.lines().any(|line| line == *setting))
                    .map(|setting| format!("{} lacks `{setting}`", file.path)),
            );
        }
    }
    assert_none("a clippy.toml drops a setting of the workspace:", &findings);
}

#[test]
fn every_crate_keeps_the_workspaces_lints_and_never_panics() {
    const NO_PANIC: &str = "#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]";
    let files = tracked();
    let mut findings = Vec::new();
    // The fuzz targets are a workspace of their own.
    for manifest in files
        .iter()
        .filter(|file| file.path.ends_with("/Cargo.toml"))
        .filter(|file| !file.path.starts_with("tests/fuzz/"))
    {
        if !manifest.text.contains("[lints]\nworkspace = true\n") {
            findings.push(format!("{}: no `[lints] workspace = true`", manifest.path));
        }
    }
    let root = Regex::new(r"^(?:[^/]+)/src/(?:lib|main)\.rs$").unwrap();
    let roots = files.iter().filter(|file| root.is_match(&file.path));
    for root in roots.filter(|file| !file.path.starts_with("tests/")) {
        if !root.text.lines().any(|line| line == NO_PANIC) {
            findings.push(format!("{}: no `{NO_PANIC}`", root.path));
        }
    }
    assert_none("a crate is looser than the workspace:", &findings);
}

#[test]
fn nothing_is_put_off_or_silenced() {
    // Written so that no pattern matches itself.
    let refused = Regex::new(
        r"#!?\[[a]llow\(|#\[[i]gnore|\b(?:T[O]DO|F[I]XME|X[X]X)\b|\b(?:t[o]do|unim[p]lemented)!",
    )
    .unwrap();
    let findings: Vec<String> = tracked()
        .iter()
        .filter(|file| file.path != "Cargo.lock")
        .flat_map(|file| file.lines_matching(&refused))
        .collect();
    assert_none(
        "a lint is silenced, a test skipped, or work put off:",
        &findings,
    );
}
