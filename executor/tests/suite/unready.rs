//! What was made and does not work: the action fails, the object is recorded, and every later
//! plan looks at it again until it works.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use matih_executor::Ending;
use matih_model::{
    Applied, Call, CheckReport, ErrorKind, KindSchema, Observed, Op, Provider, ProviderError,
    ProviderFuture, ReadRequest, Reading, Reason, TenantId, Verb,
};
use matih_providers::simulated::Simulated;

use crate::bench::Bench;
use crate::tenant::{first, graph};

/// The simulated cloud, in which nothing of one kind works for a while.
struct Slow {
    world: Arc<Simulated>,
    works: Arc<AtomicBool>,
}

impl Slow {
    fn told(&self, call: &Call<'_>, applied: Applied) -> Applied {
        let of_kind = call.owner.address.kind.as_str() == "dns.record";
        let unready = of_kind && !self.works.load(Ordering::Relaxed);
        let error = ProviderError::new(ErrorKind::Unavailable, "0 of 2 pods are ready");
        Applied {
            unready: unready.then_some(error),
            ..applied
        }
    }
}

impl Provider for Slow {
    fn name(&self) -> &str {
        self.world.name()
    }

    fn kinds(&self) -> Vec<KindSchema> {
        self.world.kinds()
    }

    fn read<'a>(&'a self, requests: &'a [ReadRequest<'a>]) -> ProviderFuture<'a, Vec<Reading>> {
        self.world.read(requests)
    }

    fn list<'a>(
        &'a self,
        installation: &'a str,
        tenant: &'a TenantId,
    ) -> ProviderFuture<'a, Vec<Observed>> {
        self.world.list(installation, tenant)
    }

    fn create<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, Applied> {
        Box::pin(async move { Ok(self.told(call, self.world.create(call).await?)) })
    }

    fn update<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, Applied> {
        Box::pin(async move { Ok(self.told(call, self.world.update(call).await?)) })
    }

    fn delete<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, ()> {
        self.world.delete(call)
    }

    fn check<'a>(&'a self, call: &'a Call<'a>) -> ProviderFuture<'a, CheckReport> {
        self.world.check(call)
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_recorded_and_fails_until_it_works() {
    let works = Arc::new(AtomicBool::new(false));
    let bench = Bench::served_by(|world| {
        Arc::new(Slow {
            world,
            works: works.clone(),
        })
    });
    for (apply, verb) in [("first", "create"), ("again", "update")] {
        let report = bench.apply(&first(), &()).await.unwrap();
        assert_eq!(report.ending(), Ending::Partial, "{apply}");
        let (action, failure) = report.failures().next().unwrap();
        assert_eq!(failure.message, "0 of 2 pods are ready");
        assert_eq!(
            (action.verb, action.tries),
            (verb, 1),
            "{apply}: it is not sent again"
        );
        // All that is there is in the record, so that nothing can be orphaned.
        let recorded: Vec<_> = bench.recorded().into_keys().collect();
        let present: Vec<_> = bench.present().into_keys().collect();
        assert_eq!(recorded, present, "{apply}");
        let next = bench.plan(&first(), Verb::Apply).await;
        let updates = next
            .actions()
            .iter()
            .filter(|it| matches!(it.op, Op::Update { .. }));
        assert!(updates.count() > 0, "{apply}: nobody looks again");
        let unsettled = next
            .actions()
            .iter()
            .any(|it| it.reason == Reason::Unsettled);
        assert!(unsettled, "{apply}");
    }
    works.store(true, Ordering::Relaxed);
    let report = bench.apply(&first(), &()).await.unwrap();
    assert_eq!(report.ending(), Ending::Complete);
    bench.assert_sound(&first(), "when it works").await;
    bench.apply(&graph(Vec::new()), &()).await.unwrap();
    assert_eq!(bench.present().len(), 0);
}
