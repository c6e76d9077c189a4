//! JSON values, as they were written in TOML, to compiled trees.

use std::collections::BTreeMap;
use std::sync::Arc;

use matih_model::{Attributes, Text, Value};
use minijinja::{Environment, Error};
use serde_json::Value as Json;

use super::{Computed, Form, GRAMMAR, How, Origin, Template, UNKNOWN_NAME};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::language::{self, explain, formula};
use crate::nearest::nearest;

/// The names that an item of a `for_each` goes by.
const ITEM: [&str; 2] = ["item", "key"];

/// All expressions and texts of a blueprint, each compiled once.
#[derive(Clone)]
pub(crate) struct Library {
    pub(super) templates: Environment<'static>,
    computed: BTreeMap<String, Arc<Computed>>,
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Library of {}", self.computed.len())
    }
}

impl Default for Library {
    fn default() -> Self {
        Self {
            templates: language::language(),
            computed: BTreeMap::new(),
        }
    }
}

impl Library {
    /// An expression, or `{{ expression }}` and nothing around it.
    fn expression(&mut self, source: &str) -> Result<Arc<Computed>, Error> {
        if let Some(known) = self.computed.get(source) {
            return Ok(Arc::clone(known));
        }
        let formula = formula(source)?;
        let names = formula.undeclared_variables(false).into_iter().collect();
        Ok(self.keep(source, How::Formula(formula), names))
    }

    /// Text with templates in it.
    fn text(&mut self, source: &str) -> Result<Arc<Computed>, Error> {
        if let Some(known) = self.computed.get(source) {
            return Ok(Arc::clone(known));
        }
        self.templates
            .add_template_owned(source.to_owned(), source.to_owned())?;
        let template = self.templates.get_template(source)?;
        let names = template.undeclared_variables(false).into_iter().collect();
        Ok(self.keep(source, How::Text(source.into()), names))
    }

    fn keep(&mut self, source: &str, how: How, mut names: Vec<String>) -> Arc<Computed> {
        names.sort();
        let of_item = names.iter().any(|name| ITEM.contains(&name.as_str()));
        let slot = (!of_item).then_some(self.computed.len());
        let computed = Arc::new(Computed { how, names, slot });
        self.computed
            .insert(source.to_owned(), Arc::clone(&computed));
        computed
    }
}

/// Compiles the values of one file.
pub(crate) struct Compiler<'a> {
    /// Where texts are kept.
    pub(crate) library: &'a mut Library,
    /// The file.
    pub(crate) origin: &'a Origin,
    /// The names that may be used here.
    pub(crate) names: &'a [&'static str],
    /// Where findings go.
    pub(crate) diagnostics: &'a mut Diagnostics,
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
            Json::String(text) => self.string(path, text),
            Json::Array(items) => {
                let item = |(index, item)| self.tree(&format!("{path}[{index}]"), item);
                folded_list(items.iter().enumerate().map(item).collect())
            }
            Json::Object(entries) => {
                let entry = |(key, value): (&String, &Json)| {
                    (
                        Text::from(key.as_str()),
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
        let computed = self.library.expression(source);
        Template {
            path: path.into(),
            form: self.checked(path, computed),
        }
    }

    fn string(&mut self, path: &str, text: &str) -> Form {
        if !["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) {
            return Form::Fixed(Value::string(text));
        }
        let inside = text
            .strip_prefix("{{")
            .and_then(|rest| rest.strip_suffix("}}"));
        let formula = inside.map(|inside| self.library.expression(inside.trim()));
        let computed = match formula {
            Some(Ok(computed)) => Ok(computed),
            // Two expressions with text between them look like one that is broken.
            _ => self.library.text(text),
        };
        self.checked(path, computed)
    }

    fn checked(&mut self, path: &str, computed: Result<Arc<Computed>, Error>) -> Form {
        match computed {
            Ok(computed) => {
                self.check_names(path, &computed.names);
                Form::Computed(computed)
            }
            Err(error) => {
                let place = self.origin.place_of(path, &error);
                let message = format!("the template cannot be read: {}", explain(&error));
                let hint = "the grammar is that of minijinja, a Jinja2 for Rust";
                self.diagnostics
                    .push(Diagnostic::new(GRAMMAR, message).hint(hint).at(place));
                Form::List(Vec::new())
            }
        }
    }

    fn check_names(&mut self, path: &str, used: &[String]) {
        for name in used {
            if self.names.contains(&name.as_str()) || language::is_builtin(name) {
                continue;
            }
            let hint = match nearest(name, self.names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the names here are {}", self.names.join(", ")),
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

/// A table of fixed values is fixed, unless it stands for a reference or a secret: those depend on
/// the tenant.
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
