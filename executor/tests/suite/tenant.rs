//! A small tenant with all that matters: a check, references, dependencies, and a second version
//! that creates, updates, replaces and deletes.

use std::collections::BTreeSet;

use matih_model::{
    Attributes, Phase, Resource, ResourceGraph, ResourceName, Tenancy, TenantId, Value,
};

pub(crate) fn acme() -> TenantId {
    TenantId::new("acme").unwrap()
}

/// One resource: `kind/name`, phase, dependencies, and attributes in which `@kind/name#output`
/// stands for a reference.
pub(crate) fn resource(name: &str, phase: u8, depends_on: &[&str], attributes: &str) -> Resource {
    let address = |name: &str| name.parse::<ResourceName>().unwrap().of(&acme());
    let attributes: Attributes = serde_json::from_str(attributes).unwrap();
    Resource {
        address: address(name),
        phase: Phase::new(phase).unwrap(),
        steps: Vec::new(),
        depends_on: depends_on
            .iter()
            .map(|name| address(name))
            .collect::<BTreeSet<_>>(),
        attributes: attributes
            .into_iter()
            .map(|(key, value)| (key, referred(value)))
            .collect(),
        lifecycle: Default::default(),
        retry: Default::default(),
    }
}

fn referred(value: Value) -> Value {
    match value.as_str().and_then(|text| text.strip_prefix('@')) {
        Some(text) => {
            let (name, output) = text.split_once('#').unwrap();
            let name: ResourceName = name.parse().unwrap();
            Value::Ref(matih_model::OutputRef {
                address: name.of(&acme()),
                output: output.into(),
            })
        }
        None => value,
    }
}

pub(crate) fn graph(resources: Vec<Resource>) -> ResourceGraph {
    ResourceGraph::new(acme(), Tenancy::Shared, resources).unwrap()
}

pub(crate) fn record(name: &str, kind: &str, ttl: u32, values: &str) -> Resource {
    let attributes = format!(
        r#"{{"zone":"@dns.zone/zone#name","name":"{name}","type":"{kind}","ttl":{ttl},"values":["{values}"]}}"#
    );
    resource(
        &format!("dns.record/{name}"),
        5,
        &["check.capacity/room"],
        &attributes,
    )
}

fn row(tier: &str) -> Resource {
    let attributes = format!(r#"{{"slug":"acme","name":"Acme","tier":"{tier}"}}"#);
    resource(
        "tenant.record/acme",
        1,
        &["check.capacity/room"],
        &attributes,
    )
}

fn frame(tier: &str, comment: &str, records: Vec<Resource>) -> ResourceGraph {
    let names: Vec<String> = records
        .iter()
        .map(|it| it.address.resource_name().to_string())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let zone = format!(r#"{{"name":"acme.example","comment":"{comment}"}}"#);
    let mut resources = vec![
        resource("check.capacity/room", 0, &[], "{}"),
        row(tier),
        resource("dns.zone/zone", 2, &["tenant.record/acme"], &zone),
        resource(
            "tenant.activation/acme",
            8,
            &names,
            r#"{"tenant_id":"@tenant.record/acme#tenant_id","status":"ACTIVE"}"#,
        ),
        resource(
            "notification.email/welcome",
            8,
            &["tenant.activation/acme"],
            r#"{"to":"ada@acme.example","template":"welcome"}"#,
        ),
    ];
    resources.extend(records);
    graph(resources)
}

/// The first version.
pub(crate) fn first() -> ResourceGraph {
    frame(
        "FREE",
        "one",
        vec![
            record("www", "A", 60, "10.0.0.1"),
            record("api", "A", 60, "10.0.0.2"),
            record("mail", "TXT", 60, "v=spf1"),
        ],
    )
}

/// The second: zone and `www` updated, `mail` replaced, `api` gone, `docs` new.
pub(crate) fn second() -> ResourceGraph {
    frame(
        "STARTER",
        "two",
        vec![
            record("www", "A", 300, "10.0.0.1"),
            record("mail", "MX", 60, "mx.example"),
            record("docs", "CNAME", 60, "www"),
        ],
    )
}
