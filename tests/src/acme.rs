//! The tenant that the process tests provision: acme of `specs/examples`, in a world that answers
//! at once.

use crate::{Sandbox, fail, workspace_root};

/// The tenant's slug.
pub const ACME: &str = "acme";

/// The platform file of the process tests: no call takes time, so that only matih does.
const PLATFORM: &str = "[providers.simulated]\nlatency = \"none\"\n";

/// A spec of `specs/examples`, by its name without `.toml`.
#[must_use]
#[track_caller]
pub fn example(name: &str) -> String {
    let path = workspace_root()
        .join("specs/examples")
        .join(name)
        .with_extension("toml");
    match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => fail(&format!("{}: {error}", path.display())),
    }
}

/// A sandbox with `acme.toml` and a platform file; nothing is applied.
#[must_use]
#[track_caller]
pub fn written() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("matih.toml", PLATFORM);
    sandbox.write("acme.toml", &example("acme"));
    sandbox
}

/// The same, applied.
#[must_use]
#[track_caller]
pub fn applied() -> Sandbox {
    let sandbox = written();
    let _ = sandbox.run(APPLY).exits(0);
    sandbox
}

/// Edits the spec so that the next apply creates, updates and deletes: one module goes, quotas
/// and replicas double, a limit and a policy change.
#[track_caller]
pub fn edit(sandbox: &Sandbox) {
    let mut spec = sandbox.read("acme.toml");
    for (old, new) in [
        ("resource_tier = \"medium\"", "resource_tier = \"large\""),
        ("\nml = true", "\nml = false"),
        ("max_users = 25", "max_users = 30"),
        ("mfa = \"required\"", "mfa = \"optional\""),
        ("name = \"orders\"", "name = \"sales\""),
    ] {
        assert!(spec.contains(old), "acme.toml has no {old}");
        spec = spec.replace(old, new);
    }
    sandbox.write("acme.toml", &spec);
}

/// Brings acme to its spec.
pub const APPLY: &[&str] = &[
    "apply",
    "acme.toml",
    "--auto-approve",
    "--allow-data-loss",
    "all",
];
/// Takes all of acme down.
pub const DESTROY: &[&str] = &[
    "destroy",
    ACME,
    "--auto-approve",
    "--allow-data-loss",
    "all",
];
/// Brings acme back to its first snapshot.
pub const ROLLBACK: &[&str] = &[
    "rollback",
    ACME,
    "--to",
    "1",
    "--auto-approve",
    "--allow-data-loss",
    "all",
];
/// Empty when acme is as its spec says.
pub const PLAN: &[&str] = &["plan", "acme.toml"];
/// Empty when nothing of acme is left.
pub const PLAN_DESTROY: &[&str] = &["plan", "acme.toml", "--destroy"];
