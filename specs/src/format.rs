//! The one way to lay out a spec: `matih fmt`.
//!
//! Promises to change blanks, line ends and the layout of lists only: keys keep their order,
//! values their spelling and comments their words, and to lay out twice is to lay out once.

use toml_edit::{Array, Decor, DocumentMut, Item, KeyMut, Table, Value};

use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::read::SYNTAX;

/// The longest line that a list may make; a longer one is laid out one entry a line.
const WIDTH: usize = 100;

/// Lays out a TOML file; `file` is the name that findings show.
///
/// # Errors
/// The text is not TOML.
pub fn format(file: &str, text: &str) -> Result<String, Diagnostics> {
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        let source = Source::new(file, text);
        let place = source.place(error.span().unwrap_or(0..0));
        let mut diagnostics = Diagnostics::new(source);
        diagnostics.push(Diagnostic::new(SYNTAX, error.message()).at(place));
        diagnostics
    })?;
    let trailing = document.trailing().as_str().unwrap_or_default();
    let trailing = above(&format!("{trailing}\n"), Blank::AsWritten);
    document.set_trailing(trailing.trim_end());
    body(document.as_table_mut(), &mut true);
    let text = document.to_string();
    let text = text.trim_matches('\n');
    Ok(if text.is_empty() {
        String::new()
    } else {
        format!("{text}\n")
    })
}

/// Whether a blank line stands before the comments of an item.
#[derive(Clone, Copy, PartialEq)]
enum Blank {
    Always,
    Never,
    AsWritten,
}

/// Lays out the keys of a table, and the tables inside of it. `first` says whether a key would
/// stand right under the header.
fn body(table: &mut Table, first: &mut bool) {
    for (mut key, item) in table.iter_mut() {
        match item {
            Item::Value(value) => {
                entry(&mut key, value, *first);
                *first = false;
            }
            Item::Table(inner) if inner.is_dotted() => {
                key.dotted_decor_mut().clear();
                body(inner, first);
            }
            Item::Table(inner) => {
                key.leaf_decor_mut().clear();
                key.dotted_decor_mut().clear();
                header(inner);
            }
            Item::ArrayOfTables(tables) => {
                key.leaf_decor_mut().clear();
                key.dotted_decor_mut().clear();
                tables.iter_mut().for_each(header);
            }
            Item::None => {}
        }
    }
}

fn header(table: &mut Table) {
    let decor = table.decor_mut();
    let (above, beside) = (above(prefix(decor), Blank::Always), beside(suffix(decor)));
    *decor = Decor::new(above, beside);
    body(table, &mut true);
}

/// Lays out `key = value # comment`.
fn entry(key: &mut KeyMut<'_>, value: &mut Value, first: bool) {
    let blank = if first {
        Blank::Never
    } else {
        Blank::AsWritten
    };
    *key.leaf_decor_mut() = Decor::new(above(prefix(key.leaf_decor()), blank), " ");
    key.dotted_decor_mut().clear();
    let comment = beside(suffix(value.decor()));
    if !has_comment(value) {
        flatten(value);
        *value.decor_mut() = Decor::default();
        let width = key.display_repr().chars().count() + 3 + value.to_string().chars().count();
        if let Value::Array(array) = value
            && width > WIDTH
        {
            spread(array);
        }
    }
    *value.decor_mut() = Decor::new(" ", comment);
}

fn prefix(decor: &Decor) -> &str {
    decor
        .prefix()
        .and_then(|raw| raw.as_str())
        .unwrap_or_default()
}

fn suffix(decor: &Decor) -> &str {
    decor
        .suffix()
        .and_then(|raw| raw.as_str())
        .unwrap_or_default()
}

/// The comments above an item: no indentation, and never more than one blank line.
fn above(raw: &str, blank: Blank) -> String {
    let mut text = String::new();
    let mut gap = blank == Blank::Always;
    // What stands after the last line end is the indentation of the item.
    let lines = raw.rsplit_once('\n').map(|(lines, _)| lines);
    for line in lines
        .into_iter()
        .flat_map(|lines| lines.split('\n'))
        .map(str::trim)
    {
        if line.is_empty() {
            gap |= !text.is_empty() || blank != Blank::Never;
        } else {
            text.push_str(if gap { "\n" } else { "" });
            text.push_str(line);
            text.push('\n');
            gap = false;
        }
    }
    text.push_str(if gap { "\n" } else { "" });
    text
}

/// The comment at the end of a line.
fn beside(raw: &str) -> String {
    match raw.trim() {
        "" => String::new(),
        comment => format!(" {comment}"),
    }
}

/// Whether a comment stands inside a value; such a value is left as it is.
fn has_comment(value: &Value) -> bool {
    let decorated = |decor: &Decor| prefix(decor).contains('#') || suffix(decor).contains('#');
    let inside = |value: &Value| decorated(value.decor()) || has_comment(value);
    let raw = |raw: &toml_edit::RawString| raw.as_str().unwrap_or_default().contains('#');
    match value {
        Value::Array(array) => array.iter().any(inside) || raw(array.trailing()),
        Value::InlineTable(table) => {
            let keys = table.iter().filter_map(|(name, _)| table.key(name));
            let keys = keys.map(|key| (key.leaf_decor(), key.dotted_decor()));
            let keys = keys
                .into_iter()
                .any(|(leaf, dotted)| decorated(leaf) || decorated(dotted));
            keys || table.iter().any(|(_, value)| inside(value)) || raw(table.trailing())
        }
        _ => false,
    }
}

/// Puts a value on one line.
fn flatten(value: &mut Value) {
    match value {
        Value::Array(array) => {
            array.iter_mut().for_each(flatten);
            array.fmt();
            array.set_trailing("");
            array.set_trailing_comma(false);
        }
        Value::InlineTable(table) => {
            table.iter_mut().for_each(|(_, value)| flatten(value));
            table.fmt();
            table.set_trailing("");
            table.set_trailing_comma(false);
        }
        _ => {}
    }
}

/// Puts each entry of a list on a line of its own.
fn spread(array: &mut Array) {
    for value in array.iter_mut() {
        *value.decor_mut() = Decor::new("\n    ", "");
    }
    array.set_trailing("\n");
    array.set_trailing_comma(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(text: &str) -> String {
        format("a.toml", text).unwrap()
    }

    #[test]
    fn blanks_are_tidied_and_comments_stay() {
        let text = "\n\n# about\n\n\n  a=1   # one\n\n\n# two\n\tb   =  [ 1,2,\n3, ]\n[ t ]\n\n x = {a=1,b = { c=2 } }\n[[ l ]]# list\ny.z=1\n# end";
        let tidy = "# about\n\na = 1 # one\n\n# two\nb = [1, 2, 3]\n\n[t]\nx = { a = 1, b = { c = 2 } }\n\n[[l]] # list\ny.z = 1\n# end\n";
        assert_eq!(formatted(text), tidy);
        assert_eq!(formatted(tidy), tidy);
    }

    #[test]
    fn a_long_list_has_one_entry_a_line_and_a_commented_one_is_left_alone() {
        let long = format!("a = [{}]\n", ["\"203.0.113.0/24\""; 8].join(", "));
        let tidy = formatted(&long);
        assert_eq!(tidy.lines().count(), 10);
        assert!(tidy.ends_with("    \"203.0.113.0/24\",\n]\n"));
        assert_eq!(formatted(&tidy), tidy);
        let commented = "a = [ # why\n  1,\n]\n";
        assert_eq!(formatted(commented), commented);
    }

    #[test]
    fn what_is_not_toml_is_refused_with_its_place() {
        let diagnostics = format("a.toml", "a = \n").unwrap_err();
        assert!(
            diagnostics.to_string().contains("a.toml:1:5"),
            "{diagnostics}"
        );
    }

    #[test]
    fn nothing_stays_nothing() {
        assert_eq!(formatted("\n\n"), "");
    }
}
