//! Compiled trees to the values of one tenant.

use matih_model::{Attributes, Text, Value};
use minijinja::Error;
use minijinja::value::{Value as Term, ValueKind};

use super::{Computed, EVALUATION, Form, How, Library, Memo, Origin, RESULT, Template};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::language::{Scope, explain};

/// Something was reported; there is no value.
#[derive(Debug)]
pub(crate) struct Failed;

/// Fills the templates of one file with what is known of one tenant.
pub(crate) struct Filler<'a> {
    /// Where texts are kept.
    pub(crate) library: &'a Library,
    /// The file.
    pub(crate) origin: &'a Origin,
    /// Whose resources they are.
    pub(crate) scope: &'a Scope<'a>,
    /// What the templates can speak of.
    pub(crate) terms: &'a Term,
    /// What was computed for this tenant before, from this library.
    pub(crate) memo: &'a mut Memo,
    /// Where findings go.
    pub(crate) diagnostics: &'a mut Diagnostics,
}

impl Filler<'_> {
    /// The value of a tree; `None` where it is nothing. Faults of all its branches are reported.
    pub(crate) fn value(&mut self, template: &Template) -> Result<Option<Value>, Failed> {
        match &template.form {
            Form::Fixed(value) => Ok(Some(value.clone())),
            Form::Computed(computed) => self.computed(template, computed),
            Form::List(items) => {
                let values: Vec<_> = items.iter().map(|item| self.value(item)).collect();
                let values = values.into_iter().collect::<Result<Vec<_>, Failed>>()?;
                Ok(Some(Value::List(values.into_iter().flatten().collect())))
            }
            Form::Map(entries) => {
                let filled: Vec<_> = entries.iter().map(|(_, entry)| self.value(entry)).collect();
                let filled = filled.into_iter().collect::<Result<Vec<_>, Failed>>()?;
                let keys = entries.iter().map(|(key, _)| key.clone());
                let values = keys
                    .zip(filled)
                    .filter_map(|(key, value)| Some((key, value?)));
                let value = self.scope.understood(values.collect());
                value
                    .map(Some)
                    .map_err(|cause| self.unfit(template, &cause))
            }
        }
    }

    /// The result of a template as it is, for other templates to use.
    pub(crate) fn raw(&mut self, template: &Template) -> Result<Term, Failed> {
        match &template.form {
            Form::Computed(computed) => self.term(template, computed),
            Form::Fixed(Value::String(text)) => Ok(Term::from(Text::clone(text))),
            _ => Err(self.unfit(
                template,
                "a name is not text; write text, or one expression in `{{ }}`",
            )),
        }
    }

    /// The truth of an expression.
    pub(crate) fn truth(&mut self, template: &Template) -> Result<bool, Failed> {
        match self.value(template)? {
            Some(Value::Bool(truth)) => Ok(truth),
            _ => Err(self.unfit(template, "a condition is neither true nor false; compare, as in `tier.plan == 'free'`, or ask `is not none`")),
        }
    }

    /// The text of a template that must come to text.
    pub(crate) fn string(&mut self, template: &Template) -> Result<Text, Failed> {
        match self.value(template)? {
            Some(Value::String(text)) => Ok(text),
            _ => Err(self.unfit(template, "this is not text; write text")),
        }
    }

    /// The values of a template that must come to a list.
    pub(crate) fn list(&mut self, template: &Template) -> Result<Vec<Value>, Failed> {
        match self.value(template)? {
            Some(Value::List(values)) => Ok(values),
            _ => Err(self.unfit(template, "this is not a list; write a list")),
        }
    }

    /// The entries of a template that must come to a table.
    pub(crate) fn map(&mut self, template: &Template) -> Result<Attributes, Failed> {
        match self.value(template)? {
            Some(Value::Map(entries)) => Ok(entries),
            _ => Err(self.unfit(template, "this is not a table; write a table")),
        }
    }

    /// Key and item of everything that an expression goes through: a table by key, a list by
    /// number.
    pub(crate) fn items(&mut self, template: &Template) -> Result<Vec<(Term, Term)>, Failed> {
        let Form::Computed(computed) = &template.form else {
            return Err(Failed);
        };
        let term = self.term(template, computed)?;
        if !matches!(
            term.kind(),
            ValueKind::Map | ValueKind::Seq | ValueKind::Iterable
        ) {
            return Err(self.unfit(
                template,
                "`for_each` is neither a list nor a table; write an expression that gives one",
            ));
        }
        let keyed = term.kind() == ValueKind::Map;
        let found = term
            .try_iter()
            .map_err(|error| self.fault(template, &error))?;
        let pairs = found.enumerate().map(|(index, item)| match keyed {
            true => term.get_item(&item).map(|value| (item, value)),
            false => Ok((Term::from(index), item)),
        });
        let pairs = pairs.collect::<Result<_, Error>>();
        pairs.map_err(|error| self.fault(template, &error))
    }

    fn computed(&mut self, template: &Template, it: &Computed) -> Result<Option<Value>, Failed> {
        if let Some(known) = it.slot.and_then(|slot| self.memo.0.get(&slot)) {
            return Ok(known.clone());
        }
        let term = self.term(template, it)?;
        let value = self
            .scope
            .value(&term)
            .map_err(|cause| self.unfit(template, &cause))?;
        if let Some(slot) = it.slot {
            self.memo.0.insert(slot, value.clone());
        }
        Ok(value)
    }

    fn term(&mut self, template: &Template, computed: &Computed) -> Result<Term, Failed> {
        let terms = self.terms.clone();
        let result = match &computed.how {
            How::Formula(formula) => formula.eval(terms),
            How::Text(name) => {
                let text = self.library.templates.get_template(name);
                text.and_then(|text| text.render(terms)).map(Term::from)
            }
        };
        result.map_err(|error| self.fault(template, &error))
    }

    fn fault(&mut self, template: &Template, error: &Error) -> Failed {
        let place = self.origin.place_of(&template.path, error);
        let cause = explain(error);
        let (cause, hint) = cause.split_once("; ").unwrap_or((
            &cause,
            "what may be missing is `none`: ask with `is not none`, or write `a or b`",
        ));
        let message = format!("the template has no result: {cause}");
        let diagnostic = Diagnostic::new(EVALUATION, message).hint(hint);
        self.diagnostics.push(diagnostic.at(place));
        Failed
    }

    /// Reports that a template came to something of no use. What comes after `; ` is the hint.
    pub(crate) fn unfit(&mut self, template: &Template, cause: &str) -> Failed {
        let (message, hint) = cause
            .split_once("; ")
            .unwrap_or((cause, "write another value"));
        let diagnostic = Diagnostic::new(RESULT, message).hint(hint);
        let place = self.origin.place(&template.path);
        self.diagnostics.push(diagnostic.at(place));
        Failed
    }
}
