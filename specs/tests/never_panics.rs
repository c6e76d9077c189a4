//! Whatever the text is, it is judged and never a reason to fall over.

use proptest::prelude::*;

const SPECS: [&str; 4] = [
    include_str!("../examples/acme.toml"),
    include_str!("../examples/free.toml"),
    include_str!("../examples/starter.toml"),
    include_str!("../examples/enterprise.toml"),
];

/// Pieces that mean something in TOML or in a spec, so that a slip reaches deep.
const PIECES: [&str; 24] = [
    "\"",
    "'''",
    "[",
    "]]",
    "{",
    "}",
    "=",
    ",",
    "\n",
    "#",
    "\u{0}",
    "é",
    "-1",
    "9e9",
    "true",
    "0x",
    "1979-05-27",
    "[[resource]]\n",
    "[tenant]\n",
    "a.b.c = 1\n",
    "= {}\n",
    "\r\n",
    "99999999999999999999",
    "\\u",
];

/// Reads the text in every way there is.
fn judge(text: &str) {
    let tenant = matih_specs::parse_tenant("a.toml", text);
    if let Err(found) = &tenant {
        assert!(found.has_errors());
        found.to_text(true);
        found.to_json();
        found.to_sarif();
    }
    if let Ok(parsed) = tenant {
        serde_json::to_value(&parsed.spec).unwrap();
    }
    if let Err(found) = matih_specs::parse_platform("matih.toml", text) {
        found.to_text(false);
    }
    if let Ok(once) = matih_specs::format("a.toml", text) {
        let twice = matih_specs::format("a.toml", &once).unwrap();
        assert_eq!(once, twice, "laying out twice is laying out once");
        let same = |text: &str| text.parse::<toml::Table>().unwrap();
        assert_eq!(same(text), same(&once), "layout must not change values");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in ".{0,400}") {
        judge(&text);
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        judge(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn mutated_specs(
        spec in 0..SPECS.len(),
        cuts in proptest::collection::vec((any::<u16>(), 0_usize..12, 0..PIECES.len()), 1..4),
    ) {
        let mut text = SPECS[spec].to_owned();
        for (at, length, piece) in cuts {
            let start = text.floor_char_boundary(usize::from(at) % (text.len() + 1));
            let end = text.floor_char_boundary(start + length).max(start);
            text.replace_range(start..end, PIECES[piece]);
        }
        judge(&text);
    }
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    judge(&format!(
        "a = {}{}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    ));
    judge(&format!(
        "a = {}{}",
        "{ a = ".repeat(10_000),
        "}".repeat(10_000)
    ));
    judge(&format!("[{}]", vec!["a"; 10_000].join(".")));
}
