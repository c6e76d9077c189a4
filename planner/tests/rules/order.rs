//! The law of order on cases that a person can follow.

use matih_model::{Plan, Sweep, Value};

use crate::world::{Case, at, res, short};

/// Each action with the ones that it waits for.
fn waits(plan: &Plan) -> Vec<String> {
    let name = |at: &matih_model::ActionIndex| {
        let action = plan.action(*at).unwrap();
        format!("{} {}", action.op.verb(), short(action.address()))
    };
    plan.actions()
        .iter()
        .map(|action| {
            let waits: Vec<_> = action.waits_for.iter().map(name).collect();
            format!("{} after {}", name(&action.index), waits.join(", "))
        })
        .collect()
}

#[test]
fn a_create_waits_for_what_it_depends_on_also_through_what_stays() {
    let case = Case::new(
        [res("box/b").set("size", 1)],
        [
            res("box/a"),
            res("box/b").set("size", 1).needs("box/a"),
            res("box/c").needs("box/b"),
        ],
    );
    assert_eq!(
        waits(&case.plan()),
        ["create box/a after ", "create box/c after create box/a"]
    );
}

#[test]
fn a_delete_waits_for_what_depended_on_it_also_through_what_stays() {
    let case = Case::new(
        [
            res("box/z"),
            res("box/b").needs("box/z"),
            res("box/c").needs("box/b"),
        ],
        [res("box/b")],
    );
    assert_eq!(
        waits(&case.plan()),
        ["delete box/c after ", "delete box/z after delete box/c"]
    );
}

#[test]
fn ties_go_by_phase_and_then_by_address() {
    let case = Case::fresh([
        res("box/d").phase(1),
        res("box/c").phase(3),
        res("box/b").phase(3),
        res("box/a").phase(7),
        res("box/e").phase(3).needs("box/a"),
    ]);
    assert_eq!(
        case.acts(),
        [
            "create box/d",
            "create box/b",
            "create box/c",
            "create box/a",
            "create box/e"
        ]
    );
    let phases: Vec<_> = case
        .plan()
        .waves()
        .iter()
        .map(|it| it.phase.number())
        .collect();
    assert_eq!(phases, [1, 3, 7, 3]);
}

#[test]
fn a_destroy_goes_backwards_by_what_was_recorded() {
    let case = Case::same([
        res("box/a").phase(1),
        res("box/b").phase(2).needs("box/a"),
        res("box/c").phase(3).refers("size", "box/b", "id"),
        res("box/lone").phase(2),
        res("gate/g"),
    ])
    .destroy();
    assert_eq!(
        waits(&case.plan()),
        [
            "delete box/c after ",
            "delete box/b after delete box/c",
            "delete box/lone after ",
            "delete box/a after delete box/b",
        ]
    );
    assert!(case.shows()[0].ends_with("because the tenant is being destroyed"));
    assert!(case.carried_out().resources().is_empty());
}

#[test]
fn a_delete_waits_for_the_update_of_what_depended_on_it() {
    let case = Case::new(
        [res("box/a"), res("box/b").refers("size", "box/a", "id")],
        [res("box/b").set("size", 1)],
    );
    assert_eq!(
        waits(&case.plan()),
        ["update box/b after ", "delete box/a after update box/b"]
    );
}

/// A limit of `was` that is to be `now`, something that fits below it, and a check of both.
fn limited(was: impl Into<Value>, now: impl Into<Value>) -> Vec<String> {
    let limited = |limit: Value, size| {
        [
            res("box/base").set("size", size),
            res("box/limit").needs("box/base").set("limit", limit),
            res("box/user").needs("box/limit").set("size", size),
            res("box/far").needs("box/user").set("size", size),
            res("gate/g").needs("box/far"),
            res("box/after").needs("gate/g").set("size", size),
        ]
    };
    waits(&Case::new(limited(was.into(), 1), limited(now.into(), 2)).plan())
}

#[test]
fn a_limit_goes_down_after_what_has_to_fit_below_it() {
    for (was, now) in [
        (Value::from("16"), Value::from("7500m")),
        (Value::from(3), Value::from(2)),
    ] {
        assert_eq!(
            limited(was, now),
            [
                "update box/base after ",
                "update box/user after update box/base",
                "update box/far after update box/user",
                "update box/limit after update box/base, update box/user, update box/far",
                "check gate/g after update box/far, update box/limit",
                "update box/after after check gate/g",
            ]
        );
    }
}

#[test]
fn a_limit_that_goes_up_or_is_no_amount_comes_first() {
    for (was, now) in [
        (Value::from("7500m"), Value::from("16")),
        (Value::from("some"), Value::from("few")),
        (Value::from(3), Value::Null),
    ] {
        assert_eq!(
            limited(was, now),
            [
                "update box/base after ",
                "update box/limit after update box/base",
                "update box/user after update box/limit",
                "update box/far after update box/user",
                "check gate/g after update box/far",
                "update box/after after check gate/g",
            ]
        );
    }
}

#[test]
fn a_limit_to_which_something_refers_comes_first() {
    let limited = |limit| {
        [
            res("box/limit").set("limit", limit),
            res("box/user").refers("size", "box/limit", "rev"),
        ]
    };
    assert_eq!(
        waits(&Case::new(limited(2), limited(1)).plan()),
        [
            "update box/limit after ",
            "update box/user after update box/limit"
        ]
    );
}

#[test]
fn limits_go_down_in_reverse() {
    let limited = |limit| {
        [
            res("box/base").set("size", limit),
            res("box/limit").needs("box/base").set("limit", limit),
            res("box/inner").needs("box/limit").set("limit", limit),
            res("box/user")
                .needs("box/inner")
                .needs("box/limit")
                .set("size", limit),
        ]
    };
    assert_eq!(
        waits(&Case::new(limited(2), limited(1)).plan()),
        [
            "update box/base after ",
            "update box/user after update box/base",
            "update box/inner after update box/base, update box/user",
            "update box/limit after update box/base, update box/user, update box/inner",
        ]
    );
}

#[test]
fn limits_that_would_wait_in_a_circle_come_first() {
    let limited = |limit| {
        [
            res("box/limit").set("limit", limit),
            res("box/inner").needs("box/limit").set("limit", limit),
            res("gate/g").needs("box/limit"),
            res("box/user")
                .needs("box/inner")
                .needs("gate/g")
                .set("size", limit),
        ]
    };
    assert_eq!(
        waits(&Case::new(limited(2), limited(1)).plan()),
        [
            "update box/limit after ",
            "update box/inner after update box/limit",
            "check gate/g after update box/limit",
            "update box/user after update box/inner, check gate/g",
        ]
    );
}

#[test]
fn the_wish_to_update_before_a_delete_gives_way_to_a_replacement() {
    let b = || res("box/b").refers("size", "box/a", "id");
    let case = Case::new(
        [res("box/a").set("place", "x"), b()],
        [res("box/a").set("place", "y"), b()],
    );
    assert_eq!(
        waits(&case.plan()),
        [
            "delete box/a after ",
            "create box/a after delete box/a",
            "update box/b after create box/a",
        ]
    );
}

#[test]
fn a_delete_that_a_replacement_waits_for_belongs_to_the_build_sweep() {
    let case = Case::new(
        [
            res("box/a").set("place", "x"),
            res("box/dependent").needs("box/a"),
            res("box/last").needs("box/dependent"),
            res("box/unrelated"),
        ],
        [res("box/a").set("place", "y")],
    );
    let plan = case.plan();
    assert_eq!(
        waits(&plan),
        [
            "delete box/last after ",
            "delete box/dependent after delete box/last",
            "delete box/a after delete box/dependent",
            "create box/a after delete box/a",
            "delete box/unrelated after ",
        ]
    );
    let sweeps: Vec<_> = plan.waves().iter().map(|wave| wave.sweep).collect();
    assert_eq!(sweeps, [Sweep::Build, Sweep::Teardown]);
}

#[test]
fn a_record_that_goes_round_in_a_circle_can_be_destroyed_and_desired_again() {
    let base = crate::world::applied([res("box/a"), res("box/b").needs("box/a")]);
    let mut resources = base.resources().clone();
    let mut a = matih_model::Recorded::clone(&resources[&at("box/a")]);
    a.resource.depends_on.insert(at("box/b"));
    resources.insert(at("box/a"), a.into());
    let base = matih_model::Snapshot::new(
        base.tenant().clone(),
        2,
        None,
        base.origin().clone(),
        base.tenancy(),
        resources,
    );
    let case = Case::from(Some(base.clone()), crate::world::graph([])).destroy();
    assert_eq!(
        waits(&case.plan()),
        ["delete box/b after ", "delete box/a after delete box/b"]
    );
    let back = Case::from(None, base.as_desired());
    assert_eq!(
        waits(&back.plan()),
        ["create box/b after ", "create box/a after create box/b"]
    );
}
