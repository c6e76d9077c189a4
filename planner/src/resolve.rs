//! What a reference stands for while a plan is made: the value that a provider told, or Unknown.

use std::collections::BTreeMap;

use matih_model::{Address, Catalog, Observation, Observed, OutputRef, Reading, Recorded, Value};

use crate::moves::Records;

/// A value that will be known only after apply.
pub(crate) static UNKNOWN: Value = Value::Unknown;

/// What the plan at hand does to a resource, as far as its outputs are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It stays alive and is altered: volatile outputs may differ after it.
    Updated,
    /// It begins a new life: no output is known.
    Fresh,
}

/// All that is known of outputs so far; resources are settled in the order of dependency.
pub(crate) struct Outlook<'a> {
    records: &'a Records<'a>,
    observation: &'a Observation,
    catalog: &'a Catalog,
    fates: BTreeMap<&'a Address, Fate>,
}

impl<'a> Outlook<'a> {
    pub(crate) fn new(
        records: &'a Records<'a>,
        observation: &'a Observation,
        catalog: &'a Catalog,
    ) -> Self {
        Self {
            records,
            observation,
            catalog,
            fates: BTreeMap::new(),
        }
    }

    /// Tells what the plan does to a resource; one that is never told stays as it is.
    pub(crate) fn settle(&mut self, address: &'a Address, fate: Fate) {
        self.fates.insert(address, fate);
    }

    /// What was read of a resource, under the name that it has now.
    pub(crate) fn reading(&self, address: &Address) -> Option<&'a Reading> {
        self.observation.get(self.records.name_in_base(address))
    }

    /// The object itself, where the reading holds one.
    pub(crate) fn observed(&self, address: &Address) -> Option<&'a Observed> {
        match self.reading(address) {
            Some(Reading::Present(observed)) => Some(observed),
            _ => None,
        }
    }

    /// Whether a reference can lead to a value at all, now or after apply.
    pub(crate) fn leads_somewhere(&self, reference: &OutputRef) -> bool {
        self.fates.contains_key(&reference.address)
            || self.records.get(&reference.address).is_some()
    }

    /// What a reference of `own` stands for.
    ///
    /// Outputs that were read count more than recorded ones: the plan also takes them over into
    /// the record. Where the resource behind the reference is no longer known, it stands for what
    /// it stood for when `own` was applied.
    pub(crate) fn resolve<'b>(
        &'b self,
        reference: &OutputRef,
        own: Option<&'b Recorded>,
    ) -> &'b Value {
        let address = &reference.address;
        match self.fates.get(address) {
            Some(Fate::Fresh) => return &UNKNOWN,
            Some(Fate::Updated) if self.is_volatile(reference) => return &UNKNOWN,
            _ => {}
        }
        let known = match (self.observed(address), self.records.get(address)) {
            (Some(observed), Some(_)) => observed.outputs.get(&reference.output),
            (_, Some(recorded)) => recorded.outputs.get(&reference.output),
            (_, None) => own.and_then(|own| own.resolved.get(reference)),
        };
        known.unwrap_or(&UNKNOWN)
    }

    /// The first dependency that a plan changes in a way that a reference feels.
    pub(crate) fn changed<'r>(
        &self,
        references: impl IntoIterator<Item = &'r OutputRef>,
        own: &Recorded,
    ) -> Option<&'r Address> {
        let felt = |it: &&OutputRef| own.resolved.get(it) != Some(self.resolve(it, Some(own)));
        references
            .into_iter()
            .find(felt)
            .map(|reference| &reference.address)
    }

    fn is_volatile(&self, reference: &OutputRef) -> bool {
        let schema = self.catalog.get(&reference.address.kind);
        let output = schema.and_then(|schema| schema.output(&reference.output));
        output.is_none_or(|output| output.volatile)
    }
}
