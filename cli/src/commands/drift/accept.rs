//! `--accept`: the differences are nobody's business from now on.
//!
//! Each attribute that differs goes into a `[[lifecycle]]` block of the spec as `ignore_changes`.
//! Nothing finer is tried: an attribute comes from a template of the blueprint, and there is no
//! way back from what a template made to the field that it was made from. What is missing cannot
//! be ignored, nor can what bears no mark, so it is only told.

use std::path::Path;

use matih_model::{AttributePath, ResourceName};
use matih_planner::Drift;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};

use super::Seen;
use crate::args::DriftArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::tenants;

/// Runs it for the specs that were named.
pub(super) fn run(context: &Context, args: &DriftArgs, all: &[Seen]) -> Outcome {
    let mut exit = Exit::Ok;
    for seen in all.iter().filter(|seen| !seen.in_sync()) {
        let tenant = &seen.tenant;
        let spec = args.tenants.iter().find(|word| {
            Path::new(word).is_file() && tenants::named(word).is_ok_and(|named| named == *tenant)
        });
        let Some(spec) = spec else {
            let failure =
                Failure::usage(format!("To accept the drift of {tenant}, name its spec."));
            return Err(failure.hint("matih drift SPEC --accept"));
        };
        let ignored = differences(seen);
        let count: usize = ignored.iter().map(|(_, paths)| paths.len()).sum();
        let path = Path::new(spec);
        let text =
            std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
        let edited = ignore(&text, &ignored)
            .map_err(|cause| Failure::new(Exit::Invalid, format!("{spec}: {cause}")))?;
        std::fs::write(path, edited).map_err(|error| Failure::file("written", path, &error))?;
        context
            .screen
            .print(&format!("{spec} now ignores {count} differences.\n"));
        let [_, _, missing, unknown, unmanaged] = seen.counts();
        if missing + unknown + unmanaged > 0 {
            exit = exit.worst(Exit::Error);
            context.screen.warn(&format!(
                "{missing} missing, {unmanaged} unmanaged and {unknown} unknown objects cannot be ignored"
            ));
        }
        let unmarked = seen.count(|it| matches!(it, Drift::Unmarked));
        if unmarked > 0 {
            context.screen.warn(&format!(
                "{unmarked} objects bear no mark of ours, which cannot be ignored: the next apply puts it back"
            ));
        }
        context.screen.say(&format!("Next: matih apply {spec}"));
    }
    Ok(exit)
}

fn differences(seen: &Seen) -> Vec<(ResourceName, Vec<AttributePath>)> {
    let changed = seen
        .report
        .resources
        .iter()
        .filter_map(|(address, drift)| match drift {
            Drift::Changed { attributes } => {
                let paths = attributes.iter().map(|it| it.path.clone()).collect();
                Some((address.resource_name(), paths))
            }
            _ => None,
        });
    changed.collect()
}

/// The spec with these paths ignored; a block of the same address is extended.
fn ignore(text: &str, ignored: &[(ResourceName, Vec<AttributePath>)]) -> Result<String, String> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| error.to_string())?;
    let blocks = document
        .entry("lifecycle")
        .or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()))
        .as_array_of_tables_mut()
        .ok_or("`lifecycle` is not a list of tables")?;
    for (name, paths) in ignored {
        let name = name.to_string();
        let same = |table: &Table| table.get("address").and_then(Item::as_str) == Some(&name);
        let place = blocks.iter().position(same);
        let place = place.unwrap_or_else(|| {
            let mut table = Table::new();
            table.insert("address", value(name.as_str()));
            blocks.push(table);
            blocks.len() - 1
        });
        let Some(table) = blocks.get_mut(place) else {
            continue;
        };
        let list = table
            .entry("ignore_changes")
            .or_insert_with(|| value(Array::new()))
            .as_array_mut()
            .ok_or("`ignore_changes` is not a list")?;
        for path in paths.iter().map(ToString::to_string) {
            if !list.iter().any(|known| known.as_str() == Some(&path)) {
                list.push(path);
            }
        }
    }
    let edited = document.to_string();
    matih_specs::format("", &edited).map_err(|findings| findings.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_added_once_and_then_extended() {
        let name: ResourceName = "dns.record/app".parse().unwrap();
        let path = |text: &str| text.parse::<AttributePath>().unwrap();
        let once = ignore("[tenant]\n", &[(name.clone(), vec![path("ttl")])]).unwrap();
        assert_eq!(
            once,
            "[tenant]\n\n[[lifecycle]]\naddress = \"dns.record/app\"\nignore_changes = [\"ttl\"]\n"
        );
        let twice = ignore(&once, &[(name, vec![path("ttl"), path("values")])]).unwrap();
        assert!(
            twice.contains("ignore_changes = [\"ttl\", \"values\"]"),
            "{twice}"
        );
        assert_eq!(twice.matches("[[lifecycle]]").count(), 1);
    }
}
