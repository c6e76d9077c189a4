//! The examples are good specs, and stay so.

use std::path::Path;

fn examples() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files
        .iter()
        .map(|path| (name(path), std::fs::read_to_string(path).unwrap()))
        .collect()
}

#[test]
fn every_example_parses_without_a_finding() {
    let examples = examples();
    assert!(examples.len() >= 4);
    for (file, text) in examples {
        match matih_specs::parse_tenant(&file, &text) {
            Ok(parsed) => assert!(parsed.warnings.is_empty(), "{}", parsed.warnings),
            Err(diagnostics) => panic!("{diagnostics}"),
        }
    }
}

#[test]
fn every_example_is_laid_out_as_fmt_would() {
    for (file, text) in examples() {
        assert_eq!(matih_specs::format(&file, &text).unwrap(), text, "{file}");
    }
}

#[test]
fn the_examples_cover_every_tier_and_all_that_a_template_may_see() {
    let parse = |name: &str| {
        let (file, text) = examples()
            .into_iter()
            .find(|(file, _)| file == name)
            .unwrap();
        matih_specs::parse_tenant(&file, &text).unwrap().spec
    };
    let (free, acme) = (parse("free.toml"), parse("acme.toml"));
    assert_eq!(free.tenancy(), matih_model::Tenancy::Shared);
    assert_eq!(acme.tenancy(), matih_model::Tenancy::Dedicated);
    assert_eq!(acme.tenant_id().as_str(), "acme");
    let refs: Vec<_> = acme.secret_refs().iter().map(ToString::to_string).collect();
    let names = [
        "azure-client-secret",
        "events-access-key",
        "oidc-client-secret",
        "orders-password",
        "warehouse-password",
    ];
    assert_eq!(refs, names.map(|name| format!("secret:acme/{name}")));
    let json = serde_json::to_value(&acme).unwrap();
    assert_eq!(json["tenant"]["tier"], "PROFESSIONAL");
    assert_eq!(json["data_sources"][1]["port"], 443);
    let secret = &json["security"]["oidc"]["client_secret"];
    assert_eq!(secret["$secret"]["secret"], "acme/oidc-client-secret");
    let defaults = serde_json::to_value(&free).unwrap();
    assert_eq!(defaults["infrastructure"]["region"], "eastus");
    assert_eq!(defaults["security"]["retention_days"], 365);
    assert_eq!(defaults["modules"]["bi"], true);
}

#[test]
fn a_platform_file_fills_what_it_leaves_out_and_what_specs_leave_out() {
    let text = "[platform]\nenvironment = \"dev\"\n[apply]\nlease = \"2m\"\n\
                [targets.west]\nprovider = \"kubernetes\"\ncontext = \"west\"\n\
                [defaults]\ntier = \"FREE\"\nprovider = \"aws\"\nregion = \"eu-west-1\"\n";
    let platform = matih_specs::parse_platform("matih.toml", text)
        .unwrap()
        .file;
    assert!(!platform.platform.features.ingress && !platform.platform.features.dns);
    assert_eq!(platform.apply.lease.as_secs(), 120);
    assert_eq!(platform.targets["west"].options["context"], "west");
    assert_eq!(
        serde_json::to_value(&platform).unwrap()["apply"]["lease"],
        "2m"
    );
    let spec = "[tenant]\nname = \"Sparrow\"\nslug = \"sparrow\"\nadmin_email = \"a@b.example\"\n";
    let parsed = matih_specs::parse_tenant_with("s.toml", spec, &platform.defaults).unwrap();
    assert_eq!(parsed.spec.tenant.tier.to_string(), "FREE");
    assert_eq!(parsed.spec.infrastructure.region, "eu-west-1");
    let empty = matih_specs::parse_platform("matih.toml", "").unwrap().file;
    assert_eq!(empty, matih_specs::PlatformFile::default());
    assert_eq!((empty.apply.parallelism, empty.retries.max), (10, 3));
}
