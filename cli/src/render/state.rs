//! Records and snapshots.

use std::fmt::Write;

use matih_model::{Catalog, Recorded, Snapshot};
use serde_json::{Value, json};

use super::style::{STRONG, paint};
use super::table::Table;
use super::value::{block, masked};

/// Records one a line.
pub(crate) fn list(records: &[(&Snapshot, &Recorded)]) -> String {
    let mut table = Table::new(&["ADDRESS", "DIGEST", "GENERATION", "REMOTE ID"]);
    for (_, recorded) in records {
        table.row([
            recorded.resource.address.to_string(),
            recorded.digest().short(),
            recorded.generation.to_string(),
            recorded.remote_id.to_string(),
        ]);
    }
    table.render()
}

/// For programs: `[{address, kind, remote_id, digest, generation, snapshot}]`.
pub(crate) fn list_json(records: &[(&Snapshot, &Recorded)]) -> Value {
    let row = |(snapshot, recorded): &(&Snapshot, &Recorded)| {
        let address = &recorded.resource.address;
        json!({
            "address": address,
            "kind": address.kind,
            "remote_id": recorded.remote_id,
            "digest": recorded.digest(),
            "generation": recorded.generation,
            "snapshot": snapshot.id(),
        })
    };
    records.iter().map(row).collect()
}

/// One record with everything but what is sensitive.
pub(crate) fn record(catalog: &Catalog, recorded: &Recorded) -> String {
    let resource = &recorded.resource;
    let schema = catalog.get(&resource.address.kind);
    let mut text = format!("{}\n", paint(STRONG, &resource.address));
    let steps = super::plan::steps(&resource.steps);
    let _ = writeln!(text, "phase: {}", resource.phase);
    if !steps.is_empty() {
        let _ = writeln!(text, "steps: {steps}");
    }
    let _ = writeln!(text, "remote id: {}", recorded.remote_id);
    let _ = writeln!(text, "generation: {}", recorded.generation);
    let _ = writeln!(text, "digest: {}", recorded.digest());
    if recorded.unsettled {
        let _ = writeln!(
            text,
            "unsettled: the outcome of its last update is not known"
        );
    }
    for needed in resource.dependencies() {
        let _ = writeln!(text, "needs: {needed}");
    }
    let _ = write!(
        text,
        "\n{}\n{}",
        paint(STRONG, "attributes"),
        block(&masked(schema, &recorded.applied()))
    );
    if !recorded.outputs.is_empty() {
        let _ = write!(
            text,
            "\n{}\n{}",
            paint(STRONG, "outputs"),
            block(&recorded.outputs)
        );
    }
    text
}

/// One record for programs, sensitive values masked.
pub(crate) fn record_json(catalog: &Catalog, recorded: &Recorded) -> Value {
    let resource = &recorded.resource;
    let schema = catalog.get(&resource.address.kind);
    json!({
        "address": resource.address,
        "kind": resource.address.kind,
        "phase": resource.phase,
        "steps": resource.steps,
        "depends_on": resource.dependencies(),
        "remote_id": recorded.remote_id,
        "generation": recorded.generation,
        "digest": recorded.digest(),
        "unsettled": recorded.unsettled,
        "attributes": masked(schema, &recorded.applied()),
        "outputs": recorded.outputs,
    })
}

/// A snapshot: where it comes from and what it holds.
pub(crate) fn snapshot(snapshot: &Snapshot) -> String {
    let mut text = format!(
        "{} #{} of {}\nid: {}\n",
        paint(STRONG, "Snapshot"),
        snapshot.serial(),
        snapshot.tenant(),
        snapshot.id()
    );
    if let Some(parent) = snapshot.parent() {
        let _ = writeln!(text, "parent: {parent}");
    }
    let _ = writeln!(
        text,
        "made by: {} ({})",
        snapshot.origin().verb,
        snapshot.origin().run
    );
    let _ = writeln!(text, "tenancy: {}", snapshot.tenancy());
    let records: Vec<_> = snapshot
        .resources()
        .values()
        .map(|it| (snapshot, &**it))
        .collect();
    let _ = write!(text, "\n{}", list(&records));
    text
}

/// A snapshot for programs.
pub(crate) fn snapshot_json(catalog: &Catalog, snapshot: &Snapshot) -> Value {
    let records = snapshot
        .resources()
        .values()
        .map(|it| record_json(catalog, it));
    json!({
        "tenant": snapshot.tenant(),
        "serial": snapshot.serial(),
        "id": snapshot.id(),
        "parent": snapshot.parent(),
        "run": snapshot.origin().run,
        "verb": snapshot.origin().verb.to_string(),
        "tenancy": snapshot.tenancy(),
        "resources": records.collect::<Vec<_>>(),
    })
}
