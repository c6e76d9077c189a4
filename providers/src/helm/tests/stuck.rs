//! Helms that are killed, and what becomes of what they leave.

use std::time::Duration;

use matih_model::ErrorKind;
use rustix::process::{Signal, kill_process};
use serde_json::{Value as Json, json};

use super::ground::{Ground, Hand};

const MINUTE: Duration = Duration::from_secs(60);

/// Values whose pods take longer to come up than a test waits.
fn slow(text: &str) -> Json {
    json!({ "text": text, "pods": { "behaviour": "slow", "delay": "600s" } })
}

fn quick(text: &str) -> Json {
    json!({ "text": text, "pods": { "behaviour": "ready" } })
}

/// Starts a create, and kills its helm when the release is in a state.
async fn killed(ground: &Ground, hand: &Hand<'_>, release: &str, at: &str) {
    let kill = async {
        ground
            .until(at, async || {
                let found = ground.revisions(release).await;
                found
                    .first()
                    .is_some_and(|(status, _)| status == at)
                    .then_some(())
            })
            .await;
        let child = ground.child(release).await;
        kill_process(child, Signal::KILL).unwrap();
    };
    let values = slow("killed");
    let (create, ()) = tokio::join!(hand.create(&values, MINUTE), kill);
    let error = create.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unknown, "{error}");
    assert!(error.message.contains("signal 9"), "{error}");
    assert_eq!(ground.revisions(release).await[0].0, at);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_install_whose_helm_was_killed_is_taken_away_and_made_again() {
    let Some(ground) = Ground::new("killed-install").await else {
        return;
    };
    let hand = ground.hand("first");
    killed(&ground, &hand, "first", "pending-install").await;
    let made = hand.create(&quick("again"), MINUTE).await.unwrap();
    assert!(made.adopted && made.unready.is_none(), "{made:?}");
    assert_eq!(
        ground.revisions("first").await,
        [("deployed".to_owned(), 1)]
    );
    let noted = hand.noted.lock().unwrap().join("\n");
    assert!(
        noted.ends_with("pending-install: uninstalled first"),
        "{noted}"
    );
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_whose_helm_was_killed_goes_back_and_on() {
    let Some(ground) = Ground::new("killed-upgrade").await else {
        return;
    };
    let hand = ground.hand("second");
    hand.create(&quick("one"), MINUTE).await.unwrap();
    killed(&ground, &hand, "second", "pending-upgrade").await;
    let made = hand.create(&quick("two"), MINUTE).await.unwrap();
    assert!(made.unready.is_none(), "{made:?}");
    let statuses = ground.revisions("second").await;
    let newest: Vec<&str> = statuses.iter().map(|(status, _)| status.as_str()).collect();
    // One worked, two was killed, three went back to one, four is what was wanted.
    assert_eq!(newest[0], "deployed");
    assert_eq!(statuses[0].1, 4);
    let noted = hand.noted.lock().unwrap().join("\n");
    assert!(
        noted.ends_with("rolled back to revision 1 first"),
        "{noted}"
    );
    let there = hand.observe(&made, &quick("two")).await;
    assert_eq!(there.version, made.version);
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_helm_left_can_be_taken_away() {
    let Some(ground) = Ground::new("killed-delete").await else {
        return;
    };
    let hand = ground.hand("third");
    killed(&ground, &hand, "third", "pending-install").await;
    hand.delete(&quick("x")).await.unwrap();
    assert!(ground.revisions("third").await.is_empty());
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_given_up_stops_its_helm_and_leaves_it_failed_not_pending() {
    let Some(ground) = Ground::new("given-up").await else {
        return;
    };
    let hand = ground.hand("fourth");
    let values = slow("given up");
    let create = hand.create(&values, MINUTE);
    let begun = ground.until("pending", async || {
        let found = ground.revisions("fourth").await;
        found
            .first()
            .is_some_and(|(status, _)| status == "pending-install")
            .then_some(())
    });
    tokio::select! {
        result = create => panic!("{result:?}"),
        () = begun => {}
    }
    // The create is dropped. The next one waits for its helm's end.
    let made = hand.create(&quick("again"), MINUTE).await.unwrap();
    assert!(made.adopted && made.unready.is_none(), "{made:?}");
    let statuses = ground.revisions("fourth").await;
    assert_eq!(statuses[0].0, "deployed");
    assert!(
        statuses
            .iter()
            .all(|(status, _)| !status.starts_with("pending"))
    );
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_helm_at_work_is_left_alone() {
    let Some(ground) = Ground::new("busy").await else {
        return;
    };
    let hand = ground.hand("fifth");
    let made = hand.create(&quick("one"), MINUTE).await.unwrap();
    let pods = "pods.behaviour=slow,pods.delay=600s";
    let mut other = ground
        .command(&[
            "upgrade",
            "fifth",
            "charts/sample",
            "--reuse-values",
            "--set",
            pods,
            "--wait",
        ])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    ground
        .until("pending", async || {
            (ground.revisions("fifth").await[0].0 == "pending-upgrade").then_some(())
        })
        .await;
    for error in [
        hand.update(&made, &quick("two"), None).await.unwrap_err(),
        hand.delete(&quick("one")).await.unwrap_err(),
    ] {
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
        assert!(error.message.contains("somebody else's helm"), "{error}");
    }
    assert_eq!(
        ground.revisions("fifth").await[0],
        ("pending-upgrade".to_owned(), 2)
    );
    other.kill().unwrap();
    other.wait().unwrap();
    ground.clear().await;
}
