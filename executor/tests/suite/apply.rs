//! What goes well: order, records, status, edits, adoption, one trace for one seed.

use std::num::NonZeroUsize;
use std::time::Duration;

use matih_executor::{ApplyOptions, Ending, Fate};
use matih_model::{Edit, Origin, ResourceGraph, RunId, Tenancy, Verb};
use matih_providers::simulated::{Latency, SimulatedOptions};
use matih_state::{CommitRequest, RunOutcome, RunStart, TenantStatus};

use crate::bench::{Bench, Recorder};
use crate::tenant::{acme, first, graph, record, resource, second};

fn nothing() -> ResourceGraph {
    ResourceGraph::empty(acme(), Tenancy::Shared)
}

#[tokio::test(start_paused = true)]
async fn a_tenant_comes_changes_and_goes() {
    let bench = Bench::new();
    let seen = Recorder::new();
    let report = bench.apply(&first(), &seen).await.unwrap();
    assert_eq!(report.ending(), Ending::Complete);
    assert_eq!((report.counts().created, report.counts().checked), (7, 1));
    assert_eq!(bench.status(), TenantStatus::Active);
    bench.assert_sound(&first(), "first").await;
    assert_eq!(seen.told("step_finished", "addr").len(), 8);
    assert_eq!(seen.told("run_finished", "ending"), ["complete"]);

    let report = bench.apply(&second(), &()).await.unwrap();
    assert_eq!(report.ending(), Ending::Complete, "{:?}", report.actions);
    let counts = report.counts();
    assert_eq!((counts.created, counts.updated, counts.deleted), (2, 3, 2));
    bench.assert_sound(&second(), "second").await;
    assert_eq!(bench.recorded().len(), 7);
    let mail = "acme/dns.record/mail".parse().unwrap();
    assert_eq!(bench.recorded()[&mail].1, 2, "its second life");

    let report = bench.apply(&second(), &()).await.unwrap();
    assert_eq!(report.actions, [], "nothing to do");
    let report = bench.apply(&nothing(), &()).await.unwrap();
    assert_eq!(report.counts().deleted, 7);
    assert_eq!(bench.present().len(), 0);
    assert_eq!(bench.status(), TenantStatus::Deleted);
}

#[tokio::test(start_paused = true)]
async fn what_is_recorded_has_its_references_resolved_and_kept() {
    let bench = Bench::new();
    bench.apply(&first(), &()).await.unwrap();
    let head = bench.store.head(&acme()).unwrap().unwrap();
    let www = head.get(&"acme/dns.record/www".parse().unwrap()).unwrap();
    assert_eq!(www.applied().text("zone"), Some("acme.example"));
    assert_eq!(www.resource.attributes.refs().len(), 1, "still a reference");
    assert!(www.version.is_some());
}

#[tokio::test(start_paused = true)]
async fn one_seed_is_one_trace() {
    let trace = || async {
        let bench = Bench::with(SimulatedOptions {
            latency: Latency::Real,
            seed: 3,
            ..SimulatedOptions::default()
        });
        let seen = Recorder::new();
        bench.apply(&first(), &seen).await.unwrap();
        bench.apply(&second(), &seen).await.unwrap();
        let boundaries = seen.boundaries.lock().unwrap().clone();
        (seen.lines(), boundaries)
    };
    let (one, other) = (trace().await, trace().await);
    assert!(one.0.len() > 30, "{} events", one.0.len());
    assert_eq!(one, other);
}

#[tokio::test(start_paused = true)]
async fn at_most_so_many_calls_are_in_the_air() {
    for parallelism in [1, 3] {
        let bench = Bench::with(SimulatedOptions {
            latency: Latency::Real,
            ..SimulatedOptions::default()
        });
        let seen = Recorder::new();
        let mut all = vec![
            resource("check.capacity/room", 0, &[], "{}"),
            resource("dns.zone/zone", 2, &[], r#"{"name":"acme.example"}"#),
        ];
        all.extend((0..8).map(|n| record(&format!("r{n}"), "A", 60, "10.0.0.1")));
        let report = bench
            .apply_with(&graph(all), &seen, |options| {
                options.parallelism = NonZeroUsize::new(parallelism).unwrap();
            })
            .await
            .unwrap();
        assert_eq!(report.ending(), Ending::Complete);
        let mut flying = 0_usize;
        let mut most = 0;
        for boundary in seen.boundaries.lock().unwrap().iter() {
            if boundary.ends_with("IntentCommitted") {
                flying += 1;
            } else if boundary.ends_with("BeforeOutcome") {
                flying -= 1;
            }
            most = most.max(flying);
        }
        assert_eq!(most, parallelism);
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_with_our_mark_is_adopted_and_one_without_is_left_alone() {
    let bench = Bench::new();
    bench.apply(&first(), &()).await.unwrap();
    // State is lost whole; the world is not.
    let other = Bench::over(&bench);
    let report = other.apply(&first(), &()).await.unwrap();
    assert_eq!(report.ending(), Ending::Complete, "{:?}", report.actions);
    let adopted = report
        .actions
        .iter()
        .filter(|it| it.fate == Fate::Done { adopted: true });
    assert_eq!(adopted.count(), 7);
    other.assert_sound(&first(), "adopted").await;

    let foreign = Bench::new();
    let zone = serde_json::from_str(r#"{"name":"acme.example"}"#).unwrap();
    let sandbox = foreign.world.sandbox();
    sandbox.add(&"dns.zone".parse().unwrap(), zone).unwrap();
    let report = foreign.apply(&first(), &()).await.unwrap();
    assert_eq!(report.ending(), Ending::Partial);
    let (action, failure) = report.failures().next().unwrap();
    assert_eq!(action.address.to_string(), "acme/dns.zone/zone");
    assert_eq!(failure.kind, matih_model::ErrorKind::Conflict);
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_renewed_while_a_slow_call_runs() {
    let bench = Bench::new();
    let seen = Recorder::new();
    let rule = crate::faults::at(1, "dns.zone", "create", "hang");
    bench.world.sandbox().add_fault(&rule).unwrap();
    let before = tokio::time::Instant::now();
    let report = bench.apply(&first(), &seen).await.unwrap();
    assert_eq!(report.ending(), Ending::Complete);
    assert!(before.elapsed() >= Duration::from_secs(60), "the call hung");
    let boundaries = seen.boundaries.lock().unwrap();
    let renewals = boundaries
        .iter()
        .filter(|it| it.ends_with("AfterRenew"))
        .count();
    assert!(
        renewals >= 6,
        "{renewals} renewals of a third of 30 s in 62 s"
    );
}

#[tokio::test(start_paused = true)]
async fn only_a_whole_apply_stands_for_its_inputs_and_brings_a_tenant_up() {
    let bench = Bench::new();
    let inputs = || bench.store.tenant(&acme()).unwrap().unwrap().inputs;
    let part = |options: &mut ApplyOptions| options.whole = false;
    bench.apply_with(&first(), &(), part).await.unwrap();
    assert_eq!(
        (bench.status(), inputs()),
        (TenantStatus::Provisioning, None)
    );
    bench.apply(&first(), &()).await.unwrap();
    assert_eq!(bench.status(), TenantStatus::Active);
    assert!(inputs().is_some());
    bench.apply_with(&second(), &(), part).await.unwrap();
    assert_eq!((bench.status(), inputs()), (TenantStatus::Active, None));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_recorded_under_another_name_is_not_taken_for_a_new_one() {
    let bench = Bench::new();
    let zone = |name: &str| {
        let name = format!("dns.zone/{name}");
        graph(vec![resource(&name, 2, &[], r#"{"name":"acme.example"}"#)])
    };
    bench.apply(&zone("old"), &()).await.unwrap();
    // Somebody renames it in the record; the object still bears the mark of its old name.
    let mut store = bench.lock();
    let (run, now_ms) = (RunId::new("rename"), store.lock().expires_ms - 10_000);
    let verb = Verb::Edit;
    let start = RunStart {
        run: &run,
        verb: &verb,
        plan: None,
        command: None,
        now_ms,
    };
    store.open_run(&start).unwrap();
    let name = |name: &str| format!("acme/dns.zone/{name}").parse().unwrap();
    let (from, to) = (name("old"), name("new"));
    store.edit(&[Edit::Move { from, to }], now_ms).unwrap();
    let renamed = CommitRequest {
        origin: Origin { run, verb },
        tenancy: Tenancy::Shared,
        inputs: None,
        outcome: RunOutcome::Succeeded,
        now_ms,
    };
    store.commit(&renamed).unwrap();
    store.release(now_ms).unwrap();
    // The spec knows nothing of it: a create of the old name, and a delete of the new one.
    let report = bench.apply(&zone("old"), &()).await.unwrap();
    assert_eq!(report.ending(), Ending::FailedBeforeEffect);
    let (action, failure) = report.failures().next().unwrap();
    assert_eq!(action.address.to_string(), "acme/dns.zone/old");
    assert_eq!(
        failure.message,
        "it is there already, and is recorded as acme/dns.zone/new"
    );
    assert!(failure.hint.as_ref().unwrap().contains("[[moved]]"));
    assert_eq!(bench.world.sandbox().list(None).unwrap().len(), 1);
    let head = bench.store.head(&acme()).unwrap().unwrap();
    assert!(head.get(&name("new")).is_some() && head.resources().len() == 1);
}
