//! Each rule has a spec that breaks it, and the text that a user then sees.
//!
//! `tests/bad-specs/CODE-RULE.toml` is the spec and `.txt` beside it the text; run with
//! `UPDATE_GOLDEN=1` to write the texts anew, and read the difference.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use matih_specs::{Diagnostics, Rule, Severity};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/bad-specs")
}

/// The rules of reading and of the forms; the blueprint's have tests of their own.
fn rules() -> Vec<&'static Rule> {
    matih_specs::rules::all()
        .filter(|rule| rule.code < "MTH-2000")
        .collect()
}

fn bad_spec(rule: &Rule) -> String {
    format!("{}-{}.toml", rule.code, rule.name)
}

/// Everything that is found, also in a spec that can be used.
fn findings(file: &str, text: &str) -> Diagnostics {
    if file.contains(".taken.") {
        return fleet(file, text);
    }
    if file.contains("platform.provider.setting") {
        // What a provider refuses is not known here: one that knows no `colour` stands for all.
        let parsed = matih_specs::parse_platform(file, text).unwrap();
        return parsed.refused([matih_specs::RefusedSetting {
            path: "targets.west.colour".to_owned(),
            message: "it is not a known key".to_owned(),
            hint: "the keys here are kubeconfig, context".to_owned(),
        }]);
    }
    if file.starts_with("MTH-17") {
        matih_specs::parse_platform(file, text)
            .map_or_else(|diagnostics| diagnostics, |parsed| parsed.warnings)
    } else {
        matih_specs::parse_tenant(file, text)
            .map_or_else(|diagnostics| diagnostics, |parsed| parsed.warnings)
    }
}

/// What is found if a second file says the same, with another slug where that is not the point.
fn fleet(file: &str, text: &str) -> Diagnostics {
    let second = match file.contains("slug") {
        true => text.to_owned(),
        false => text.replace("slug = \"sparrow\"", "slug = \"finch\""),
    };
    let specs = [(file, text), ("second.toml", &second)]
        .map(|(file, text)| matih_specs::parse_tenant(file, text).unwrap());
    matih_specs::rules::check_fleet(&specs)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a switch for people who run this test, not for specs"
)]
fn update_golden() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

#[test]
fn every_rule_is_broken_by_its_spec_and_says_so_as_before() {
    let update = update_golden();
    let mut wrong = Vec::new();
    for rule in rules() {
        let name = bad_spec(rule);
        let path = folder().join(&name);
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|_| panic!("rule {} has no tests/bad-specs/{name}", rule.code));
        let found = findings(&name, &text);
        assert!(
            found.iter().any(|finding| finding.rule == rule),
            "{name}: {found}"
        );
        let strangers = found.iter().filter(|finding| finding.rule != rule);
        assert_eq!(
            strangers.count(),
            0,
            "{name} breaks other rules too:\n{found}"
        );
        let helpless = found
            .iter()
            .filter(|finding| finding.hint.is_none())
            .count();
        assert!(
            helpless == 0 || rule.name == "toml.syntax",
            "{name} has no hint:\n{found}"
        );
        let shown = format!("{found}\n\n{}\n", found.summary());
        let golden = path.with_extension("txt");
        if update {
            std::fs::write(&golden, &shown).unwrap();
        } else if std::fs::read_to_string(&golden).ok().as_deref() != Some(&*shown) {
            wrong.push(format!("{name} now says:\n{shown}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_bad_spec_is_left_of_a_rule_that_is_gone() {
    let mut expected: BTreeSet<_> = rules().into_iter().map(bad_spec).collect();
    expected.extend(
        rules()
            .into_iter()
            .map(|rule| bad_spec(rule).replace(".toml", ".txt")),
    );
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let blueprint = name.starts_with("MTH-3");
        assert!(
            blueprint || expected.contains(&name),
            "{name} belongs to no rule"
        );
    }
}

#[test]
fn codes_and_names_are_given_once_and_every_rule_is_explained() {
    let rules: Vec<_> = matih_specs::rules::all().collect();
    assert!(rules.len() >= 60);
    let codes: BTreeSet<_> = rules.iter().map(|rule| rule.code).collect();
    let names: BTreeSet<_> = rules.iter().map(|rule| rule.name).collect();
    assert_eq!((codes.len(), names.len()), (rules.len(), rules.len()));
    for rule in rules {
        assert!(
            rule.doc.len() > 20 && rule.doc.ends_with('.'),
            "{}: {}",
            rule.code,
            rule.doc
        );
    }
}

#[test]
fn all_findings_are_told_at_once_in_the_order_of_the_file() {
    let text = "[tenant]\nname = \"x\"\nslug = \"A B\"\ntear = \"FREE\"\nadmin_email = \"a\"\n\n\
                [modules]\ncore = false\nbi = 1\n";
    let found = matih_specs::parse_tenant("a.toml", text).unwrap_err();
    let rules: Vec<_> = found.iter().map(|finding| finding.rule.name).collect();
    let expected = [
        "infrastructure.credentials.missing",
        "tenant.name.length",
        "tenant.slug.pattern",
        "toml.unknown-key",
        "tenant.email.form",
        "modules.core.locked",
        "toml.wrong-type",
    ];
    assert_eq!(rules, expected, "{found}");
    assert_eq!(found.summary(), "7 errors");
}

#[test]
fn json_and_sarif_carry_code_place_and_hint() {
    let text = std::fs::read_to_string(folder().join("MTH-1203-data-sources.name.duplicate.toml"))
        .unwrap();
    let found = findings("bad.toml", &text);
    let json = found.to_json();
    let first = &json["diagnostics"][0];
    assert_eq!(first["code"], "MTH-1203");
    assert_eq!(first["rule"], "data-sources.name.duplicate");
    assert_eq!(first["severity"], "error");
    assert_eq!(first["place"]["line"], 16);
    assert_eq!(first["labels"][0]["place"]["line"], 8);
    let sarif = found.to_sarif();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    assert_eq!(run["tool"]["driver"]["rules"][0]["id"], "MTH-1203");
    let result = &run["results"][0];
    assert_eq!(result["ruleIndex"], 0);
    assert_eq!(result["level"], "error");
    let region = &result["locations"][0]["physicalLocation"]["region"];
    assert_eq!(
        (&region["startLine"], &region["startColumn"]),
        (&16.into(), &8.into())
    );
    assert_eq!(
        result["relatedLocations"][0]["message"]["text"],
        "the other one"
    );
}

#[test]
fn a_secret_in_the_wrong_place_is_never_shown() {
    let whole = "[tenant]\nname = \"Finch Retail\"\nslug = \"finch\"\nadmin_email = \"k@f.example\"\n\
                 tier = \"FREE\"\n[[data_sources]]\nname = \"shop\"\ntype = \"mysql\"\nhost = \"h\"\n\
                 database = \"shop\"\nusername = \"u\"\n";
    for line in [
        "password = \"hunter2\"",
        "password = { env = \"hunter2!\" }",
        "password = { secret = \"hunter2\" }",
        "password = { value = \"hunter2\" }",
        "password = [\"hunter2\"]",
        "passwort = \"hunter2\"",
        "password = \"hunter2",
    ] {
        let found = matih_specs::parse_tenant("a.toml", &format!("{whole}{line}\n")).unwrap_err();
        let shown = [
            found.to_text(true),
            found.to_json().to_string(),
            found.to_sarif().to_string(),
        ];
        assert!(
            shown.iter().all(|text| !text.contains("hunter2")),
            "{line}:\n{found}"
        );
        assert!(!format!("{found:?}").contains("hunter2"), "{line}");
    }
}

#[test]
fn colour_is_there_when_asked_for_only() {
    let found = matih_specs::parse_tenant("a.toml", "").unwrap_err();
    assert!(found.to_text(true).contains('\u{1b}'));
    assert!(!found.to_text(false).contains('\u{1b}'));
    assert_eq!(found.count(Severity::Error), 4);
}
