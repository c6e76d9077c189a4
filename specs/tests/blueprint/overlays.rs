//! What a platform's overlay and a spec can change, and what is said where they may not.

use crate::fixture::{at, blueprint, catalog, compile_with, example, parsed, spec, text_of};
use matih_model::{ResourceName, Value};
use matih_specs::{
    Blueprint, BlueprintFiles, Compiled, Diagnostics, SharedInputs, Source, StepStatus,
};

fn laid_over(files: &[(&str, &str)]) -> BlueprintFiles {
    let sources = files.iter().map(|(name, text)| Source::new(name, text));
    BlueprintFiles::overlaid(sources.collect())
}

fn overlaid(files: &[(&str, &str)]) -> Result<Blueprint, Diagnostics> {
    laid_over(files).read()
}

fn compiled(files: &[(&str, &str)]) -> Compiled {
    let blueprint = overlaid(files).unwrap_or_else(|findings| panic!("{findings}"));
    compile_with(&example("acme"), &blueprint).unwrap_or_else(|findings| panic!("{findings}"))
}

fn attribute(compiled: &Compiled, name: &str, path: &str) -> Option<Value> {
    let name: ResourceName = name.parse().unwrap();
    let resource = compiled.graph.get(&name.of(compiled.graph.tenant()))?;
    at(&resource.attributes, path).cloned()
}

#[test]
fn a_table_is_merged_key_by_key() {
    let tables = "[tiers.PROFESSIONAL.quota]\npods = 120\n\n[names]\nurl = \"https://my.{{ tenant.slug }}.example\"\n";
    let compiled = compiled(&[("tables.toml", tables)]);
    let quota = |name: &str| {
        let path = format!("manifest.spec.hard[{name}]");
        attribute(&compiled, "kubernetes.manifest/resource-quota", &path)
    };
    assert_eq!(quota("pods"), Some(Value::string("120")));
    assert_eq!(quota("services"), Some(Value::string("100")));
    let url = attribute(&compiled, "tenant.activation/activation", "url");
    assert_eq!(url, Some(Value::string("https://my.acme.example")));
}

#[test]
fn a_step_with_a_name_takes_the_place_of_the_step_of_its_number() {
    let file = "phase = 2\n[[step]]\nnumber = 9\nname = \"NO_LIMIT_RANGE\"\ndepends_on = [7]\n\
                when = \"false\"\nskipped = \"{{ platform.name }} has no limits\"\n";
    let compiled = compiled(&[("2-kubernetes.toml", file)]);
    let row = &compiled.steps[8];
    assert_eq!(row.name, "NO_LIMIT_RANGE");
    assert_eq!(
        row.status,
        StepStatus::Skipped("matih has no limits".to_owned())
    );
    assert_eq!(
        attribute(&compiled, "kubernetes.manifest/limit-range", "manifest"),
        None
    );
    assert!(compiled.steps[7].runs(), "the other steps of the file stay");
}

#[test]
fn a_step_without_a_name_and_a_row_beside_the_steps_add_resources() {
    let file = "phase = 5\n\
                [[step]]\nnumber = 41\n\
                [[step.resource]]\nkind = \"dns.record\"\nname = \"caa\"\n\
                depends_on = [\"dns.zone/tenant\"]\n\
                attributes = { zone = \"{{ names.domain }}\", name = \"@\", type = \"CAA\", ttl = 300, values = ['0 issue \"letsencrypt.org\"'] }\n\
                [[resource]]\nkind = \"dns.record\"\nname = \"status\"\ncovers = [41]\n\
                attributes = { zone = \"{{ names.domain }}\", name = \"status\", type = \"CNAME\", ttl = 300, values = [\"status.matih.ai\"] }\n";
    let compiled = compiled(&[("more-dns.toml", file)]);
    let zone = |name: &str| attribute(&compiled, name, "zone");
    assert_eq!(zone("dns.record/caa"), Some(Value::string("acme.matih.ai")));
    assert_eq!(
        zone("dns.record/status"),
        Some(Value::string("acme.matih.ai"))
    );
    assert_eq!(compiled.steps[40].resources.len(), 8);
}

#[test]
fn a_folder_is_laid_over_the_built_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let tables = "[tiers.PROFESSIONAL]\nlog_retention_days = 45\n";
    std::fs::write(folder.path().join("tables.toml"), tables).unwrap();
    let files = BlueprintFiles::load(folder.path()).unwrap();
    assert_ne!(files.digest(), BlueprintFiles::embedded().digest());
    let compiled = compile_with(&example("acme"), &files.read().unwrap()).unwrap();
    let days = attribute(&compiled, "logging.tenant/logs", "retention_days");
    assert_eq!(days, Some(Value::Integer(45)));
    let missing = BlueprintFiles::load(&folder.path().join("nowhere")).unwrap_err();
    assert_eq!(missing.iter().next().unwrap().rule.name, "blueprint.folder");
}

#[test]
fn tables_that_matih_computes_with_must_have_their_form() {
    for (text, words) in [
        (
            "[modules]\nbi = [\"bi-srevice\"]\n",
            "there is no service `bi-srevice`",
        ),
        ("[tiers.FREE]\nreplicas_percent = \"all\"\n", "invalid type"),
        ("[services.extra]\nport = 1\n", "missing field"),
    ] {
        let found = overlaid(&[("tables.toml", text)]).unwrap_err();
        assert_eq!(found.iter().next().unwrap().rule.name, "blueprint.tables");
        assert!(found.to_string().contains(words), "{found}");
    }
    let text = "[tiers.PROFESSIONAL.quota]\n\"requests.cpu\" = \"many\"\n";
    let blueprint = overlaid(&[("tables.toml", text)]).unwrap();
    let found = compile_with(&example("acme"), &blueprint).unwrap_err();
    assert!(
        found
            .to_string()
            .contains("`requests.cpu = \"many\"` is not a quantity"),
        "{found}"
    );
}

fn spec_with(more: &str) -> String {
    spec("acme", "ENTERPRISE", "medium", "azure") + more
}

#[test]
fn a_spec_adds_resources_in_the_language_of_the_blueprint() {
    let text = spec_with(
        "[[resource]]\nkind = \"kubernetes.manifest\"\nname = \"proxy\"\n\
         depends_on = [\"kubernetes.manifest/namespace\"]\n\
         attributes = { cluster = \"{{ names.cluster }}\", manifest = { apiVersion = \"v1\", kind = \"ConfigMap\", metadata = { name = \"proxy\", namespace = \"{{ names.namespace }}\" }, data = { url = \"{{ names.url }}\" } } }\n",
    );
    let compiled = compile_with(&parsed(&text), &blueprint()).unwrap();
    let mut resource = compiled.graph.resources().values();
    let resource = resource
        .rfind(|it| it.address.name.as_str() == "proxy")
        .unwrap();
    assert_eq!(
        text_of(&resource.attributes, "manifest.data.url"),
        "https://acme.matih.ai"
    );
    assert_eq!((resource.phase.number(), resource.steps.len()), (5, 0));
    assert_eq!(
        resource.dependencies().len(),
        2,
        "the namespace, and the cluster by reference"
    );
}

#[test]
fn what_is_wrong_in_a_spec_s_resource_is_shown_in_the_spec() {
    let text = spec_with(
        "[[resource]]\nkind = \"dns.record\"\nname = \"x\"\n\
         attributes = { zone = \"{{ tenant.domain }}\", name = \"x\", type = \"A\", ttl = 300, values = [\"192.0.2.1\"] }\n",
    );
    let found = compile_with(&parsed(&text), &blueprint()).unwrap_err();
    let finding = found.iter().next().unwrap();
    assert_eq!(finding.rule.name, "template.evaluation");
    assert_eq!(&*finding.place.as_ref().unwrap().file, "spec.toml");
    assert!(
        found.to_string().contains("`domain` is not defined here"),
        "{found}"
    );
}

#[test]
fn lifecycle_blocks_hold_for_what_their_pattern_names() {
    let text = spec_with(
        "[[lifecycle]]\naddress = \"postgres.database/*\"\nprotect = true\n\
         [[lifecycle]]\naddress = \"helm.release/ai-service\"\nignore_changes = [\"values.replicaCount\"]\n\
         [[lifecycle]]\naddress = \"helm.release/nothing\"\nprotect = true\n",
    );
    let compiled = compile_with(&parsed(&text), &blueprint()).unwrap();
    for resource in compiled.graph.resources().values() {
        let database = resource.address.kind.as_str() == "postgres.database";
        assert_eq!(resource.lifecycle.protect, database, "{}", resource.address);
        let ai = resource.address.resource_name().to_string() == "helm.release/ai-service";
        assert_eq!(resource.lifecycle.ignore_changes.len(), usize::from(ai));
    }
    assert_eq!(compiled.warnings.len(), 1, "{}", compiled.warnings);
    assert!(
        compiled
            .warnings
            .to_string()
            .contains("no resource is called `helm.release/nothing`")
    );
}

#[test]
fn moves_and_removals_become_directives_unless_they_contradict_the_graph() {
    let text = spec_with(
        "[[moved]]\nfrom = \"helm.release/ai\"\nto = \"helm.release/ai-service\"\n\
         [[removed]]\naddress = \"helm.release/old\"\ndestroy = false\n\
         [[removed]]\naddress = \"helm.release/older\"\n",
    );
    let directives = compile_with(&parsed(&text), &blueprint())
        .unwrap()
        .directives;
    let name = |text: &str| text.parse::<ResourceName>().unwrap();
    assert_eq!(
        directives.moved,
        [(name("helm.release/ai"), name("helm.release/ai-service"))]
    );
    assert_eq!(directives.forget, [name("helm.release/old")]);
    let text = spec_with(
        "[[moved]]\nfrom = \"helm.release/ai-service\"\nto = \"helm.release/ai\"\n\
         [[removed]]\naddress = \"helm.release/query-engine\"\n",
    );
    let found = compile_with(&parsed(&text), &blueprint()).unwrap_err();
    let rules: Vec<_> = found.iter().map(|finding| finding.rule.name).collect();
    assert_eq!(
        rules,
        [
            "graph.contradiction",
            "graph.no-match",
            "graph.contradiction"
        ],
        "{found}"
    );
}

#[test]
fn a_quota_that_is_too_small_is_refused_where_it_is_written() {
    let text = spec_with("[quota]\nlimits_cpu = 40\npods = 300\n");
    let found = compile_with(&parsed(&text), &blueprint()).unwrap_err();
    assert_eq!(found.len(), 1, "{found}");
    let finding = found.iter().next().unwrap();
    assert_eq!(finding.rule.name, "graph.quota");
    let line = text
        .lines()
        .position(|line| line.starts_with("limits_cpu"))
        .unwrap()
        + 1;
    assert_eq!(
        finding.place.as_ref().unwrap().line as usize,
        line,
        "{found}"
    );
}

#[test]
fn the_digest_of_the_inputs_changes_with_each_of_them() {
    let (catalog, built_in) = (catalog(), BlueprintFiles::embedded().digest());
    let other = laid_over(&[("tables.toml", "[namespace]\nservices = 2\n")]).digest();
    let inputs = |spec: &str, platform: &str, blueprint, catalog: &matih_model::Catalog| {
        SharedInputs::new(platform, blueprint, catalog).with_spec(spec)
    };
    let digest = inputs("spec", "platform", built_in, &catalog);
    assert_eq!(digest, inputs("spec", "platform", built_in, &catalog));
    for changed in [
        inputs("spec ", "platform", built_in, &catalog),
        inputs("spec", "platform ", built_in, &catalog),
        inputs("spec", "platform", other, &catalog),
        inputs(
            "spec",
            "platform",
            built_in,
            &matih_model::Catalog::default(),
        ),
    ] {
        assert_ne!(digest, changed);
    }
}
