//! Drafts to resources: names become addresses, steps become dependencies, references are checked.
//!
//! A resource says as little as it can of what it waits for: of the steps before it those that no
//! other of them waits for already, of each step the resources that no other of the step waits
//! for, and nothing of this where it waits for a resource that waits for the same steps. The rest
//! follows, however far it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use matih_model::{
    Address, Catalog, GraphError, Lifecycle, Resource, ResourceName, StepNumber, TenantId,
};

use super::{CYCLE, DUPLICATE, MISSING};
use crate::blueprint::Blueprint;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expand::Draft;
use crate::nearest::nearest;
use crate::template::Origin;

/// What is remembered of a draft.
struct Known {
    origin: Arc<Origin>,
    path: String,
    after: BTreeSet<StepNumber>,
}

/// The resources of one tenant, and which of them come last in their steps.
pub(super) struct Linker<'a> {
    tenant: &'a TenantId,
    known: BTreeMap<ResourceName, Known>,
    last: BTreeMap<StepNumber, Vec<Address>>,
    before: BTreeMap<StepNumber, BTreeSet<StepNumber>>,
}

impl<'a> Linker<'a> {
    /// Looks through the drafts; of two with one name the second is reported.
    pub(super) fn new(
        tenant: &'a TenantId,
        blueprint: &Blueprint,
        drafts: &[Draft],
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut known: BTreeMap<ResourceName, Known> = BTreeMap::new();
        for draft in drafts {
            let own = Known {
                origin: Arc::clone(&draft.origin),
                path: draft.path.clone(),
                after: draft.after.clone(),
            };
            if let Some(first) = known.insert(draft.name.clone(), own) {
                let message = format!("{} is there already", draft.name);
                let diagnostic = Diagnostic::new(DUPLICATE, message)
                    .hint("give it another name, or take one of the two away")
                    .at(draft.origin.place(&draft.path))
                    .label(first.origin.place(&first.path), "here");
                diagnostics.push(diagnostic);
            }
        }
        let last = last(tenant, drafts);
        let before = before(blueprint, &last);
        Self {
            tenant,
            known,
            last,
            before,
        }
    }

    /// Makes a resource of a draft.
    pub(super) fn resource(
        &self,
        draft: Draft,
        catalog: &Catalog,
        diagnostics: &mut Diagnostics,
    ) -> Resource {
        self.check_refs(&draft, catalog, diagnostics);
        let address = draft.name.of(self.tenant);
        let mut depends_on = self.by_steps(&draft);
        depends_on.remove(&address);
        for name in &draft.depends_on {
            if self.known.contains_key(name) {
                depends_on.insert(name.of(self.tenant));
            } else {
                let message = format!("{} depends on {name}, which is not there", draft.name);
                let place = draft.origin.place(&format!("{}.depends_on", draft.path));
                diagnostics.push(self.missing(message, name).at(place));
            }
        }
        Resource {
            address,
            phase: draft.phase,
            steps: draft.steps,
            depends_on,
            attributes: draft.attributes,
            lifecycle: Lifecycle::default(),
            retry: draft.retry,
        }
    }

    /// What a draft waits for because of the steps before its own.
    fn by_steps(&self, draft: &Draft) -> BTreeSet<Address> {
        let refs = draft.attributes.refs();
        let referred = refs
            .iter()
            .map(|reference| reference.address.resource_name());
        let mut waits_for = draft.depends_on.iter().cloned().chain(referred);
        let covers = |name| {
            self.known
                .get(&name)
                .is_some_and(|it| it.after.is_superset(&draft.after))
        };
        if waits_for.any(covers) {
            return BTreeSet::new();
        }
        let steps = self.essential(&draft.after);
        steps
            .filter_map(|step| self.last.get(step))
            .flatten()
            .cloned()
            .collect()
    }

    /// The steps of a set that no other step of it waits for.
    fn essential<'b>(
        &'b self,
        after: &'b BTreeSet<StepNumber>,
    ) -> impl Iterator<Item = &'b StepNumber> {
        let behind = |step: &StepNumber, other: &StepNumber| {
            self.before
                .get(other)
                .is_some_and(|before| before.contains(step))
        };
        after
            .iter()
            .filter(move |step| !after.iter().any(|other| behind(step, other)))
    }

    fn check_refs(&self, draft: &Draft, catalog: &Catalog, diagnostics: &mut Diagnostics) {
        for reference in draft.attributes.refs() {
            let name = reference.address.resource_name();
            let finding = if !self.known.contains_key(&name) {
                let message = format!("{} refers to {name}, which is not there", draft.name);
                self.missing(message, &name)
            } else {
                // A kind that the catalog does not know has its finding already.
                match catalog.get(&name.kind) {
                    Some(schema) if schema.output(&reference.output).is_none() => {
                        let message = format!("{} has no output `{}`", name.kind, reference.output);
                        let outputs: Vec<_> = schema.outputs.iter().map(|it| &*it.name).collect();
                        let hint = format!("its outputs are {}", outputs.join(", "));
                        Diagnostic::new(MISSING, message).hint(hint)
                    }
                    _ => continue,
                }
            };
            let path = format!("{}.attributes", draft.path);
            diagnostics.push(finding.at(draft.origin.place(&path)));
        }
    }

    fn missing(&self, message: String, name: &ResourceName) -> Diagnostic {
        let names: Vec<String> = self.known.keys().map(ToString::to_string).collect();
        let hint = match nearest(&name.to_string(), names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`matih steps` lists the resources that there are".to_owned(),
        };
        Diagnostic::new(MISSING, message).hint(hint)
    }

    /// A fault of the graph as a finding at the first resource that it is about.
    pub(super) fn of_graph(&self, error: &GraphError) -> Diagnostic {
        let about = match error {
            GraphError::Cycle(addresses) => addresses.first(),
            GraphError::Duplicate(address)
            | GraphError::Foreign { address, .. }
            | GraphError::Open { address, .. } => Some(address),
        };
        let hint = "take away one `depends_on` or reference of the circle";
        let mut diagnostic = Diagnostic::new(CYCLE, error.to_string()).hint(hint);
        let others = match error {
            GraphError::Cycle(addresses) => addresses.split_last().map_or(&[][..], |(_, it)| it),
            _ => &[],
        };
        let known = |address: &Address| self.known.get(&address.resource_name());
        for other in others.iter().skip(1).filter_map(known) {
            diagnostic = diagnostic.label(other.origin.place(&other.path), "and this one");
        }
        match about.and_then(known) {
            Some(known) => diagnostic.at(known.origin.place(&known.path)),
            None => diagnostic,
        }
    }
}

/// The resources of each step that no other resource of the same step waits for.
fn last(tenant: &TenantId, drafts: &[Draft]) -> BTreeMap<StepNumber, Vec<Address>> {
    let mut by_step: BTreeMap<StepNumber, Vec<&Draft>> = BTreeMap::new();
    for draft in drafts {
        for step in &draft.steps {
            by_step.entry(*step).or_default().push(draft);
        }
    }
    let last_of = |drafts: Vec<&Draft>| {
        let mut awaited: BTreeSet<Address> = BTreeSet::new();
        for draft in &drafts {
            awaited.extend(draft.depends_on.iter().map(|name| name.of(tenant)));
            awaited.extend(
                draft
                    .attributes
                    .refs()
                    .into_iter()
                    .map(|it| it.address.clone()),
            );
        }
        let addresses = drafts.iter().map(|draft| draft.name.of(tenant));
        addresses
            .filter(|address| !awaited.contains(address))
            .collect()
    };
    by_step
        .into_iter()
        .map(|(step, drafts)| (step, last_of(drafts)))
        .collect()
}

/// All steps that each step waits for, directly or not, by way of steps that have resources.
fn before(
    blueprint: &Blueprint,
    last: &BTreeMap<StepNumber, Vec<Address>>,
) -> BTreeMap<StepNumber, BTreeSet<StepNumber>> {
    let mut before: BTreeMap<StepNumber, BTreeSet<StepNumber>> = BTreeMap::new();
    for start in last.keys() {
        let mut found = BTreeSet::new();
        let mut open = vec![*start];
        while let Some(step) = open.pop() {
            let direct = blueprint
                .steps
                .get(&step)
                .map(|it| it.depends_on.as_slice());
            for other in direct.unwrap_or_default() {
                if last.contains_key(other) && found.insert(*other) {
                    open.push(*other);
                }
            }
        }
        before.insert(*start, found);
    }
    before
}
