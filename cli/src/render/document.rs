//! One document for programs, in the notation that they ask for.
//!
//! Both notations are written from one JSON value, its keys in their order, so that a program
//! reads the same from either. In YAML a text that YAML 1.1 or 1.2 would take for something else
//! is quoted, and a text of many lines is a block; no line is folded.

use serde::Serialize;

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notation {
    /// JSON, indented.
    Json,
    /// YAML, in block style.
    Yaml,
}

/// The document as text, a line break at its end.
///
/// # Errors
/// It has no JSON, such as a map whose keys are no texts.
pub(crate) fn text(notation: Notation, document: &impl Serialize) -> Result<String, String> {
    match notation {
        Notation::Json => serde_json::to_string_pretty(document)
            .map(|text| text + "\n")
            .map_err(|error| format!("no JSON: {error}")),
        Notation::Yaml => {
            let value =
                serde_json::to_value(document).map_err(|error| format!("no JSON: {error}"))?;
            let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
            serde_saphyr::to_string_with_options(&value, options)
                .map_err(|error| format!("no YAML: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    fn yaml(document: &Value) -> String {
        text(Notation::Yaml, document).unwrap()
    }

    fn read_back(text: &str) -> Value {
        serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// Texts that YAML takes for something else unless they are quoted, and their like.
    const AWKWARD: &[&str] = &[
        "",
        " ",
        "on",
        "No",
        "y",
        "true",
        "null",
        "~",
        "1",
        "1.0",
        "-1e3",
        "0x1f",
        "0o17",
        "1_000",
        ".inf",
        ".nan",
        "1:30",
        "2026-11-27",
        "- a",
        "-",
        "a: b",
        "a:",
        "#x",
        "a #b",
        "{a}",
        "[a",
        "!tag",
        "&a",
        "*a",
        "<<",
        "=",
        "?",
        "|",
        ">",
        "%a",
        "@a",
        "`a`",
        "'a'",
        "\"a\"",
        "\\n",
        "---",
        "...",
        " a",
        "a ",
        "\ta",
        "a\tb",
        "a\n",
        "\na",
        "a\n\n",
        "a\nb",
        "  a\nb",
        "a\n b \n",
        "a\r\nb",
        "\n",
        "é",
        "日本",
        "🦀",
        "\u{feff}a",
        "a\u{85}b",
        "a\u{2028}b",
        "\u{0}",
        "\u{7f}",
    ];

    #[test]
    fn a_text_in_yaml_stays_a_text() {
        for text in AWKWARD {
            let document = json!({ "text": text, "list": [text, [text]], *text: { *text: text } });
            assert_eq!(read_back(&yaml(&document)), document, "{text:?}");
        }
    }

    #[test]
    fn what_yaml_would_take_for_something_else_is_quoted() {
        let document =
            json!({ "z": "on", "a": "1.0", "no": "null", "b": 1.0, "c": null, "d": "x" });
        let expected = "z: \"on\"\na: \"1.0\"\n\"no\": \"null\"\nb: 1.0\nc: null\nd: x\n";
        assert_eq!(yaml(&document), expected);
    }

    #[test]
    fn a_text_of_many_lines_is_a_block_and_a_long_line_is_one_line() {
        let long = "word ".repeat(40) + "end";
        let document = json!({ "many": "a\nb\n", "long": long });
        assert_eq!(
            yaml(&document),
            format!("many: |\n  a\n  b\nlong: {long}\n")
        );
    }

    fn any_text() -> impl Strategy<Value = String> {
        prop_oneof![
            proptest::sample::select(AWKWARD).prop_map(str::to_owned),
            any::<String>(),
            "[-+:#'\"{},|>&*!%@`?. \n\ta0-]{0,12}",
        ]
    }

    fn any_document() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any_text().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            let pair = (any_text(), inner.clone());
            prop_oneof![
                proptest::collection::vec(inner, 0..4).prop_map(Value::from),
                proptest::collection::vec(pair, 0..4)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        /// The same value, and the same order of keys, from either notation.
        #[test]
        fn yaml_says_what_json_says(document in any_document()) {
            let back = read_back(&yaml(&document));
            prop_assert_eq!(back.to_string(), document.to_string());
        }
    }
}
