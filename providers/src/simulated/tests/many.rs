//! One file, several handles: what other processes see, and what outlives them.

use std::path::Path;
use std::thread;

use super::*;

fn open(path: &Path) -> Cloud {
    Cloud(Simulated::open(path, SimulatedOptions::default()).unwrap())
}

#[tokio::test]
async fn the_world_is_there_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.db");
    let at = "acme/dns.zone/tenant";
    let made = open(&path).create(at, r#"{"name":"a"}"#).await.unwrap();
    let other = SimulatedOptions {
        seed: 99,
        ..SimulatedOptions::default()
    };
    let again = Cloud(Simulated::open(&path, other).unwrap());
    let reading = again.read(at, Some(&made.remote_id)).await;
    let Reading::Present(there) = reading else {
        panic!("{reading:?}");
    };
    assert_eq!((there.version, there.outputs), (made.version, made.outputs));
}

#[tokio::test]
async fn one_handle_scripts_what_another_meets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.db");
    let cloud = open(&path);
    let hand = Sandbox::open(&path).unwrap();
    hand.add_fault(&FaultRule::at(
        2,
        "dns.zone",
        CallOp::Create,
        Fault::LoseReply,
    ))
    .unwrap();
    cloud
        .create("acme/dns.zone/a", r#"{"name":"a"}"#)
        .await
        .unwrap();
    cloud
        .create("acme/dns.zone/b", r#"{"name":"b"}"#)
        .await
        .unwrap_err();
    assert_eq!(hand.list(None).unwrap().len(), 2);
    assert_eq!(hand.struck().unwrap()[0].count, 1);
}

#[test]
fn many_open_and_write_at_once_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.db");
    thread::scope(|scope| {
        for writer in 0..8 {
            let path = &path;
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                let cloud = open(path);
                for n in 0..20 {
                    let name = format!("w{writer}-{n}");
                    let (at, zone) = (
                        format!("acme/dns.zone/{name}"),
                        format!(r#"{{"name":"{name}"}}"#),
                    );
                    runtime.block_on(cloud.create(&at, &zone)).unwrap();
                    runtime
                        .block_on(cloud.create("acme/dns.zone/shared", r#"{"name":"s"}"#))
                        .unwrap();
                }
            });
        }
    });
    let objects = Sandbox::open(&path).unwrap().list(None).unwrap();
    assert_eq!(objects.len(), 8 * 20 + 1);
}

#[test]
fn what_is_no_world_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.db");
    let absent = Sandbox::open(&path).err().unwrap();
    assert!(matches!(absent, WorldError::Absent(at) if at == path));
    std::fs::write(
        &path,
        "this is no database at all, and long enough to be looked at",
    )
    .unwrap();
    let error = Simulated::open(&path, SimulatedOptions::default())
        .err()
        .unwrap();
    assert!(error.to_string().contains("world.db"), "{error}");
}

#[test]
fn a_world_of_another_layout_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.db");
    drop(open(&path));
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 7).unwrap();
    let error = Simulated::open(&path, SimulatedOptions::default())
        .err()
        .unwrap();
    assert!(
        matches!(error, WorldError::Layout { found: 7, .. }),
        "{error}"
    );
}
