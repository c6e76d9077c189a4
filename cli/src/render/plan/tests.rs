//! What a person sees of a plan, word by word.

use std::collections::BTreeMap;
use std::sync::Arc;

use matih_executor::Rehearsed;
use matih_model::{
    Answer, Attributes, Catalog, Digest, ErrorKind, Filled, KindSchema, Lifecycle, ObjectChange,
    Observation, Origin, Phase, ProviderError, Recorded, Rehearsal, RemoteId, Resource,
    ResourceGraph, RetryPolicy, RunId, Snapshot, StepNumber, Tenancy, TenantId, Verb, Version,
};
use matih_planner::{Approvals, PlanInput, PlanOptions, Unalterable, guard, inverse};

use super::*;

fn catalog() -> Catalog {
    let schemas: Vec<KindSchema> = serde_json::from_str(
        r#"[
        {"kind":"check.input","doc":"","role":"check","attribute":[]},
        {"kind":"dns.record","doc":"","attribute":[
            {"path":"ttl","type":"integer","doc":""},
            {"path":"zone","type":"string","doc":"","immutable":true},
            {"path":"token","type":"string","doc":"","sensitive":true}]},
        {"kind":"helm.release","doc":"","attribute":[{"path":"values","type":"map","doc":""}],
            "output":[{"name":"ip","doc":""}]},
        {"kind":"postgres.database","doc":"","undo":"data_bearing","attribute":[
            {"path":"name","type":"string","doc":""}]}
        ]"#,
    )
    .unwrap();
    Catalog::new(schemas).unwrap()
}

fn resource(address: &str, phase: u8, step: u8, attributes: &str) -> Resource {
    Resource {
        address: address.parse().unwrap(),
        phase: Phase::new(phase).unwrap(),
        steps: vec![StepNumber::new(step).unwrap()],
        depends_on: [].into(),
        attributes: serde_json::from_str(attributes).unwrap(),
        lifecycle: Lifecycle::default(),
        retry: RetryPolicy::default(),
    }
}

fn graph(list: Vec<Resource>) -> ResourceGraph {
    ResourceGraph::new(TenantId::new("acme").unwrap(), Tenancy::Shared, list).unwrap()
}

fn snapshot(list: Vec<Resource>) -> Snapshot {
    let recorded = |resource: Resource| {
        let recorded = Recorded {
            remote_id: RemoteId::new("r"),
            outputs: Attributes::new(),
            generation: 1,
            resolved: BTreeMap::new(),
            version: Some(Version::new("1")),
            unsettled: false,
            resource,
        };
        (recorded.resource.address.clone(), Arc::new(recorded))
    };
    let origin = Origin {
        run: RunId::new("run-1"),
        verb: Verb::Apply,
    };
    let tenant = TenantId::new("acme").unwrap();
    let resources = list.into_iter().map(recorded).collect();
    Snapshot::new(tenant, 3, None, origin, Tenancy::Shared, resources)
}

/// The plan from one list to the other, as text without colours.
fn shown(before: Option<Vec<Resource>>, after: Vec<Resource>, detail: bool) -> String {
    let text = seen(before, after, detail, text);
    anstream::adapter::strip_str(&text).to_string()
}

/// The plan from one list to the other, as `how` shows it.
fn seen<T>(
    before: Option<Vec<Resource>>,
    after: Vec<Resource>,
    detail: bool,
    how: impl Fn(&PlanView<'_>) -> T,
) -> T {
    let (catalog, base, desired) = (catalog(), before.map(snapshot), graph(after));
    let plan = matih_planner::plan(&PlanInput {
        tenant: &TenantId::new("acme").unwrap(),
        base: base.as_ref(),
        desired: &desired,
        observation: &Observation::default(),
        catalog: &catalog,
        options: &PlanOptions::default(),
        verb: Verb::Apply,
        inputs: Digest::of("test", &0),
    })
    .unwrap();
    let verdict = guard(&plan, base.as_ref(), &Approvals::default());
    let inverse = inverse(&plan, base.as_ref(), &catalog, &Unalterable::new()).unwrap();
    let view = PlanView {
        plan: &plan,
        base: base.as_ref(),
        catalog: &catalog,
        tier: Some("FREE".to_owned()),
        drift: None,
        rehearsed: None,
        verdict: &verdict,
        inverse: Some(&inverse),
        estimate_ms: Some(61_000),
        detail,
    };
    how(&view)
}

fn body(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, body)| body)
}

#[test]
fn a_first_plan_is_one_line_a_resource() {
    let text = shown(
        None,
        vec![
            resource("acme/check.input/spec", 0, 1, "{}"),
            resource(
                "acme/helm.release/ingress",
                5,
                40,
                r#"{"values":{"replicas":2}}"#,
            ),
            resource(
                "acme/dns.record/app",
                5,
                41,
                r#"{"ttl":300,"token":"hunter2"}"#,
            ),
        ],
        false,
    );
    assert_eq!(
        body(&text),
        "
Phase 0 Validation
 <= check.input/spec  step 1

Phase 5 Services, ingress and DNS
  + dns.record/app        step 41
  + helm.release/ingress  step 40

Undo: 2 deleted (matih destroy acme).

Waves: 2 (phase:actions 0:1 5:2). Estimate: 1m 01s, from earlier runs.
Plan: 2 to add, 0 to change, 0 to replace, 0 to destroy. 2 phases, 3 of 56 steps.
"
    );
    assert!(text.starts_with("acme apply: FREE, shared cluster, from nothing. Inputs "));
}

#[test]
fn details_show_attributes_but_nothing_sensitive() {
    let list = vec![resource(
        "acme/dns.record/app",
        5,
        41,
        r#"{"ttl":300,"token":"hunter2"}"#,
    )];
    let text = shown(None, list, true);
    assert!(!text.contains("hunter2"), "{text}");
    assert!(
        text.contains("      + token: \"(sensitive value)\"\n      + ttl: 300\n"),
        "{text}"
    );
}

#[test]
fn changes_replacements_and_deletes_say_why_and_what_it_costs() {
    let text = shown(
        Some(vec![
            resource("acme/dns.record/app", 5, 41, r#"{"ttl":60,"zone":"a"}"#),
            resource(
                "acme/helm.release/ingress",
                5,
                40,
                r#"{"values":{"a":1,"replicas":2}}"#,
            ),
            resource("acme/postgres.database/ai", 4, 21, r#"{"name":"ai"}"#),
        ]),
        vec![
            resource("acme/dns.record/app", 5, 41, r#"{"ttl":60,"zone":"b"}"#),
            resource(
                "acme/helm.release/ingress",
                5,
                40,
                r#"{"values":{"a":1,"replicas":3}}"#,
            ),
        ],
        false,
    );
    assert_eq!(
        body(&text),
        "
Phase 5 Services, ingress and DNS
-/+ dns.record/app        step 41  # zone cannot be changed in place
      # zone forces replacement
  ~ helm.release/ingress  step 40  # the spec has changed
      ~ values:
            a: 1
          - replicas: 2
          + replicas: 3

Phase 4 Data infrastructure
  - postgres.database/ai  step 21  # the spec no longer has it

Needs an approval of its own:
  Deleting acme/postgres.database/ai loses the data in it.
    pass `--allow-data-loss acme/postgres.database/ai` if that is meant

This loses data, now:
  acme/postgres.database/ai

Undo: 1 created, 1 changed, 1 replaced (matih rollback acme --to 3).

Waves: 2 (phase:actions 5:3 4:1). Estimate: 1m 01s, from earlier runs.
Plan: 0 to add, 1 to change, 1 to replace, 1 to destroy. 2 phases, 3 of 56 steps.
"
    );
}

#[test]
fn nothing_to_do_is_said_in_two_words() {
    let list = || vec![resource("acme/dns.record/app", 5, 41, r#"{"ttl":60}"#)];
    let text = shown(Some(list()), list(), false);
    assert!(body(&text).starts_with("\nNo changes.\n"), "{text}");
}

#[test]
fn programs_get_all_attributes_of_both_sides_and_nothing_sensitive() {
    let app = |rest: &str| {
        let attributes = format!(r#"{{"token":"hunter2",{rest}}}"#);
        resource("acme/dns.record/app", 5, 41, &attributes)
    };
    let gone = resource("acme/postgres.database/ai", 4, 21, r#"{"name":"ai"}"#);
    let new = resource("acme/helm.release/web", 5, 40, r#"{"values":{"a":1}}"#);
    let plan = seen(
        Some(vec![app(r#""ttl":60"#), gone]),
        vec![app(r#""ttl":300"#), new],
        false,
        json,
    );
    let hidden = "(sensitive value)";
    let sides: Vec<_> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (&change["actions"][0], &change["before"], &change["after"]))
        .map(|(verb, before, after)| serde_json::json!([verb, before, after]))
        .collect();
    assert_eq!(
        serde_json::Value::from(sides),
        serde_json::json!([
            ["update", {"token": hidden, "ttl": 60}, {"token": hidden, "ttl": 300}],
            ["create", null, {"values": {"a": 1}}],
            ["delete", {"name": "ai"}, null],
        ])
    );
    assert!(!plan.to_string().contains("hunter2"));
}

/// An answer of each kind that is told.
fn rehearsed() -> Rehearsed {
    let refused = || {
        Answer::Refused(ProviderError::new(
            ErrorKind::Denied,
            "the quota is used up",
        ))
    };
    let filled = vec![Filled {
        path: "manifest.spec.type".parse().unwrap(),
        value: "ClusterIP".into(),
    }];
    let accepted = Rehearsal {
        answer: Answer::Accepted { filled },
        objects: vec![ObjectChange {
            name: "Service web".into(),
            before: Some("port: 80\n".into()),
            after: Some("port: 81\n".into()),
        }],
        warnings: vec!["it is old".into()],
    };
    let misfit = Answer::Misfit(ProviderError::new(ErrorKind::Invalid, "`a` is no field"));
    let answers = [
        ("a-fine", accepted),
        ("b-early", refused().into()),
        ("c-wrong", misfit.into()),
        ("d-late", refused().into()),
    ];
    let answers = answers.map(|(name, answer)| {
        let address = format!("acme/dns.record/{name}");
        (address.parse().unwrap(), answer)
    });
    Rehearsed(answers.into())
}

#[test]
fn what_would_come_of_a_change_stands_under_it() {
    let record = |name: &str| {
        let address = format!("acme/dns.record/{name}");
        resource(&address, 5, 41, r#"{"ttl":60}"#)
    };
    let mut late = record("d-late");
    late.depends_on
        .insert("acme/dns.record/a-fine".parse().unwrap());
    let list = vec![record("a-fine"), record("b-early"), record("c-wrong"), late];
    let rehearsed = rehearsed();
    let with = |detail: bool| {
        seen(None, list.clone(), detail, |view| {
            let view = PlanView {
                tier: None,
                rehearsed: Some(&rehearsed),
                ..*view
            };
            (text(&view), json(&view))
        })
    };
    let (plain, document) = with(false);
    let plain = anstream::adapter::strip_str(&plain).to_string();
    let lines: Vec<&str> = body(&plain).lines().take(12).collect();
    assert_eq!(
        lines,
        [
            "",
            "Phase 5 Services, ingress and DNS",
            "  + dns.record/a-fine   step 41",
            "      ~ Service web",
            "        - port: 80",
            "        + port: 81",
            "      # asked: accepted",
            "      # the server warns: it is old",
            "  + dns.record/b-early  step 41",
            "      # the server would refuse: the quota is used up",
            "  + dns.record/c-wrong  step 41",
            "      # the server would refuse: `a` is no field",
        ]
    );
    let cured = "# the server would refuse: the quota is used up; what comes first may cure it";
    assert!(plain.contains(cured), "{plain}");
    let blocks = |at: usize| &document["changes"][at]["rehearsal"]["blocks"];
    assert_eq!(
        (blocks(1), blocks(2), blocks(3)),
        (&true.into(), &true.into(), &false.into())
    );
    let (detail, _) = with(true);
    let told = "# the server sets manifest.spec.type = \"ClusterIP\"";
    assert!(
        anstream::adapter::strip_str(&detail)
            .to_string()
            .contains(told),
        "{detail}"
    );
}
