//! What is found while a file is read and judged, and where everything in it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::diagnostic::{Diagnostic, Diagnostics, Place, Source};
use crate::rule::Severity;

/// Where each key of a file stands, by dotted path: `tenant.slug`, `data_sources[1].port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    source: Source,
    spans: BTreeMap<String, Range<usize>>,
}

impl Places {
    /// The place of the value at a path, or of the nearest table around it, or the start of the
    /// file.
    pub fn nearest(&self, path: &str) -> Place {
        let span = ancestors(path)
            .find_map(|path| self.spans.get(path))
            .cloned();
        self.source.place(span.unwrap_or(0..0))
    }

    /// The file.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Whether the file itself says something at this path (and no default does).
    pub fn contains(&self, path: &str) -> bool {
        self.spans.contains_key(path)
    }
}

/// Collects findings by path.
///
/// What could not be read is *unsound*: it has one finding, which says so, and no rule may judge
/// the stand-in that takes its place.
pub(crate) struct Findings {
    places: Places,
    diagnostics: Diagnostics,
    unsound: BTreeSet<String>,
    masked: Vec<Range<usize>>,
}

impl Findings {
    pub(crate) fn new(file: &str, text: &str) -> Self {
        let source = Source::new(file, text);
        Self {
            diagnostics: Diagnostics::new(source.clone()),
            places: Places {
                source,
                spans: BTreeMap::new(),
            },
            unsound: BTreeSet::new(),
            masked: Vec::new(),
        }
    }

    /// Remembers where a value stands.
    pub(crate) fn locate(&mut self, path: &str, span: Range<usize>) {
        self.places.spans.insert(path.to_owned(), span);
    }

    /// Takes what stands at a path out of every text that is shown: it may be a secret.
    pub(crate) fn mask(&mut self, path: &str) {
        self.masked.extend(self.places.spans.get(path).cloned());
    }

    /// The same for a byte range.
    pub(crate) fn mask_at(&mut self, span: Range<usize>) {
        self.masked.push(span);
    }

    pub(crate) fn place(&self, path: &str) -> Place {
        self.places.nearest(path)
    }

    /// Whether the file itself says something at this path.
    pub(crate) fn is_written(&self, path: &str) -> bool {
        self.places.contains(path)
    }

    /// Whether the value at this path is what the file says or a default, and not a stand-in.
    pub(crate) fn is_sound(&self, path: &str) -> bool {
        !ancestors(path).any(|path| self.unsound.contains(path))
    }

    /// Whether that holds for all that is inside too.
    pub(crate) fn is_wholly_sound(&self, path: &str) -> bool {
        let inside = |other: &String| ancestors(other).any(|other| other == path);
        self.is_sound(path) && !self.unsound.iter().any(inside)
    }

    /// Reports that the value at a path cannot be read.
    pub(crate) fn unreadable(&mut self, path: &str, diagnostic: Diagnostic) {
        self.report(path, diagnostic);
        self.unsound.insert(path.to_owned());
    }

    /// Reports a finding about a path, at its place unless the finding has one, and not at all if
    /// what stands there could not be read.
    pub(crate) fn report(&mut self, path: &str, mut diagnostic: Diagnostic) {
        if self.is_sound(path) {
            diagnostic.place = diagnostic.place.or_else(|| Some(self.place(path)));
            self.diagnostics.push(diagnostic);
        }
    }

    /// Reports a finding at a byte range.
    pub(crate) fn report_at(&mut self, span: Range<usize>, diagnostic: Diagnostic) {
        let place = self.places.source.place(span);
        self.diagnostics.push(diagnostic.at(place));
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics.count(Severity::Error) > 0
    }

    pub(crate) fn into_parts(mut self) -> (Diagnostics, Places) {
        if !self.masked.is_empty() {
            self.places.source.text = masked(&self.places.source.text, &self.masked).into();
            self.diagnostics.replace_source(self.places.source.clone());
        }
        (self.diagnostics, self.places)
    }
}

/// The text with a `*` for each byte of the spans, so that every place stays where it is.
fn masked(text: &str, spans: &[Range<usize>]) -> String {
    let hidden = |at: usize| spans.iter().any(|span| span.contains(&at));
    let mut shown = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        if hidden(at) && character != '\n' {
            shown.extend(std::iter::repeat_n('*', character.len_utf8()));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The path itself, then each table around it, from the inside out.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| {
        path.rfind(['.', '['])
            .map(|end| path.get(..end).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_lies_in_its_tables() {
        let found: Vec<_> = ancestors("data_sources[1].port").collect();
        assert_eq!(
            found,
            ["data_sources[1].port", "data_sources[1]", "data_sources"]
        );
    }

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let source = Source::new("a.toml", "é = 1\nb = 2\n");
        assert_eq!(source.place(3..4).to_string(), "a.toml:1:3");
        assert_eq!(source.place(7..8).to_string(), "a.toml:2:1");
        assert_eq!(source.place(1..900).to_string(), "a.toml:1:1");
    }
}
