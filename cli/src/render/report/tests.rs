//! What a person sees of the end of a run, word by word.

use std::collections::BTreeMap;
use std::sync::Arc;

use matih_executor::{ActionReport, Failure};
use matih_model::{ActionIndex, Digest, ErrorKind, Origin, Phase, PlanDraft, StepNumber, Tenancy};

use super::*;

fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn snapshot(serial: u64) -> Arc<Snapshot> {
    let origin = Origin {
        run: RunId::new("run-1"),
        verb: Verb::Apply,
    };
    let nothing = BTreeMap::new();
    Arc::new(Snapshot::new(
        tenant(),
        serial,
        None,
        origin,
        Tenancy::Shared,
        nothing,
    ))
}

fn plan() -> Plan {
    Plan::new(PlanDraft {
        tenant: tenant(),
        tenancy: Tenancy::Shared,
        verb: Verb::Apply,
        base: None,
        inputs: Digest::of("test", &0),
        actions: vec![],
        edits: vec![],
        notes: vec![],
        reads: BTreeMap::new(),
    })
    .unwrap()
}

fn action(name: &str, verb: &'static str, fate: Fate) -> ActionReport {
    ActionReport {
        index: ActionIndex(0),
        address: format!("acme/dns.record/{name}").parse().unwrap(),
        verb,
        phase: Phase::new(5).unwrap(),
        steps: vec![StepNumber::new(41).unwrap()],
        fate,
        tries: 1,
        half_done: false,
        ms: 1_200,
    }
}

fn ended(actions: Vec<ActionReport>, before: Option<u64>) -> Ended {
    let report = Report {
        run: RunId::new("run-1"),
        plan: Digest::of("test", &0),
        stopped: actions
            .iter()
            .any(|it| matches!(it.fate, Fate::Failed(_)))
            .then_some(Stop::Failure),
        actions,
        before: before.map(snapshot),
        after: Some(snapshot(18)),
        ms: 1_400,
    };
    Ended::of(&plan(), report, "matih resume acme.toml".to_owned(), None)
}

fn text(ended: &Ended) -> String {
    let text = anstream::adapter::strip_str(&ended.text()).to_string();
    text.replace(&snapshot(18).id().0.short(), "ID")
}

const DONE: Fate = Fate::Done { adopted: false };

fn refused() -> Fate {
    Fate::Failed(Failure {
        kind: ErrorKind::Denied,
        message: "acme/dns.record/b: no right".to_owned(),
        hint: Some("ask for it".to_owned()),
    })
}

#[test]
fn a_good_end_names_the_way_back() {
    let ended = ended(vec![action("a", "create", DONE)], Some(17));
    assert_eq!(
        text(&ended),
        "
PHASE                        ADDED  CHANGED  DESTROYED  CHECKED  FAILED  LEFT  TIME
5 Services, ingress and DNS  1      -        -          -        -       -     1.2s

Apply complete! 1 added, 0 changed, 0 destroyed in 1.4s. Snapshot #18 (ID). Undo: matih rollback acme --to 17
"
    );
    assert_eq!(ended.exit, Exit::Ok);
}

#[test]
fn a_bad_end_says_what_is_done_why_and_how_to_go_on() {
    let blocked = Fate::Blocked {
        by: "acme/dns.record/b".parse().unwrap(),
    };
    let ended = ended(
        vec![
            action("a", "create", DONE),
            action("b", "update", refused()),
            action("c", "create", blocked),
        ],
        Some(17),
    );
    assert_eq!(ended.exit, Exit::Partial);
    let text = text(&ended);
    let (_, end) = text.split_once("\n\n").unwrap();
    assert_eq!(
        end,
        "failed: acme/dns.record/b (update, step 41): no right
hint: ask for it

Not all was done. 1 added, 0 changed, 0 destroyed in 1.4s; 1 failed, 1 not started. Snapshot #18 (ID).
What is done is recorded; to repeat it is safe. Go on: matih resume acme.toml
Or go back: matih rollback acme --to 17
"
    );
}

#[test]
fn a_check_that_failed_first_is_a_preflight() {
    let check = ended(vec![action("b", "check", refused())], None);
    assert_eq!(check.exit, Exit::Preflight);
    let update = ended(vec![action("b", "update", refused())], None);
    assert_eq!(update.exit, Exit::Error);
}
