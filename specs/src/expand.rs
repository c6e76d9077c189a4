//! The blueprint for one tenant: which steps run, and the resources that they come to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use matih_model::{Attributes, Name, Phase, ResourceName, RetryPolicy, StepNumber, Value};
use minijinja::value::Value as Term;

use crate::blueprint::{Blueprint, Row, Step};
use crate::context::Context;
use crate::diagnostic::Diagnostics;
use crate::language::Scope;
use crate::template::{Failed, Filler, Memo, Origin, Template};

/// A resource that is filled in, but not yet held against the others or the catalog.
pub(crate) struct Draft {
    pub(crate) name: ResourceName,
    pub(crate) phase: Phase,
    pub(crate) steps: Vec<StepNumber>,
    /// The steps that come before it.
    pub(crate) after: BTreeSet<StepNumber>,
    pub(crate) depends_on: Vec<ResourceName>,
    pub(crate) attributes: Attributes,
    pub(crate) retry: RetryPolicy,
    /// Where it stands.
    pub(crate) origin: Arc<Origin>,
    pub(crate) path: String,
}

/// What a blueprint comes to for one tenant.
#[derive(Default)]
pub(crate) struct Expansion {
    /// In the order of the blueprint.
    pub(crate) drafts: Vec<Draft>,
    /// Why a step does not run; none if it does.
    pub(crate) skipped: BTreeMap<StepNumber, Option<String>>,
}

/// Fills in a blueprint.
pub(crate) struct Expander<'a> {
    pub(crate) blueprint: &'a Blueprint,
    pub(crate) context: &'a Context,
    pub(crate) scope: &'a Scope<'a>,
    pub(crate) memo: Memo,
    pub(crate) diagnostics: &'a mut Diagnostics,
}

impl Expander<'_> {
    /// All steps and resources; what cannot be filled in is reported and left out.
    pub(crate) fn expand(mut self) -> Expansion {
        let mut expansion = Expansion::default();
        let terms = self.context.terms();
        for step in self.blueprint.steps.values() {
            // A step whose condition has no result is reported; running it shows the rest.
            let skipped = self.skipped(step, &terms).unwrap_or_default();
            expansion.skipped.insert(step.number, skipped);
        }
        for row in &self.blueprint.rows {
            // What stands in a step that does not run is not even looked at.
            if row
                .step
                .is_some_and(|step| !runs(&expansion.skipped, &step))
            {
                continue;
            }
            for terms in self.items(row, &terms).unwrap_or_default() {
                if let Ok(draft) = self.draft(row, &terms, &expansion.skipped) {
                    expansion.drafts.extend(draft);
                }
            }
        }
        expansion
    }

    fn filler<'b>(&'b mut self, origin: &'b Origin, terms: &'b Term) -> Filler<'b> {
        Filler {
            library: &self.blueprint.library,
            origin,
            scope: self.scope,
            terms,
            memo: &mut self.memo,
            diagnostics: self.diagnostics,
        }
    }

    fn skipped(&mut self, step: &Step, terms: &Term) -> Result<Option<String>, Failed> {
        let mut filler = self.filler(&step.origin, terms);
        match &step.when {
            Some(when) if !filler.truth(when)? => match &step.skipped {
                Some(why) => filler.string(why).map(|why| Some(why.to_string())),
                None => Ok(Some("this tenant does not need it".to_owned())),
            },
            _ => Ok(None),
        }
    }

    /// The terms of each resource that a row stands for.
    fn items(&mut self, row: &Row, terms: &Term) -> Result<Vec<Term>, Failed> {
        let Some(for_each) = &row.for_each else {
            return Ok(vec![terms.clone()]);
        };
        let items = self.filler(&row.origin, terms).items(for_each)?;
        Ok(items
            .into_iter()
            .map(|(key, item)| self.context.terms_of(key, item))
            .collect())
    }

    fn draft(
        &mut self,
        row: &Row,
        terms: &Term,
        skipped: &BTreeMap<StepNumber, Option<String>>,
    ) -> Result<Option<Draft>, Failed> {
        let blueprint = self.blueprint;
        let mut filler = self.filler(&row.origin, terms);
        let covered = covered(&mut filler, &row.covers, blueprint)?;
        let steps: Vec<_> = covered
            .into_iter()
            .filter(|step| runs(skipped, step))
            .collect();
        let Some(first) = steps.first().and_then(|step| blueprint.steps.get(step)) else {
            return Ok(None);
        };
        if let Some(when) = &row.when
            && !filler.truth(when)?
        {
            return Ok(None);
        }
        let name = filler.string(&row.name)?;
        let name = Name::new(&name)
            .map_err(|error| filler.unfit(&row.name, &format!("{error}; change it")));
        let depends_on = resource_names(&mut filler, &row.depends_on);
        let attributes = filler.map(&row.attributes);
        let mut retry = first.retry.clone();
        retry.timeout_seconds = row.timeout_seconds.unwrap_or(retry.timeout_seconds);
        let before = steps.iter().filter_map(|step| blueprint.steps.get(step));
        let before = before.flat_map(|step| &step.depends_on).copied();
        Ok(Some(Draft {
            name: ResourceName {
                kind: row.kind.clone(),
                name: name?,
            },
            phase: row.phase,
            after: before.filter(|step| !steps.contains(step)).collect(),
            steps,
            depends_on: depends_on?,
            attributes: attributes?,
            retry,
            origin: Arc::clone(&row.origin),
            path: row.path.clone(),
        }))
    }
}

fn runs(skipped: &BTreeMap<StepNumber, Option<String>>, step: &StepNumber) -> bool {
    skipped.get(step).is_some_and(Option::is_none)
}

/// The steps that a resource reports, ascending.
fn covered(
    filler: &mut Filler<'_>,
    template: &Template,
    blueprint: &Blueprint,
) -> Result<BTreeSet<StepNumber>, Failed> {
    let numbers = filler.list(template)?;
    let step = |number: &Value| {
        let number = u8::try_from(number.as_integer()?).ok()?;
        let number = StepNumber::new(number).ok()?;
        blueprint.steps.contains_key(&number).then_some(number)
    };
    match numbers.iter().map(step).collect::<Option<BTreeSet<_>>>() {
        Some(steps) => Ok(steps),
        None => Err(filler.unfit(
            template,
            "`covers` has something that is no step; write numbers of steps",
        )),
    }
}

/// The resources that a list names.
pub(crate) fn resource_names(
    filler: &mut Filler<'_>,
    template: &Template,
) -> Result<Vec<ResourceName>, Failed> {
    let names = filler.list(template)?;
    let mut found = Vec::with_capacity(names.len());
    for name in &names {
        match name.as_str().unwrap_or_default().parse() {
            Ok(name) => found.push(name),
            Err(_) => {
                return Err(filler.unfit(
                    template,
                    "`depends_on` has something that is no resource; write each as `kind/name`",
                ));
            }
        }
    }
    Ok(found)
}
