//! Reading the world: grouped, patient, and never taking silence for absence.

use std::sync::Arc;

use matih_executor::{ObserveOptions, RecoverOptions, observe, recover};
use matih_model::{Reading, Registry};

use crate::bench::Bench;
use crate::faults::{always, at};
use crate::tenant::{acme, first};

async fn readings(bench: &Bench, chunk: usize) -> Vec<(String, Reading)> {
    let registry = Registry::new(vec![bench.world.clone()]).unwrap();
    let heads: Vec<Arc<_>> = bench.store.head(&acme()).unwrap().into_iter().collect();
    let options = ObserveOptions {
        chunk,
        ..ObserveOptions::default()
    };
    let mut observations = observe(&registry, &heads, &options).await;
    let readings = observations.remove(&acme()).unwrap().readings;
    let named = readings.into_iter();
    named
        .map(|(address, reading)| (address.to_string(), reading))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn every_recorded_resource_has_a_reading_whatever_the_chunk() {
    let bench = Bench::new();
    bench.apply(&first(), &()).await.unwrap();
    for chunk in [1, 2, 1000] {
        let readings = readings(&bench, chunk).await;
        assert_eq!(readings.len(), 7);
        assert!(
            readings.iter().all(|(_, it)| *it == Reading::Unchanged),
            "{readings:?}"
        );
    }
    let sandbox = bench.world.sandbox();
    sandbox.remove("acme/dns.record/www").unwrap();
    let ttl = "ttl".parse().unwrap();
    sandbox
        .edit("acme/dns.record/api", &ttl, Some(5.into()))
        .unwrap();
    let readings = readings(&bench, 2).await;
    let of = |name: &str| {
        let found = readings.iter().find(|(address, _)| address.ends_with(name));
        found.unwrap().1.clone()
    };
    assert_eq!(of("/www"), Reading::Missing);
    assert!(matches!(of("/api"), Reading::Present(_)));
    assert_eq!(of("/mail"), Reading::Unchanged);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_unknown() {
    let bench = Bench::new();
    bench.apply(&first(), &()).await.unwrap();
    let sandbox = bench.world.sandbox();
    sandbox
        .add_fault(&always("dns.record/www", "read", "fail:denied:not for you"))
        .unwrap();
    let readings = readings(&bench, 1000).await;
    let www = readings
        .iter()
        .find(|(address, _)| address.ends_with("/www"));
    match &www.unwrap().1 {
        Reading::Unknown(why) => assert!(why.contains("not for you"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_finds_what_state_has_lost_and_an_apply_adopts_it() {
    let bench = Bench::new();
    bench.apply(&first(), &()).await.unwrap();
    let lost = Bench::over(&bench);
    let mut store = lost.lock();
    let options = RecoverOptions {
        sweep: true,
        ..RecoverOptions::default()
    };
    // One failure to look is not taken for an answer.
    let away = at(1, "acme", "list", "fail:unavailable:away");
    bench.world.sandbox().add_fault(&away).unwrap();
    let recovery = recover(&mut store, &lost.surroundings(), &options, &())
        .await
        .unwrap();
    assert_eq!(recovery.run, None);
    assert_eq!(recovery.unmanaged.unknown, []);
    assert_eq!(recovery.unmanaged.found.len(), 7);
    lost.apply(&first(), &()).await.unwrap();
    lost.assert_sound(&first(), "adopted").await;
}

#[tokio::test(start_paused = true)]
async fn a_run_stays_open_while_nobody_can_look() {
    let bench = Bench::new();
    let sent = |boundary: &matih_executor::Boundary| match boundary.to_string() {
        text if text.contains("dns.zone") && text.ends_with("Acted") => {
            matih_executor::Answer::Abandon
        }
        _ => matih_executor::Answer::Continue,
    };
    let dead = crate::bench::Recorder::answering(sent);
    bench.apply(&first(), &dead).await.unwrap_err();
    let sandbox = bench.world.sandbox();
    sandbox
        .add_fault(&always("acme", "list", "fail:unavailable:away"))
        .unwrap();
    let mut store = bench.lock();
    let (world, options) = (bench.surroundings(), RecoverOptions::default());
    let recovery = recover(&mut store, &world, &options, &()).await.unwrap();
    assert_eq!(recovery.unclear.len(), 1, "{recovery:?}");
    assert_eq!(store.pending().unwrap().len(), 1);
    sandbox.clear_faults(None).unwrap();
    let recovery = recover(&mut store, &world, &options, &()).await.unwrap();
    assert_eq!(recovery.settled.len(), 1);
    assert!(recovery.settled[0].done);
    assert_eq!(store.pending().unwrap(), []);
    let zone = "acme/dns.zone/zone".parse().unwrap();
    assert!(recovery.head.unwrap().get(&zone).is_some());
}
