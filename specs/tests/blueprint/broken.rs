//! Blueprints that are broken, each in one way.

use crate::fixture::{compile_with, example};
use matih_specs::{BlueprintFiles, Source};

/// How the text becomes `x.toml`, the text, the rule that it breaks, the place of the finding, and
/// a part of what is shown.
struct Case(
    fn(&str) -> String,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

/// The text is the file.
fn whole(text: &str) -> String {
    text.to_owned()
}

/// The text is line 6 of a resource of step 2.
fn with(line: &str) -> String {
    let resource = named("more");
    format!("{resource}{line}\n")
}

/// The text is the attributes, from line 7 on.
fn row(attributes: &str) -> String {
    with(&format!("[step.resource.attributes]\n{attributes}"))
}

/// The text is the name of the resource, on line 5.
fn named(name: &str) -> String {
    format!(
        "[[step]]\nnumber = 2\n[[step.resource]]\nkind = \"check.capacity\"\nname = \"{name}\"\n"
    )
}

/// The text is its kind, on line 4.
fn of_kind(kind: &str) -> String {
    named("more").replace("check.capacity", kind)
}

const CASES: &[Case] = &[
    // What is found when the files are read.
    Case(whole, "[[step]\n", "MTH-1001", "x.toml:1:8", "expected `]`"),
    Case(
        with,
        "wehn = \"true\"",
        "MTH-1002",
        "x.toml:6:1",
        "did you mean `when`?",
    ),
    Case(
        with,
        "covers = 2",
        "MTH-1003",
        "x.toml:6:10",
        "must be a list",
    ),
    Case(
        whole,
        "[[step]]\nname = \"X\"\n",
        "MTH-1004",
        "x.toml:1:1",
        "`step[0].number` is missing",
    ),
    Case(
        whole,
        "[[step]]\nnumber = 57\nname = \"X\"\n",
        "MTH-3001",
        "x.toml:2:10",
        "1 to 56",
    ),
    Case(whole, "phase = 9\n", "MTH-3002", "x.toml:1:9", "0 to 8"),
    Case(
        whole,
        "phase = 3\n[[step]]\nnumber = 2\nname = \"X\"\n",
        "MTH-3002",
        "x.toml:2:1",
        "belongs to another phase",
    ),
    Case(
        whole,
        "[[step]]\nnumber = 2\nwhen = \"false\"\n",
        "MTH-3001",
        "x.toml:1:1",
        "can only add resources",
    ),
    Case(
        whole,
        "[[resource]]\nkind = \"dns.zone\"\nname = \"x\"\n",
        "MTH-3001",
        "x.toml:1:1",
        "says which it `covers`",
    ),
    Case(
        whole,
        "[[resource]]\nkind = \"dns.zone\"\nname = \"x\"\ncovers = [2]\n",
        "MTH-3002",
        "x.toml:1:1",
        "needs the file's `phase`",
    ),
    Case(row, "pods = 1.5", "MTH-1606", "x.toml:7:8", ""),
    Case(
        row,
        "cluster = \"{{ tenant.slug \"",
        "MTH-3101",
        "x.toml:7:22",
        "",
    ),
    Case(
        row,
        "pods = \"{{ 1 + }}\"",
        "MTH-3101",
        "x.toml:7:",
        "cannot be read",
    ),
    Case(
        with,
        "when = \"tier ==\"",
        "MTH-3101",
        "x.toml:6:",
        "cannot be read",
    ),
    Case(
        row,
        "tier = \"{{ tennant.tier }}\"",
        "MTH-3102",
        "x.toml:7:8",
        "did you mean `tenant`?",
    ),
    Case(
        row,
        "tier = \"{{ item.tier }}\"",
        "MTH-3102",
        "x.toml:7:8",
        "`item` is not defined",
    ),
    // What is found when a tenant is compiled.
    Case(
        row,
        "tier = \"{{ tenant.teir }}\"",
        "MTH-3103",
        "x.toml:7:12",
        "did you mean `tier`?",
    ),
    Case(
        with,
        "when = \"tenant.teir == 'FREE'\"",
        "MTH-3103",
        "x.toml:6:9",
        "did you mean `tier`?",
    ),
    Case(
        row,
        "tier = \"tier {{ tenant }}\"",
        "MTH-3103",
        "x.toml:7:17",
        "a table cannot be part",
    ),
    Case(
        row,
        "tier = \"{{ infrastructure.credentials.role_arn }}\"",
        "MTH-3103",
        "x.toml:7:26",
        "`role_arn` is not defined",
    ),
    Case(
        row,
        "pods = \"{{ 1 / 3 }}\"",
        "MTH-3104",
        "x.toml:7:8",
        "has a fraction",
    ),
    Case(
        with,
        "when = \"tenant.slug\"",
        "MTH-3104",
        "x.toml:6:8",
        "neither true nor false",
    ),
    Case(
        with,
        "for_each = \"tenant.slug\"",
        "MTH-3104",
        "x.toml:6:12",
        "neither a list nor a table",
    ),
    Case(
        with,
        "depends_on = [\"tenant\"]",
        "MTH-3104",
        "x.toml:6:14",
        "no resource",
    ),
    Case(with, "covers = [99]", "MTH-3104", "x.toml:6:10", "no step"),
    Case(
        row,
        "tier = { \"$ref\" = \"tenant.record/tenant\" }",
        "MTH-3104",
        "x.toml:7:8",
        "`$ref` is alone",
    ),
    Case(
        row,
        "tier = { \"$secret\" = { vault = \"x\" } }",
        "MTH-3104",
        "x.toml:7:8",
        "names no secret",
    ),
    Case(
        row,
        "tier = { \"$reff\" = \"x\" }",
        "MTH-3104",
        "x.toml:7:8",
        "`$reff` is not known",
    ),
    Case(
        named,
        "Not A Name",
        "MTH-3104",
        "x.toml:5:8",
        "name `Not A Name`",
    ),
    Case(
        named,
        "capacity",
        "MTH-3201",
        "x.toml:3:1",
        "check.capacity/capacity is there already",
    ),
    Case(
        with,
        "depends_on = [\"check.input/inputt\"]",
        "MTH-3202",
        "x.toml:6:14",
        "did you mean `check.input/input`?",
    ),
    Case(
        row,
        "tier = { \"$ref\" = \"dns.zone/none\", output = \"name\" }",
        "MTH-3202",
        "x.toml:6:1",
        "refers to dns.zone/none",
    ),
    Case(
        row,
        "tier = { \"$ref\" = \"dns.zone/tenant\", output = \"nmae\" }",
        "MTH-3202",
        "x.toml:6:1",
        "its outputs are zone_id, name",
    ),
    Case(
        with,
        "depends_on = [\"tenant.record/tenant\"]",
        "MTH-3203",
        "1-control-plane.toml:",
        "in a circle",
    ),
    Case(
        of_kind,
        "check.capacities",
        "MTH-3301",
        "x.toml:4:8",
        "did you mean `check.capacity`?",
    ),
    Case(
        row,
        "podz = 3",
        "MTH-3302",
        "x.toml:7:8",
        "did you mean `pods`?",
    ),
    Case(
        of_kind,
        "dns.zone",
        "MTH-3303",
        "x.toml:3:1",
        "needs the attribute `name`",
    ),
    Case(
        row,
        "pods = \"three\"",
        "MTH-3304",
        "x.toml:7:8",
        "must be a whole number, and is text",
    ),
];

#[test]
fn every_broken_blueprint_is_told_what_is_wrong_and_where() {
    let parsed = example("acme");
    let mut wrong = Vec::new();
    for Case(form, text, code, place, words) in CASES {
        let text = form(text);
        let blueprint = BlueprintFiles::overlaid(vec![Source::new("x.toml", &text)]).read();
        let found = match blueprint.and_then(|blueprint| compile_with(&parsed, &blueprint)) {
            Err(findings) => findings,
            Ok(_) => panic!("nothing was found in\n{text}"),
        };
        let shown = found.to_string();
        let good = found.iter().any(|finding| {
            let at = finding
                .place
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            finding.rule.code == *code && at.starts_with(place)
        });
        // The line itself is shown, and every finding says what to do.
        let helpful = found
            .iter()
            .all(|it| it.hint.is_some() || it.rule.code == "MTH-1001");
        if !good || !helpful || !shown.contains(words) || !shown.contains(" | ") {
            wrong.push(format!("{code} {place} {words}\n{text}\n{shown}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn all_faults_of_a_blueprint_are_told_at_once() {
    let text = row(
        "tier = \"{{ tenant.teir }}\"\nregion = \"{{ tenant.regoin }}\"\npods = \"{{ 1 / 3 }}\"",
    );
    let blueprint = BlueprintFiles::overlaid(vec![Source::new("x.toml", &text)]);
    let blueprint = blueprint.read().unwrap();
    let found = compile_with(&example("acme"), &blueprint).unwrap_err();
    let lines: Vec<u32> = found
        .iter()
        .map(|it| it.place.as_ref().unwrap().line)
        .collect();
    assert_eq!(lines, [7, 8, 9], "{found}");
}
