//! What goes wrong at the provider, kind by kind, and what becomes of it.

use std::time::Duration;

use matih_executor::{Ending, Fate, OnFailure};
use matih_model::ErrorKind;
use matih_providers::simulated::{CallOp, FaultRule};
use matih_state::TenantStatus;
use tokio::time::Instant;

use crate::bench::{Bench, Recorder};
use crate::tenant::{first, second};

fn op(word: &str) -> CallOp {
    let all = [
        CallOp::Create,
        CallOp::Update,
        CallOp::Delete,
        CallOp::Check,
        CallOp::Read,
        CallOp::List,
    ];
    all.into_iter().find(|op| op.as_str() == word).unwrap()
}

pub(crate) fn at(n: u64, on: &str, word: &str, fault: &str) -> FaultRule {
    FaultRule::at(n, on, op(word), fault.parse().unwrap())
}

pub(crate) fn always(on: &str, word: &str, fault: &str) -> FaultRule {
    FaultRule::always(on, op(word), fault.parse().unwrap())
}

fn faulty(rule: &FaultRule) -> Bench {
    let bench = Bench::new();
    bench.world.sandbox().add_fault(rule).unwrap();
    bench
}

fn struck(bench: &Bench) -> u64 {
    bench
        .world
        .sandbox()
        .faults()
        .unwrap()
        .iter()
        .map(|it| it.struck)
        .sum()
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_and_told() {
    for (fault, word, looks) in [
        ("fail:unavailable:away", "unavailable", "false"),
        ("throttle:9000", "throttled", "false"),
        ("lose_reply", "unknown", "true"),
        ("partial", "unknown", "true"),
        ("hang", "unknown", "true"),
    ] {
        let bench = faulty(&at(1, "dns.record/www", "create", fault));
        let seen = Recorder::new();
        let before = Instant::now();
        let report = bench.apply(&first(), &seen).await.unwrap();
        assert_eq!(struck(&bench), 1, "{fault}");
        assert_eq!(report.ending(), Ending::Complete, "{fault}");
        assert_eq!(
            seen.told("step_retry", "addr"),
            ["acme/dns.record/www"],
            "{fault}"
        );
        assert_eq!(seen.told("step_retry", "error"), [word]);
        assert_eq!(seen.told("step_retry", "look_first"), [looks]);
        let waited = before.elapsed();
        let least = if fault == "throttle:9000" { 9 } else { 2 };
        assert!(waited >= Duration::from_secs(least), "{fault}: {waited:?}");
        bench.assert_sound(&first(), fault).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_update_or_delete_is_looked_up_not_repeated_blindly() {
    for (on, word) in [("dns.record/www", "update"), ("dns.record/api", "delete")] {
        let bench = Bench::new();
        bench.apply(&first(), &()).await.unwrap();
        let rule = at(1, on, word, "lose_reply");
        bench.world.sandbox().add_fault(&rule).unwrap();
        let report = bench.apply(&second(), &()).await.unwrap();
        assert_eq!(
            report.ending(),
            Ending::Complete,
            "{on}: {:?}",
            report.actions
        );
        let matched = bench.world.sandbox().faults().unwrap()[0].matched;
        assert_eq!(matched, 1, "{on}: sent once, then looked up");
        bench.assert_sound(&second(), on).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_became_as_wanted_by_other_hands_and_lost_our_mark_is_not_told_as_done() {
    let bench = Bench::new();
    bench.apply(&first(), &()).await.unwrap();
    let sandbox = bench.world.sandbox();
    let lost = always("dns.record/www", "update", "fail:unknown:nobody heard it");
    sandbox.add_fault(&lost).unwrap();
    let unread = always("*", "read", "fail:unavailable:away");
    sandbox.add_fault(&unread).unwrap();
    let report = bench.apply(&second(), &()).await.unwrap();
    assert_eq!(report.ending(), Ending::Unsettled);
    sandbox.clear_faults(None).unwrap();
    let ttl = "ttl".parse().unwrap();
    let www = "acme/dns.record/www";
    sandbox.edit(www, &ttl, Some(300.into())).unwrap();
    sandbox.disown(www).unwrap();
    let seen = Recorder::new();
    bench.apply(&second(), &seen).await.unwrap();
    let found = seen.told("step_settled", "found");
    assert_eq!(found, ["there, neither as wanted nor as it was before"]);
    bench.assert_sound(&second(), "it is ours again").await;
}

#[tokio::test(start_paused = true)]
async fn what_stays_a_refusal_fails_at_once() {
    for (fault, kind) in [
        ("fail:denied:no", ErrorKind::Denied),
        ("fail:invalid:no", ErrorKind::Invalid),
        ("fail:conflict:no", ErrorKind::Conflict),
        ("fail:not_found:no", ErrorKind::NotFound),
    ] {
        let bench = faulty(&always("dns.record/www", "create", fault));
        let report = bench.apply(&first(), &()).await.unwrap();
        assert_eq!(struck(&bench), 1, "{fault}: tried once");
        assert_eq!(report.ending(), Ending::Partial);
        let (action, failure) = report.failures().next().unwrap();
        assert_eq!((action.tries, failure.kind), (1, kind));
        assert_eq!(bench.status(), TenantStatus::Failed);
    }
}

#[tokio::test(start_paused = true)]
async fn retries_end_and_the_rest_can_be_resumed() {
    let bench = faulty(&always("dns.record/www", "create", "fail:unavailable:away"));
    let report = bench.apply(&first(), &()).await.unwrap();
    assert_eq!(struck(&bench), 4, "one try and three retries");
    let (action, failure) = report.failures().next().unwrap();
    assert_eq!((action.tries, failure.kind), (4, ErrorKind::Unavailable));
    bench.world.sandbox().clear_faults(None).unwrap();
    let report = bench.apply(&first(), &()).await.unwrap();
    assert_eq!(report.ending(), Ending::Complete);
    assert_eq!(bench.status(), TenantStatus::Active);
    bench.assert_sound(&first(), "resumed").await;

    let bench = faulty(&always("dns.record/www", "create", "fail:unavailable:away"));
    bench
        .apply_with(&first(), &(), |options| options.max_retries = Some(1))
        .await
        .unwrap();
    assert_eq!(struck(&bench), 2, "at most one retry");
}

#[tokio::test(start_paused = true)]
async fn a_failure_blocks_what_waits_and_continue_goes_on_with_the_rest() {
    let fate = |report: &matih_executor::Report, name: &str| {
        let found = report
            .actions
            .iter()
            .find(|it| it.address.to_string().ends_with(name));
        found.unwrap().fate.clone()
    };
    let rule = always("dns.record/api", "create", "fail:denied:no");
    let bench = faulty(&rule);
    let report = bench
        .apply_with(&first(), &(), |options| {
            options.on_failure = OnFailure::Continue;
        })
        .await
        .unwrap();
    assert_eq!(
        fate(&report, "dns.record/www"),
        Fate::Done { adopted: false }
    );
    let by = "acme/dns.record/api".parse().unwrap();
    assert_eq!(
        fate(&report, "tenant.activation/acme"),
        Fate::Blocked { by }
    );
    assert_eq!(
        report.counts().blocked,
        2,
        "the mail waits for the activation"
    );

    // With one call at once, `stop` leaves what comes after the failure.
    let bench = faulty(&rule);
    let report = bench
        .apply_with(&first(), &(), |options| {
            options.parallelism = std::num::NonZeroUsize::MIN;
        })
        .await
        .unwrap();
    assert_eq!(fate(&report, "dns.record/www"), Fate::NotStarted);
    assert_eq!(report.ending(), Ending::Partial);
}

#[tokio::test(start_paused = true)]
async fn a_failing_check_stops_everything_before_any_effect() {
    let bench = faulty(&always("check.capacity", "check", "fail:denied:no"));
    let report = bench.apply(&first(), &()).await.unwrap();
    assert_eq!(report.ending(), Ending::FailedBeforeEffect);
    assert_eq!(bench.present().len(), 0);
    assert_eq!(report.counts().blocked, 7);
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_fails_is_a_warning() {
    let bench = faulty(&always("notification.email", "create", "fail:denied:no"));
    let seen = Recorder::new();
    let report = bench.apply(&first(), &seen).await.unwrap();
    assert_eq!(report.ending(), Ending::Complete);
    assert_eq!(report.counts().warned, 1);
    assert_eq!(seen.told("step_failed", "warning"), ["true"]);
    assert_eq!(bench.status(), TenantStatus::Active);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_moved_since_the_plan_is_left_alone() {
    let bench = Bench::new();
    bench.apply(&first(), &()).await.unwrap();
    let mut store = bench.lock();
    let plan = bench.plan(&second(), matih_model::Verb::Apply).await;
    let ttl = "ttl".parse().unwrap();
    let sandbox = bench.world.sandbox();
    sandbox
        .edit("acme/dns.record/www", &ttl, Some(5.into()))
        .unwrap();
    let (world, options) = (bench.surroundings(), bench.options());
    let report = matih_executor::apply(&mut store, &plan, &world, &options, &());
    let report = report.await.unwrap();
    let (action, failure) = report.failures().next().unwrap();
    assert_eq!(action.address.to_string(), "acme/dns.record/www");
    assert!(
        failure.message.starts_with("changed since it was planned"),
        "{}",
        failure.message
    );
    assert!(failure.hint.as_ref().unwrap().contains("matih plan"));
    let www = sandbox.show("acme/dns.record/www").unwrap();
    assert_eq!(www.attributes.get("ttl"), Some(&5.into()));
    assert_eq!(
        bench.status(),
        TenantStatus::Active,
        "a running tenant stays up"
    );
}

#[tokio::test(start_paused = true)]
async fn a_doubt_that_outlives_the_tries_is_settled_at_the_end_or_left_pending() {
    // Every try loses its reply, and so does every look: nobody knows.
    let bench = faulty(&always("dns.record/www", "create", "lose_reply"));
    bench
        .world
        .sandbox()
        .add_fault(&always("acme", "list", "fail:unavailable:away"))
        .unwrap();
    let report = bench.apply(&first(), &()).await.unwrap();
    assert_eq!(report.ending(), Ending::Unsettled);
    let pending = bench.store.pending(&crate::tenant::acme()).unwrap();
    assert_eq!(pending.len(), 1);
    bench.world.sandbox().clear_faults(None).unwrap();
    let report = bench.apply(&first(), &()).await.unwrap();
    assert_eq!(report.ending(), Ending::Complete);
    bench.assert_sound(&first(), "recovered").await;

    // No retries at all, so the look at the end finds it.
    let bench = faulty(&at(1, "dns.record/www", "create", "lose_reply"));
    let seen = Recorder::new();
    let report = bench
        .apply_with(&first(), &seen, |options| options.max_retries = Some(0))
        .await
        .unwrap();
    assert_eq!(seen.told("step_settled", "found"), ["there, as wanted"]);
    assert_eq!(
        report.ending(),
        Ending::Partial,
        "what waited for it did not start"
    );
    let done = report
        .actions
        .iter()
        .find(|it| it.address.name.as_str() == "www")
        .unwrap();
    assert_eq!(done.fate, Fate::Done { adopted: true });
    assert_eq!(bench.store.pending(&crate::tenant::acme()).unwrap(), []);
}
