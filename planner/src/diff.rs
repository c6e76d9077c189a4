//! What differs between the two states, resource by resource.

use std::sync::Arc;

use matih_model::{
    Address, AttributeChange, Change, ChangeKind, ChangeSet, Edit, Note, Reading, Reason, Recorded,
    Resource, ResourceGraph,
};

use crate::error::PlannerError;
use crate::input::PlanInput;
use crate::judge::{Judge, Judgement};
use crate::moves::{self, Records};
use crate::order::Links;
use crate::refresh::{refresh_only, taken_over};
use crate::resolve::{Fate, Outlook};
use crate::scope::Scope;

/// All that differs between what is recorded and what is desired. Order and checks are the plan's.
///
/// # Errors
/// As [`crate::plan`].
pub fn diff(input: &PlanInput<'_>) -> Result<ChangeSet, PlannerError> {
    let desired = input.wanted();
    let records = moves::records(input)?;
    let scope = Scope::new(input, &desired, &records)?;
    Ok(difference(input, &desired, &records, &scope)?.changes)
}

/// What differs, and what has to be said or noted down about it.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    pub(crate) changes: ChangeSet,
    /// Nothing differs but what we know beside the attributes.
    pub(crate) rewritten: Vec<Arc<Resource>>,
    /// Outputs or tokens that are others now.
    pub(crate) refreshed: Vec<Edit>,
    /// Records to drop.
    pub(crate) forgotten: Vec<Address>,
    pub(crate) notes: Vec<Note>,
}

impl Difference {
    pub(crate) fn note(&mut self, address: &Address, text: impl Into<String>) {
        let (address, text) = (Some(address.clone()), text.into());
        self.notes.push(Note { address, text });
    }

    pub(crate) fn note_unread(&mut self, address: &Address, why: &str) {
        self.note(
            address,
            format!("It could not be read ({why}); it is planned as recorded."),
        );
    }
}

pub(crate) fn difference(
    input: &PlanInput<'_>,
    desired: &ResourceGraph,
    records: &Records<'_>,
    scope: &Scope,
) -> Result<Difference, PlannerError> {
    if input.options.refresh_only {
        return refresh_only(input, records, scope);
    }
    let mut finder = Finder {
        input,
        records,
        outlook: Outlook::new(records, input.observation, input.catalog),
        found: Difference::default(),
    };
    let sorted = Links::of_desired(desired).sorted().into_iter();
    for address in sorted.filter(|address| scope.has(address)) {
        if let Some(resource) = desired.get(address)
            && !input.catalog.is_check(&address.kind)
        {
            finder.desired(resource)?;
        }
    }
    for (address, recorded) in records.all() {
        if desired.get(address).is_none() && scope.has(address) {
            finder.undesired(recorded)?;
        }
    }
    Ok(finder.found)
}

struct Finder<'a> {
    input: &'a PlanInput<'a>,
    records: &'a Records<'a>,
    outlook: Outlook<'a>,
    found: Difference,
}

impl<'a> Finder<'a> {
    fn desired(&mut self, resource: &'a Arc<Resource>) -> Result<(), PlannerError> {
        let address = &resource.address;
        let name = address.resource_name();
        if self.input.options.forget.contains(&name) {
            return Err(PlannerError::ForgetDesired(address.clone()));
        }
        if self.input.catalog.get(&address.kind).is_none() {
            return Err(PlannerError::UnknownKind(address.clone()));
        }
        let Some(recorded) = self.records.get(address) else {
            return self.create(resource, Reason::New);
        };
        match self.outlook.reading(address) {
            Some(Reading::Missing) => return self.create(resource, Reason::Missing),
            Some(Reading::Unknown(why)) => self.found.note_unread(address, why),
            Some(Reading::Unchanged | Reading::Present(_)) | None => {}
        }
        self.existing(resource, recorded)
    }

    fn create(&mut self, resource: &'a Arc<Resource>, reason: Reason) -> Result<(), PlannerError> {
        self.check_references(resource)?;
        self.outlook.settle(&resource.address, Fate::Fresh);
        self.change(
            ChangeKind::Create,
            reason,
            None,
            Some(resource.clone()),
            Vec::new(),
        );
        Ok(())
    }

    /// A resource that is there and stays.
    fn existing(
        &mut self,
        resource: &'a Arc<Resource>,
        recorded: &'a Arc<Recorded>,
    ) -> Result<(), PlannerError> {
        let address = &resource.address;
        let judge = Judge {
            input: self.input,
            outlook: &self.outlook,
        };
        match judge.judge(resource, recorded)? {
            Judgement::Same => {}
            Judgement::Replace(reason, attributes) => {
                self.check_references(resource)?;
                self.outlook.settle(address, Fate::Fresh);
                let wanted = Some(resource.clone());
                self.change(
                    ChangeKind::Replace,
                    reason,
                    Some(recorded),
                    wanted,
                    attributes,
                );
            }
            Judgement::Update(wanted, reason, attributes) => {
                self.check_references(resource)?;
                self.outlook.settle(address, Fate::Updated);
                self.change(
                    ChangeKind::Update,
                    reason,
                    Some(recorded),
                    Some(wanted),
                    attributes,
                );
            }
            Judgement::Keep(rewritten) => {
                self.found.rewritten.extend(rewritten);
                let schema = self.input.catalog.get(&address.kind);
                if let (Some(schema), Some(observed)) = (schema, self.outlook.observed(address)) {
                    self.found
                        .refreshed
                        .extend(taken_over(schema, recorded, observed));
                }
            }
        }
        Ok(())
    }

    /// A resource that is recorded and no longer desired.
    fn undesired(&mut self, recorded: &'a Arc<Recorded>) -> Result<(), PlannerError> {
        let address = &recorded.resource.address;
        if self.input.options.forget.contains(&address.resource_name()) {
            self.found.forgotten.push(address.clone());
            return Ok(());
        }
        match self.outlook.reading(address) {
            Some(Reading::Missing) => {
                self.found
                    .note(address, "It is gone already; only its record is dropped.");
                self.found.forgotten.push(address.clone());
                return Ok(());
            }
            Some(Reading::Unknown(why)) => self.found.note_unread(address, why),
            Some(Reading::Unchanged | Reading::Present(_)) | None => {}
        }
        if self.input.catalog.get(&address.kind).is_none() {
            return Err(PlannerError::UnknownKind(address.clone()));
        }
        let destroy = self.input.options.destroy;
        let reason = if destroy {
            Reason::Destroy
        } else {
            Reason::NoLongerDesired
        };
        self.change(ChangeKind::Delete, reason, Some(recorded), None, Vec::new());
        Ok(())
    }

    fn check_references(&self, resource: &Resource) -> Result<(), PlannerError> {
        let references = resource.attributes.refs();
        match references
            .into_iter()
            .find(|it| !self.outlook.leads_somewhere(it))
        {
            None => Ok(()),
            Some(reference) => Err(PlannerError::Unresolvable {
                address: resource.address.clone(),
                reference: reference.clone(),
            }),
        }
    }

    fn change(
        &mut self,
        kind: ChangeKind,
        reason: Reason,
        recorded: Option<&Arc<Recorded>>,
        desired: Option<Arc<Resource>>,
        attributes: Vec<AttributeChange>,
    ) {
        let address = desired.as_ref().map(|it| &it.address);
        let Some(address) = address.or(recorded.map(|it| &it.resource.address)).cloned() else {
            return;
        };
        let recorded = recorded.cloned();
        let change = Change {
            address: address.clone(),
            kind,
            reason,
            recorded,
            desired,
            attributes,
        };
        self.found.changes.0.insert(address, change);
    }
}
