//! What becomes of one resource that is there and stays: nothing, an update or a replacement.

use std::sync::Arc;

use matih_model::{Address, AttributeChange, OutputRef, Reason, Recorded, Resource};

use crate::attributes::{Comparison, compare};
use crate::drift::blame;
use crate::error::PlannerError;
use crate::input::PlanInput;
use crate::merge::merged;
use crate::resolve::Outlook;

/// The answer; an update comes with what is really wanted.
pub(crate) enum Judgement {
    /// Nothing differs at all.
    Same,
    /// Nothing has to be done; with the resource to record where the record would say otherwise.
    Keep(Option<Arc<Resource>>),
    Update(Arc<Resource>, Reason, Vec<AttributeChange>),
    Replace(Reason, Vec<AttributeChange>),
}

/// What a judgement looks at beside the resource: all that it refers to is settled in `outlook`.
pub(crate) struct Judge<'a> {
    pub(crate) input: &'a PlanInput<'a>,
    pub(crate) outlook: &'a Outlook<'a>,
}

impl Judge<'_> {
    /// The quick answer for most resources of most plans: nobody has changed anything, neither in
    /// the spec nor in what it refers to, and there is no reading that would tell otherwise.
    fn is_as_recorded(&self, resource: &Resource, recorded: &Recorded) -> bool {
        let address = &resource.address;
        let stands = |reference: &&OutputRef| {
            let value = self.outlook.resolve(reference, Some(recorded));
            !value.has_unknown() && recorded.resolved.get(reference) == Some(value)
        };
        !recorded.unsettled
            && *resource == recorded.resource
            && self.outlook.observed(address).is_none()
            && !self.input.options.replace.contains(address)
            && resource.attributes.refs().iter().all(stands)
    }

    /// Compares one resource.
    pub(crate) fn judge(
        &self,
        resource: &Arc<Resource>,
        recorded: &Recorded,
    ) -> Result<Judgement, PlannerError> {
        if self.is_as_recorded(resource, recorded) {
            return Ok(Judgement::Same);
        }
        let address = &resource.address;
        let schema = self.input.catalog.get(&address.kind);
        let mut comparison = Comparison {
            schema: schema.ok_or_else(|| PlannerError::UnknownKind(address.clone()))?,
            desired: &resource.attributes,
            resolve: &|reference| self.outlook.resolve(reference, Some(recorded)),
            recorded,
            observed: self.outlook.observed(address).map(|it| &it.attributes),
            ignore: &resource.lifecycle.ignore_changes,
        };
        let mut attributes = compare(&comparison);
        if let Some(observed) = self.outlook.observed(address) {
            blame(&mut attributes, observed);
        }
        let forcing = attributes.iter().filter(|change| change.forces_replacement);
        let forcing: Vec<_> = forcing.map(|change| change.path.clone()).collect();
        Ok(if self.input.options.replace.contains(address) {
            Judgement::Replace(Reason::Requested, attributes)
        } else if !forcing.is_empty() {
            Judgement::Replace(Reason::ImmutableChanged(forcing), attributes)
        } else if recorded.unsettled || !attributes.is_empty() || self.is_unmarked(address) {
            if let Some((paths, told)) = self.input.options.unalterable.get(address) {
                let (paths, told) = (paths.clone(), told.clone());
                let reason = Reason::Unalterable { paths, told };
                return Ok(Judgement::Replace(reason, attributes));
            }
            let wanted = merged(resource, &comparison);
            let reason = self.why(resource, recorded, !attributes.is_empty());
            Judgement::Update(wanted, reason, attributes)
        } else {
            // Where it is as wanted and the record alone would say otherwise, the record is behind.
            let seen = comparison.observed.take().is_some();
            let behind = seen && !compare(&comparison).is_empty();
            let wanted = merged(resource, &comparison);
            let told = |it: &Arc<Resource>| behind || !self.same(it, &recorded.resource);
            Judgement::Keep(Some(wanted).filter(told))
        })
    }

    /// Whether it was read and bears no mark.
    fn is_unmarked(&self, address: &Address) -> bool {
        let observed = self.outlook.observed(address);
        observed.is_some_and(|it| it.owner.is_none())
    }

    /// Whether a record would say the same. What it says of checks counts for nothing: snapshots
    /// hold none, so a rollback could not desire it again.
    fn same(&self, wanted: &Resource, recorded: &Resource) -> bool {
        let depends_on = |resource: &'_ Resource| -> Vec<Address> {
            let things = resource.depends_on.iter();
            let things = things.filter(|it| !self.input.catalog.is_check(&it.kind));
            things.cloned().collect()
        };
        let Resource {
            address,
            phase,
            steps,
            depends_on: _,
            attributes,
            lifecycle,
            retry,
        } = wanted;
        wanted == recorded
            || (*address == recorded.address
                && *phase == recorded.phase
                && *steps == recorded.steps
                && depends_on(wanted) == depends_on(recorded)
                && *attributes == recorded.attributes
                && *lifecycle == recorded.lifecycle
                && *retry == recorded.retry)
    }

    /// Why a resource is updated, for people; `drifted` is whether anything differs.
    fn why(&self, resource: &Resource, recorded: &Recorded, drifted: bool) -> Reason {
        if recorded.unsettled {
            Reason::Unsettled
        } else if resource.attributes != recorded.resource.attributes {
            Reason::SpecChanged
        } else {
            let changed = self.outlook.changed(resource.attributes.refs(), recorded);
            match changed {
                Some(it) => Reason::DependencyChanged(it.clone()),
                None if drifted => Reason::Drifted,
                None => Reason::Unmarked,
            }
        }
    }
}
