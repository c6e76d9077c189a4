//! Faults, by script and by chance.

use super::*;

const AT: &str = "acme/helm.release/ai";
const WANTED: &str = r#"{"cluster":"c","release":"acme-ai","namespace":"n","chart":{"name":"x"},"values":{"replicas":2}}"#;

async fn struck_once(fault: &str) -> (Cloud, ProviderError) {
    let cloud = Cloud::plain();
    let rule = FaultRule::at(1, "helm.release", CallOp::Create, fault.parse().unwrap());
    cloud.sandbox().add_fault(&rule).unwrap();
    let error = cloud.create(AT, WANTED).await.unwrap_err();
    let counted = cloud.sandbox().struck().unwrap();
    assert_eq!(counted.len(), 1);
    assert_eq!(
        (&*counted[0].op, &*counted[0].kind, counted[0].count),
        ("create", "helm.release", 1)
    );
    (cloud, error)
}

#[tokio::test]
async fn a_failure_does_nothing_and_says_what_the_script_says() {
    let (cloud, error) = struck_once("fail:denied:not today").await;
    assert_eq!(error.kind, ErrorKind::Denied);
    assert_eq!(error.message, "not today");
    assert!(cloud.sandbox().list(None).unwrap().is_empty());
    assert!(!cloud.create(AT, WANTED).await.unwrap().adopted);
}

#[tokio::test]
async fn a_throttled_call_does_nothing() {
    let (cloud, error) = struck_once("throttle:40").await;
    assert_eq!(
        error.kind,
        ErrorKind::Throttled(Some(Duration::from_millis(40)))
    );
    assert!(cloud.sandbox().list(None).unwrap().is_empty());
}

#[tokio::test]
async fn a_lost_reply_is_done_and_the_next_call_adopts() {
    let (cloud, error) = struck_once("lose_reply").await;
    assert_eq!(error.kind, ErrorKind::Unknown);
    assert_eq!(cloud.sandbox().list(None).unwrap().len(), 1);
    assert!(cloud.create(AT, WANTED).await.unwrap().adopted);
}

#[tokio::test(start_paused = true)]
async fn a_call_hangs_for_all_the_time_that_it_has() {
    let start = tokio::time::Instant::now();
    let (cloud, error) = struck_once("hang").await;
    assert_eq!(error.kind, ErrorKind::Unknown);
    assert_eq!(start.elapsed(), Duration::from_secs(30));
    assert!(cloud.sandbox().list(None).unwrap().is_empty());
}

#[tokio::test]
async fn half_a_change_is_completed_by_the_next_call() {
    let (cloud, error) = struck_once("partial").await;
    assert_eq!(error.kind, ErrorKind::Unknown);
    let there = cloud.sandbox().show(AT).unwrap();
    assert_eq!(there.attributes.text("release"), Some("acme-ai"));
    assert_eq!(there.attributes.get("values"), None);
    // What was asked for is looked after, also what was never set.
    let path = "values.image".parse().unwrap();
    let theirs = cloud.sandbox().edit(AT, &path, Some("theirs".into()));
    assert_ne!(theirs.unwrap().version, there.version);
    let whole = cloud.create(AT, WANTED).await.unwrap();
    assert!(whole.adopted);
    assert!(
        cloud
            .sandbox()
            .show(AT)
            .unwrap()
            .attributes
            .get("values")
            .is_some()
    );
}

#[tokio::test]
async fn half_an_update_of_what_is_not_as_expected_does_nothing() {
    let cloud = Cloud::plain();
    // All that half an update would set is there.
    let half = WANTED.replace(r#","values":{"replicas":2}"#, "");
    let made = cloud.create(AT, &half).await.unwrap();
    let disowned = cloud.sandbox().disown(AT).unwrap();
    let rule = FaultRule::at(1, "helm.release", CallOp::Update, Fault::Partial);
    cloud.sandbox().add_fault(&rule).unwrap();
    let error = cloud.alter(&made, AT, WANTED).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unknown);
    let there = cloud.sandbox().show(made.remote_id.as_str()).unwrap();
    assert_eq!((there.owner, there.version), (None, disowned.version));
}

#[tokio::test]
async fn every_kind_survives_half_a_create() {
    for server in crate::kinds::all().unwrap() {
        if server.role == matih_model::KindRole::Check {
            continue;
        }
        let cloud = Cloud::plain();
        let rule = FaultRule::at(1, "*", CallOp::Create, Fault::Partial);
        cloud.sandbox().add_fault(&rule).unwrap();
        let wanted: Attributes = server
            .attributes
            .iter()
            .filter(|attribute| attribute.path.parts().len() == 1)
            .map(|attribute| (attribute.path.parts()[0].clone(), Value::from("x")))
            .collect();
        let (at, wanted) = (
            format!("acme/{}/x", server.kind),
            serde_json::to_string(&wanted).unwrap(),
        );
        cloud.create(&at, &wanted).await.unwrap_err();
        assert!(cloud.create(&at, &wanted).await.unwrap().adopted, "{at}");
    }
}

#[tokio::test]
async fn a_script_strikes_the_calls_that_it_counts() {
    let cloud = Cloud::plain();
    let sandbox = cloud.sandbox();
    let rule = FaultRule {
        when: When::Every(3),
        ..FaultRule::always("acme/*", CallOp::Create, Fault::LoseReply)
    };
    let id = sandbox.add_fault(&rule).unwrap();
    let mut outcomes = String::new();
    for n in 0..7 {
        let (at, zone) = (
            format!("acme/dns.zone/z{n}"),
            format!(r#"{{"name":"z{n}"}}"#),
        );
        outcomes.push(if cloud.create(&at, &zone).await.is_ok() {
            '.'
        } else {
            'x'
        });
        cloud
            .create(
                &format!("globex/dns.zone/g{n}"),
                &format!(r#"{{"name":"g{n}"}}"#),
            )
            .await
            .unwrap();
    }
    assert_eq!(outcomes, "..x..x.");
    let [state] = sandbox.faults().unwrap().try_into().unwrap();
    assert_eq!((state.id, state.matched, state.struck), (id, 7, 2));
    assert_eq!(state.rule, rule);
    assert_eq!(sandbox.clear_faults(Some(id)).unwrap(), 1);
    assert!(sandbox.faults().unwrap().is_empty());
}

#[tokio::test]
async fn a_struck_reading_is_unknown_and_never_missing() {
    let cloud = Cloud::plain();
    cloud
        .create("acme/dns.zone/a", r#"{"name":"a"}"#)
        .await
        .unwrap();
    cloud
        .create("acme/dns.zone/b", r#"{"name":"b"}"#)
        .await
        .unwrap();
    let rule = FaultRule::always("dns.zone/b", CallOp::Read, "fail".parse().unwrap());
    cloud.sandbox().add_fault(&rule).unwrap();
    assert!(matches!(
        cloud.read("acme/dns.zone/a", None).await,
        Reading::Present(_)
    ));
    let struck = cloud.read("acme/dns.zone/b", None).await;
    assert!(matches!(struck, Reading::Unknown(_)), "{struck:?}");
}

/// The outcomes of 300 creates at these odds.
async fn trace(seed: u64) -> (Vec<Option<ErrorKind>>, Vec<FaultCount>) {
    let rates = Rates {
        unavailable: 50_000,
        denied: 50_000,
        throttle: 50_000,
        lose_reply: 50_000,
        hang: 50_000,
        partial: 50_000,
    };
    let faults = FaultPlan::seeded(seed, rates);
    let cloud = Cloud::new(SimulatedOptions {
        faults,
        ..SimulatedOptions::default()
    });
    let mut outcomes = Vec::new();
    for n in 0..300 {
        let (at, zone) = (
            format!("acme/dns.zone/z{n}"),
            format!(r#"{{"name":"z{n}"}}"#),
        );
        outcomes.push(cloud.create(&at, &zone).await.err().map(|error| error.kind));
    }
    (outcomes, cloud.sandbox().struck().unwrap())
}

#[tokio::test(start_paused = true)]
async fn one_seed_is_one_trace_and_every_fault_is_counted() {
    let (outcomes, counted) = trace(7).await;
    assert_eq!(
        (&outcomes, &counted),
        (&trace(7).await.0, &trace(7).await.1)
    );
    assert_ne!(outcomes, trace(8).await.0);
    let names: Vec<&str> = counted.iter().map(|it| &*it.fault).collect();
    assert_eq!(names, ["fail", "hang", "lose_reply", "partial", "throttle"]);
    let struck: u64 = counted.iter().map(|it| it.count).sum();
    assert_eq!(struck, outcomes.iter().flatten().count() as u64);
}

#[tokio::test]
async fn chance_can_be_ended() {
    let rates = Rates {
        unavailable: 1_000_000,
        ..Rates::default()
    };
    let faults = FaultPlan::seeded(1, rates);
    let cloud = Cloud::new(SimulatedOptions {
        faults,
        ..SimulatedOptions::default()
    });
    assert!(cloud.create(AT, WANTED).await.is_err());
    let tenant = TenantId::new("acme").unwrap();
    assert!(cloud.0.list("here", &tenant).await.is_err());
    cloud.0.set_faults(FaultPlan::default());
    assert!(cloud.create(AT, WANTED).await.is_ok());
    assert_eq!(cloud.list("acme").await, [AT]);
}
