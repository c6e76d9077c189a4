//! What is really wanted of a resource that is there: the spec's word, except where the spec said
//! that differences are nobody's business, and where a secret could not be read.
//!
//! Such a place keeps what is there. Otherwise an update for another reason would set it after
//! all, and the record would claim a value that was never applied.

use std::sync::Arc;

use matih_model::{Attributes, Resource, SecretUse, Value};

use crate::attributes::{Comparison, same_secret};
use crate::trail::Trail;

/// The resource to apply and to record, in place of `desired`.
pub(crate) fn merged(desired: &Arc<Resource>, comparison: &Comparison<'_>) -> Arc<Resource> {
    let unread = |secret: &&SecretUse| secret.digest.is_none();
    if comparison.ignore.is_empty() && !desired.attributes.secrets().iter().any(unread) {
        return Arc::clone(desired);
    }
    let was = &comparison.recorded.resource.attributes;
    let attributes = map(
        comparison,
        None,
        &desired.attributes,
        Some(was),
        comparison.observed,
    );
    Arc::new(Resource {
        attributes,
        ..Resource::clone(desired)
    })
}

fn map(
    comparison: &Comparison<'_>,
    trail: Option<&Trail<'_>>,
    wanted: &Attributes,
    was: Option<&Attributes>,
    observed: Option<&Attributes>,
) -> Attributes {
    let more = was.into_iter().flat_map(Attributes::iter);
    let more = more
        .filter(|(key, _)| wanted.get(key).is_none())
        .map(|(key, _)| (key, None));
    let all = wanted
        .iter()
        .map(|(key, value)| (key, Some(value)))
        .chain(more);
    let merged = all.filter_map(|(key, wanted)| {
        let trail = Trail::key(trail, key);
        let was = was.and_then(|was| was.get(key));
        let observed = observed.and_then(|observed| observed.get(key));
        Some((
            key.clone(),
            value(comparison, &trail, wanted, was, observed)?,
        ))
    });
    merged.collect()
}

fn value(
    comparison: &Comparison<'_>,
    trail: &Trail<'_>,
    wanted: Option<&Value>,
    was: Option<&Value>,
    observed: Option<&Value>,
) -> Option<Value> {
    let path = trail.path();
    if comparison
        .ignore
        .iter()
        .any(|ignored| ignored.covers(&path))
    {
        let applied = was.map(|was| was.map_refs(&mut |it| comparison.applied(it).clone()));
        return observed.cloned().or(applied);
    }
    match (wanted?, was) {
        (Value::Map(wanted), was) => {
            let (was, observed) = (
                was.and_then(Value::as_map),
                observed.and_then(Value::as_map),
            );
            Some(Value::Map(map(
                comparison,
                Some(trail),
                wanted,
                was,
                observed,
            )))
        }
        (Value::List(wanted), was) => {
            let same_length = |list: &&[Value]| list.len() == wanted.len();
            let was = was.and_then(Value::as_list).filter(same_length);
            let observed = observed.and_then(Value::as_list).filter(same_length);
            let items = wanted.iter().enumerate().filter_map(|(at, wanted)| {
                let was = was.and_then(|was| was.get(at));
                let observed = observed.and_then(|observed| observed.get(at));
                value(
                    comparison,
                    &Trail::item(trail, at),
                    Some(wanted),
                    was,
                    observed,
                )
            });
            Some(Value::List(items.collect()))
        }
        (Value::Secret(wanted), Some(Value::Secret(was))) if same_secret(wanted, was) => {
            Some(Value::Secret(was.clone()))
        }
        (wanted, _) => Some(wanted.clone()),
    }
}
