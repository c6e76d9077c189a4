//! How long it takes to read the blueprint, and to compile a tenant with it.
//!
//! `cargo bench -p matih-specs` prints one line each: the middle of a hundred runs.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use matih_model::{Catalog, KindSchema};
use matih_specs::{Blueprint, PlatformFile, compile, parse_tenant};

#[derive(serde::Deserialize)]
struct Kinds {
    kind: Vec<KindSchema>,
}

fn main() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut schemas = Vec::new();
    for entry in home.join("../providers/kinds").read_dir().unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        schemas.extend(toml::from_str::<Kinds>(&text).unwrap().kind);
    }
    let catalog = Catalog::new(schemas).unwrap();
    measure("blueprint", || Blueprint::embedded().unwrap());
    let blueprint = Blueprint::embedded().unwrap();
    let platform = PlatformFile::default();
    for name in ["free", "starter", "acme", "enterprise"] {
        let file = format!("{name}.toml");
        let text = std::fs::read_to_string(home.join("examples").join(&file)).unwrap();
        let parsed = parse_tenant(&file, &text).unwrap();
        let run = || compile(&parsed, &platform, &blueprint, &catalog, &|_| None).unwrap();
        let resources = run().graph.resources().len();
        measure(&format!("{name}, {resources} resources"), run);
    }
}

#[expect(clippy::disallowed_methods, reason = "a measurement is about time")]
fn measure<T>(what: &str, run: impl Fn() -> T) {
    let mut times: Vec<Duration> = (0..100)
        .map(|_| {
            let start = Instant::now();
            black_box(run());
            start.elapsed()
        })
        .collect();
    times.sort();
    println!("{what}: {:.2?}", times[50]);
}
