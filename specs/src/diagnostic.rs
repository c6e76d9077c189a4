//! Findings, all of them: what is wrong, where, under which rule, and what to do about it.
//!
//! Promises that a collection is sorted by place however it was filled, and that each finding
//! carries all that a text, JSON or SARIF report needs. Does not know what a rule is about.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::rule::{Rule, Severity};

/// A stretch of one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// Byte offset of the first byte.
    pub start: u32,
    /// Byte offset after the last byte.
    pub end: u32,
    /// Line of the first byte, from 1.
    pub line: u32,
    /// Column of the first byte in characters, from 1.
    pub column: u32,
    /// Line of the end, from 1.
    pub end_line: u32,
    /// Column after the last character, from 1.
    pub end_column: u32,
}

impl Place {
    /// The bytes, as an index into the text.
    pub fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// The name and text of a file, able to turn byte offsets into places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file as the user named it.
    pub name: Arc<str>,
    /// Its whole text.
    pub text: Arc<str>,
}

impl Source {
    /// Takes the name and the text as they are.
    pub fn new(name: &str, text: &str) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }

    /// The place of a byte range; a range outside the text, or inside a character, is moved back
    /// to the nearest one that exists.
    pub fn place(&self, span: Range<usize>) -> Place {
        let start = self.text.floor_char_boundary(span.start);
        let end = self.text.floor_char_boundary(span.end).max(start);
        let (line, column) = self.position(start);
        let (end_line, end_column) = self.position(end);
        Place {
            file: self.name.clone(),
            start: count(start),
            end: count(end),
            line,
            column,
            end_line,
            end_column,
        }
    }

    fn position(&self, offset: usize) -> (u32, u32) {
        let before = self.text.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        let newlines = before.bytes().filter(|byte| *byte == b'\n').count();
        (count(newlines + 1), count(column))
    }
}

/// A count within one file; files are far smaller than 4 GiB (`load` refuses those above 1 MiB).
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A second place that explains the first, such as the earlier of two duplicates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// What is to be seen there.
    pub text: String,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The rule that was broken; it gives the code and the severity.
    pub rule: &'static Rule,
    /// What is wrong, in a full sentence without a final dot.
    pub message: String,
    /// Where; none if the finding is about no file.
    pub place: Option<Place>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Other places that matter.
    pub labels: Vec<Label>,
}

impl Diagnostic {
    /// A finding without place, hint and labels.
    pub fn new(rule: &'static Rule, message: impl Into<String>) -> Self {
        Self {
            rule,
            message: message.into(),
            place: None,
            hint: None,
            labels: Vec::new(),
        }
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Points at a second place.
    #[must_use]
    pub fn label(mut self, place: Place, text: impl Into<String>) -> Self {
        self.labels.push(Label {
            place,
            text: text.into(),
        });
        self
    }
}

impl Serialize for Diagnostic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shape<'a> {
            code: &'a str,
            rule: &'a str,
            severity: Severity,
            message: &'a str,
            place: Option<&'a Place>,
            hint: Option<&'a str>,
            labels: &'a [Label],
        }
        Shape {
            code: self.rule.code,
            rule: self.rule.name,
            severity: self.rule.severity,
            message: &self.message,
            place: self.place.as_ref(),
            hint: self.hint.as_deref(),
            labels: &self.labels,
        }
        .serialize(serializer)
    }
}

/// All findings, sorted by file and place, with the texts they point into.
///
/// Its `Display` is [`Diagnostics::to_text`] without colour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    sources: Vec<Source>,
    items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// No findings about one file.
    pub fn new(source: Source) -> Self {
        Self {
            sources: vec![source],
            items: Vec::new(),
        }
    }

    /// Adds a finding at its place in the order.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let key = |d: &Diagnostic| (d.place.clone(), d.rule.code);
        let at = self
            .items
            .partition_point(|other| key(other) <= key(&diagnostic));
        self.items.insert(at, diagnostic);
    }

    /// Adds all findings and texts of another collection.
    pub fn extend(&mut self, other: Diagnostics) {
        for source in other.sources {
            if !self.sources.contains(&source) {
                self.sources.push(source);
            }
        }
        other
            .items
            .into_iter()
            .for_each(|diagnostic| self.push(diagnostic));
    }

    /// Puts another text in place of that of the same file; places must still hold.
    pub(crate) fn replace_source(&mut self, source: Source) {
        self.sources.retain(|other| other.name != source.name);
        self.sources.push(source);
    }

    /// The findings in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.items.iter()
    }

    /// How many findings of a severity there are.
    pub fn count(&self, severity: Severity) -> usize {
        self.items
            .iter()
            .filter(|diagnostic| diagnostic.rule.severity == severity)
            .count()
    }

    /// Whether any finding is an error.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// Whether there is no finding at all.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The number of findings.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// The text of a file that findings point into.
    pub fn source(&self, file: &str) -> Option<&Source> {
        self.sources.iter().find(|source| &*source.name == file)
    }

    /// `2 errors and 1 warning`, or `no findings`.
    pub fn summary(&self) -> String {
        let words = [Severity::Error, Severity::Warning]
            .into_iter()
            .filter_map(|severity| match self.count(severity) {
                0 => None,
                1 => Some(format!("1 {}", severity.as_str())),
                n => Some(format!("{n} {}s", severity.as_str())),
            });
        match words.collect::<Vec<_>>() {
            words if words.is_empty() => "no findings".to_owned(),
            words => words.join(" and "),
        }
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text(false))
    }
}

impl std::error::Error for Diagnostics {}
