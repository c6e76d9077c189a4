//! What a plan may act on: targets and phases with what must come before them, without excludes and what
//! would have to come after them.
//!
//! What must come before a resource depends on where it goes: one that is desired needs what it
//! depends on; one that is only recorded, and so is to be deleted, needs that what depended on it
//! goes first.

use std::collections::{BTreeMap, BTreeSet};

use matih_model::{Address, ResourceGraph};

use crate::error::PlannerError;
use crate::input::{AddressPattern, PlanInput};
use crate::moves::Records;
use crate::order::Links;

/// A set of addresses; `None` is all of them.
#[derive(Debug)]
pub(crate) struct Scope(Option<BTreeSet<Address>>);

impl Scope {
    pub(crate) fn new(
        input: &PlanInput<'_>,
        desired: &ResourceGraph,
        records: &Records<'_>,
    ) -> Result<Self, PlannerError> {
        let options = input.options;
        if let Some(address) = options
            .replace
            .iter()
            .find(|it| it.tenant == *input.tenant && desired.get(it).is_none())
        {
            return Err(PlannerError::ReplaceUndesired(address.clone()));
        }
        if !options.is_partial() {
            return Ok(Self(None));
        }
        let all: BTreeSet<&Address> = desired
            .resources()
            .keys()
            .chain(records.all().keys())
            .collect();
        let depends = Links::of_desired(desired);
        let recorded = Links::of_recorded(records.all());
        let dependents = recorded.reversed();
        let needs = |address: &Address| match desired.get(address) {
            Some(_) => depends.of(address),
            None => dependents.of(address),
        };
        // Each pattern has to fit something; what a phase has depends on the tenant.
        matching(input, &options.targets, &all)?;
        let phase = |address: &Address| match desired.get(address) {
            Some(resource) => Some(resource.phase),
            None => Some(records.all().get(address)?.resource.phase),
        };
        let asked = all.iter().copied();
        let asked = asked.filter(|it| phase(it).is_some_and(|phase| options.asks_for(it, phase)));
        let mut scope = closure(asked.collect(), needs);
        let mut needed_by: BTreeMap<&Address, Vec<&Address>> = BTreeMap::new();
        for address in &all {
            for need in needs(address) {
                needed_by.entry(need).or_default().push(address);
            }
        }
        let excluded = matching(input, &options.excludes, &all)?;
        for address in closure(excluded, |it| needed_by.get(it).map_or(&[], Vec::as_slice)) {
            scope.remove(address);
        }
        Ok(Self(Some(scope.into_iter().cloned().collect())))
    }

    /// Whether the plan may act on an address.
    pub(crate) fn has(&self, address: &Address) -> bool {
        self.0.as_ref().is_none_or(|scope| scope.contains(address))
    }

    /// The number of addresses, if not all are in.
    pub(crate) fn limit(&self) -> Option<usize> {
        self.0.as_ref().map(BTreeSet::len)
    }
}

/// The addresses that fit a pattern. A pattern for other tenants may fit none.
fn matching<'a>(
    input: &PlanInput<'_>,
    patterns: &[AddressPattern],
    all: &BTreeSet<&'a Address>,
) -> Result<BTreeSet<&'a Address>, PlannerError> {
    let mut found = BTreeSet::new();
    for pattern in patterns.iter().filter(|it| it.speaks_of(input.tenant)) {
        let mut hits = all
            .iter()
            .filter(|address| pattern.matches(address))
            .peekable();
        if hits.peek().is_none() {
            return Err(PlannerError::NoMatch(pattern.clone()));
        }
        found.extend(hits);
    }
    Ok(found)
}

/// `start` and all that `next` leads to from there.
fn closure<'a, 'b>(
    start: BTreeSet<&'a Address>,
    next: impl Fn(&Address) -> &'b [&'a Address],
) -> BTreeSet<&'a Address>
where
    'a: 'b,
{
    let mut found = BTreeSet::new();
    let mut open: Vec<&Address> = start.into_iter().collect();
    while let Some(address) = open.pop() {
        if found.insert(address) {
            open.extend(next(address));
        }
    }
    found
}
