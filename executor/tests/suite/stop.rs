//! Being stopped: drained, out of time, refused from the start.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use matih_executor::{
    Answer, ApplyOptions, Boundary, Ending, ExecutorError, Onlooker, Stop, apply,
};
use matih_model::Verb;
use matih_state::TenantStatus;

use crate::bench::{Bench, Recorder};
use crate::faults::{always, at};
use crate::tenant::{first, second};

#[tokio::test(start_paused = true)]
async fn a_drained_run_ends_what_runs_starts_nothing_and_can_be_resumed() {
    let bench = Bench::new();
    let at_the_zone = |boundary: &Boundary| match boundary.to_string() {
        text if text.contains("dns.zone/zone") && text.ends_with("Sent") => Answer::Drain,
        _ => Answer::Continue,
    };
    let seen = Recorder::answering(at_the_zone);
    let report = bench.apply(&first(), &seen).await.unwrap();
    assert_eq!(report.ending(), Ending::Drained);
    assert_eq!(report.stopped, Some(Stop::Drained));
    let zone = "acme/dns.zone/zone".parse().unwrap();
    assert!(bench.recorded().contains_key(&zone), "what ran is recorded");
    assert_eq!(report.counts().not_started, 5);
    assert_eq!(bench.status(), TenantStatus::Provisioning);
    bench.apply(&first(), &()).await.unwrap();
    assert_eq!(bench.status(), TenantStatus::Active);
    bench.assert_sound(&first(), "resumed").await;
}

/// Interrupts from outside of any boundary, after some time.
struct Impatient {
    after: Duration,
    with: Answer,
    heard: AtomicBool,
}

impl Onlooker for Impatient {
    fn interrupted<'a>(
        &'a self,
        heard: Answer,
    ) -> std::pin::Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(async move {
            if heard >= self.with {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(self.after).await;
            self.heard.store(true, Ordering::SeqCst);
            self.with
        })
    }
}

#[tokio::test(start_paused = true)]
async fn an_interruption_is_heard_during_a_wait() {
    for with in [Answer::Drain, Answer::Abandon] {
        let bench = Bench::new();
        let rule = always("dns.zone", "create", "throttle:600000");
        bench.world.sandbox().add_fault(&rule).unwrap();
        let impatient = Impatient {
            after: Duration::from_secs(3),
            with,
            heard: AtomicBool::new(false),
        };
        let before = tokio::time::Instant::now();
        let result = bench.apply(&first(), &impatient).await;
        assert!(before.elapsed() < Duration::from_secs(10), "no ten minutes");
        assert!(impatient.heard.load(Ordering::SeqCst));
        match with {
            Answer::Drain => assert_eq!(result.unwrap().ending(), Ending::Drained),
            _ => assert!(matches!(result, Err(ExecutorError::Abandoned))),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_with_its_time() {
    let bench = Bench::new();
    let rule = always("dns.record", "create", "hang");
    bench.world.sandbox().add_fault(&rule).unwrap();
    let before = tokio::time::Instant::now();
    let report = bench
        .apply_with(&first(), &(), |options| {
            options.limit = Duration::from_secs(90);
        })
        .await
        .unwrap();
    assert!(
        before.elapsed() <= Duration::from_secs(91),
        "{:?}",
        before.elapsed()
    );
    assert_eq!(report.stopped, Some(Stop::OutOfTime));
    assert_eq!(report.ending(), Ending::Partial, "looked up: not done");

    let report = bench
        .apply_with(&first(), &(), |options| options.limit = Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(report.stopped, Some(Stop::OutOfTime));
    assert_eq!(report.counts().not_started, report.actions.len());
}

#[tokio::test(start_paused = true)]
async fn a_stale_plan_and_an_unsettled_state_are_refused_before_any_effect() {
    let bench = Bench::new();
    let old = bench.plan(&first(), Verb::Apply).await;
    bench.apply(&first(), &()).await.unwrap();
    let mut store = bench.lock();
    let (world, options) = (bench.surroundings(), bench.options());
    let refused = apply(&mut store, &old, &world, &options, &())
        .await
        .unwrap_err();
    assert!(
        matches!(refused, ExecutorError::Stale { base: None, .. }),
        "{refused}"
    );

    let dead = Recorder::answering(|boundary| match boundary.to_string() {
        text if text.ends_with("Sent") => Answer::Abandon,
        _ => Answer::Continue,
    });
    bench.apply(&second(), &dead).await.unwrap_err();
    let mut store = bench.lock();
    let plan = bench.plan(&second(), Verb::Apply).await;
    let refused = apply(&mut store, &plan, &world, &options, &())
        .await
        .unwrap_err();
    assert!(
        matches!(refused, ExecutorError::Pending { .. }),
        "{refused}"
    );
    assert!(refused.hint().unwrap().contains("matih resume"));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_over_while_all_hands_are_full_waits_on() {
    let bench = Bench::new();
    let sandbox = bench.world.sandbox();
    sandbox
        .add_fault(&at(1, "dns.record/api", "create", "throttle"))
        .unwrap();
    sandbox
        .add_fault(&at(1, "dns.record/mail", "create", "hang"))
        .unwrap();
    let one_at_once = |options: &mut ApplyOptions| options.parallelism = NonZeroUsize::MIN;
    let report = bench.apply_with(&first(), &(), one_at_once).await.unwrap();
    assert_eq!(report.ending(), Ending::Complete);
    bench.assert_sound(&first(), "in the end").await;
}

#[test]
fn a_run_may_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let bench = Bench::new();
    let mut store = bench.lock();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let plan = runtime.block_on(bench.plan(&first(), Verb::Apply));
    let _entered = runtime.enter();
    let (world, options) = (bench.surroundings(), bench.options());
    let run = apply(&mut store, &plan, &world, &options, &());
    is_send(&run);
    assert_eq!(runtime.block_on(run).unwrap().ending(), Ending::Complete);
}
