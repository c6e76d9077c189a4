//! The value language: trees of TOML values whose text may be templates.
//!
//! A string that is exactly one `{{ expression }}` has the type of the expression; any other
//! string with `{{` or `{%` is text. What is nothing is left out, key or list item. All of it is
//! compiled once ([`Compiler`]), when a blueprint is read, and filled in ([`Filler`]) for each
//! tenant.

mod compiler;
mod filler;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use matih_model::{Text, Value};
use minijinja::Error;

pub(crate) use compiler::{Compiler, Library};
pub(crate) use filler::{Failed, Filler};

use crate::diagnostic::{Place, Source};
use crate::findings::{Findings, Places};
use crate::language::Formula;
use crate::parse::Parsed;
use crate::rule::rules;

rules! {
    /// The rules of the value language.
    LANGUAGE:
    /// Templates and expressions must be of minijinja's grammar.
    GRAMMAR = "MTH-3101" "template.grammar" Error;
    /// A template may use the names that every tenant has, and `item` and `key` inside of a
    /// `for_each`.
    UNKNOWN_NAME = "MTH-3102" "template.unknown-name" Error;
    /// A template must come to a result for the tenant at hand: what it asks for must be there and
    /// be of the type that is needed.
    EVALUATION = "MTH-3103" "template.evaluation" Error;
    /// A result must be something that a resource can hold: text, whole numbers, truth values,
    /// lists and tables.
    RESULT = "MTH-3104" "template.result" Error;
}

/// A file that templates stand in.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) source: Source,
    pub(crate) places: Places,
}

impl Default for Origin {
    /// No file at all.
    fn default() -> Self {
        let (_, places) = Findings::new("", "").into_parts();
        Self {
            source: Source::new("", ""),
            places,
        }
    }
}

impl Origin {
    /// The file of a tenant spec.
    pub(crate) fn of_spec(parsed: &Parsed) -> Self {
        let file = parsed.places.nearest("").file;
        let source = parsed.warnings.source(&file).cloned();
        Self {
            source: source.unwrap_or(Source::new(&file, "")),
            places: parsed.places.clone(),
        }
    }

    /// The place of the value at a path.
    pub(crate) fn place(&self, path: &str) -> Place {
        self.places.nearest(path)
    }

    /// The place of an error inside of the text at a path, as near as it can be told.
    fn place_of(&self, path: &str, error: &Error) -> Place {
        let whole = self.place(path);
        let written = self.source.text.get(whole.range()).unwrap_or_default();
        let inner = error
            .range()
            .zip(error.template_source())
            .and_then(|(range, template)| {
                let start = whole.range().start + written.find(template)?;
                Some(start + range.start..start + range.end)
            });
        inner.map_or(whole, |span| self.source.place(span))
    }
}

/// A compiled tree, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    path: Box<str>,
    form: Form,
}

#[derive(Clone)]
enum Form {
    /// The same for every tenant.
    Fixed(Value),
    /// One expression or text; many places may share it.
    Computed(Arc<Computed>),
    /// In order.
    List(Vec<Template>),
    /// By key.
    Map(Vec<(Text, Template)>),
}

/// Something that is computed for a tenant.
struct Computed {
    how: How,
    /// The names that it uses.
    names: Vec<String>,
    /// Where a tenant's result is kept; none if it is about one item of a `for_each`.
    slot: Option<usize>,
}

enum How {
    /// The result of an expression.
    Formula(Formula),
    /// Text with something put in: its name in the library.
    Text(Box<str>),
}

/// The results that are the same in all of one tenant's resources, by slot.
#[derive(Default)]
pub(crate) struct Memo(BTreeMap<usize, Option<Value>>);

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(value) => value.fmt(f),
            Self::Computed(computed) => match &computed.how {
                How::Formula(_) => f.write_str("{{ … }}"),
                How::Text(name) => f.write_str(name),
            },
            Self::List(items) => items.fmt(f),
            Self::Map(entries) => entries.fmt(f),
        }
    }
}
