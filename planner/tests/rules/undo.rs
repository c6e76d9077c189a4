//! The way back, and drift.

use matih_model::{Reading, UndoClass, Verb};
use matih_planner::{Drift, Unalterable, drift, inverse};

use crate::world::{Case, at, catalog, res, short, show};

#[test]
fn the_inverse_names_the_way_back_what_is_one_way_and_what_loses_data() {
    let case = Case::new(
        [
            res("box/kept").set("size", 1),
            res("box/gone"),
            res("disk/gone"),
            res("box/refers").refers("size", "box/kept", "rev"),
        ],
        [
            res("box/kept").set("size", 2),
            res("disk/new"),
            res("mail/new"),
            res("box/refers").refers("size", "box/kept", "rev"),
        ],
    );
    let undo = inverse(
        &case.plan(),
        case.base.as_ref(),
        catalog(),
        &Unalterable::new(),
    )
    .unwrap();
    let acts: Vec<_> = undo
        .plan
        .actions()
        .iter()
        .map(|it| format!("{} {}", it.op.verb(), short(it.address())))
        .collect();
    assert_eq!(
        acts,
        [
            "create box/gone",
            "update box/kept",
            "update box/refers",
            "create disk/gone",
            "delete disk/new",
            "delete mail/new",
        ]
    );
    assert_eq!(
        *undo.plan.verb(),
        Verb::Rollback(case.base.as_ref().unwrap().id())
    );
    assert_eq!(undo.one_way, [at("mail/new")]);
    assert_eq!(undo.loses_data, [at("disk/gone"), at("disk/new")]);
}

#[test]
fn the_inverse_of_a_first_apply_takes_everything_down() {
    let case = Case::fresh([res("box/a"), res("box/b").refers("size", "box/a", "ip")]);
    let undo = inverse(&case.plan(), None, catalog(), &Unalterable::new()).unwrap();
    assert_eq!(
        show(&undo.plan),
        [
            "delete box/b because the spec no longer has it",
            "delete box/a because the spec no longer has it",
        ]
    );
    assert_eq!(*undo.plan.verb(), Verb::Destroy);
}

#[test]
fn the_inverse_of_a_move_moves_back() {
    let case = Case::new([res("box/a")], [res("box/b")]).moved("box/a", "box/b");
    let undo = inverse(
        &case.plan(),
        case.base.as_ref(),
        catalog(),
        &Unalterable::new(),
    )
    .unwrap();
    assert_eq!(show(&undo.plan), ["move box/b to box/a"]);
}

#[test]
fn each_action_bears_what_it_costs_to_undo_it() {
    let case = Case::new(
        [
            res("disk/updated").set("size", 1),
            res("disk/deleted"),
            res("mail/sent").set("size", 1),
        ],
        [
            res("disk/updated").set("size", 2),
            res("disk/made"),
            res("mail/sent").set("size", 2),
        ],
    );
    let plan = case.plan();
    let classes: Vec<_> = plan
        .actions()
        .iter()
        .map(|it| (short(it.address()), it.undo))
        .collect();
    let class = |name: &str, undo| (name.to_owned(), undo);
    assert_eq!(
        classes,
        [
            class("disk/made", UndoClass::DataBearing),
            class("disk/updated", UndoClass::Reversible),
            class("mail/sent", UndoClass::OneWay),
            class("disk/deleted", UndoClass::DataBearing),
        ]
    );
    assert!(
        plan.notes()
            .iter()
            .any(|it| it.address == Some(at("mail/sent")))
    );
}

#[test]
fn drift_tells_for_every_recorded_resource_how_it_is() {
    let list =
        ["a", "b", "c", "d", "e", "f"].map(|name| res(&format!("box/{name}")).set("size", 1));
    let case = Case::same(list)
        .sees("box/a", |it| _ = it.attributes.insert("note", "filled in"))
        .sees("box/b", |it| _ = it.attributes.insert("size", 2))
        .read("box/c", Reading::Missing)
        .read("box/d", Reading::Unknown("denied".into()))
        .read("box/e", Reading::Unchanged);
    let report = drift(case.base.as_ref().unwrap(), &case.observation, catalog());
    let of = |name: &str| &report.resources[&at(name)];
    assert_eq!(*of("box/a"), Drift::InSync);
    let Drift::Changed { attributes } = of("box/b") else {
        panic!("{report:?}");
    };
    assert_eq!(attributes[0].path.to_string(), "size");
    assert_eq!(attributes[0].before, Some(2.into()));
    assert_eq!(attributes[0].after, Some(1.into()));
    assert_eq!(*of("box/c"), Drift::Missing);
    assert_eq!(
        *of("box/d"),
        Drift::Unknown {
            why: "denied".into()
        }
    );
    assert_eq!(*of("box/e"), Drift::InSync);
    assert_eq!(
        *of("box/f"),
        Drift::Unknown {
            why: "it was not read".into()
        }
    );
    assert!(report.has_drifted() && !report.in_sync());
}

#[test]
fn drift_at_an_ignored_path_is_none() {
    let case = Case::same([res("box/a").set("size", 1).ignore("size")])
        .sees("box/a", |it| _ = it.attributes.insert("size", 2));
    let report = drift(case.base.as_ref().unwrap(), &case.observation, catalog());
    assert!(report.in_sync());
}

#[test]
fn what_cannot_be_altered_there_cannot_be_altered_back() {
    let mut case = Case::new([res("box/a").set("size", 1)], [res("box/a").set("size", 2)]);
    let word = (vec!["size".parse().unwrap()], "size: is fixed".into());
    case.options.unalterable.insert(at("box/a"), word);
    let unalterable = &case.options.unalterable;
    let undo = inverse(&case.plan(), case.base.as_ref(), catalog(), unalterable).unwrap();
    let verbs: Vec<&str> = undo.plan.actions().iter().map(|it| it.op.verb()).collect();
    assert_eq!(verbs, ["delete", "create"]);
}
