//! The built-in blueprint on the example specs, held against the kinds that the providers have.
//!
//! The files in `tests/golden` show what the examples come to; run with `UPDATE_GOLDEN=1` to write
//! them anew, and read the difference.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::LazyLock;

use crate::fixture::{
    EXAMPLES, at, blueprint, catalog, compile_with, compiled, example, golden, parsed, spec,
    text_of,
};
use matih_model::{Attributes, Digest, Phase, Resource, Tenancy, Value};
use matih_specs::{Compiled, PlatformFile, Quantity, StepStatus, compile, parse_platform};

const TIERS: [&str; 4] = ["FREE", "STARTER", "PROFESSIONAL", "ENTERPRISE"];
const SIZES: [&str; 3] = ["small", "medium", "large"];
const CLOUDS: [&str; 3] = ["azure", "aws", "gcp"];

/// Every tier, size and cloud, with as many modules as the tier may have and the longest slug.
static EVERYTHING: LazyLock<Vec<(String, Compiled)>> = LazyLock::new(|| {
    let blueprint = blueprint();
    let mut all = Vec::new();
    for tier in TIERS {
        // FREE has one size.
        for size in SIZES
            .into_iter()
            .filter(|size| tier != "FREE" || *size == "medium")
        {
            for cloud in CLOUDS {
                let what = format!("{tier} {size} {cloud}");
                let parsed = parsed(&spec("a-slug-that-is-as-long-as-it-can", tier, size, cloud));
                let compiled = compile_with(&parsed, &blueprint)
                    .unwrap_or_else(|findings| panic!("{what}: {findings}"));
                all.push((what, compiled));
            }
        }
    }
    all
});

fn resource<'a>(compiled: &'a Compiled, name: &str) -> &'a Resource {
    let resources = compiled.graph.resources().values();
    let mut named = resources.filter(|it| it.address.resource_name().to_string() == name);
    named.next().unwrap_or_else(|| panic!("there is no {name}"))
}

fn releases(compiled: &Compiled) -> impl Iterator<Item = &Resource> {
    let resources = compiled.graph.resources().values();
    resources
        .map(AsRef::as_ref)
        .filter(|it| it.address.kind.as_str() == "helm.release")
}

fn manifests(compiled: &Compiled) -> impl Iterator<Item = &Resource> {
    let resources = compiled.graph.resources().values();
    resources
        .map(AsRef::as_ref)
        .filter(|it| it.address.kind.as_str() == "kubernetes.manifest")
}

/// The graph without attributes, by phase and name.
fn listing(compiled: &Compiled) -> String {
    let graph = &compiled.graph;
    let mut text = format!("{} resources\n", graph.resources().len());
    let mut phases = Phase::ALL;
    phases.sort_by_key(|phase| graph.tenancy().rank(*phase));
    for phase in phases {
        writeln!(text, "\nPhase {phase}").unwrap();
        for resource in graph.resources().values().filter(|it| it.phase == phase) {
            let steps: Vec<_> = resource.steps.iter().map(ToString::to_string).collect();
            let name = resource.address.resource_name();
            writeln!(text, "  {name}  [{}]", steps.join(" ")).unwrap();
            for dependency in resource.dependencies() {
                writeln!(text, "    after {}", dependency.resource_name()).unwrap();
            }
        }
    }
    writeln!(text, "\nSteps").unwrap();
    for row in &compiled.steps {
        let status = match &row.status {
            StepStatus::Run if row.resources.len() == 1 => "1 resource".to_owned(),
            StepStatus::Run => format!("{} resources", row.resources.len()),
            StepStatus::Skipped(why) => format!("skipped: {why}"),
        };
        writeln!(text, "  {:>2} {}: {status}", row.number, row.name).unwrap();
    }
    text
}

#[test]
fn the_graph_of_every_example_is_as_before() {
    for name in EXAMPLES {
        let compiled = compiled(&example(name));
        assert!(compiled.warnings.is_empty(), "{}", compiled.warnings);
        golden(&format!("{name}.graph.txt"), &listing(&compiled));
    }
}

#[test]
fn all_attributes_of_acme_are_as_before() {
    let compiled = compiled(&example("acme"));
    let mut text = String::new();
    for resource in compiled.graph.resources().values() {
        let attributes = serde_json::to_string_pretty(&resource.attributes).unwrap();
        writeln!(text, "{} {attributes}\n", resource.address.resource_name()).unwrap();
    }
    golden("acme.attributes.txt", &text);
}

#[test]
fn a_dedicated_tenant_runs_56_steps_and_a_shared_one_50() {
    for (what, compiled) in EVERYTHING.iter() {
        let skipped: Vec<u8> = compiled
            .steps
            .iter()
            .filter(|it| !it.runs())
            .map(|it| it.number.number())
            .collect();
        assert_eq!(compiled.steps.len(), 56);
        match compiled.graph.tenancy() {
            Tenancy::Dedicated => assert!(skipped.is_empty(), "{what}: {skipped:?}"),
            Tenancy::Shared if what.starts_with("STARTER") => {
                assert_eq!(skipped, [49, 50, 51, 52, 53, 54], "{what}");
            }
            Tenancy::Shared => {
                assert_eq!(
                    skipped,
                    [27, 29, 30, 33, 40, 49, 50, 51, 52, 53, 54],
                    "{what}"
                );
            }
        }
        for row in compiled.steps.iter().filter(|row| row.runs()) {
            assert!(
                !row.resources.is_empty(),
                "{what}: step {} does nothing",
                row.number
            );
        }
    }
}

#[test]
fn dependencies_follow_the_order_of_the_phases() {
    // Only step 53 of phase 7 waits for later phases: for the vault and the identity of phase 3.
    for (what, compiled) in EVERYTHING.iter() {
        let graph = &compiled.graph;
        for resource in graph.resources().values() {
            for dependency in resource.dependencies() {
                let before = graph.get(dependency).unwrap().phase;
                let late = graph.tenancy().rank(before) > graph.tenancy().rank(resource.phase);
                let of_53 = resource.steps.iter().any(|step| step.number() == 53);
                assert!(
                    !late || of_53,
                    "{what}: {} waits for {dependency}",
                    resource.address
                );
            }
        }
    }
}

/// An amount in thousandths, as Kubernetes reads it.
fn amount(text: &str) -> u128 {
    if text == "0" {
        0
    } else {
        Quantity::new(text).unwrap().millis()
    }
}

fn count(attributes: &Attributes, path: &str) -> u128 {
    at(attributes, path)
        .and_then(Value::as_integer)
        .unwrap()
        .try_into()
        .unwrap()
}

/// Adds up what is rendered, and nothing that the compiler computed on the way.
fn demand(compiled: &Compiled, grown: bool) -> BTreeMap<&'static str, u128> {
    let mut demand = BTreeMap::from([("services.loadbalancers", 0)]);
    let mut add = |name, millis: u128| *demand.entry(name).or_default() += millis;
    for release in releases(compiled) {
        let ingress = release.address.name.as_str() == "ingress";
        let prefix = if ingress {
            "values.controller."
        } else {
            "values."
        };
        let at = |path: &str| format!("{prefix}{path}");
        let pods = match grown && !ingress {
            true => count(&release.attributes, "values.autoscaling.maxReplicas"),
            false => count(&release.attributes, &at("replicaCount")),
        };
        let each = |path: &str| pods * amount(text_of(&release.attributes, &at(path)));
        add("requests.cpu", each("resources.requests.cpu"));
        add("requests.memory", each("resources.requests.memory"));
        add("limits.cpu", each("resources.limits.cpu"));
        add("limits.memory", each("resources.limits.memory"));
        add("pods", pods * 1000);
        // NGINX has a second Service, for its metrics.
        add("services", if ingress { 2000 } else { 1000 });
        add("services.loadbalancers", if ingress { 1000 } else { 0 });
    }
    for manifest in manifests(compiled) {
        if text_of(&manifest.attributes, "manifest.kind") == "Service" {
            add("services", 1000);
        }
    }
    demand
}

#[test]
fn every_tier_fits_its_quota_at_every_size() {
    for (what, compiled) in EVERYTHING.iter() {
        let quota = &resource(compiled, "kubernetes.manifest/resource-quota").attributes;
        for grown in [false, true] {
            for (name, used) in demand(compiled, grown) {
                let hard = amount(text_of(quota, &format!("manifest.spec.hard[{name}]")));
                assert!(
                    used <= hard,
                    "{what}: {name} needs {used} of {hard}, grown: {grown}"
                );
            }
        }
    }
}

#[test]
fn a_free_tenant_has_the_nine_services_of_its_profile() {
    let compiled = compiled(&example("free"));
    let demand = demand(&compiled, false);
    let mebibytes = |name| demand[name] / 1000 / 1024 / 1024;
    assert_eq!(releases(&compiled).count(), 9);
    assert_eq!(
        (demand["requests.cpu"], mebibytes("requests.memory")),
        (1150, 3008)
    );
    assert_eq!(
        (demand["limits.cpu"], mebibytes("limits.memory")),
        (3800, 7232)
    );
}

#[test]
fn no_container_is_larger_than_the_limit_range_allows() {
    for (what, compiled) in EVERYTHING.iter() {
        let range = &resource(compiled, "kubernetes.manifest/limit-range").attributes;
        for release in releases(compiled) {
            let controller = at(&release.attributes, "values.controller").is_some();
            let prefix = if controller {
                "values.controller"
            } else {
                "values"
            };
            for name in ["cpu", "memory"] {
                let limit = format!("{prefix}.resources.limits.{name}");
                let most = text_of(range, &format!("manifest.spec.limits.0.max.{name}"));
                let limit = text_of(&release.attributes, &limit);
                assert!(amount(limit) <= amount(most), "{what}: {}", release.address);
            }
        }
    }
}

fn is_label(text: &str, longest: usize) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.len() <= longest
        && edge(text.chars().next())
        && edge(text.chars().last())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c))
}

#[test]
fn names_keep_the_limits_of_those_who_bear_them() {
    for (what, compiled) in EVERYTHING.iter() {
        for manifest in manifests(compiled) {
            let name = text_of(&manifest.attributes, "manifest.metadata.name");
            assert!(is_label(name, 63), "{what}: {name}");
        }
        for release in releases(compiled) {
            let name = text_of(&release.attributes, "release");
            assert!(is_label(name, 53), "{what}: {name}");
        }
        for resource in compiled.graph.resources().values() {
            let longest = match resource.attributes.text("type").unwrap_or_default() {
                "Microsoft.Storage/storageAccounts" | "Microsoft.KeyVault/vaults" => 24,
                "Microsoft.DBforPostgreSQL/flexibleServers" => 63,
                "Microsoft.Cache/redisEnterprise" => 60,
                "Microsoft.CognitiveServices/accounts" => 64,
                "iam.googleapis.com/ServiceAccount" => 30,
                "storage.googleapis.com/Bucket" | "AWS::S3::Bucket" => 63,
                _ => continue,
            };
            let name = resource.attributes.text("name").unwrap();
            assert!(
                is_label(name, longest) && !name.contains("--"),
                "{what}: {name}"
            );
            if longest == 24 {
                assert!(name.len() >= 3, "{what}: {name}");
            }
        }
    }
}

/// All values at keys of this name, however deep.
fn under<'a>(key: &str, value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Map(map) => {
            for (name, value) in map.iter() {
                if &**name == key {
                    found.push(value);
                }
                under(key, value, found);
            }
        }
        Value::List(items) => items.iter().for_each(|item| under(key, item, found)),
        _ => {}
    }
}

#[test]
fn labels_annotations_and_variables_are_text() {
    for (what, compiled) in EVERYTHING.iter() {
        for resource in releases(compiled).chain(manifests(compiled)) {
            let mut tables = Vec::new();
            for key in [
                "labels",
                "annotations",
                "matchLabels",
                "podLabels",
                "env",
                "hard",
            ] {
                resource
                    .attributes
                    .values()
                    .for_each(|value| under(key, value, &mut tables));
            }
            for value in tables
                .into_iter()
                .filter_map(Value::as_map)
                .flat_map(Attributes::values)
            {
                let text = matches!(value, Value::String(_) | Value::Ref(_));
                assert!(text, "{what}: {}: {value:?}", resource.address);
            }
        }
    }
}

#[test]
fn every_rendered_service_is_whole() {
    let compiled = compiled(&example("acme"));
    for release in releases(&compiled).filter(|it| it.address.name.as_str() != "ingress") {
        let name = release.address.name.as_str();
        let text = |path: &str| text_of(&release.attributes, path);
        assert_eq!(text("chart.name"), format!("matih-{name}"));
        assert_eq!(text("release"), format!("acme-{name}"));
        for key in [
            "costCenter",
            "application",
            "team",
            "workloadType",
            "service",
        ] {
            assert!(
                !text(&format!("values.billing.{key}")).is_empty(),
                "{name}: {key}"
            );
        }
        assert!(text("values.probes.readiness.path").starts_with('/'));
    }
}

#[test]
fn no_secret_is_written_out() {
    let compiled = compiled(&example("acme"));
    let graph = &compiled.graph;
    let secrets: usize = graph
        .resources()
        .values()
        .map(|it| it.attributes.secrets().len())
        .sum();
    assert!(secrets > 20);
    for resource in graph.resources().values() {
        for secret in resource.attributes.secrets() {
            assert_eq!(secret.digest, Some(Digest::of("test", &secret.reference)));
        }
        for key in [
            "password",
            "client_secret",
            "value",
            "administratorLoginPassword",
        ] {
            let mut found = Vec::new();
            resource
                .attributes
                .values()
                .for_each(|value| under(key, value, &mut found));
            if let Some(value) = resource.attributes.get(key) {
                found.push(value);
            }
            // A claim of a token is called `value` too.
            let claim = resource.address.kind.as_str() == "identity.client";
            let hidden = found.iter().all(|value| matches!(value, Value::Secret(_)));
            assert!(hidden || claim, "{}", resource.address);
        }
    }
}

#[test]
fn switches_of_the_platform_skip_ingress_and_dns() {
    let text = "[platform]\nenvironment = \"dev\"\n";
    let platform = parse_platform("matih.toml", text).unwrap().file;
    let parsed = example("acme");
    let compiled = compile(&parsed, &platform, &blueprint(), &catalog(), &|_| None).unwrap();
    let skipped: Vec<_> = compiled.steps.iter().filter(|row| !row.runs()).collect();
    let numbers: Vec<u8> = skipped.iter().map(|row| row.number.number()).collect();
    assert_eq!(numbers, [40, 41]);
    let why = StepStatus::Skipped("the platform file switches dedicated ingress off".to_owned());
    assert_eq!(skipped[0].status, why);
    let ingress = &resource(&compiled, "kubernetes.manifest/ingress").attributes;
    assert_eq!(text_of(ingress, "manifest.spec.ingressClassName"), "nginx");
    assert_eq!(at(ingress, "manifest.spec.tls"), None);
}

#[test]
fn two_compiles_of_one_spec_are_equal() {
    let (parsed, platform, catalog) = (example("enterprise"), PlatformFile::default(), catalog());
    let compile = || compile(&parsed, &platform, &blueprint(), &catalog, &|_| None).unwrap();
    assert_eq!(compile().graph.digest(), compile().graph.digest());
}
