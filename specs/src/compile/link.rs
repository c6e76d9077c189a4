//! Drafts to resources: names become addresses, steps become dependencies, references are checked.

use std::collections::{BTreeMap, BTreeSet};

use matih_model::{
    Address, Catalog, GraphError, Lifecycle, Resource, ResourceName, StepNumber, TenantId,
};

use super::{CYCLE, DUPLICATE, MISSING};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expand::Draft;
use crate::nearest::nearest;

/// All drafts of a tenant, by name and by step.
pub(super) struct Linker<'a> {
    tenant: &'a TenantId,
    drafts: BTreeMap<&'a ResourceName, &'a Draft>,
    by_step: BTreeMap<StepNumber, Vec<&'a ResourceName>>,
}

impl<'a> Linker<'a> {
    /// Gathers the drafts; of two with one name the first stays, the other is reported.
    pub(super) fn new(
        tenant: &'a TenantId,
        list: &'a [Draft],
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut drafts: BTreeMap<_, &Draft> = BTreeMap::new();
        let mut by_step: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for draft in list {
            if let Some(first) = drafts.get(&draft.name) {
                let message = format!("{} is there already", draft.name);
                let diagnostic = Diagnostic::new(DUPLICATE, message)
                    .at(draft.origin.place(&draft.path))
                    .label(first.origin.place(&first.path), "here");
                diagnostics.push(diagnostic);
                continue;
            }
            drafts.insert(&draft.name, draft);
            for step in &draft.steps {
                by_step.entry(*step).or_default().push(&draft.name);
            }
        }
        Self {
            tenant,
            drafts,
            by_step,
        }
    }

    /// The resources, in the order of their names.
    pub(super) fn resources(
        &self,
        catalog: &Catalog,
        diagnostics: &mut Diagnostics,
    ) -> Vec<Resource> {
        self.drafts
            .values()
            .map(|draft| self.resource(draft, catalog, diagnostics))
            .collect()
    }

    fn resource(
        &self,
        draft: &Draft,
        catalog: &Catalog,
        diagnostics: &mut Diagnostics,
    ) -> Resource {
        self.check_refs(draft, catalog, diagnostics);
        let by_step = draft
            .after
            .iter()
            .filter_map(|step| self.by_step.get(step))
            .flatten();
        let mut depends_on: BTreeSet<Address> = by_step
            .filter(|name| **name != &draft.name)
            .map(|name| name.of(self.tenant))
            .collect();
        for name in &draft.depends_on {
            if self.drafts.contains_key(name) {
                depends_on.insert(name.of(self.tenant));
            } else {
                let path = format!("{}.depends_on", draft.path);
                let message = format!("{} depends on {name}, which is not there", draft.name);
                diagnostics.push(self.missing(message, name).at(draft.origin.place(&path)));
            }
        }
        Resource {
            address: draft.name.of(self.tenant),
            phase: draft.phase,
            steps: draft.steps.clone(),
            depends_on,
            attributes: draft.attributes.clone(),
            lifecycle: Lifecycle::default(),
            retry: draft.retry.clone(),
        }
    }

    fn check_refs(&self, draft: &Draft, catalog: &Catalog, diagnostics: &mut Diagnostics) {
        for reference in draft.attributes.refs() {
            let name = reference.address.resource_name();
            let finding = if !self.drafts.contains_key(&name) {
                let message = format!("{} refers to {name}, which is not there", draft.name);
                Some(self.missing(message, &name))
            } else {
                // A kind that the catalog does not know has its finding already.
                let schema = catalog.get(&name.kind);
                let known = schema.is_none_or(|it| it.output(&reference.output).is_some());
                let message = format!("{} has no output `{}`", name.kind, reference.output);
                (!known).then(|| Diagnostic::new(MISSING, message))
            };
            if let Some(finding) = finding {
                let path = format!("{}.attributes", draft.path);
                diagnostics.push(finding.at(draft.origin.place(&path)));
            }
        }
    }

    fn missing(&self, message: String, name: &ResourceName) -> Diagnostic {
        let names: Vec<String> = self.drafts.keys().map(ToString::to_string).collect();
        let near = nearest(&name.to_string(), names.iter().map(String::as_str));
        let hint = near.map(|near| format!("did you mean `{near}`?"));
        Diagnostic {
            hint,
            ..Diagnostic::new(MISSING, message)
        }
    }

    /// A fault of the graph as a finding at the first resource that it is about.
    pub(super) fn of_graph(&self, error: &GraphError) -> Diagnostic {
        let about = match error {
            GraphError::Cycle(addresses) => addresses.first(),
            GraphError::Duplicate(address)
            | GraphError::Foreign { address, .. }
            | GraphError::Open { address, .. } => Some(address),
        };
        let draft = about.and_then(|address| self.drafts.get(&address.resource_name()));
        let diagnostic = Diagnostic::new(CYCLE, error.to_string());
        match draft {
            Some(draft) => diagnostic.at(draft.origin.place(&draft.path)),
            None => diagnostic,
        }
    }
}
