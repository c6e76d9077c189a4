//! Who is linked to whom, before anything is known of what happens to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use matih_model::{Address, Recorded, Resource, ResourceGraph};

/// Who is linked to whom among some resources; links that lead out of them are left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links<'a>(BTreeMap<&'a Address, Vec<&'a Address>>);

impl<'a> Links<'a> {
    fn new(resources: impl Iterator<Item = (&'a Address, &'a Resource)>) -> Self {
        let all: BTreeMap<_, _> = resources.collect();
        let within = |resource: &'a Resource| {
            let dependencies = resource.dependencies().into_iter();
            dependencies.filter(|it| all.contains_key(it)).collect()
        };
        Self(
            all.iter()
                .map(|(address, it)| (*address, within(it)))
                .collect(),
        )
    }

    /// Each desired resource and what it depends on.
    pub(crate) fn of_desired(graph: &'a ResourceGraph) -> Self {
        Self::new(
            graph
                .resources()
                .iter()
                .map(|(address, it)| (address, &**it)),
        )
    }

    /// Each recorded resource and what it depended on.
    pub(crate) fn of_recorded(records: &'a BTreeMap<Address, Arc<Recorded>>) -> Self {
        Self::new(records.iter().map(|(address, it)| (address, &it.resource)))
    }

    /// The same links from the other end.
    pub(crate) fn reversed(&self) -> Self {
        let mut reversed: BTreeMap<_, Vec<_>> = self.0.keys().map(|it| (*it, vec![])).collect();
        for (from, to) in self.pairs() {
            reversed.entry(to).or_default().push(from);
        }
        Self(reversed)
    }

    /// What one resource is linked to.
    pub(crate) fn of(&self, address: &Address) -> &[&'a Address] {
        self.0.get(address).map_or(&[], Vec::as_slice)
    }

    /// The same links with each of `late` behind what leads to it instead of before it. Gates stay
    /// behind, and all that leads to a gate. `None` where that would lead in a circle.
    pub(super) fn turned(
        &self,
        late: &BTreeSet<&Address>,
        gates: &BTreeSet<&Address>,
    ) -> Option<Self> {
        let dependents = self.reversed();
        let mut turned = self.clone();
        for late in self.addresses().filter(|it| late.contains(it)) {
            let above = dependents.all_from([late]);
            let (gates, others): (BTreeSet<_>, BTreeSet<_>) =
                above.into_iter().partition(|it| gates.contains(it));
            let behind = dependents.all_from(gates.iter().copied());
            let before = turned.of(late).to_vec();
            for gate in gates {
                turned.0.entry(gate).or_default().push(late);
            }
            for other in others.difference(&behind) {
                let links = turned.0.entry(other).or_default();
                if links.contains(&late) {
                    links.retain(|it| *it != late);
                    links.extend(&before);
                }
                turned.0.entry(late).or_default().push(other);
            }
        }
        turned.is_sound().then_some(turned)
    }

    /// All that links lead to from these, however far.
    fn all_from(&self, starts: impl IntoIterator<Item = &'a Address>) -> BTreeSet<&'a Address> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&Address> = starts.into_iter().collect();
        while let Some(next) = open.pop() {
            open.extend(self.of(next).iter().filter(|it| found.insert(**it)));
        }
        found
    }

    /// All resources.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &'a Address> {
        self.0.keys().copied()
    }

    /// Each link, from and to.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'a Address, &'a Address)> {
        self.0
            .iter()
            .flat_map(|(from, to)| to.iter().map(|to| (*from, *to)))
    }

    /// The nearest nodes from `address` on: over resources that have no node, not over others.
    pub(super) fn nearest<N: Copy + Ord>(
        &self,
        address: &Address,
        nodes: &BTreeMap<&Address, N>,
    ) -> BTreeSet<N> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::from([address]);
        let mut open: Vec<&Address> = self.of(address).to_vec();
        while let Some(next) = open.pop() {
            if !seen.insert(next) {
                continue;
            }
            match nodes.get(next) {
                Some(node) => _ = found.insert(*node),
                None => open.extend(self.of(next)),
            }
        }
        found
    }
}
