//! Asking what would come of a plan: every create and update, by provider, side by side.
//!
//! Promises what [`matih_model::rehearsal`] promises: nothing is changed, and what could not be
//! asked is told so. What a reference stands for is looked up where the plan leaves it as it is;
//! the others stay references. A provider that answers nothing is asked nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use matih_model::{
    Action, Address, Answer, AttributePath, Attributes, Catalog, ChangeKind, Edit, Op, OutputRef,
    OwnerMark, Plan, Provider, ProviderError, Registry, Rehearsal, Rehearse, RemoteId, RunId,
    Snapshot, Text, Value,
};

use crate::job::generation;
use crate::observe::within;

/// What would come of the actions of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rehearsed(
    /// By address; what nobody could be asked about is not among them.
    pub BTreeMap<Address, Rehearsal>,
);

impl Rehearsed {
    /// What cannot be altered in place, where it is and in whose words.
    pub fn unalterable(&self) -> impl Iterator<Item = (&Address, (Vec<AttributePath>, Text))> {
        self.0.iter().filter_map(|(address, it)| match &it.answer {
            Answer::Immutable { paths, told } => Some((address, (paths.clone(), told.clone()))),
            _ => None,
        })
    }

    /// What would be refused whatever comes first: it does not fit, or nothing that it waits for is
    /// changed by the plan. What waits for a change may be cured by it, and is none of these.
    pub fn refusals(&self, plan: &Plan) -> Vec<(&Address, &ProviderError)> {
        let all = self.0.iter();
        let refused = all.filter_map(|(address, it)| match &it.answer {
            Answer::Misfit(error) => Some((address, error)),
            Answer::Refused(error) if !waits_for_change(plan, address) => Some((address, error)),
            _ => None,
        });
        refused.collect()
    }
}

/// Whether another object is changed before this one, as far as this one waits for it.
fn waits_for_change(plan: &Plan, address: &Address) -> bool {
    let own = plan.actions().iter().filter(|it| it.address() == address);
    let mut open: Vec<&Action> = own.collect();
    let mut seen = BTreeSet::new();
    while let Some(action) = open.pop() {
        if !seen.insert(action.index) {
            continue;
        }
        let is_change = !matches!(action.op, Op::Check { .. });
        if is_change && action.address() != address {
            return true;
        }
        let before = action.waits_for.iter();
        open.extend(before.filter_map(|index| plan.action(*index)));
    }
    false
}

/// One question, with all that it is about.
struct Question<'a> {
    action: &'a Action,
    kind: ChangeKind,
    owner: OwnerMark,
    attributes: Attributes,
    before: Option<Attributes>,
    remote_id: Option<&'a RemoteId>,
}

impl Question<'_> {
    fn request(&self) -> Rehearse<'_> {
        Rehearse {
            owner: &self.owner,
            kind: self.kind,
            attributes: &self.attributes,
            before: self.before.as_ref(),
            remote_id: self.remote_id,
        }
    }
}

/// Asks about every create and update of a plan made from `base`.
///
/// `timeout` is the time that one provider may take for all of its answers.
pub async fn rehearse(
    registry: &Registry,
    plan: &Plan,
    base: Option<&Snapshot>,
    installation: &str,
    timeout: Duration,
) -> Rehearsed {
    let outputs = Outputs::of(plan, base, registry.catalog());
    let mut groups: Vec<(&dyn Provider, Vec<Question<'_>>)> = Vec::new();
    for action in plan.actions() {
        let Some(provider) = registry.provider(&action.address().kind) else {
            continue;
        };
        let Some(question) = question(plan, action, &outputs, installation) else {
            continue;
        };
        let name = provider.name();
        match groups.iter_mut().find(|(it, _)| it.name() == name) {
            Some((_, questions)) => questions.push(question),
            None => groups.push((provider.as_ref(), vec![question])),
        }
    }
    let answers = groups.iter().map(|(provider, questions)| async move {
        let answers = ask(*provider, questions, timeout).await;
        let addresses = questions.iter().map(|it| it.action.address().clone());
        addresses.zip(answers)
    });
    let answers = join_all(answers).await.into_iter().flatten();
    Rehearsed(
        answers
            .filter(|(_, it)| it.answer != Answer::Silent)
            .collect(),
    )
}

/// As many answers as questions, whatever happens.
async fn ask(
    provider: &dyn Provider,
    questions: &[Question<'_>],
    timeout: Duration,
) -> Vec<Rehearsal> {
    let requests: Vec<_> = questions.iter().map(Question::request).collect();
    let not_yet = |why: String| vec![Answer::not_yet(why).into(); requests.len()];
    match within(timeout, provider.rehearse(&requests)).await {
        Ok(answers) if answers.len() == requests.len() => answers,
        Ok(answers) => not_yet(format!(
            "provider `{}` gave {} answers to {} questions",
            provider.name(),
            answers.len(),
            requests.len()
        )),
        Err(error) => not_yet(error.message),
    }
}

/// The question of an action; none for a check or a delete.
fn question<'a>(
    plan: &Plan,
    action: &'a Action,
    outputs: &Outputs<'_>,
    installation: &str,
) -> Option<Question<'a>> {
    let address = action.address();
    let (kind, before, remote_id) = match &action.op {
        Op::Create { .. } => {
            let goes = |it: &&Action| matches!(it.op, Op::Delete { .. });
            let mut deletes = plan.actions().iter().filter(goes);
            match deletes.any(|it| it.address() == address) {
                true => (ChangeKind::Replace, None, None),
                false => (ChangeKind::Create, None, None),
            }
        }
        Op::Update { recorded, .. } => {
            let before = Some(recorded.applied());
            (ChangeKind::Update, before, Some(&recorded.remote_id))
        }
        Op::Delete { .. } | Op::Check { .. } => return None,
    };
    let resource = action.op.resource();
    Some(Question {
        action,
        kind,
        owner: OwnerMark {
            installation: installation.to_owned(),
            address: address.clone(),
            generation: generation(&action.op),
            // No run makes it; an object keeps the run that made it.
            run: RunId::new("rehearsal"),
        },
        attributes: resource.attributes.map_refs(&mut |it| outputs.value(it)),
        before,
        remote_id,
    })
}

/// What is known of outputs before the plan is carried out.
struct Outputs<'a> {
    plan: &'a Plan,
    catalog: &'a Catalog,
    known: BTreeMap<&'a Address, &'a Attributes>,
}

impl<'a> Outputs<'a> {
    fn of(plan: &'a Plan, base: Option<&'a Snapshot>, catalog: &'a Catalog) -> Self {
        let recorded = base.into_iter().flat_map(Snapshot::resources);
        let mut known: BTreeMap<&Address, &Attributes> = recorded
            .map(|(address, it)| (address, &it.outputs))
            .collect();
        for edit in plan.edits() {
            match edit {
                Edit::Move { from, to } => {
                    if let Some(outputs) = known.remove(from) {
                        known.insert(to, outputs);
                    }
                }
                Edit::Refresh {
                    address, outputs, ..
                } => drop(known.insert(address, outputs)),
                Edit::Rewrite { .. } | Edit::Forget { .. } => {}
            }
        }
        Self {
            plan,
            catalog,
            known,
        }
    }

    /// The value of a reference, or the reference where the plan decides about it.
    fn value(&self, reference: &OutputRef) -> Value {
        let address = &reference.address;
        let mut acts = self
            .plan
            .actions()
            .iter()
            .filter(|it| it.address() == address);
        let is_volatile = || {
            let schema = self.catalog.get(&address.kind);
            let output = schema.and_then(|schema| schema.output(&reference.output));
            output.is_none_or(|output| output.volatile)
        };
        let changes = acts.any(|it| match it.op {
            Op::Create { .. } | Op::Delete { .. } => true,
            Op::Update { .. } => is_volatile(),
            Op::Check { .. } => false,
        });
        let known = self.known.get(address).filter(|_| !changes);
        let known = known.and_then(|outputs| outputs.get(&reference.output));
        known
            .cloned()
            .unwrap_or_else(|| Value::Ref(reference.clone()))
    }
}
