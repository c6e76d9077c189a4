//! When an outcome is written: at once where something follows it, soon with others elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use matih_executor::{ActionPoint, Answer, Boundary};
use matih_model::{
    Applied, Call, CheckReport, KindSchema, Observed, Provider, ProviderFuture, ReadRequest,
    Reading, TenantId,
};
use matih_providers::simulated::Simulated;
use tokio::time::Instant;

use crate::bench::{Bench, Recorder};
use crate::tenant::{graph, record, resource};

/// The longest that an outcome may wait.
const MOST: Duration = Duration::from_millis(20);
const RECORDS: u32 = 8;

/// The simulated cloud, in which what is called rN at its end takes N times seven milliseconds.
struct Uneven(Arc<Simulated>);

impl Provider for Uneven {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn kinds(&self) -> Vec<KindSchema> {
        self.0.kinds()
    }

    fn read<'a>(&'a self, requests: &'a [ReadRequest<'a>]) -> ProviderFuture<'a, Vec<Reading>> {
        self.0.read(requests)
    }

    fn list<'a>(
        &'a self,
        installation: &'a str,
        tenant: &'a TenantId,
    ) -> ProviderFuture<'a, Vec<Observed>> {
        self.0.list(installation, tenant)
    }

    fn create<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, Applied> {
        let name = call.owner.address.to_string();
        let number = name.rsplit('r').next().and_then(|it| it.parse().ok());
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(7) * number.unwrap_or(0)).await;
            self.0.create(call).await
        })
    }

    fn update<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, Applied> {
        self.0.update(call)
    }

    fn delete<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, ()> {
        self.0.delete(call)
    }

    fn check<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, CheckReport> {
        self.0.check(call)
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_nothing_follows_is_written_with_others_and_soon() {
    let bench = Bench::served_by(|world| Arc::new(Uneven(world)));
    let crossed: Mutex<BTreeMap<(String, ActionPoint), Instant>> = Mutex::default();
    let seen = Recorder::answering(|boundary| {
        if let Boundary::Action { address, point, .. } = boundary {
            let key = (address.resource_name().to_string(), *point);
            crossed.lock().unwrap().insert(key, Instant::now());
        }
        Answer::Continue
    });
    let (room, zone) = ("check.capacity/room", "dns.zone/zone");
    let records: Vec<String> = (1..=RECORDS).map(|n| format!("r{n}")).collect();
    let mut all = vec![
        resource(room, 0, &[], "{}"),
        resource(zone, 5, &[room], r#"{"name":"acme.example"}"#),
        // Of the same wave, and under way until most records are there.
        resource("dns.zone/other-r8", 5, &[], r#"{"name":"other.example"}"#),
    ];
    all.extend(records.iter().map(|it| record(it, "A", 60, "10.0.0.1")));
    let report = bench.apply(&graph(all), &seen).await.unwrap();
    assert_eq!(report.counts().created, 2 + records.len());

    let crossed = crossed.lock().unwrap();
    let at = |name: &str, point| crossed[&(name.to_owned(), point)];
    let written = |name: &str| at(name, ActionPoint::OutcomeCommitted);
    let waited = |name: &str| written(name) - at(name, ActionPoint::BeforeOutcome);
    assert_eq!(waited(room), Duration::ZERO, "the zone follows it");
    assert_eq!(waited(zone), Duration::ZERO, "all records follow it");
    let records: Vec<String> = records
        .iter()
        .map(|it| format!("dns.record/{it}"))
        .collect();
    let times: Vec<Duration> = records.iter().map(|it| waited(it)).collect();
    assert!(times.iter().all(|it| *it <= MOST), "too long: {times:?}");
    // Seven milliseconds apart, three share a commit: 7, 14, 21; 28, 35, 42; 49, 56.
    let commits: BTreeSet<Instant> = records.iter().map(|it| written(it)).collect();
    assert_eq!(commits.len(), 3, "{times:?}");
}
