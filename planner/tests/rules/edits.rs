//! Changes of the record alone: moved and removed blocks, rewrites, refresh-only.

use matih_model::{Reading, Value};
use matih_planner::{PlannerError, moves_between};
use serde_json::json;

use crate::world::{Case, at, named, res};

#[test]
fn what_is_known_beside_the_attributes_is_rewritten_without_a_call() {
    let a = || res("box/a").set("size", 1);
    for now in [
        a().phase(5),
        a().needs("box/z"),
        a().protect(),
        a().ignore("size"),
    ] {
        let case = Case::new([a(), res("box/z")], [now, res("box/z")]);
        assert_eq!(case.shows(), ["rewrite box/a"]);
        assert!(
            Case::from(Some(case.carried_out()), case.desired)
                .plan()
                .is_empty()
        );
    }
}

#[test]
fn a_moved_resource_keeps_its_object() {
    let case = Case::new(
        [
            res("box/old").set("size", 1),
            res("box/b").refers("size", "box/old", "ip"),
        ],
        [
            res("box/new").set("size", 1),
            res("box/b").refers("size", "box/new", "ip"),
        ],
    );
    assert_eq!(
        case.acts(),
        ["create box/new", "update box/b", "delete box/old"],
        "without a move it is another resource"
    );
    let case = case.moved("box/old", "box/new");
    assert_eq!(
        case.shows(),
        ["move box/old to box/new"],
        "`b` follows by itself"
    );
    let after = case.carried_out();
    assert_eq!(
        after.get(&at("box/new")).unwrap().remote_id.as_str(),
        "box/old#1"
    );
    let again = Case::from(Some(after), case.desired).moved("box/old", "box/new");
    assert!(again.plan().is_empty(), "a moved block may stay");
}

#[test]
fn a_moved_resource_is_compared_under_its_new_name() {
    let case = Case::new(
        [res("box/old").set("size", 1)],
        [res("box/new").set("size", 2)],
    )
    .moved("box/old", "box/new")
    .sees("box/old", |it| _ = it.attributes.insert("size", 3));
    assert_eq!(
        case.shows(),
        [
            "move box/old to box/new",
            "update box/new size: 3 -> 2 because the spec has changed",
        ]
    );
    let plan = case.plan();
    let read: Vec<_> = plan.reads().keys().collect();
    assert_eq!(
        read,
        [&at("box/old")],
        "the read set bears the names of the base"
    );
}

#[test]
fn moves_go_on_to_the_end_of_their_chain() {
    let moved = |case: Case| case.moved("box/a", "box/b").moved("box/b", "box/c");
    let from_a = moved(Case::new([res("box/a")], [res("box/c")]));
    assert_eq!(from_a.shows(), ["move box/a to box/c"]);
    let from_b = moved(Case::new([res("box/b")], [res("box/c")]));
    assert_eq!(from_b.shows(), ["move box/b to box/c"]);
}

#[test]
fn moves_that_cannot_be_are_refused() {
    let base = || Case::new([res("box/a"), res("box/b")], [res("box/b")]);
    let (a, b) = (at("box/a"), at("box/b"));
    assert_eq!(
        base().moved("box/a", "box/b").try_plan(),
        Err(PlannerError::MoveOccupied {
            from: a.clone(),
            to: b
        })
    );
    assert_eq!(
        base().moved("box/a", "disk/a").try_plan(),
        Err(PlannerError::MoveKind {
            from: named("box/a"),
            to: named("disk/a")
        })
    );
    assert_eq!(
        base()
            .moved("box/a", "box/x")
            .moved("box/a", "box/y")
            .try_plan(),
        Err(PlannerError::MoveTwice(named("box/a")))
    );
    assert_eq!(
        base()
            .moved("box/a", "box/x")
            .moved("box/x", "box/a")
            .try_plan(),
        Err(PlannerError::MoveCircle(named("box/a")))
    );
    let still = Case::same([res("box/a")]).moved("box/a", "box/x");
    let to = at("box/x");
    assert_eq!(
        still.try_plan(),
        Err(PlannerError::MoveDesired { from: a, to })
    );
}

#[test]
fn the_moves_between_two_snapshots_follow_the_objects() {
    let case = Case::new(
        [res("box/old"), res("box/gone")],
        [res("box/new"), res("box/fresh")],
    )
    .moved("box/old", "box/new");
    let (before, after) = (case.base.clone().unwrap(), case.carried_out());
    assert_eq!(
        moves_between(&before, &after),
        [(named("box/old"), named("box/new"))]
    );
    let mut back = Case::from(Some(after.clone()), before.as_desired());
    back.options.moved = moves_between(&after, &before);
    assert_eq!(
        back.shows(),
        [
            "move box/new to box/old",
            "create box/gone because not there yet",
            "delete box/fresh because the spec no longer has it",
        ]
    );
}

#[test]
fn a_forgotten_resource_leaves_the_record_and_stays_in_the_world() {
    let forget = |case: Case| case.with(|it| it.forget.push(named("box/a")));
    let case = forget(Case::new([res("box/a"), res("box/b")], [res("box/b")]));
    assert_eq!(case.shows(), ["forget box/a"]);
    let again = forget(Case::from(Some(case.carried_out()), case.desired));
    assert!(again.plan().is_empty(), "the block may stay");
    let desired = forget(Case::same([res("box/a")]));
    assert_eq!(
        desired.try_plan(),
        Err(PlannerError::ForgetDesired(at("box/a")))
    );
}

#[test]
fn what_is_gone_and_no_longer_desired_is_only_forgotten() {
    let case = Case::new([res("disk/a")], []).read("disk/a", Reading::Missing);
    assert_eq!(case.shows(), ["forget disk/a"]);
}

#[test]
fn refresh_only_touches_nothing_but_the_record() {
    let list = || ["a", "b", "c", "d"].map(|name| res(&format!("box/{name}")).set("size", 1));
    let mut case = Case::same(list())
        .sees("box/a", |it| _ = it.outputs.insert("ip", "new ip"))
        .sees("box/b", |it| _ = it.attributes.insert("size", 9))
        .read("box/c", Reading::Missing)
        .with(|it| it.refresh_only = true);
    case.desired = crate::world::graph([res("box/new")]);
    assert_eq!(case.shows(), ["refresh box/a", "forget box/c"]);
    assert!(
        case.plan().notes()[0]
            .text
            .starts_with("It was changed outside")
    );
    assert_eq!(case.clone().target("box/b").shows(), [""; 0]);
}

#[test]
fn a_refresh_never_hides_an_ignored_difference_from_the_next_reading() {
    let case = Case::same([res("box/a").set("size", 1).ignore("size")]).sees("box/a", |it| {
        it.attributes.insert("size", 9);
        it.outputs.insert("ip", "new ip");
    });
    assert_eq!(case.shows(), ["refresh box/a"]);
    let recorded = |snapshot: &matih_model::Snapshot| snapshot.get(&at("box/a")).unwrap().clone();
    let after = recorded(&case.carried_out());
    assert_eq!(after.version, recorded(case.base.as_ref().unwrap()).version);
    assert_eq!(after.outputs.get("ip"), Some(&Value::from("new ip")));
}

#[test]
fn the_record_of_an_ignored_value_stays_what_was_applied() {
    let a = |size: i64| {
        res("box/a")
            .json("body", json!({"size": size}))
            .ignore("body.size")
    };
    let case = Case::new([a(1)], [a(2).phase(4)]);
    assert_eq!(case.shows(), ["rewrite box/a"]);
    let after = case.carried_out();
    let body = after
        .get(&at("box/a"))
        .unwrap()
        .resource
        .attributes
        .get("body")
        .cloned();
    assert_eq!(
        serde_json::to_value(body.unwrap()).unwrap(),
        json!({"size": 1})
    );
}
