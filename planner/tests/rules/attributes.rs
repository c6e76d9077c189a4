//! What counts as a difference, and what a difference comes to.

use matih_model::{Observed, Op, Reading, Recorded, Snapshot, Value};
use matih_planner::{Drift, drift};
use serde_json::json;

use crate::world::{Case, at, catalog, res};

fn update(line: &str) -> String {
    format!("update box/a {line}")
}

#[test]
fn a_state_compared_with_itself_gives_an_empty_plan() {
    let case = Case::same([
        res("box/a")
            .set("size", 1)
            .json("body", json!({"x": [1, {"y": null}]})),
        res("box/b")
            .refers("place", "box/a", "id")
            .refers("note", "box/a", "rev"),
        res("gate/g").needs("box/b"),
    ]);
    assert!(case.plan().is_empty());
}

#[test]
fn only_what_differs_is_named() {
    let was = [res("box/a")
        .set("size", 1)
        .json("body", json!({"x": 1, "y": {"z": 2}}))];
    let now = [res("box/a")
        .set("size", 1)
        .json("body", json!({"y": {"z": 3, "q": 4}}))];
    assert_eq!(
        Case::new(was, now).shows(),
        [update(
            "body.x: 1 -> nothing body.y.q: nothing -> 4 body.y.z: 2 -> 3 because the spec has changed"
        )]
    );
}

#[test]
fn lists_of_one_length_are_compared_item_by_item_and_others_as_a_whole() {
    let was = [res("box/a").json("body", json!({"l": [1, {"x": 2}], "m": [1]}))];
    let now = [res("box/a").json("body", json!({"l": [1, {"x": 3}], "m": [1, 2]}))];
    assert_eq!(
        Case::new(was, now).shows(),
        [update(
            "body.l.1.x: 2 -> 3 body.m: [1] -> [1,2] because the spec has changed"
        )]
    );
}

#[test]
fn the_order_of_a_set_like_list_does_not_count_but_its_members_do() {
    let a = || res("box/a");
    let reordered = Case::new(
        [a().json("tags", json!(["x", {"k": 1}]))],
        [a().json("tags", json!([{"k": 1}, "x"]))],
    );
    // The record follows the spec, nothing is sent.
    assert_eq!(reordered.shows(), ["rewrite box/a"]);
    let doubled = Case::new(
        [a().json("tags", json!(["x", "y"]))],
        [a().json("tags", json!(["x", "x"]))],
    );
    assert_eq!(
        doubled.shows(),
        [update(
            r#"tags: ["x","y"] -> ["x","x"] because the spec has changed"#
        )]
    );
    let gone = Case::same([a().json("tags", json!(["x"]))])
        .sees("box/a", |it| _ = it.attributes.remove("tags"));
    assert_eq!(
        gone.shows(),
        [update(
            r#"tags: nothing -> ["x"] because changed outside of matih"#
        )]
    );
}

#[test]
fn members_of_a_set_that_a_server_filled_in_do_not_differ() {
    let case = Case::same([res("box/a").json("tags", json!([{"port": 1}, {"port": 2}]))]);
    let case = case.sees("box/a", |it| {
        let filled = json!([{"port": 2, "proto": "tcp"}, {"port": 1, "proto": "tcp"}]);
        it.attributes
            .insert("tags", serde_json::from_value::<Value>(filled).unwrap());
    });
    assert_eq!(case.shows(), ["refresh box/a"]);
}

#[test]
fn a_change_of_an_immutable_attribute_means_replace() {
    let case = Case::new(
        [res("box/a").set("place", "x")],
        [res("box/a").set("place", "y")],
    );
    assert_eq!(
        case.shows(),
        [
            "delete box/a because place cannot be changed in place",
            "create box/a again (2) because place cannot be changed in place",
        ]
    );
}

#[test]
fn an_immutable_path_counts_inside_of_what_comes_or_goes_as_a_whole() {
    let with = |body| [res("box/a").json("body", body)];
    for (was, now, acts) in [
        (
            json!({"name": "x"}),
            json!({"name": "y"}),
            vec!["delete box/a", "create box/a"],
        ),
        (
            json!({"name": "x"}),
            json!({"name": "x", "z": 1}),
            vec!["update box/a"],
        ),
        (
            json!({"z": 1}),
            json!({"z": 1, "name": "x"}),
            vec!["delete box/a", "create box/a"],
        ),
        (
            json!([]),
            json!({"name": "x"}),
            vec!["delete box/a", "create box/a"],
        ),
        (json!([]), json!({"z": 1}), vec!["update box/a"]),
    ] {
        assert_eq!(
            Case::new(with(was.clone()), with(now.clone())).acts(),
            acts,
            "{was} {now}"
        );
    }
}

#[test]
fn what_a_server_filled_in_never_differs() {
    let case = Case::same([res("box/a").json("body", json!({"x": {"y": 1}}))]);
    let case = case.sees("box/a", |it| {
        it.attributes.insert("note", "filled in");
        let body = json!({"x": {"y": 1, "more": 2}, "other": []});
        it.attributes
            .insert("body", serde_json::from_value::<Value>(body).unwrap());
    });
    assert_eq!(case.shows(), ["refresh box/a"]);
}

#[test]
fn what_somebody_changed_is_changed_back() {
    let case = Case::same([res("box/a").set("size", 1).json("body", json!({"x": 1}))]);
    let case = case.sees("box/a", |it| {
        it.attributes.insert("size", 7);
        it.attributes.remove("body");
    });
    assert_eq!(
        case.shows(),
        [update(
            "body.x: nothing -> 1 size: 7 -> 1 because changed outside of matih"
        )]
    );
}

#[test]
fn what_somebody_changed_to_what_the_spec_now_says_needs_no_action() {
    let case = Case::new([res("box/a").set("size", 1)], [res("box/a").set("size", 2)]);
    let case = case.sees("box/a", |it| _ = it.attributes.insert("size", 2));
    assert_eq!(case.acts(), [""; 0]);
    assert_eq!(case.shows()[..], ["rewrite box/a"]);
}

#[test]
fn what_is_no_longer_set_is_taken_away_where_it_still_is() {
    let case = || Case::new([res("box/a").set("size", 1)], [res("box/a")]);
    assert_eq!(
        case().shows(),
        [update("size: 1 -> nothing because the spec has changed")]
    );
    let gone = case().sees("box/a", |it| _ = it.attributes.remove("size"));
    assert_eq!(gone.acts(), [""; 0]);
}

#[test]
fn what_is_no_longer_set_is_left_to_the_server_where_it_may_fill_it_in() {
    let case = Case::new([res("box/a").set("note", "ours")], [res("box/a")]);
    assert_eq!(case.shows(), ["rewrite box/a"]);
}

#[test]
fn keys_of_others_stay_where_a_map_is_no_longer_set() {
    let case = Case::new([res("box/a").json("body", json!({"x": 1}))], [res("box/a")]);
    let case = case.sees("box/a", |it| {
        let body = json!({"x": 1, "theirs": 2});
        it.attributes
            .insert("body", serde_json::from_value::<Value>(body).unwrap());
    });
    assert_eq!(
        case.shows(),
        [update("body.x: 1 -> nothing because the spec has changed")]
    );
}

#[test]
fn an_empty_map_is_set_once_and_is_no_drift_where_the_server_drops_it() {
    let a = || res("box/a").json("body", json!({"empty": {}}));
    let added = Case::new([res("box/a").json("body", json!({"x": 1}))], [a()]);
    assert_eq!(added.acts(), ["update box/a"]);
    let dropped = Case::same([a()]).sees("box/a", |it| {
        _ = it.attributes.insert("body", Value::Map(Default::default()))
    });
    assert_eq!(dropped.acts(), [""; 0]);
}

#[test]
fn a_list_that_is_gone_is_drift_also_where_it_had_no_item() {
    let a = || res("box/a").json("body", json!({"list": []}));
    let gone = Case::same([a()]).sees("box/a", |it| {
        _ = it.attributes.insert("body", Value::Map(Default::default()))
    });
    assert_eq!(
        gone.shows(),
        [update(
            "body.list: nothing -> [] because changed outside of matih"
        )]
    );
    assert!(Case::same([a()]).sees("box/a", |_| {}).plan().is_empty());
    assert!(Case::same([a()]).plan().is_empty());
}

#[test]
fn an_explicit_nothing_is_no_drift_where_nothing_is() {
    let a = || res("box/a").set("size", Value::Null);
    let gone = Case::same([a()]).sees("box/a", |it| _ = it.attributes.remove("size"));
    assert_eq!(gone.acts(), [""; 0]);
    assert_eq!(Case::new([res("box/a")], [a()]).acts(), ["update box/a"]);
}

#[test]
fn a_reference_that_a_reading_tells_back_stands_for_what_was_applied() {
    let graph = || [res("box/a").refers("size", "box/b", "id"), res("box/b")];
    let told_back = |case: Case| {
        case.sees("box/a", |it| {
            let asked = graph()[0].0.attributes.get("size").cloned();
            it.attributes.insert("size", asked.unwrap());
        })
    };
    let case = told_back(Case::same(graph())).read("box/b", Reading::Unchanged);
    assert_eq!(case.acts(), [""; 0]);
    let report = drift(case.base.as_ref().unwrap(), &case.observation, catalog());
    assert!(report.in_sync(), "{report:?}");
    let other = Case::new(graph(), [res("box/a").set("size", 7), res("box/b")]);
    assert_eq!(told_back(other).acts(), ["update box/a"]);
}

#[test]
fn a_mark_that_was_taken_off_is_put_back() {
    let graph = || [res("box/a").set("size", 1)];
    let case = Case::same(graph()).sees("box/a", |it| it.owner = None);
    assert_eq!(
        case.shows(),
        ["update box/a because it does not bear our mark"]
    );
    let report = drift(case.base.as_ref().unwrap(), &case.observation, catalog());
    assert_eq!(report.resources[&at("box/a")], Drift::Unmarked);
    assert!(report.has_drifted() && !report.in_sync());
    // Who only refreshes does not hide it from the next reading.
    let mut refresh = Case::same(graph()).sees("box/a", |it| it.owner = None);
    refresh.options.refresh_only = true;
    assert_eq!(refresh.shows(), [""; 0]);
    let also = Case::same(graph()).sees("box/a", |it| {
        it.owner = None;
        it.attributes.insert("size", 9);
    });
    assert!(
        also.shows()[0].ends_with("changed outside of matih"),
        "{:?}",
        also.shows()
    );
    let known = Case::same(graph()).sees("box/a", |_| {});
    assert_eq!(known.acts(), [""; 0]);
}

#[test]
fn ignored_differences_never_differ() {
    let a = |size: i64| res("box/a").set("size", size).ignore("size");
    assert!(Case::new([a(1)], [a(2)]).plan().is_empty());
    let drifted = Case::same([a(1)]).sees("box/a", |it| _ = it.attributes.insert("size", 9));
    assert!(drifted.plan().is_empty());
}

#[test]
fn an_update_for_another_reason_keeps_what_is_there_at_an_ignored_path() {
    let a = |size: i64, note: &str| {
        res("box/a")
            .json("body", json!({"size": size, "note": note}))
            .ignore("body.size")
    };
    let case = Case::new([a(1, "x")], [a(2, "y")]);
    let sent = |case: &Case| {
        let plan = case.plan();
        let sent = plan.actions()[0]
            .op
            .resource()
            .attributes
            .get("body")
            .cloned();
        serde_json::to_value(sent.unwrap()).unwrap()
    };
    assert_eq!(sent(&case), json!({"size": 1, "note": "y"}));
    let drifted = case.sees("box/a", |it| {
        let body = json!({"size": 9, "note": "x"});
        it.attributes
            .insert("body", serde_json::from_value::<Value>(body).unwrap());
    });
    assert_eq!(sent(&drifted), json!({"size": 9, "note": "y"}));
}

#[test]
fn secrets_differ_by_reference_and_by_digest() {
    let one = "11".repeat(32);
    let two = "22".repeat(32);
    let a = |secret: serde_json::Value| [res("box/a").json("key", secret)];
    let of = |name: &str, digest: &str| json!({"$secret": {"env": name}, "digest": digest});
    for (was, now, acts) in [
        (of("X", &one), of("X", &one), 0),
        (of("X", &one), of("X", &two), 1),
        (of("X", &one), of("Y", &one), 1),
        // It could not be read where the spec was compiled: nothing can be said against it.
        (of("X", &one), json!({"$secret": {"env": "X"}}), 0),
        (of("X", &one), json!({"$secret": {"env": "Y"}}), 1),
        (json!({"$secret": {"env": "X"}}), of("X", &one), 1),
    ] {
        let plan = Case::new(a(was.clone()), a(now.clone())).plan();
        assert_eq!(plan.actions().len(), acts, "{was} {now}");
        assert!(plan.edits().is_empty(), "{was} {now}");
    }
}

#[test]
fn a_secret_that_a_provider_cannot_read_back_is_no_drift_but_its_removal_is_an_update() {
    let secret = json!({"$secret": {"env": "X"}, "digest": "11".repeat(32)});
    let a = || {
        res("box/a")
            .json("key", secret.clone())
            .json("body", json!({"s": secret}))
    };
    let hide = |it: &mut Observed| {
        it.attributes.remove("key");
        it.attributes.remove("body");
    };
    assert_eq!(Case::same([a()]).sees("box/a", hide).acts(), [""; 0]);
    let removed = Case::new([a()], [res("box/a")]).sees("box/a", hide).plan();
    let Op::Update { changes, .. } = &removed.actions()[0].op else {
        panic!("{:?}", removed.actions());
    };
    let paths: Vec<_> = changes.iter().map(|it| it.path.to_string()).collect();
    assert_eq!(paths, ["body.s", "key"]);
    assert!(changes.iter().all(|it| it.sensitive));
}

#[test]
fn sensitive_values_are_marked_also_inside_of_a_larger_change() {
    let change = |was: serde_json::Value, now: serde_json::Value| {
        let case = Case::new(
            [res("box/a").json("body", was)],
            [res("box/a").json("body", now)],
        );
        let plan = case.plan();
        let Op::Update { changes, .. } = &plan.actions()[0].op else {
            panic!("{:?}", plan.actions());
        };
        changes
            .iter()
            .map(|it| (it.path.to_string(), it.sensitive))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        change(
            json!({"u": {"pin": "1", "x": 1}}),
            json!({"u": {"pin": "2", "x": 2}})
        ),
        [
            ("body.u.pin".to_owned(), true),
            ("body.u.x".to_owned(), false)
        ]
    );
    assert_eq!(
        change(json!({}), json!({"u": {"pin": "1"}})),
        [("body.u".to_owned(), true)]
    );
    assert_eq!(
        change(json!({}), json!({"u": {"x": "1"}})),
        [("body.u".to_owned(), false)]
    );
}

#[test]
fn what_could_not_be_read_is_planned_as_recorded_and_said_so() {
    let case = Case::same([res("box/a").set("size", 1)])
        .read("box/a", Reading::Unknown("the server is down".into()));
    let plan = case.plan();
    assert!(plan.is_empty());
    assert_eq!(plan.notes()[0].address, Some(at("box/a")));
    assert!(plan.notes()[0].text.contains("the server is down"));
}

#[test]
fn what_is_missing_is_created_again_with_the_next_generation() {
    let case = Case::same([res("box/a").set("size", 1)]).read("box/a", Reading::Missing);
    assert_eq!(
        case.shows(),
        ["create box/a again (2) because deleted outside of matih"]
    );
    let again =
        Case::from(Some(case.carried_out()), case.desired.clone()).read("box/a", Reading::Missing);
    assert_eq!(
        again.shows(),
        ["create box/a again (3) because deleted outside of matih"]
    );
}

#[test]
fn an_update_whose_outcome_is_not_known_is_sent_again_whatever_the_token_is_now() {
    let mut case = Case::same([res("box/a").set("size", 1)]);
    let base = case.base.as_ref().unwrap();
    let mut resources = base.resources().clone();
    let mut recorded = Recorded::clone(&resources[&at("box/a")]);
    recorded.unsettled = true;
    resources.insert(at("box/a"), recorded.into());
    case.base = Some(Snapshot::new(
        base.tenant().clone(),
        2,
        Some(base.id()),
        base.origin().clone(),
        base.tenancy(),
        resources,
    ));
    assert_eq!(
        case.shows(),
        ["update box/a because the outcome of its last update is not known"]
    );
    let expects = |case: &Case| match &case.plan().actions()[0].op {
        Op::Update { expects, .. } => expects.clone().map(|it| it.ours().to_owned()),
        other => panic!("{other:?}"),
    };
    assert_eq!(expects(&case), None);
    let read = case.sees("box/a", |it| _ = it.attributes.insert("size", 2));
    assert_eq!(expects(&read).as_deref(), Some("moved"));
}
