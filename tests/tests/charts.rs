//! The charts of the blueprint in the hands of the real Helm, offline: clean to its linter, and
//! with the values that tenants compile to, the objects that the tables promise.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use matih_model::{Attributes, Value};
use matih_specs::{Blueprint, PlatformFile, charts, compile, parse_tenant};
use matih_tests::acme::example;
use matih_tests::helm::helm;
use serde_json::{Value as Json, json};

/// The charts as files.
struct Folder {
    helm: PathBuf,
    root: tempfile::TempDir,
}

impl Folder {
    /// Writes them, unless there is no helm to read them.
    fn new(test: &str) -> Option<Self> {
        let helm = helm(test)?;
        let root = tempfile::tempdir().unwrap();
        for chart in charts::all() {
            for (path, text) in chart.files {
                let path = root.path().join(chart.name).join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
        }
        Some(Self { helm, root })
    }

    fn run(&self, arguments: &[&str], values: &Json) -> Output {
        let home = self.root.path();
        let mut child = Command::new(&self.helm)
            .args(arguments)
            .args(["--values", "-"])
            .current_dir(home)
            .env_clear()
            .env("HOME", home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(values.to_string().as_bytes()).unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    }

    /// The objects that a chart comes to, by kind and name.
    fn rendered(&self, release: &Release) -> BTreeMap<String, Json> {
        let chart = release.chart.as_str();
        let arguments = ["template", &release.name, chart, "--namespace", "tenant"];
        let output = self.run(&arguments, &release.values);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{chart}: {complaint}");
        let text = String::from_utf8(output.stdout).unwrap();
        let objects = text
            .split("\n---")
            .map(|text| text.trim_start_matches("---"));
        objects
            .map(|text| serde_saphyr::from_str::<Json>(text).unwrap())
            .map(|it| {
                (
                    format!(
                        "{}/{}",
                        text_at(&it, "/kind"),
                        text_at(&it, "/metadata/name")
                    ),
                    it,
                )
            })
            .collect()
    }
}

fn text_at<'a>(json: &'a Json, path: &str) -> &'a str {
    json.pointer(path)
        .and_then(Json::as_str)
        .unwrap_or_default()
}

/// A release of an example tenant.
struct Release {
    name: String,
    chart: String,
    values: Json,
}

/// The values as Helm gets them; what another resource will tell is `told`.
fn plain(value: &Value) -> Json {
    match value {
        Value::Ref(_) => json!("told"),
        Value::List(items) => items.iter().map(plain).collect(),
        Value::Map(map) => Json::Object(
            map.iter()
                .map(|(key, value)| (key.to_string(), plain(value)))
                .collect(),
        ),
        other => serde_json::to_value(other).unwrap(),
    }
}

fn releases(tenant: &str) -> Vec<Release> {
    let parsed = parse_tenant(tenant, &example(tenant)).unwrap();
    let blueprint = Blueprint::embedded().unwrap();
    let kinds = matih_model::Catalog::new(matih_providers::kinds::all().unwrap()).unwrap();
    let compiled = compile(
        &parsed,
        &PlatformFile::default(),
        &blueprint,
        &kinds,
        &|_| None,
    )
    .unwrap();
    let of_helm = compiled
        .graph
        .resources()
        .values()
        .filter(|it| it.address.kind.as_str() == "helm.release");
    let release = |attributes: &Attributes| {
        let chart = attributes.get("chart").and_then(Value::as_map).unwrap();
        assert_eq!(chart.text("repository"), Some(charts::EMBEDDED));
        Release {
            name: attributes.text("release").unwrap().to_owned(),
            chart: chart.text("name").unwrap().to_owned(),
            values: plain(attributes.get("values").unwrap()),
        }
    };
    of_helm.map(|it| release(&it.attributes)).collect()
}

#[test]
fn every_chart_is_clean_alone_and_with_the_values_of_tenants() {
    let Some(folder) = Folder::new("every_chart_is_clean") else {
        return;
    };
    let lint = |chart: &str, values: &Json| {
        let output = folder.run(&["lint", "--strict", chart], values);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{chart}: {said}");
    };
    for chart in charts::all() {
        lint(chart.name, &json!({}));
    }
    for tenant in ["acme", "enterprise", "starter", "free"] {
        for release in releases(tenant) {
            lint(&release.chart, &release.values);
        }
    }
}

#[test]
fn a_service_has_the_objects_and_the_form_that_its_values_say() {
    let Some(folder) = Folder::new("a_service_has_the_objects") else {
        return;
    };
    for tenant in ["acme", "free"] {
        let services = releases(tenant)
            .into_iter()
            .filter(|it| it.chart != "ingress-nginx");
        for release in services {
            let objects = folder.rendered(&release);
            let values = &release.values;
            let name = text_at(values, "/fullnameOverride");
            let switched = |path: &str| values.pointer(path) == Some(&json!(true));
            for (kind, there) in [
                ("Deployment", true),
                ("Service", true),
                ("ConfigMap", true),
                ("HorizontalPodAutoscaler", switched("/autoscaling/enabled")),
                (
                    "PodDisruptionBudget",
                    switched("/podDisruptionBudget/enabled"),
                ),
                ("ServiceAccount", false),
                ("NetworkPolicy", false),
                ("ServiceMonitor", false),
                ("Ingress", false),
            ] {
                let found = objects.contains_key(&format!("{kind}/{name}"));
                assert_eq!(found, there, "{tenant} {name} {kind}");
            }
            let deployment = &objects[&format!("Deployment/{name}")];
            let at = |path: &str| deployment.pointer(&format!("/spec{path}")).unwrap();
            let pod = "/template/spec";
            if !switched("/autoscaling/enabled") {
                assert_eq!(at("/replicas"), &values["replicaCount"]);
            }
            let port = at(&format!("{pod}/containers/0/ports/0/containerPort"));
            assert_eq!(port, &values["service"]["port"]);
            let probe = at(&format!("{pod}/containers/0/readinessProbe/httpGet/path"));
            assert_eq!(probe, &values["probes"]["readiness"]["path"]);
            let limits = at(&format!("{pod}/containers/0/resources/limits/memory"));
            assert_eq!(limits, &values["resources"]["limits"]["memory"]);
            let image = at(&format!("{pod}/containers/0/image")).as_str().unwrap();
            assert!(
                image.starts_with("matihlabsacr.azurecr.io/matih/"),
                "{image}"
            );
        }
    }
}

#[test]
fn every_part_of_a_service_can_be_switched_on() {
    let Some(folder) = Folder::new("every_part_of_a_service") else {
        return;
    };
    let on = json!({ "enabled": true });
    let release = Release {
        name: "r".to_owned(),
        chart: "matih-bi-service".to_owned(),
        values: json!({
            "fullnameOverride": "bi",
            "autoscaling": on, "podDisruptionBudget": on, "networkPolicy": on, "serviceMonitor": on,
            "ingress": { "enabled": true, "host": "bi.example", "tlsSecret": "tls" },
            "serviceAccount": { "create": true, "annotations": { "a": 1 } },
        }),
    };
    let objects = folder.rendered(&release);
    let kinds = [
        "ConfigMap",
        "Deployment",
        "HorizontalPodAutoscaler",
        "Ingress",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
        "ServiceMonitor",
    ];
    let wanted: Vec<String> = kinds.iter().map(|kind| format!("{kind}/bi")).collect();
    assert_eq!(objects.keys().cloned().collect::<Vec<_>>(), wanted);
    let monitor = &objects["ServiceMonitor/bi"];
    assert_eq!(
        text_at(monitor, "/spec/endpoints/0/path"),
        "/actuator/prometheus"
    );
}

/// Texts that would mean something else to YAML if nobody quoted them.
const TRAPS: &[&str] = &[
    "yes", "1e3", "0x10", "null", "a: b", "- x", "{{ x }}", "\"'\\", "a\nb: c",
];

#[test]
fn no_value_becomes_anything_but_itself() {
    let Some(folder) = Folder::new("no_value_becomes") else {
        return;
    };
    for trap in TRAPS {
        let release = Release {
            name: "r".to_owned(),
            chart: "matih-bi-service".to_owned(),
            values: json!({
                "fullnameOverride": "bi",
                "env": { "TRAP": trap },
                "database": { "enabled": true, "host": trap, "pool": { "max": 1_000_000 } },
                "stores": { "kafka": { "bootstrapServers": trap, "tls": true, "existingSecret": "s" } },
                "podAnnotations": { "trap": trap },
            }),
        };
        let objects = folder.rendered(&release);
        assert_eq!(objects.len(), 5, "{trap}: {:?}", objects.keys());
        let data = &objects["ConfigMap/bi"]["data"];
        for (key, value) in [
            ("TRAP", *trap),
            ("MATIH_DATABASE_HOST", trap),
            ("MATIH_DATABASE_POOL_MAX", "1000000"),
            ("MATIH_KAFKA_BOOTSTRAP_SERVERS", trap),
            ("MATIH_KAFKA_TLS", "true"),
        ] {
            assert_eq!(data[key], json!(value), "{key}");
        }
        let pod = &objects["Deployment/bi"]["spec"]["template"];
        assert_eq!(text_at(pod, "/metadata/annotations/trap"), *trap);
        let secret = pod.pointer("/spec/containers/0/env/0/valueFrom/secretKeyRef/name");
        assert_eq!(secret, Some(&json!("s")));
    }
}

#[test]
fn a_wrong_value_is_refused_by_its_name() {
    let Some(folder) = Folder::new("a_wrong_value") else {
        return;
    };
    for (chart, values, path) in [
        ("matih-bi-service", json!({ "replicas": 2 }), "replicas"),
        (
            "matih-bi-service",
            json!({ "replicaCount": "2" }),
            "/replicaCount",
        ),
        (
            "matih-bi-service",
            json!({ "service": { "port": 0 } }),
            "/service/port",
        ),
        ("matih-bi-service", json!({ "env": { "A-B": "x" } }), "A-B"),
        (
            "ingress-nginx",
            json!({ "defaultBackend": { "enabled": true } }),
            "/defaultBackend",
        ),
        (
            "ingress-nginx",
            json!({ "controller": { "kind": "DaemonSet" } }),
            "kind",
        ),
    ] {
        let output = folder.run(&["template", "r", chart], &values);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains(path),
            "{values}: {said}"
        );
    }
}

#[test]
fn helm_itself_can_put_a_service_and_its_library_together() {
    let Some(folder) = Folder::new("helm_itself_can") else {
        return;
    };
    // As they lie in the folder of the blueprint, not as they are part of the program.
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../specs/blueprint/charts");
    let copy = folder.root.path().join("source");
    for name in ["matih-service-lib", "matih-ml-service"] {
        let copied = copy_folder(&source.join(name), &copy.join(name));
        copied.unwrap();
    }
    let chart = copy.join("matih-ml-service");
    let built = Command::new(&folder.helm)
        .args(["dependency", "build"])
        .arg(&chart)
        .env_clear()
        .env("HOME", folder.root.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    let chart = chart.to_str().unwrap();
    let output = folder.run(&["template", "r", chart], &json!({}));
    assert!(output.status.success());
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in from.read_dir()? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            std::fs::copy(&path, &target)?;
        }
    }
    Ok(())
}
