//! The value language: trees of TOML values whose text may be templates.
//!
//! A string that is exactly one `{{ expression }}` has the type of the expression; any other
//! string with `{{` or `{%` is text. What is nothing is left out, key or list item. All of it is
//! compiled when a blueprint is read and used for every tenant.

use matih_model::{Attributes, Text, Value};
use minijinja::value::Value as Term;
use minijinja::{Environment, Error};
use serde_json::Value as Json;

use crate::diagnostic::{Diagnostic, Diagnostics, Place, Source};
use crate::findings::{Findings, Places};
use crate::language::{self, Formula, Scope, explain, formula};
use crate::nearest::nearest;
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

impl Origin {
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

/// The text templates of a blueprint, compiled; the name of each is its own text.
#[derive(Clone, Debug)]
pub(crate) struct Library(Environment<'static>);

/// A compiled tree, and where it stands.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) path: Box<str>,
    form: Form,
}

enum Form {
    /// The same for every tenant.
    Fixed(Value),
    /// The result of one expression.
    Formula(Formula),
    /// Text with something put in: its name in the library.
    Text(Box<str>),
    List(Vec<Template>),
    Map(Vec<(Text, Template)>),
}

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fixed(_) => "Fixed",
            Self::Formula(_) => "Formula",
            Self::Text(_) => "Text",
            Self::List(_) => "List",
            Self::Map(_) => "Map",
        })
    }
}

/// Compiles the templates of one file.
pub(crate) struct Compiler<'a> {
    pub(crate) library: &'a mut Library,
    pub(crate) origin: &'a Origin,
    pub(crate) names: &'a [&'static str],
    pub(crate) diagnostics: &'a mut Diagnostics,
}

impl Default for Library {
    fn default() -> Self {
        Self(language::language())
    }
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
}

impl Compiler<'_> {
    /// Compiles the tree at a path. What does not compile is reported, and is nothing.
    pub(crate) fn tree(&mut self, path: &str, json: &Json) -> Template {
        let form = match json {
            Json::Null => Form::Fixed(Value::Null),
            Json::Bool(truth) => Form::Fixed(Value::Bool(*truth)),
            Json::Number(number) => {
                Form::Fixed(Value::Integer(number.as_i64().unwrap_or_default()))
            }
            Json::String(text) => self.text(path, text),
            Json::Array(items) => {
                let item = |(index, item)| self.tree(&format!("{path}[{index}]"), item);
                folded_list(items.iter().enumerate().map(item).collect())
            }
            Json::Object(entries) => {
                let entry = |(key, value): (&String, &Json)| {
                    (
                        key.as_str().into(),
                        self.tree(&format!("{path}.{key}"), value),
                    )
                };
                folded_map(entries.iter().map(entry).collect())
            }
        };
        Template {
            path: path.into(),
            form,
        }
    }

    /// Compiles an expression that stands alone, such as a `when`.
    pub(crate) fn expression(&mut self, path: &str, source: &str) -> Template {
        let form = match formula(source) {
            Ok(formula) => {
                self.check_names(path, formula.undeclared_variables(false));
                Form::Formula(formula)
            }
            Err(error) => self.refuse(path, &error),
        };
        Template {
            path: path.into(),
            form,
        }
    }

    fn text(&mut self, path: &str, text: &str) -> Form {
        if !["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) {
            return Form::Fixed(Value::string(text));
        }
        let inside = text
            .strip_prefix("{{")
            .and_then(|rest| rest.strip_suffix("}}"));
        if let Some(formula) = inside.and_then(|inside| formula(inside.trim()).ok()) {
            self.check_names(path, formula.undeclared_variables(false));
            return Form::Formula(formula);
        }
        if let Err(error) = self
            .library
            .0
            .add_template_owned(text.to_owned(), text.to_owned())
        {
            return self.refuse(path, &error);
        }
        if let Ok(template) = self.library.0.get_template(text) {
            let names = template.undeclared_variables(false);
            self.check_names(path, names);
        }
        Form::Text(text.into())
    }

    fn refuse(&mut self, path: &str, error: &Error) -> Form {
        let place = self.origin.place_of(path, error);
        let message = format!("the template cannot be read: {}", explain(error));
        self.diagnostics
            .push(Diagnostic::new(GRAMMAR, message).at(place));
        Form::List(Vec::new())
    }

    fn check_names(&mut self, path: &str, used: impl IntoIterator<Item = String>) {
        let known = |name: &str| self.names.contains(&name) || language::is_builtin(name);
        let mut unknown: Vec<String> = used.into_iter().filter(|name| !known(name)).collect();
        unknown.sort();
        for name in unknown {
            let hint = match nearest(&name, self.names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there is {}", self.names.join(", ")),
            };
            let diagnostic = Diagnostic::new(UNKNOWN_NAME, format!("`{name}` is not defined"));
            self.diagnostics
                .push(diagnostic.hint(hint).at(self.origin.place(path)));
        }
    }
}

fn folded_list(items: Vec<Template>) -> Form {
    let fixed = items
        .iter()
        .map(Template::fixed)
        .collect::<Option<Vec<_>>>();
    fixed.map_or(Form::List(items), |values| Form::Fixed(Value::List(values)))
}

fn folded_map(entries: Vec<(Text, Template)>) -> Form {
    let fixed = |(key, template): &(Text, Template)| {
        Some((
            key.clone(),
            template.fixed().filter(|_| !key.starts_with('$'))?,
        ))
    };
    match entries.iter().map(fixed).collect::<Option<Attributes>>() {
        Some(map) => Form::Fixed(Value::Map(map)),
        None => Form::Map(entries),
    }
}

impl Template {
    fn fixed(&self) -> Option<Value> {
        match &self.form {
            Form::Fixed(value) => Some(value.clone()),
            _ => None,
        }
    }
}

/// Something was reported; there is no value.
#[derive(Debug)]
pub(crate) struct Failed;

/// Fills the templates of one file with what is known of one tenant.
pub(crate) struct Filler<'a> {
    pub(crate) library: &'a Library,
    pub(crate) origin: &'a Origin,
    pub(crate) scope: &'a Scope<'a>,
    pub(crate) terms: &'a Term,
    pub(crate) diagnostics: &'a mut Diagnostics,
}

impl Filler<'_> {
    /// The value of a tree; `None` where it is nothing. Faults of all its branches are reported.
    pub(crate) fn value(&mut self, template: &Template) -> Result<Option<Value>, Failed> {
        match &template.form {
            Form::Fixed(value) => Ok(Some(value.clone())),
            Form::Formula(formula) => {
                let term = self.term(template, formula)?;
                self.scope
                    .value(&term)
                    .map_err(|cause| self.unfit(template, &cause))
            }
            Form::Text(name) => self
                .text(template, name)
                .map(|text| Some(Value::from(text))),
            Form::List(items) => {
                let mut values = Vec::with_capacity(items.len());
                let mut failed = false;
                for item in items {
                    match self.value(item) {
                        Ok(value) => values.extend(value),
                        Err(Failed) => failed = true,
                    }
                }
                if failed {
                    Err(Failed)
                } else {
                    Ok(Some(Value::List(values)))
                }
            }
            Form::Map(entries) => {
                let mut failed = false;
                let mut values = Vec::with_capacity(entries.len());
                for (key, entry) in entries {
                    match self.value(entry) {
                        Ok(value) => values.extend(value.map(|value| (key.clone(), value))),
                        Err(Failed) => failed = true,
                    }
                }
                if failed {
                    return Err(Failed);
                }
                let entries = values.into_iter().collect();
                let value = self.scope.understood(entries);
                value
                    .map(Some)
                    .map_err(|cause| self.unfit(template, &cause))
            }
        }
    }

    /// The result of a template as it is, for other templates to use.
    pub(crate) fn raw(&mut self, template: &Template) -> Result<Term, Failed> {
        match &template.form {
            Form::Formula(formula) => self.term(template, formula),
            Form::Text(name) => self.text(template, name).map(Term::from),
            Form::Fixed(Value::String(text)) => Ok(Term::from(Text::clone(text))),
            _ => Err(self.unfit(template, "this must be text")),
        }
    }

    /// The truth of an expression.
    pub(crate) fn truth(&mut self, template: &Template) -> Result<bool, Failed> {
        match self.value(template)? {
            Some(Value::Bool(truth)) => Ok(truth),
            None => Ok(false),
            Some(_) => Err(self.unfit(template, "a condition must be true or false")),
        }
    }

    /// The text of a template that must come to text.
    pub(crate) fn string(&mut self, template: &Template) -> Result<Text, Failed> {
        match self.value(template)? {
            Some(Value::String(text)) => Ok(text),
            _ => Err(self.unfit(template, "this must be text")),
        }
    }

    /// The values of a template that must come to a list.
    pub(crate) fn list(&mut self, template: &Template) -> Result<Vec<Value>, Failed> {
        match self.value(template)? {
            Some(Value::List(values)) => Ok(values),
            _ => Err(self.unfit(template, "this must be a list")),
        }
    }

    /// The entries of a template that must come to a table.
    pub(crate) fn map(&mut self, template: &Template) -> Result<Attributes, Failed> {
        match self.value(template)? {
            Some(Value::Map(entries)) => Ok(entries),
            _ => Err(self.unfit(template, "this must be a table")),
        }
    }

    /// Key and item of everything that an expression goes through: a table by key, a list by
    /// number.
    pub(crate) fn items(&mut self, template: &Template) -> Result<Vec<(Term, Term)>, Failed> {
        let Form::Formula(formula) = &template.form else {
            return Err(Failed);
        };
        let term = self.term(template, formula)?;
        let keyed = term.kind() == minijinja::value::ValueKind::Map;
        let found = term
            .try_iter()
            .map_err(|error| self.fault(template, &error))?;
        let pairs = found.enumerate().map(|(index, item)| match keyed {
            true => term.get_item(&item).map(|value| (item, value)),
            false => Ok((Term::from(index), item)),
        });
        pairs
            .collect::<Result<_, Error>>()
            .map_err(|error| self.fault(template, &error))
    }

    fn term(&mut self, template: &Template, formula: &Formula) -> Result<Term, Failed> {
        formula
            .eval(self.terms.clone())
            .map_err(|error| self.fault(template, &error))
    }

    fn text(&mut self, template: &Template, name: &str) -> Result<String, Failed> {
        let text = self
            .library
            .0
            .get_template(name)
            .and_then(|it| it.render(self.terms.clone()));
        text.map_err(|error| self.fault(template, &error))
    }

    fn fault(&mut self, template: &Template, error: &Error) -> Failed {
        let place = self.origin.place_of(&template.path, error);
        let message = format!("the template has no result: {}", explain(error));
        self.diagnostics
            .push(Diagnostic::new(EVALUATION, message).at(place));
        Failed
    }

    /// Reports that a template came to something of no use.
    pub(crate) fn unfit(&mut self, template: &Template, cause: &str) -> Failed {
        let place = self.origin.place(&template.path);
        self.diagnostics
            .push(Diagnostic::new(RESULT, cause).at(place));
        Failed
    }
}
