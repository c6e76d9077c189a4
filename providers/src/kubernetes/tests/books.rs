//! Projections and tokens over what a real server said: a deployment of ours that somebody then
//! edited, whose status a controller wrote.

use matih_model::{Attributes, Value};
use serde_json::{Value as Json, json};

use super::super::live::Live;
use super::super::project::project;
use super::super::token::token;

fn deployment() -> Json {
    serde_json::from_str(include_str!("deployment.json")).unwrap()
}

fn live(json: &Json) -> Live {
    Live::read(json.clone()).unwrap()
}

/// As it was applied before the edit.
fn manifest() -> Attributes {
    let manifest = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "tenant-acme", "labels": {"app": "web"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{
                    "name": "web",
                    "image": "registry.k8s.io/web:1",
                    "ports": [{"containerPort": 80}],
                    "resources": {"requests": {"cpu": "0.1", "memory": "1024Mi"}},
                    "env": [{"name": "A", "value": "1"}],
                }]},
            },
        },
    });
    serde_json::from_value(manifest).unwrap()
}

fn at<'a>(tree: &'a Attributes, path: &str) -> Option<&'a Value> {
    path.parse::<matih_model::AttributePath>()
        .unwrap()
        .find(tree)
}

#[test]
fn only_what_differs_differs_and_says_whose_hand_it_was() {
    let seen = project(&live(&deployment()), &manifest());
    let web = "spec.template.spec.containers.0";
    let wanted = manifest();
    for path in ["resources", "env", "name"] {
        let path = format!("{web}.{path}");
        assert_eq!(at(&seen.manifest, &path), at(&wanted, &path), "{path}");
    }
    assert_eq!(
        at(&seen.manifest, "spec.replicas"),
        Some(&Value::Integer(5))
    );
    let image = at(&seen.manifest, &format!("{web}.image"));
    assert_eq!(image, Some(&"registry.k8s.io/web:2".into()));
    let containers = at(&seen.manifest, "spec.template.spec.containers").unwrap();
    assert_eq!(
        containers.as_list().unwrap().len(),
        1,
        "the side car is not ours"
    );
    let touches: Vec<String> = seen
        .touches
        .iter()
        .map(|touch| format!("{} {touch}", touch.path))
        .collect();
    assert_eq!(
        touches,
        [
            "manifest.spec.replicas by kubectl-edit (Update) at 2026-11-27T01:17:42Z",
            "manifest.spec.template.spec.containers.0.image by kubectl-edit (Update) at 2026-11-27T01:17:42Z",
        ]
    );
}

#[test]
fn an_item_that_is_gone_shows_all_that_is_there() {
    let mut json = deployment();
    let containers = &mut json["spec"]["template"]["spec"]["containers"];
    containers.as_array_mut().unwrap().remove(1);
    let seen = project(&live(&json), &manifest());
    let containers = at(&seen.manifest, "spec.template.spec.containers").unwrap();
    let names = containers.as_list().unwrap().iter();
    let names: Vec<_> = names
        .map(|it| it.as_map().unwrap().text("name").unwrap())
        .collect();
    assert_eq!(names, ["sidecar"]);
}

#[test]
fn a_token_covers_what_is_ours_and_nothing_else() {
    let wanted = manifest();
    let token_of = |json: &Json| token(&live(json), Some(&wanted));
    let before = token_of(&deployment());
    let with = |path: &[&str], value: Json| {
        let mut json = deployment();
        let mut place = &mut json;
        for part in path {
            place = match part.parse::<usize>() {
                Ok(index) => &mut place[index],
                Err(_) => &mut place[*part],
            };
        }
        *place = value;
        json
    };
    let container = ["spec", "template", "spec", "containers"];
    let inside = |rest: &[&'static str]| [&container[..], rest].concat();
    for (path, value) in [
        (vec!["status"], json!({"replicas": 7})),
        (vec!["metadata", "resourceVersion"], json!("9")),
        (vec!["metadata", "generation"], json!(9)),
        (
            vec![
                "metadata",
                "annotations",
                "deployment.kubernetes.io/revision",
            ],
            json!("9"),
        ),
        (vec!["spec", "progressDeadlineSeconds"], json!(9)),
        (inside(&["0", "image"]), json!("x:2")),
        (inside(&["1", "imagePullPolicy"]), json!("Always")),
    ] {
        assert_eq!(token_of(&with(&path, value)), before, "{path:?}");
    }
    for (path, value) in [
        (vec!["metadata", "uid"], json!("another")),
        (vec!["metadata", "labels", "app"], json!("other")),
        // These are not ours any more by the server's books, and were ours in the manifest.
        (vec!["spec", "replicas"], json!(6)),
        (inside(&["1", "image"]), json!("y:1")),
        // These are still ours.
        (inside(&["1", "env", "0", "value"]), json!("2")),
        (
            inside(&["1", "resources", "requests", "cpu"]),
            json!("200m"),
        ),
        (vec!["spec", "selector", "matchLabels"], json!({"app": "w"})),
    ] {
        assert_ne!(token_of(&with(&path, value)), before, "{path:?}");
    }
}

#[test]
fn order_and_spelling_do_not_move_a_token() {
    let wanted = manifest();
    let before = token(&live(&deployment()), Some(&wanted));
    let mut json = deployment();
    let containers = &mut json["spec"]["template"]["spec"]["containers"];
    containers.as_array_mut().unwrap().reverse();
    assert_eq!(token(&live(&json), Some(&wanted)), before);
}

/// A Secret of ours, of which `owned` keys are still ours.
fn secret(value: &str, owned: &[&str]) -> Json {
    let fields: serde_json::Map<String, Json> = owned
        .iter()
        .map(|key| (format!("f:{key}"), json!({})))
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "s", "namespace": "n", "uid": "u", "managedFields": [
            {"manager": "matih", "operation": "Apply", "fieldsV1": {"f:type": {}, "f:data": fields}},
            {"manager": "thief", "operation": "Update", "time": "2026-01-01T00:00:00Z",
             "fieldsV1": {"f:data": {"f:a": {}}}},
        ]},
        "data": {"a": value, "b": "eA=="},
    })
}

#[test]
fn a_token_tells_nothing_of_a_secret_but_who_owns_it() {
    let one = token(&live(&secret("aHVzaA==", &["a", "b"])), None);
    let other = token(&live(&secret("bG91ZA==", &["a", "b"])), None);
    assert_eq!(one, other);
    let asked: Attributes = serde_json::from_value(json!({"data": {"a": "", "b": ""}})).unwrap();
    let ours = token(&live(&secret("aHVzaA==", &["a", "b"])), Some(&asked));
    let taken = token(&live(&secret("aHVzaA==", &["b"])), Some(&asked));
    assert_ne!(ours, taken);
}

#[test]
fn a_secret_is_as_asked_for_as_long_as_it_is_ours() {
    let asked = r#"{"apiVersion":"v1","kind":"Secret","data":{"a":{"$secret":{"env":"X"},"digest":"DIGEST"}}}"#;
    let digest = matih_model::Digest::of("matih test v1", &0).to_string();
    let asked: Attributes = serde_json::from_str(&asked.replace("DIGEST", &digest)).unwrap();
    let seen = project(&live(&secret("aHVzaA==", &["a"])), &asked);
    assert_eq!(at(&seen.manifest, "data.a"), at(&asked, "data.a"));
    let seen = project(&live(&secret("bG91ZA==", &["b"])), &asked);
    let Some(Value::Secret(taken)) = at(&seen.manifest, "data.a") else {
        panic!("a secret is told: {:?}", seen.manifest);
    };
    assert_eq!(taken.digest, None, "nobody knows what it is now");
    assert_eq!(seen.touches[0].by, "thief".into());
}
