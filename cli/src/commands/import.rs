//! `matih import`: an object that is already there becomes a record.
//!
//! The spec must have the resource, or gets it with `--write`. What is recorded is what the spec
//! wants of it; where the object is otherwise, the next plan says so.

use std::path::Path;
use std::sync::Arc;

use matih_model::{
    Address, Attributes, Observed, Origin, ReadRequest, Reading, Recorded, RemoteId, Resource, Verb,
};
use matih_state::{CommitRequest, LockedStore, RunOutcome, RunStart, StateError};
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use crate::args::ImportArgs;
use crate::clock::{now_ms, run_id};
use crate::compiler::{Compiler, Desired};
use crate::confirm::{Asking, confirm};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::find;
use crate::installation::{Installation, of_state};
use crate::platform::Platform;
use crate::work::planning::address;
use crate::work::{Settings, Workshop, locked, release, settle_first};

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &ImportArgs) -> Outcome {
    let platform = Arc::new(Platform::load(context)?);
    let compiler = Compiler::new(context, &platform)?;
    let installation = Installation::of(context, platform)?;
    let desired = compiled(context, &compiler, &installation, &args.spec)?;
    let address = address(desired.tenant(), &args.address)?;
    let remote_id = RemoteId::new(&args.remote_id);
    let observed = observed(&installation, &address, &remote_id).await?;
    let desired = match (desired.graph.get(&address), args.write) {
        (Some(_), _) => desired,
        (None, true) => {
            write(&installation, &args.spec, &address, &observed)?;
            context.screen.print(&format!(
                "{} has a [[resource]] block for it now.\n",
                args.spec.display()
            ));
            compiled(context, &compiler, &installation, &args.spec)?
        }
        (None, false) => {
            return Err(
                Failure::error(format!("The spec has no {address}. Nothing was changed."))
                    .hint("declare it, or add --write"),
            );
        }
    };
    let resource = desired.graph.get(&address).ok_or_else(|| {
        Failure::error(format!(
            "{} does not lead to {address}.",
            args.spec.display()
        ))
    })?;
    let question = format!("Record {remote_id} as {address}?");
    confirm(
        &context.screen,
        Asking::new(args.auto_approve, context.global.asks_nobody()),
        &question,
    )?;
    let settings = Settings::of_record(&installation.platform.file)?;
    let work = Workshop::open(context, installation, Asking::Nobody, settings, false)?;
    let run = run_id();
    let mut store = locked(&work, desired.tenant(), &run, "import").await?;
    let done = match settle_first(&work, &mut store).await {
        Ok(_) => record(&mut store, resource, &observed, &desired, &run)
            .map_err(|error| of_state(&error)),
        Err(failure) => Err(failure),
    };
    release(&work, store);
    done?;
    context
        .screen
        .print(&format!("{address} is recorded as {remote_id}.\n"));
    context
        .screen
        .say(&format!("Next: matih plan {}", args.spec.display()));
    Ok(Exit::Ok)
}

fn compiled(
    context: &Context,
    compiler: &Compiler,
    installation: &Installation,
    spec: &Path,
) -> Result<Desired, Failure> {
    let source = find::spec(Some(spec))?;
    compiler.compile_with(context, &source, &installation.secret_digest())
}

/// The object as it is.
async fn observed(
    installation: &Installation,
    address: &Address,
    remote_id: &RemoteId,
) -> Result<Observed, Failure> {
    let provider = installation
        .registry()?
        .provider(&address.kind)
        .ok_or_else(|| {
            Failure::usage(format!("No provider serves kind `{}`.", address.kind))
                .hint("matih explain")
        })?;
    let nothing = Attributes::new();
    let request = [ReadRequest {
        address,
        remote_id: Some(remote_id),
        attributes: &nothing,
        version: None,
    }];
    let readings = provider.read(&request).await;
    let mut readings =
        readings.map_err(|error| Failure::error(format!("{error}. Nothing was changed.")))?;
    match readings.pop() {
        Some(Reading::Present(observed)) => Ok(*observed),
        Some(Reading::Unknown(why)) => Err(Failure::error(format!(
            "{remote_id} could not be read: {why}. Nothing was changed."
        ))),
        _ => Err(Failure::error(format!(
            "There is no {} {remote_id}. Nothing was changed.",
            address.kind
        ))
        .hint("matih sandbox ls lists the objects of the simulated world")),
    }
}

fn record(
    store: &mut LockedStore,
    resource: &Resource,
    observed: &Observed,
    desired: &Desired,
    run: &matih_model::RunId,
) -> Result<(), StateError> {
    let outputs: Vec<_> = store
        .recorded()
        .map(|(at, it)| (at.clone(), it.outputs.clone()))
        .collect();
    let told = |reference: &&matih_model::OutputRef| {
        let of = outputs
            .iter()
            .find(|(address, _)| *address == reference.address);
        of.and_then(|(_, outputs)| outputs.get(&reference.output).cloned())
    };
    let resolved = resource.attributes.refs().into_iter();
    let resolved = resolved.filter_map(|it| told(&it).map(|value| (it.clone(), value)));
    let recorded = Recorded {
        resource: resource.clone(),
        remote_id: observed.remote_id.clone(),
        outputs: observed.outputs.clone(),
        generation: 1,
        resolved: resolved.collect(),
        // Without a token the next plan has to look at every attribute.
        version: None,
        unsettled: false,
    };
    let verb = Verb::Import;
    store.open_run(&RunStart {
        run,
        verb: &verb,
        plan: None,
        command: None,
        now_ms: now_ms(),
    })?;
    let imported = store.import(&[recorded], now_ms());
    let outcome = match &imported {
        Ok(()) => RunOutcome::Succeeded,
        Err(error) => RunOutcome::Failed {
            error: error.to_string(),
        },
    };
    store.commit(&CommitRequest {
        origin: Origin {
            run: run.clone(),
            verb,
        },
        tenancy: desired.graph.tenancy(),
        inputs: None,
        outcome,
        now_ms: now_ms(),
    })?;
    imported
}

/// Adds a `[[resource]]` block with what is set on the object, but for what servers fill in.
fn write(
    installation: &Installation,
    spec: &Path,
    address: &Address,
    observed: &Observed,
) -> Result<(), Failure> {
    let failed =
        |cause: String| Failure::error(format!("{} cannot be edited: {cause}", spec.display()));
    let schema = installation.platform.catalog.get(&address.kind);
    let computed = |name: &str| {
        schema
            .and_then(|schema| schema.attribute(name))
            .is_none_or(|it| it.computed)
    };
    let own: Attributes = observed
        .attributes
        .iter()
        .filter(|(name, _)| !computed(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let text =
        std::fs::read_to_string(spec).map_err(|error| Failure::file("read", spec, &error))?;
    let edited = with_resource(&text, address, &own).map_err(failed)?;
    std::fs::write(spec, edited).map_err(|error| Failure::file("written", spec, &error))
}

fn with_resource(text: &str, address: &Address, attributes: &Attributes) -> Result<String, String> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| error.to_string())?;
    let mut table = Table::new();
    table.insert("kind", value(address.kind.as_str()));
    table.insert("name", value(address.name.as_str()));
    let inline = toml_edit::ser::to_document(attributes).map_err(|error| error.to_string())?;
    table.insert(
        "attributes",
        value(inline.as_table().clone().into_inline_table()),
    );
    document
        .entry("resource")
        .or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()))
        .as_array_of_tables_mut()
        .ok_or("`resource` is not a list of tables")?
        .push(table);
    let edited = document.to_string();
    matih_specs::format("", &edited).map_err(|findings| findings.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_added_with_the_objects_attributes() {
        let address: Address = "acme/dns.record/www".parse().unwrap();
        let attributes: Attributes =
            serde_json::from_str(r#"{"ttl":60,"values":["a"],"deep":{"x":true}}"#).unwrap();
        let text = with_resource("[tenant]\nslug = \"acme\"\n", &address, &attributes).unwrap();
        assert_eq!(
            text,
            "[tenant]\nslug = \"acme\"\n\n[[resource]]\nkind = \"dns.record\"\nname = \"www\"\nattributes = { deep = { x = true }, ttl = 60, values = [\"a\"] }\n"
        );
    }
}
