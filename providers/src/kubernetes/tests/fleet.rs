//! Many tenants at once: how often the server is asked.

use matih_model::{
    Call, OwnerMark, Provider, ReadRequest, Reading, RemoteId, RunId, TenantId, Version,
};
use serde_json::{Value as Json, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::fake::{Act, Fake, Seen};
use super::ground::Plain;

/// So many tenants that a kind is listed whole.
const TENANTS: usize = 6;

fn tenant(number: usize) -> String {
    format!("tit-{number}")
}

fn manifest(number: usize) -> Json {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": tenant(number)}})
}

fn owner(number: usize) -> OwnerMark {
    OwnerMark {
        installation: "here".to_owned(),
        address: format!("{}/kubernetes.manifest/c", tenant(number))
            .parse()
            .unwrap(),
        generation: 1,
        run: RunId::new("run-1"),
    }
}

/// An object as the server has it, with our mark.
fn live(number: usize) -> Json {
    let mut live = manifest(number);
    let metadata = live["metadata"].as_object_mut().unwrap();
    metadata.insert("uid".to_owned(), json!("u"));
    metadata.insert("resourceVersion".to_owned(), json!("1"));
    let labels = json!({"matih.ai/installation": "here", "matih.ai/tenant-slug": tenant(number)});
    metadata.insert("labels".to_owned(), labels);
    let address = owner(number).address.to_string();
    let notes = json!({"matih.ai/installation": "here", "matih.ai/address": address,
        "matih.ai/generation": "1", "matih.ai/run": "run-1"});
    metadata.insert("annotations".to_owned(), notes);
    live
}

fn answer(request: &Seen, number: usize) -> Act {
    let path = request.path.as_str();
    if path.contains("selfsubjectrulesreviews") {
        return Act::Say(201, json!({"status": {"incomplete": true}}));
    }
    if matches!(path, "/api" | "/apis") {
        return Act::Say(200, json!({"groups": []}));
    }
    if path.contains("/configmaps?") {
        let items: Vec<Json> = (0..TENANTS).map(live).collect();
        return Act::Say(
            200,
            json!({"kind": "ConfigMapList", "metadata": {}, "items": items}),
        );
    }
    match request.method.as_str() {
        "GET" => Act::Say(404, json!({"reason": "NotFound", "number": number})),
        "PATCH" => Act::Say(201, live(0)),
        _ => Act::Say(500, json!({})),
    }
}

async fn read(fake: &Fake) -> Vec<Reading> {
    read_since(fake, None).await
}

/// Reads what was recorded with this token.
async fn read_since(fake: &Fake, version: Option<&Version>) -> Vec<Reading> {
    let known: Vec<_> = (0..TENANTS)
        .map(|number| {
            let id = RemoteId::new(format!("fake/core/ConfigMap/{}/c/u", tenant(number)));
            let attributes = json!({"cluster": "any", "manifest": manifest(number)});
            let attributes = serde_json::from_value(attributes).unwrap();
            (owner(number).address, id, attributes)
        })
        .collect();
    let requests = known.iter().map(|(address, id, attributes)| ReadRequest {
        address,
        remote_id: Some(id),
        attributes,
        version,
    });
    fake.provider
        .read(&requests.collect::<Vec<_>>())
        .await
        .unwrap()
}

async fn marks(fake: &Fake, tenants: usize) -> usize {
    let tenants = (0..tenants).map(|it| TenantId::new(tenant(it)).unwrap());
    let tenants: Vec<TenantId> = tenants.collect();
    fake.provider.marks("here", &tenants).await.unwrap().len()
}

fn lists(fake: &Fake) -> usize {
    let asked = fake.of("GET");
    asked
        .iter()
        .filter(|it| it.path.contains("/configmaps?"))
        .count()
}

#[tokio::test]
async fn a_fleet_is_listed_once_for_its_objects_and_their_marks() {
    let fake = Fake::new(answer).await;
    let readings = read(&fake).await;
    let present = |it: &&Reading| matches!(it, Reading::Present(_));
    assert_eq!(readings.iter().filter(present).count(), TENANTS);
    assert_eq!((marks(&fake, TENANTS).await, lists(&fake)), (TENANTS, 1));
    // What was shown stands for one look alone.
    assert_eq!((marks(&fake, TENANTS).await, lists(&fake)), (TENANTS, 2));
    // A recovery looks for what has come since.
    read(&fake).await;
    assert_eq!((marks(&fake, 1).await, lists(&fake)), (1, 4));
}

#[tokio::test]
async fn after_a_change_of_our_own_marks_are_listed_again() {
    let fake = Fake::new(answer).await;
    read(&fake).await;
    let owner = owner(0);
    let attributes = json!({"cluster": "any", "manifest": manifest(0)});
    let attributes = serde_json::from_value(attributes).unwrap();
    let call = Call {
        owner: &owner,
        attributes: &attributes,
        before: None,
        remote_id: None,
        expects: None,
        timeout: Duration::from_secs(10),
        secrets: &Plain,
        crossing: &Plain,
    };
    fake.provider.create(&call).await.unwrap();
    assert_eq!((marks(&fake, TENANTS).await, lists(&fake)), (TENANTS, 2));
}

#[tokio::test]
async fn an_object_of_the_recorded_resource_version_is_not_looked_at_closer() {
    let fake = Fake::new(answer).await;
    let recorded = Version::new("whatever").with_whole("1");
    let unchanged = vec![Reading::Unchanged; TENANTS];
    assert_eq!(read_since(&fake, Some(&recorded)).await, unchanged);
    // Of another one, and of none, the token of what is ours decides.
    for moved in [recorded.clone().with_whole("2"), recorded.of_ours()] {
        let readings = read_since(&fake, Some(&moved)).await;
        let present = |it: &Reading| matches!(it, Reading::Present(_));
        assert!(readings.iter().all(present), "{readings:?}");
    }
}

#[tokio::test]
async fn a_list_from_before_what_is_recorded_is_asked_for_again() {
    for (recorded, asked) in [("4", 1), ("5", 2)] {
        let behind = AtomicBool::new(true);
        let fake = Fake::new(move |request, number| {
            let act = answer(request, number);
            match act {
                Act::Say(200, mut list) if list["kind"] == "ConfigMapList" => {
                    let behind = behind.swap(false, Ordering::Relaxed);
                    let revision = if behind { "4" } else { "9" };
                    list["metadata"]["resourceVersion"] = json!(revision);
                    Act::Say(200, list)
                }
                act => act,
            }
        })
        .await;
        let version = Version::new("whatever").with_whole(recorded);
        let readings = read_since(&fake, Some(&version)).await;
        let present = |it: &Reading| matches!(it, Reading::Present(_));
        assert!(readings.iter().all(present), "{readings:?}");
        assert_eq!(lists(&fake), asked, "recorded: {recorded}");
    }
}

#[tokio::test]
async fn what_is_found_by_its_mark_alone_is_looked_at_closer_by_its_manifest() {
    let fake = Fake::new(answer).await;
    let tenant = TenantId::new(tenant(0)).unwrap();
    let found = fake.provider.list("here", &tenant).await.unwrap();
    assert_eq!(found.len(), 1);
    let version = &found[0].version;
    assert!(!version.is_whole("1"), "{version:?}");
}
