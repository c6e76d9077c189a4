//! The built-in blueprint on the example specs, held against the kinds that the providers have.

use std::path::Path;

use matih_model::{Catalog, Digest, KindSchema};
use matih_specs::{Blueprint, Compiled, Parsed, PlatformFile, compile, parse_tenant};

#[derive(serde::Deserialize)]
struct Kinds {
    kind: Vec<KindSchema>,
}

/// The kinds as the providers' tables have them.
fn catalog() -> Catalog {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../providers/kinds");
    let mut schemas = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        schemas.extend(toml::from_str::<Kinds>(&text).unwrap().kind);
    }
    Catalog::new(schemas).unwrap()
}

fn example(name: &str) -> Parsed {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name);
    let text = std::fs::read_to_string(path).unwrap();
    parse_tenant(name, &text).unwrap_or_else(|findings| panic!("{findings}"))
}

fn compiled(parsed: &Parsed) -> Compiled {
    let blueprint = Blueprint::embedded().unwrap_or_else(|findings| panic!("{findings}"));
    let digest = |secret: &matih_model::SecretRef| Some(Digest::of("test", &secret));
    compile(
        parsed,
        &PlatformFile::default(),
        &blueprint,
        &catalog(),
        &digest,
    )
    .unwrap_or_else(|findings| panic!("{findings}"))
}

#[test]
fn every_example_compiles() {
    for name in ["acme.toml", "enterprise.toml", "free.toml", "starter.toml"] {
        let compiled = compiled(&example(name));
        println!("{name} {}", compiled.graph.resources().len());
    }
}
