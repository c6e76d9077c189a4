//! What needs approval, and what is refused.

use matih_model::Reading;
use matih_planner::{Approvals, Rule, Verdict, guard};

use crate::world::{Case, Res, at, pat, res};

fn verdict(case: &Case, approvals: &Approvals) -> Verdict {
    guard(&case.plan(), case.base.as_ref(), approvals)
}

fn rules(verdict: &Verdict) -> Vec<(Rule, Option<matih_model::Address>)> {
    verdict
        .findings()
        .iter()
        .map(|it| (it.rule, it.address.clone()))
        .collect()
}

fn approved(data_loss: &[&str], override_protection: &[&str]) -> Approvals {
    let parse = |list: &[&str]| list.iter().map(|it| pat(it)).collect();
    Approvals {
        data_loss: parse(data_loss),
        mass_delete: false,
        override_protection: parse(override_protection),
    }
}

#[test]
fn creating_and_updating_is_allowed_also_where_data_is() {
    let case = Case::new(
        [res("disk/a").set("size", 1)],
        [res("disk/a").set("size", 2), res("mail/m")],
    );
    assert_eq!(verdict(&case, &Approvals::default()), Verdict::Allowed);
}

#[test]
fn deleting_or_replacing_data_needs_an_approval_of_its_own() {
    let deleted = Case::new([res("disk/a"), res("box/b")], []);
    let replaced = Case::new(
        [res("disk/a").set("place", "x")],
        [res("disk/a").set("place", "y")],
    );
    for (case, verb) in [
        (&deleted, "Deleting"),
        (&replaced, "Replacing"),
        (&deleted.clone().destroy(), "Deleting"),
    ] {
        let Verdict::NeedsApproval(findings) = verdict(case, &Approvals::default()) else {
            panic!("{:?}", case.acts());
        };
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].message,
            format!("{verb} acme/thing.disk/a loses the data in it.")
        );
        assert!(
            findings[0]
                .hint
                .contains("`--allow-data-loss acme/thing.disk/a`")
        );
        assert_eq!(verdict(case, &approved(&["disk/*"], &[])), Verdict::Allowed);
    }
    assert_eq!(
        rules(&verdict(&deleted, &approved(&["disk/other"], &[]))),
        [(Rule::DataLoss, Some(at("disk/a")))]
    );
}

#[test]
fn a_rule_of_the_kind_can_make_one_resource_bear_data() {
    let part = |class: &str| res("part/a").set("class", class);
    let case = |class: &str| Case::new([part(class)], []);
    assert_eq!(
        verdict(&case("cable"), &Approvals::default()),
        Verdict::Allowed
    );
    assert_eq!(
        rules(&verdict(&case("disk"), &Approvals::default())),
        [(Rule::DataLoss, Some(at("part/a")))]
    );
}

#[test]
fn what_is_gone_already_loses_no_data() {
    let case = Case::new([res("disk/a").protect()], []).read("disk/a", Reading::Missing);
    assert_eq!(verdict(&case, &Approvals::default()), Verdict::Allowed);
}

#[test]
fn what_is_protected_is_refused_and_protect_is_named() {
    let case = Case::same([res("disk/a").protect()]).destroy();
    let Verdict::Refused(findings) = verdict(&case, &approved(&["*/*"], &[])) else {
        panic!("not refused");
    };
    assert_eq!(
        findings[0].message,
        "acme/thing.disk/a has `protect` and would be deleted."
    );
    assert!(
        findings[0]
            .hint
            .contains("`--override-protection acme/thing.disk/a`")
    );
    assert_eq!(
        verdict(&case, &approved(&["*/*"], &["disk/a"])),
        Verdict::Allowed
    );
    let both = verdict(&case, &Approvals::default());
    assert_eq!(
        rules(&both),
        [
            (Rule::Protected, Some(at("disk/a"))),
            (Rule::DataLoss, Some(at("disk/a")))
        ]
    );
}

#[test]
fn taking_a_resource_out_of_the_spec_does_not_take_its_protection_away() {
    let case = Case::new([res("box/a").protect()], []);
    assert!(matches!(
        verdict(&case, &Approvals::default()),
        Verdict::Refused(_)
    ));
}

#[test]
fn a_replacement_heeds_what_the_spec_now_says_of_protection() {
    let a = |place: &str| res("box/a").set("place", place);
    let removed = Case::new([a("x").protect()], [a("y")]);
    assert_eq!(verdict(&removed, &Approvals::default()), Verdict::Allowed);
    let added = Case::new([a("x")], [a("y").protect()]);
    assert_eq!(
        rules(&verdict(&added, &Approvals::default())),
        [(Rule::Protected, Some(at("box/a")))]
    );
}

#[test]
fn deleting_much_at_once_needs_approval_unless_it_is_a_destroy() {
    let names = |from: usize, to: usize| -> Vec<Res> {
        (from..to)
            .map(|number| res(&format!("box/n{number:02}")))
            .collect()
    };
    let case = |total: usize, kept: usize| {
        Case::from(
            Some(crate::world::applied(names(0, total))),
            crate::world::graph(names(0, kept)),
        )
    };
    for (total, kept, found) in [
        (5, 0, false),   // not more than five
        (6, 0, true),    // more than five, and all of them
        (30, 24, false), // six of thirty: a fifth, not more
        (29, 23, true),  // six of twenty-nine: more than a fifth
    ] {
        let case = case(total, kept);
        let rules = rules(&verdict(&case, &Approvals::default()));
        assert_eq!(
            rules == [(Rule::MassDelete, None)],
            found,
            "{total} {kept} {rules:?}"
        );
        let agreed = Approvals {
            mass_delete: true,
            ..Approvals::default()
        };
        assert_eq!(verdict(&case, &agreed), Verdict::Allowed);
        assert_eq!(
            verdict(&case.destroy(), &Approvals::default()),
            Verdict::Allowed
        );
    }
}

#[test]
fn replacements_are_no_mass_delete() {
    let list = |place: &str| -> Vec<Res> {
        (0..9)
            .map(|number| res(&format!("box/n{number}")).set("place", place))
            .collect()
    };
    let case = Case::from(
        Some(crate::world::applied(list("x"))),
        crate::world::graph(list("y")),
    );
    assert_eq!(verdict(&case, &Approvals::default()), Verdict::Allowed);
}

#[test]
fn what_the_outside_cannot_alter_is_replaced_and_guarded() {
    let mut case = Case::new(
        [res("disk/a").set("size", 1), res("box/b").set("size", 1)],
        [res("disk/a").set("size", 2), res("box/b").set("size", 1)],
    );
    let word = (vec!["size".parse().unwrap()], "size: is fixed".into());
    for name in ["disk/a", "box/b"] {
        case.options.unalterable.insert(at(name), word.clone());
    }
    assert_eq!(
        case.acts(),
        ["delete disk/a", "create disk/a"],
        "what does not differ is left alone"
    );
    let plan = case.plan();
    assert_eq!(
        plan.actions()[1].reason.to_string(),
        "the server does not alter size: is fixed"
    );
    assert_eq!(
        rules(&verdict(&case, &Approvals::default())),
        [(Rule::DataLoss, Some(at("disk/a")))]
    );
}
