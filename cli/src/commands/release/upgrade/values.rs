//! What an upgrade sets, read from the command line and its files.

use std::path::Path;

use matih_model::{Attributes, Value};

use crate::args::ReleaseUpgradeArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::installation::Installation;
use crate::work::release::{Override, assignment, merge, with_digests};

/// Reads all of it; a later file is laid over an earlier one, and `--set` over all of them.
///
/// # Errors
/// A file cannot be read, or says nothing that can be set.
pub(super) fn read(
    args: &ReleaseUpgradeArgs,
    installation: &Installation,
) -> Result<Override, Failure> {
    let digest = installation.secret_digest();
    let mut values = Attributes::new();
    for path in &args.values {
        values = merge(&values, &file(path)?);
    }
    let values = match with_digests(&Value::Map(values), &digest) {
        Value::Map(values) => values,
        _ => Attributes::new(),
    };
    let mut set = Vec::new();
    for text in &args.set {
        let (path, value) = assignment(text)?;
        set.push((path, with_digests(&value, &digest)));
    }
    Ok(Override {
        version: args.version.clone(),
        values,
        set,
        description: args.description.clone(),
    })
}

/// TOML by the name of the file, else YAML, which JSON is too.
fn file(path: &Path) -> Result<Attributes, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
    let is_toml = path.extension().is_some_and(|it| it == "toml");
    let json: Result<serde_json::Value, String> = if is_toml {
        toml::from_str(&text).map_err(|error| error.to_string())
    } else {
        serde_saphyr::from_str(&text).map_err(|error| error.to_string())
    };
    let json = json.map(|json| {
        if json.is_null() {
            serde_json::json!({})
        } else {
            json
        }
    });
    let values =
        json.and_then(|json| serde_json::from_value(json).map_err(|error| error.to_string()));
    values.map_err(|cause: String| {
        let message = format!(
            "{} holds no values: {cause}. Nothing was changed.",
            path.display()
        );
        Failure::new(Exit::Invalid, message)
            .hint("a table of values; a number with a fraction is written as text")
    })
}
