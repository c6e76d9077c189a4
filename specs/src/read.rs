//! A small reader of TOML tables that never stops at the first fault.
//!
//! A key is known because it was asked for; [`Table::finish`] refuses the others. A value that is
//! missing or of the wrong form gives a finding and `None`; the caller puts a stand-in, which no
//! rule judges, and reads on.

use toml::de::{DeTable, DeValue};

use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::nearest::nearest;
use crate::rule::rules;
use crate::rules::secret;

rules! {
    /// The rules of reading any TOML file.
    READING:
    /// The file must be TOML 1.1.
    SYNTAX = "MTH-1001" "toml.syntax" Error;
    /// Keys that matih does not know are refused, because a slip of the pen would otherwise be
    /// silently without effect.
    UNKNOWN_KEY = "MTH-1002" "toml.unknown-key" Error;
    /// A value must be of the form that its key asks for: text, whole number, truth value, list or
    /// table.
    WRONG_TYPE = "MTH-1003" "toml.wrong-type" Error;
    /// Some keys have no default and must be written.
    MISSING_KEY = "MTH-1004" "toml.missing-key" Error;
    /// Some values are one of a few words, in the letter case shown.
    UNKNOWN_WORD = "MTH-1005" "toml.unknown-word" Error;
    /// A whole number must be in the range that its key allows.
    NUMBER_RANGE = "MTH-1006" "toml.number-range" Error;
}

/// A value that was found in a table.
pub(crate) struct Node<'f, 'r> {
    pub(crate) findings: &'f mut Findings,
    pub(crate) path: String,
    pub(crate) value: &'r DeValue<'r>,
}

/// A type that can be read from one TOML value.
pub(crate) trait Field: Sized {
    /// Reads the value, or reports why it cannot be read.
    fn read(node: Node<'_, '_>) -> Option<Self>;
}

impl Node<'_, '_> {
    /// Reports that the value cannot be used.
    pub(crate) fn refuse<T>(self, diagnostic: Diagnostic) -> Option<T> {
        self.findings.unreadable(&self.path, diagnostic);
        None
    }

    /// Reports that the value is not of the form that was expected.
    pub(crate) fn wrong_type<T>(self, expected: &str) -> Option<T> {
        let found = match self.value {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "a truth value",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let message = format!("`{}` must be {expected}, and is {found}", self.path);
        let hint = match self.value {
            DeValue::String(text) if text.parse::<i64>().is_ok() || is_truth(text) => {
                "leave out the quotes"
            }
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) if expected == "text" => {
                "put the value in quotes"
            }
            _ => "`matih schema` tells the form of each key",
        };
        self.refuse(Diagnostic::new(WRONG_TYPE, message).hint(hint))
    }
}

fn is_truth(text: &str) -> bool {
    text == "true" || text == "false"
}

/// A table that is being read.
pub(crate) struct Table<'f, 'r> {
    pub(crate) findings: &'f mut Findings,
    path: String,
    entries: Option<&'r DeTable<'r>>,
    known: Vec<&'static str>,
}

/// Reads a whole file; `None` if it is not TOML.
pub(crate) fn read_file<T>(
    findings: &mut Findings,
    text: &str,
    read: impl FnOnce(&mut Table<'_, '_>) -> T,
) -> Option<T> {
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        secret::mask_lines(findings, text);
    }
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        findings.report_at(span, Diagnostic::new(SYNTAX, error.message()));
    }
    errors
        .is_empty()
        .then(|| read_table(findings, String::new(), Some(root.get_ref()), read))
}

/// Reads one table and refuses the keys that `read` did not ask for; a table that is not there
/// reads as an empty one.
fn read_table<'f, 'r, T>(
    findings: &'f mut Findings,
    path: String,
    entries: Option<&'r DeTable<'r>>,
    read: impl FnOnce(&mut Table<'f, 'r>) -> T,
) -> T {
    let mut table = Table {
        findings,
        path,
        entries,
        known: Vec::new(),
    };
    let value = read(&mut table);
    table.finish();
    value
}

impl<'f, 'r> Table<'f, 'r> {
    /// Reads as an empty file would.
    pub(crate) fn read_empty<T>(
        findings: &'f mut Findings,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        read_table(findings, String::new(), None, read)
    }

    /// The dotted path of this table.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The dotted path of a key of this table.
    pub(crate) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Whether the file has this key here.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries
            .is_some_and(|entries| entries.contains_key(key))
    }

    /// The value of a key, if the file has it; the key is known from now on.
    pub(crate) fn node(&mut self, key: &'static str) -> Option<Node<'_, 'r>> {
        self.known.push(key);
        let path = self.path_of(key);
        let value = self.entries?.get(key)?;
        self.findings.locate(&path, value.span());
        Some(Node {
            findings: self.findings,
            path,
            value: value.get_ref(),
        })
    }

    /// The value of a key that may be left out.
    pub(crate) fn optional<T: Field>(&mut self, key: &'static str) -> Option<T> {
        self.node(key).and_then(T::read)
    }

    /// The value of a key that must be there.
    pub(crate) fn required<T: Field>(&mut self, key: &'static str) -> Option<T> {
        if !self.has(key) {
            let path = self.path_of(key);
            let message = format!("`{path}` is missing");
            let hint = format!("add `{key} = …`; it has no default");
            self.findings
                .unreadable(&path, Diagnostic::new(MISSING_KEY, message).hint(hint));
        }
        self.optional(key)
    }

    /// A table that may be left out and then reads as an empty one.
    pub(crate) fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Table<'_, 'r>) -> T,
    ) -> T {
        let entries = self.node(key).and_then(entries_of);
        read_table(self.findings, self.path_of(key), entries, read)
    }

    /// A table that may be left out, told apart from an empty one.
    pub(crate) fn optional_table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Table<'_, 'r>) -> T,
    ) -> Option<T> {
        let entries = self.node(key).and_then(entries_of)?;
        Some(read_table(
            self.findings,
            self.path_of(key),
            Some(entries),
            read,
        ))
    }

    /// A list of tables, without those that `read` gives up on.
    pub(crate) fn tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Table<'_, 'r>) -> Option<T>,
    ) -> Vec<T> {
        let path = self.path_of(key);
        let Some(node) = self.node(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = node.value else {
            node.wrong_type::<()>(&format!("a list of tables, each headed `[[{path}]]`"));
            return Vec::new();
        };
        let mut found = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            self.findings.locate(&path, item.span());
            let node = Node {
                findings: self.findings,
                path: path.clone(),
                value: item.get_ref(),
            };
            if let Some(entries) = entries_of(node) {
                found.extend(read_table(self.findings, path, Some(entries), &mut read));
            }
        }
        found
    }

    /// A table of tables under names that the user chose.
    pub(crate) fn named_tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Table<'_, 'r>) -> T,
    ) -> Vec<(String, T)> {
        let mut found = Vec::new();
        for (name, value) in self.node(key).and_then(entries_of).into_iter().flatten() {
            let path = format!("{}.{}", self.path_of(key), name.get_ref());
            self.findings.locate(&path, name.span());
            let node = Node {
                findings: self.findings,
                path: path.clone(),
                value: value.get_ref(),
            };
            if let Some(entries) = entries_of(node) {
                let table = read_table(self.findings, path, Some(entries), &mut read);
                found.push((name.get_ref().to_string(), table));
            }
        }
        found
    }

    /// Takes whatever stands here as known, and reads nothing.
    pub(crate) fn skip(&mut self) {
        self.entries = None;
    }

    /// The values of all keys that nobody has asked for, each by `read`: for tables whose keys
    /// are free.
    pub(crate) fn others<T: Field>(&mut self) -> Vec<(String, T)> {
        let mut found = Vec::new();
        for (name, value) in self.entries.into_iter().flatten() {
            let name: &str = name.get_ref();
            if !self.known.contains(&name) {
                let path = self.path_of(name);
                self.findings.locate(&path, value.span());
                let node = Node {
                    findings: self.findings,
                    path,
                    value: value.get_ref(),
                };
                found.extend(T::read(node).map(|value| (name.to_owned(), value)));
            }
        }
        self.skip();
        found
    }

    /// Reports keys that belong to another choice than the one made, instead of calling them
    /// unknown.
    pub(crate) fn foreign(&mut self, keys: &[&'static str], finding: impl Fn(&str) -> Diagnostic) {
        for key in keys {
            let entry = self.entries.and_then(|entries| entries.get_key_value(*key));
            if let Some((key, _)) = entry {
                let path = self.path_of(key.get_ref());
                self.findings.report_at(key.span(), finding(&path));
            }
            self.known.push(key);
        }
    }

    fn finish(self) {
        for (key, value) in self.entries.into_iter().flatten() {
            let name: &str = key.get_ref();
            if self.known.contains(&name) {
                continue;
            }
            if secret::is_named_in(name) && !matches!(value.get_ref(), DeValue::Table(_)) {
                self.findings.mask_at(value.span());
            }
            let hint = match nearest(name, self.known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the keys here are {}", self.known.join(", ")),
            };
            let message = format!("`{}` is not a known key", self.path_of(name));
            let diagnostic = Diagnostic::new(UNKNOWN_KEY, message).hint(hint);
            self.findings.report_at(key.span(), diagnostic);
        }
    }
}

fn entries_of<'r>(node: Node<'_, 'r>) -> Option<&'r DeTable<'r>> {
    match node.value {
        DeValue::Table(entries) => Some(entries),
        _ => node.wrong_type("a table"),
    }
}
