//! One file, several handles: what other processes see, and what outlives them.

use std::path::Path;
use std::task::{Context, Waker};
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

#[tokio::test]
async fn changes_that_arrive_together_share_a_transaction_and_one_that_fails_is_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.db");
    let (here, there) = (open(&path).0, open(&path).0);
    let add = |word: &'static str, good: bool| {
        let elsewhere = there.world.clone();
        here.world.change(move |session| {
            session.execute("INSERT INTO fact VALUES (?1, 1)", [word])?;
            let seen = elsewhere.view(|session| session.fact("a"))?;
            let own = session.fact("a")?;
            match good {
                true => Ok((own, seen)),
                false => Err(WorldError::Broken(word.to_owned())),
            }
        })
    };
    let (a, b, c) = tokio::join!(add("a", true), add("b", false), add("c", true));
    assert_eq!(
        (a.unwrap(), c.unwrap()),
        ((1, 0), (1, 0)),
        "not seen elsewhere yet"
    );
    assert!(matches!(b, Err(WorldError::Broken(word)) if word == "b"));
    let facts = ["a", "b", "c"].map(|word| there.world.view(|it| it.fact(word)).unwrap());
    assert_eq!(facts, [1, 0, 1]);
}

#[tokio::test]
async fn what_arrived_is_made_before_anybody_looks_though_its_caller_gave_up() {
    let cloud = Cloud::plain();
    let at = "acme/dns.zone/tenant";
    let mut call = Box::pin(cloud.create(at, r#"{"name":"a"}"#));
    let mut waker = Context::from_waker(Waker::noop());
    assert!(call.as_mut().poll(&mut waker).is_pending());
    drop(call);
    assert_eq!(cloud.list("acme").await, [at]);
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

#[test]
fn all_that_open_a_new_world_at_once_get_it() {
    const ROUNDS: usize = 50;
    const OPENERS: usize = 4;
    for round in 0..ROUNDS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("world.db");
        let ready = std::sync::Barrier::new(OPENERS);
        std::thread::scope(|scope| {
            let open = || {
                ready.wait();
                Simulated::open(&path, SimulatedOptions::default()).map(drop)
            };
            let openers: Vec<_> = (0..OPENERS).map(|_| scope.spawn(open)).collect();
            for opened in openers {
                opened
                    .join()
                    .unwrap()
                    .unwrap_or_else(|why| panic!("round {round}: {why}"));
            }
        });
    }
}
