//! References, replacement that spreads, checks, targets, phases, excludes.

use matih_model::{Phase, Reading};
use matih_planner::{PlanOptions, PlannerError};

use crate::world::{Case, at, pat, res};

const UNKNOWN: &str = r#"{"$unknown":true}"#;

#[test]
fn an_output_of_something_new_is_known_only_after_apply() {
    let case = Case::new(
        [res("box/b").set("size", 1)],
        [res("box/a"), res("box/b").refers("size", "box/a", "ip")],
    );
    assert_eq!(
        case.shows(),
        [
            "create box/a because not there yet".to_owned(),
            format!("update box/b size: 1 -> {UNKNOWN} because the spec has changed"),
        ]
    );
}

#[test]
fn a_replacement_updates_what_refers_to_it_and_replaces_what_cannot_be_updated() {
    let others = || {
        [
            res("box/updated").refers("size", "box/a", "ip"),
            res("box/replaced").refers("place", "box/a", "ip"),
            res("box/spread").refers("size", "box/replaced", "id"),
            res("box/untouched").needs("box/a"),
        ]
    };
    let [b, c, d, e] = others();
    let was = [res("box/a").set("place", "x"), b, c, d, e];
    let [b, c, d, e] = others();
    let now = [res("box/a").set("place", "y"), b, c, d, e];
    assert_eq!(
        Case::new(was, now).acts(),
        [
            "delete box/replaced",
            "delete box/a",
            "create box/a",
            "create box/replaced",
            "update box/spread",
            "update box/updated",
        ]
    );
}

#[test]
fn an_update_leaves_its_lasting_outputs_known_and_its_volatile_ones_unknown() {
    let case = Case::new(
        [
            res("box/a").set("size", 1),
            res("box/lasting").refers("size", "box/a", "ip"),
            res("box/volatile").refers("size", "box/a", "rev"),
        ],
        [
            res("box/a").set("size", 2),
            res("box/lasting").refers("size", "box/a", "ip"),
            res("box/volatile").refers("size", "box/a", "rev"),
        ],
    );
    assert_eq!(case.acts(), ["update box/a", "update box/volatile"]);
    assert!(case.shows()[1].ends_with("because acme/thing.box/a changes"));
}

#[test]
fn an_output_that_changed_by_itself_reaches_what_refers_to_it() {
    let case = Case::same([res("box/a"), res("box/b").refers("size", "box/a", "ip")])
        .sees("box/a", |it| _ = it.outputs.insert("ip", "new ip"));
    assert_eq!(
        case.shows(),
        [
            "refresh box/a",
            r#"update box/b size: "ip of box/a#1" -> "new ip" because acme/thing.box/a changes"#,
        ]
    );
}

#[test]
fn an_output_that_changed_and_is_there_already_is_taken_over_by_the_record() {
    let case = Case::same([res("box/a"), res("box/b").refers("size", "box/a", "ip")])
        .sees("box/a", |it| _ = it.outputs.insert("ip", "new ip"))
        .sees("box/b", |it| _ = it.attributes.insert("size", "new ip"));
    assert_eq!(case.shows(), ["refresh box/a", "rewrite box/b"]);
    let after = Case::from(Some(case.carried_out()), case.desired);
    assert_eq!(after.shows(), [""; 0], "also without a look");
}

#[test]
fn a_literal_that_becomes_a_reference_of_the_same_value_is_only_rewritten() {
    let case = Case::new(
        [res("box/a"), res("box/b").set("size", "ip of box/a#1")],
        [res("box/a"), res("box/b").refers("size", "box/a", "ip")],
    );
    assert_eq!(case.shows(), ["rewrite box/b"]);
    assert!(
        Case::from(Some(case.carried_out()), case.desired)
            .plan()
            .is_empty()
    );
}

#[test]
fn a_reference_to_nowhere_is_refused_before_any_effect() {
    let mut case = Case::same([res("box/a"), res("box/b").refers("size", "box/a", "ip")]);
    case.desired = case.base.as_ref().unwrap().as_desired();
    // The record of `a` is dropped by hand, so the older snapshot refers to nowhere.
    let mut resources = case.base.as_ref().unwrap().resources().clone();
    resources.remove(&at("box/a"));
    let base = case.base.as_ref().unwrap();
    let snapshot = |resources| {
        matih_model::Snapshot::new(
            base.tenant().clone(),
            2,
            Some(base.id()),
            base.origin().clone(),
            base.tenancy(),
            resources,
        )
    };
    let broken = snapshot(resources);
    let stays = Case::from(Some(broken.clone()), broken.as_desired());
    assert!(
        stays.plan().is_empty(),
        "what stays as it is needs no reference"
    );
    let back = Case::from(None, broken.as_desired());
    let error = back.try_plan().unwrap_err();
    assert!(
        matches!(error, PlannerError::Unresolvable { .. }),
        "{error}"
    );
    assert!(error.hint().contains("acme/thing.box/a"));
}

#[test]
fn a_replacement_that_was_asked_for_comes_without_a_difference() {
    let case = Case::same([res("box/a"), res("box/b")]).with(|it| it.replace.push(at("box/a")));
    assert_eq!(
        case.shows(),
        [
            "delete box/a because replacement was asked for",
            "create box/a again (2) because replacement was asked for",
        ]
    );
    let unknown = case.with(|it| it.replace.push(at("box/z")));
    assert_eq!(
        unknown.try_plan(),
        Err(PlannerError::ReplaceUndesired(at("box/z")))
    );
}

#[test]
fn checks_run_when_anything_acts_and_only_then() {
    let list = || {
        [
            res("gate/before").phase(0),
            res("box/a").needs("gate/before"),
            res("gate/after").needs("box/a"),
        ]
    };
    assert!(Case::same(list()).plan().is_empty());
    let case = Case::same(list()).with(|it| it.replace.push(at("box/a")));
    assert_eq!(
        case.acts(),
        [
            "check gate/before",
            "delete box/a",
            "create box/a",
            "check gate/after"
        ]
    );
    assert!(
        case.carried_out().get(&at("gate/after")).is_none(),
        "a check is never recorded"
    );
}

#[test]
fn a_check_does_not_run_for_edits_of_the_record_alone() {
    let case = Case::new(
        [res("box/a"), res("gate/g")],
        [res("box/a").phase(3), res("gate/g")],
    );
    assert_eq!(case.shows(), ["rewrite box/a"]);
}

#[test]
fn a_target_brings_what_it_depends_on_and_nothing_else() {
    let case = Case::fresh([
        res("box/a"),
        res("box/b").refers("size", "box/a", "id"),
        res("box/c").needs("box/b"),
        res("box/other"),
        res("gate/on").needs("box/b"),
        res("gate/first"),
    ]);
    assert_eq!(
        case.clone().target("box/b").acts(),
        ["create box/a", "create box/b"]
    );
    assert_eq!(
        case.clone().target("gate/*").target("*/other").acts(),
        [
            "create box/a",
            "create box/b",
            "create box/other",
            "check gate/first",
            "check gate/on"
        ]
    );
    assert_eq!(case.clone().target("other-tenant/*/*").acts(), [""; 0]);
    assert_eq!(
        case.target("box/typo").try_plan(),
        Err(PlannerError::NoMatch(pat("box/typo")))
    );
}

#[test]
fn a_phase_is_its_resources_desired_or_recorded_and_what_they_depend_on() {
    let phases = |numbers: &'static [u8]| {
        move |it: &mut PlanOptions| {
            it.phases = numbers.iter().map(|it| Phase::new(*it).unwrap()).collect()
        }
    };
    let case = Case::new(
        [res("box/gone").phase(5), res("box/stays").phase(6)],
        [
            res("box/a").phase(2),
            res("box/b").phase(5).needs("box/a"),
            res("box/c").phase(6).needs("box/b"),
            res("box/stays").phase(6).set("size", 2),
        ],
    );
    assert_eq!(
        case.clone().with(phases(&[5])).acts(),
        ["create box/a", "create box/b", "delete box/gone"]
    );
    let both = case.clone().with(phases(&[2])).target("box/stays");
    assert_eq!(both.acts(), ["create box/a", "update box/stays"]);
    assert_eq!(case.with(phases(&[7])).acts(), [""; 0]);
}

#[test]
fn a_target_that_is_to_be_deleted_brings_what_depended_on_it() {
    let case = Case::new(
        [
            res("box/a"),
            res("box/b").needs("box/a"),
            res("box/c").needs("box/b"),
            res("box/other"),
        ],
        [],
    );
    assert_eq!(
        case.target("box/b").acts(),
        ["delete box/c", "delete box/b"]
    );
}

#[test]
fn an_exclude_keeps_away_from_what_depends_on_it_too() {
    let case = Case::fresh([
        res("box/a"),
        res("box/b").refers("size", "box/a", "id"),
        res("box/c").needs("box/b"),
        res("box/other"),
    ]);
    assert_eq!(
        case.clone().exclude("box/b").acts(),
        ["create box/a", "create box/other"]
    );
    assert_eq!(
        case.clone().target("box/c").exclude("box/a").acts(),
        [""; 0],
        "an exclude wins over a target"
    );
    assert_eq!(
        case.exclude("box/typo").try_plan(),
        Err(PlannerError::NoMatch(pat("box/typo")))
    );
}

#[test]
fn what_an_excluded_resource_stood_on_is_not_deleted() {
    let case = Case::new(
        [
            res("box/a"),
            res("box/b").needs("box/a"),
            res("box/c").needs("box/b"),
        ],
        [],
    );
    assert_eq!(case.exclude("box/b").acts(), ["delete box/c"]);
    let staying = Case::new(
        [res("box/a"), res("box/b").needs("box/a").set("size", 1)],
        [res("box/b").set("size", 2)],
    );
    assert_eq!(staying.acts(), ["update box/b", "delete box/a"]);
    assert_eq!(staying.exclude("box/b").acts(), [""; 0]);
}

#[test]
fn a_limited_plan_says_so() {
    let case = Case::fresh([res("box/a"), res("box/b")]).target("box/a");
    assert!(
        case.plan().notes()[0]
            .text
            .contains("limit this plan to 1 resource")
    );
}

#[test]
fn the_read_set_holds_the_token_of_everything_that_was_found() {
    let case = Case::same([
        res("box/a"),
        res("box/b"),
        res("box/c"),
        res("box/d"),
        res("box/e"),
    ])
    .sees("box/a", |it| _ = it.attributes.insert("note", "x"))
    .read("box/b", Reading::Unchanged)
    .read("box/c", Reading::Missing)
    .read("box/d", Reading::Unknown("?".into()));
    let plan = case.plan();
    let recorded = case
        .base
        .as_ref()
        .unwrap()
        .get(&at("box/b"))
        .unwrap()
        .version
        .clone();
    let reads: Vec<_> = plan.reads().iter().collect();
    assert_eq!(reads.len(), 2);
    assert_eq!(reads[0].1.ours(), "moved");
    assert_eq!(Some(reads[1].1), recorded.as_ref());
}

#[test]
fn updates_and_deletes_expect_what_was_read_or_else_what_was_recorded() {
    let case = Case::new(
        [res("box/a").set("size", 1), res("box/b")],
        [res("box/a").set("size", 2)],
    )
    .sees("box/a", |it| _ = it.attributes.insert("size", 3));
    let plan = case.plan();
    let expects: Vec<_> = plan
        .actions()
        .iter()
        .map(|action| match &action.op {
            matih_model::Op::Update { expects, .. } | matih_model::Op::Delete { expects, .. } => {
                expects.as_ref().unwrap().ours().to_owned()
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(expects[0], "moved");
    assert!(expects[1].starts_with("1-"));
}
