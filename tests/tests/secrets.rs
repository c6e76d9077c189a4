//! Secrets: a value that is planted in every secret field is nowhere to be found afterwards, and
//! one that is leaked on purpose is.

use std::collections::BTreeSet;

use matih_model::Digest;
use matih_tests::acme::{self, ACME, APPLY, DESTROY};
use matih_tests::canary::{Canary, scan_bytes, scan_folder};
use matih_tests::crash::FAILPOINT;
use matih_tests::seed::Seed;
use matih_tests::{Output, Running, Sandbox};
use regex::Regex;

/// Where the installation's key is kept.
const KEY: &str = ".matih/secret.key";
/// The secret fields of acme, and where each of them is to be kept.
const FIELDS: &[(&str, &str)] = &[
    ("acme/azure-client-secret", "env = \"ACME_AZURE\""),
    ("acme/orders-password", "file = \"secrets/orders\""),
    ("acme/warehouse-password", "env = \"ACME_WAREHOUSE\""),
    ("acme/events-access-key", "file = \"secrets/events\""),
    ("acme/oidc-client-secret", "env = \"ACME_OIDC\""),
];

/// A sandbox whose secrets are canaries.
struct Planted {
    sandbox: Sandbox,
    canaries: Vec<Canary>,
    seed: Seed,
    /// All that was ever printed.
    printed: String,
}

impl Planted {
    fn new() -> Self {
        let sandbox = acme::written();
        let mut spec = sandbox.read("acme.toml");
        for (name, place) in FIELDS {
            let stored = format!("secret = \"{name}\"");
            assert!(spec.contains(&stored), "acme.toml has no {stored}");
            spec = spec.replace(&stored, place);
        }
        sandbox.write("acme.toml", &spec);
        let mut planted = Self {
            sandbox,
            canaries: Vec::new(),
            seed: Seed::new(200),
            printed: String::new(),
        };
        planted.sandbox.set_env("MATIH_LOG", "trace");
        planted.plant();
        planted
    }

    /// Gives every field a new value; the old ones stay searched for.
    fn plant(&mut self) {
        for (name, place) in FIELDS {
            let canary = Canary::new(name, &mut self.seed);
            match place.split_once(" = ") {
                Some(("env", variable)) => {
                    self.sandbox
                        .set_env(variable.trim_matches('"'), canary.value());
                }
                Some(("file", path)) => self.sandbox.write(path.trim_matches('"'), canary.value()),
                _ => panic!("{place}"),
            }
            self.canaries.push(canary);
        }
    }

    /// The installation's key, and what is derived from it for a name of the embedded store.
    fn plant_derived(&mut self) {
        let key = self.sandbox.read(KEY);
        let bytes: Digest = key.trim().parse().unwrap();
        let store = Digest::keyed(bytes.as_bytes(), b"matih secret store v1");
        let pull = Digest::keyed(store.as_bytes(), b"platform/registry");
        self.canaries
            .push(Canary::of("the installation's key", key.trim()));
        self.canaries
            .push(Canary::of("platform/registry", &pull.to_string()));
    }

    fn run(&mut self, words: &[&str]) -> Output {
        let output = self.sandbox.run(words);
        self.printed += &output.to_string();
        output
    }

    /// Fails if any canary is in any file, or in anything that was printed.
    #[track_caller]
    fn assert_unseen(&self) {
        let keepers = ["secrets/orders", "secrets/events", KEY];
        let (files, mut found) = scan_folder(self.sandbox.folder(), &self.canaries, &keepers);
        found.extend(scan_bytes(
            "what was printed",
            self.printed.as_bytes(),
            &self.canaries,
        ));
        assert!(found.is_empty(), "{}", found.join("\n"));
        assert!(files >= 4, "only {files} files were there to be searched");
    }
}

/// The command lines of a process and its children, as anyone on the machine may read them.
fn command_lines(pid: u32) -> Vec<u8> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let mut all = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    for child in children
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
    {
        all.extend(command_lines(child));
    }
    all
}

#[test]
fn a_whole_life_shows_no_secret() {
    let mut planted = Planted::new();
    for words in [
        &["validate", "acme.toml"][..],
        &["plan", "acme.toml", "--detail"],
        &["plan", "acme.toml", "--out", "acme.plan", "-o", "json"],
        &["show", "acme.plan", "-o", "json"],
        &["graph", "acme.toml", "-o", "json"],
    ] {
        let _ = planted.run(words).exits(0);
    }
    let crashed = {
        let mut command = planted.sandbox.command(APPLY);
        command.env(FAILPOINT, "boundary:200=kill");
        Running::start(&planted.sandbox, command, "crashed").finish()
    };
    assert_eq!(crashed.status, None, "{crashed}");
    planted.plant_derived();
    planted.assert_unseen();

    let mut apply = Running::start(&planted.sandbox, planted.sandbox.command(APPLY), "apply");
    let mut lines = BTreeSet::new();
    while apply.is_running() {
        lines.insert(command_lines(apply.pid()));
    }
    let _ = apply.finish().exits(0);
    assert!(
        lines.iter().any(|line| !line.is_empty()),
        "no command line was seen"
    );
    for line in lines {
        assert_eq!(
            scan_bytes("a command line", &line, &planted.canaries),
            [""; 0]
        );
    }
    planted.assert_unseen();
    inspect(&mut planted);
    planted.plant();
    let changed = planted.run(&["plan", "acme.toml", "--detail", "--detailed-exitcode"]);
    assert_eq!(
        changed.status,
        Some(2),
        "new secrets are no change: {changed}"
    );
    let _ = planted.run(APPLY).exits(0);
    inspect(&mut planted);
    let _ = planted.run(DESTROY).exits(0);
    planted.assert_unseen();
}

/// Asks everything that shows what is recorded or what is there, and makes drift and a fault.
fn inspect(planted: &mut Planted) {
    for words in [
        &["--tenant", ACME, "state", "list", "-o", "json"][..],
        &["snapshot", "show", "--tenant", ACME, "-o", "json"],
        &["history", ACME, "-o", "json"],
        &["status", ACME, "-o", "json"],
        &["state", "verify", "-o", "json"],
        &["state", "backup", "backup.db"],
        &["sandbox", "ls", "-o", "json"],
        &[
            "sandbox",
            "edit",
            "acme/tenant.record/tenant",
            "name=drifted",
        ],
        &["drift", ACME, "-o", "json"],
        &["drift", ACME],
        &[
            "diff",
            "--tenant",
            ACME,
            "--live",
            "-o",
            "json",
            "--exit-zero",
        ],
    ] {
        let _ = planted.run(words).exits(0);
    }
    let listing = planted
        .sandbox
        .run(&["--tenant", ACME, "state", "list", "-o", "json"])
        .stdout;
    let address = Regex::new(r#""address": ?"([^"]+)""#).unwrap();
    for found in address.captures_iter(&listing).step_by(24) {
        let _ = planted
            .run(&["state", "show", &found[1], "-o", "json"])
            .exits(0);
        let _ = planted
            .run(&["sandbox", "show", &found[1], "-o", "json"])
            .exits(0);
    }
    planted.assert_unseen();
    std::fs::remove_file(planted.sandbox.path("backup.db")).unwrap();
}

#[test]
fn a_leak_on_purpose_is_found_in_every_coding() {
    let mut planted = Planted::new();
    let spec = planted.sandbox.read("acme.toml");
    let canary = planted.canaries[0].clone();
    let wish = "description = \"Sales and supply chain analytics of the Acme group.\"";
    assert!(spec.contains(wish));
    // The coding of JSON is what becomes of the raw value in the state.
    let codings = canary
        .codings()
        .into_iter()
        .filter(|(coding, _)| *coding != "json");
    for (coding, leak) in codings {
        let fresh = planted.sandbox.fork();
        let leaky = format!("description = '{leak}'");
        fresh.write("acme.toml", &spec.replace(wish, &leaky));
        let _ = fresh.run(APPLY).exits(0);
        std::fs::remove_file(fresh.path("acme.toml")).unwrap();
        let (_, found) = scan_folder(fresh.folder(), std::slice::from_ref(&canary), &[]);
        // Only this coding was leaked, so every finding is of it; JSON escapes a quote in it.
        let in_state = |line: &String| line.contains("state.db");
        assert!(
            found.iter().any(in_state),
            "{coding} was leaked and only found in {found:?}"
        );
    }
    let printed = planted.run(&["validate", "acme.toml"]).to_string();
    assert_eq!(
        scan_bytes("what was printed", printed.as_bytes(), &planted.canaries),
        [""; 0]
    );
}
