//! What the tests of the blueprint share.

use std::path::{Path, PathBuf};

use matih_model::{Attributes, Catalog, Digest, KindSchema, SecretRef, Value};
use matih_specs::{Blueprint, Compiled, Diagnostics, Parsed, PlatformFile, compile, parse_tenant};

/// The examples, by file name without its end.
pub(crate) const EXAMPLES: [&str; 4] = ["acme", "enterprise", "free", "starter"];

#[derive(serde::Deserialize)]
struct Kinds {
    kind: Vec<KindSchema>,
}

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The kinds as the tables of the providers have them.
pub(crate) fn catalog() -> Catalog {
    let mut schemas = Vec::new();
    for entry in home().join("../providers/kinds").read_dir().unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        schemas.extend(toml::from_str::<Kinds>(&text).unwrap().kind);
    }
    Catalog::new(schemas).unwrap()
}

/// A spec that has no findings.
pub(crate) fn parsed(text: &str) -> Parsed {
    parse_tenant("spec.toml", text).unwrap_or_else(|findings| panic!("{findings}"))
}

/// An example.
pub(crate) fn example(name: &str) -> Parsed {
    let path = home().join("examples").join(format!("{name}.toml"));
    parsed(&std::fs::read_to_string(path).unwrap())
}

/// The built-in blueprint.
pub(crate) fn blueprint() -> Blueprint {
    Blueprint::embedded().unwrap_or_else(|findings| panic!("{findings}"))
}

/// Compiles with a blueprint of one's own.
pub(crate) fn compile_with(
    parsed: &Parsed,
    blueprint: &Blueprint,
) -> Result<Compiled, Diagnostics> {
    let digest = |secret: &SecretRef| Some(Digest::of("test", &secret));
    compile(
        parsed,
        &PlatformFile::default(),
        blueprint,
        &catalog(),
        &digest,
    )
}

/// Compiles with the built-in blueprint.
pub(crate) fn compiled(parsed: &Parsed) -> Compiled {
    compile_with(parsed, &blueprint()).unwrap_or_else(|findings| panic!("{findings}"))
}

/// A spec of a tier, size and cloud with all modules that the tier may have.
pub(crate) fn spec(slug: &str, tier: &str, size: &str, cloud: &str) -> String {
    let modules = match tier {
        "FREE" => "",
        _ => "[modules]\nml = true\ndata_platform = true\n",
    };
    let credentials = match (tier, cloud) {
        ("FREE" | "STARTER", _) => "",
        (_, "azure") => {
            "[infrastructure.credentials]\n\
             client_id = \"3f1c9a52-7b1e-4c0d-9a54-2f6f2d1b8e10\"\n\
             client_secret = { secret = \"acme/azure\" }\n\
             azure_tenant_id = \"8d4b6a1f-0c2e-4f57-b3a9-61d0e7c4f215\"\n\
             subscription_id = \"c27e5b90-4d3a-49f6-8e12-9b7a0f3d6c48\"\n"
        }
        (_, "aws") => {
            "[infrastructure.credentials]\n\
             role_arn = \"arn:aws:iam::123456789012:role/matih\"\n\
             external_id = \"matih-7f3a9c21\"\n\
             account_id = \"123456789012\"\n"
        }
        _ => {
            "[infrastructure.credentials]\n\
             project_id = \"acme-data-4711\"\n\
             workload_identity_provider = \"projects/471100/locations/global/workloadIdentityPools/matih/providers/matih\"\n\
             service_account_email = \"matih@acme-data-4711.iam.gserviceaccount.com\"\n"
        }
    };
    format!(
        "[tenant]\nname = \"Test\"\nslug = \"{slug}\"\ntier = \"{tier}\"\n\
         admin_email = \"ada@acme.example\"\n\n\
         [infrastructure]\nprovider = \"{cloud}\"\nresource_tier = \"{size}\"\n{credentials}\n{modules}"
    )
}

/// The value at a path of keys.
pub(crate) fn at<'a>(attributes: &'a Attributes, path: &str) -> Option<&'a Value> {
    path.parse::<matih_model::AttributePath>()
        .unwrap()
        .find(attributes)
}

/// The text at a path of keys.
pub(crate) fn text_of<'a>(attributes: &'a Attributes, path: &str) -> &'a str {
    at(attributes, path)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no text at {path}"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a switch for people who run this test, not for specs"
)]
fn update_golden() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

fn golden_path(name: &str) -> PathBuf {
    home().join("tests/golden").join(name)
}

/// Holds a text against the one that was seen to be right.
pub(crate) fn golden(name: &str, text: &str) {
    let path = golden_path(name);
    if update_golden() {
        return std::fs::write(&path, text).unwrap();
    }
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = before.lines().zip(text.lines()).position(|(a, b)| a != b);
    assert!(
        before == text,
        "{name} differs from line {:?} on",
        differs.map(|line| line + 1)
    );
}
