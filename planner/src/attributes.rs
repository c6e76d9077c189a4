//! Compares the attributes of one resource: what is wanted with what is there.
//!
//! What is there is what was applied, overlaid by what was read at the paths that are ours: those
//! that are set now or were set when it was applied. What a server filled in elsewhere is never a
//! difference. Nothing is copied until a difference is found.

use matih_model::value::Attributes;
use matih_model::{
    AttributeChange, AttributePath, KindSchema, OutputRef, Recorded, SecretUse, Value,
};

use crate::resolve::UNKNOWN;
use crate::trail::{Trail, within};

/// What goes into one comparison.
pub(crate) struct Comparison<'a> {
    /// The kind's schema.
    pub(crate) schema: &'a KindSchema,
    /// What is wanted, references unresolved.
    pub(crate) desired: &'a Attributes,
    /// What a reference in `desired` stands for.
    pub(crate) resolve: &'a dyn Fn(&OutputRef) -> &'a Value,
    /// What was applied.
    pub(crate) recorded: &'a Recorded,
    /// What was read, if the object was.
    pub(crate) observed: Option<&'a Attributes>,
    /// Paths that never differ.
    pub(crate) ignore: &'a [AttributePath],
}

/// What was read at one path.
#[derive(Clone, Copy)]
pub(crate) enum Seen<'a> {
    /// The object was not read: what was applied counts.
    Unread,
    /// It was read, and there is nothing.
    Absent,
    /// It was read, and this is there.
    There(&'a Value),
}

impl<'a> Seen<'a> {
    fn key(self, key: &str) -> Self {
        self.inside(|value| value.as_map()?.get(key))
    }

    fn item(self, index: usize) -> Self {
        self.inside(|value| value.as_list()?.get(index))
    }

    fn inside(self, find: impl Fn(&'a Value) -> Option<&'a Value>) -> Self {
        match self {
            Self::There(value) => find(value).map_or(Self::Absent, Self::There),
            other => other,
        }
    }
}

/// All differences, in the order of their paths.
pub(crate) fn compare(comparison: &Comparison<'_>) -> Vec<AttributeChange> {
    let mut walk = Walk {
        of: comparison,
        changes: Vec::new(),
    };
    let applied = &comparison.recorded.resource.attributes;
    walk.maps(
        None,
        Some(comparison.desired),
        Some(applied),
        |key| match comparison.observed {
            None => Seen::Unread,
            Some(map) => map.get(key).map_or(Seen::Absent, Seen::There),
        },
    );
    walk.changes.sort_by(|a, b| a.path.cmp(&b.path));
    walk.changes
}

struct Walk<'c, 'a> {
    of: &'c Comparison<'a>,
    changes: Vec<AttributeChange>,
}

impl<'a> Walk<'_, 'a> {
    fn maps(
        &mut self,
        trail: Option<&Trail<'_>>,
        wanted: Option<&'a Attributes>,
        was: Option<&'a Attributes>,
        seen: impl Fn(&str) -> Seen<'a>,
    ) {
        let in_wanted = |key: &str| wanted.and_then(|wanted| wanted.get(key));
        for (key, value) in wanted.into_iter().flat_map(Attributes::iter) {
            let was = was.and_then(|was| was.get(key));
            self.value(&Trail::key(trail, key), Some(value), was, seen(key));
        }
        for (key, was) in was.into_iter().flat_map(Attributes::iter) {
            if in_wanted(key).is_none() {
                self.value(&Trail::key(trail, key), None, Some(was), seen(key));
            }
        }
    }

    fn value(
        &mut self,
        trail: &Trail<'_>,
        wanted: Option<&'a Value>,
        was: Option<&'a Value>,
        seen: Seen<'a>,
    ) {
        let (wanted, was) = (
            wanted.map(|it| self.of.wanted(it)),
            was.map(|it| self.of.was(it)),
        );
        let seen = match seen {
            // What a provider cannot see it tells back as it was asked, and it may be asked by a
            // reference.
            Seen::There(Value::Ref(reference)) => Seen::There(self.of.applied(reference)),
            seen => seen,
        };
        // What decides the shape of the other side: what was read, or else what was applied.
        let there = match seen {
            Seen::There(value) => Some(value),
            Seen::Absent | Seen::Unread => was,
        };
        match (wanted, there) {
            (Some(Value::Map(wanted)), Some(Value::Map(_))) => {
                let was = was.and_then(Value::as_map);
                self.maps(Some(trail), Some(wanted), was, |key| seen.key(key));
            }
            // What is no longer set goes key by key: others may have set keys beside ours.
            (None, Some(Value::Map(_))) if !matches!(seen, Seen::Unread) => {
                self.maps(Some(trail), None, was.and_then(Value::as_map), |key| {
                    seen.key(key)
                });
            }
            (Some(Value::List(items)), Some(Value::List(there))) if items.len() == there.len() => {
                if self.of.is_set_like(trail) {
                    if !self.same_set(trail, items, there, seen) {
                        self.leaf(trail, wanted, was, seen);
                    }
                } else if items.is_empty() && matches!(seen, Seen::Absent) {
                    // No item can tell that the list itself is gone.
                    self.leaf(trail, wanted, was, seen);
                } else {
                    self.items(trail, items, was, seen);
                }
            }
            _ => self.leaf(trail, wanted, was, seen),
        }
    }

    fn items(
        &mut self,
        trail: &Trail<'_>,
        wanted: &'a [Value],
        was: Option<&'a Value>,
        seen: Seen<'a>,
    ) {
        let was = was
            .and_then(Value::as_list)
            .filter(|was| was.len() == wanted.len());
        for (index, wanted) in wanted.iter().enumerate() {
            let was = was.and_then(|was| was.get(index));
            self.value(
                &Trail::item(trail, index),
                Some(wanted),
                was,
                seen.item(index),
            );
        }
    }

    /// Whether each wanted item finds an item of its own that does not differ from it.
    fn same_set(
        &mut self,
        trail: &Trail<'_>,
        wanted: &'a [Value],
        there: &'a [Value],
        seen: Seen<'a>,
    ) -> bool {
        if matches!(seen, Seen::Absent) {
            return wanted.is_empty();
        }
        let read = matches!(seen, Seen::There(_));
        let mut left: Vec<&'a Value> = there.iter().collect();
        wanted.iter().enumerate().all(|(index, item)| {
            let fits = left.iter().position(|&other| {
                let (was, seen) = if read {
                    (None, Seen::There(other))
                } else {
                    (Some(other), Seen::Unread)
                };
                let mut probe = Walk {
                    of: self.of,
                    changes: Vec::new(),
                };
                probe.value(&Trail::item(trail, index), Some(item), was, seen);
                probe.changes.is_empty()
            });
            fits.map(|at| left.swap_remove(at)).is_some()
        })
    }

    fn leaf(
        &mut self,
        trail: &Trail<'_>,
        wanted: Option<&'a Value>,
        was: Option<&'a Value>,
        seen: Seen<'a>,
    ) {
        let before = self.of.before(wanted, was, seen);
        let same = match (wanted, before) {
            (Some(wanted), Some(before)) => Comparison::same(wanted, before),
            (None, None) => true,
            // What we no longer set is the server's, where the server may fill it in.
            (None, Some(_)) => self.of.is_computed(&trail.path()),
            (Some(_), None) => false,
        };
        if same {
            return;
        }
        let path = trail.path();
        if self.of.ignore.iter().any(|ignored| ignored.covers(&path)) {
            return;
        }
        let before =
            before.map(|it| it.map_refs(&mut |reference| self.of.applied(reference).clone()));
        let after =
            wanted.map(|it| it.map_refs(&mut |reference| (self.of.resolve)(reference).clone()));
        let schemas = &self.of.schema.attributes;
        let differs = |pattern| within(pattern, &path, &before) != within(pattern, &path, &after);
        let holds = |pattern| {
            let mut sides = [&before, &after].into_iter();
            sides.any(|side| !within(pattern, &path, side).is_empty())
        };
        self.changes.push(AttributeChange {
            forces_replacement: schemas.iter().any(|it| it.immutable && differs(&it.path)),
            sensitive: schemas.iter().any(|it| it.sensitive && holds(&it.path))
                || [&before, &after].into_iter().flatten().any(holds_secret),
            path,
            before,
            after,
            cause: None,
        });
    }
}

impl<'a> Comparison<'a> {
    fn wanted(&self, value: &'a Value) -> &'a Value {
        match value {
            Value::Ref(reference) => (self.resolve)(reference),
            other => other,
        }
    }

    fn was(&self, value: &'a Value) -> &'a Value {
        match value {
            Value::Ref(reference) => self.applied(reference),
            other => other,
        }
    }

    /// What a reference stood for when it was applied.
    pub(crate) fn applied(&self, reference: &OutputRef) -> &'a Value {
        self.recorded.resolved.get(reference).unwrap_or(&UNKNOWN)
    }

    /// What counts as being there at a leaf. A provider cannot read secrets back, and does not
    /// tell apart nothing and an explicit nothing: there, what was applied counts.
    fn before(
        &self,
        wanted: Option<&Value>,
        was: Option<&'a Value>,
        seen: Seen<'a>,
    ) -> Option<&'a Value> {
        let secret = [wanted, was]
            .into_iter()
            .flatten()
            .any(|it| matches!(it, Value::Secret(_)));
        match seen {
            Seen::There(value) if !secret || matches!(value, Value::Secret(_)) => Some(value),
            Seen::Absent if !secret && was != Some(&Value::Null) => None,
            _ => was,
        }
    }

    fn is_computed(&self, path: &AttributePath) -> bool {
        let mut schemas = self.schema.attributes.iter();
        schemas.any(|it| it.computed && it.path.covers(path))
    }

    /// Whether two leaves are the same. Unknown is the same as nothing; lists and maps come here
    /// only when they differ.
    fn same(wanted: &Value, before: &Value) -> bool {
        match (wanted, before) {
            (Value::Unknown | Value::List(_) | Value::Map(_), _) => false,
            (Value::Secret(wanted), Value::Secret(before)) => same_secret(wanted, before),
            (wanted, before) => wanted == before,
        }
    }

    fn is_set_like(&self, trail: &Trail<'_>) -> bool {
        let mut schemas = self.schema.attributes.iter();
        schemas.any(|it| it.set_like) && self.schema.is_set_like(&trail.path())
    }
}

/// Whether a secret is the one that was applied. One that could not be read when the spec was
/// compiled has no digest, and nothing can be said against it.
pub(crate) fn same_secret(wanted: &SecretUse, before: &SecretUse) -> bool {
    wanted.reference == before.reference
        && (wanted.digest.is_none() || wanted.digest == before.digest)
}

/// Whether a value holds a secret, at any depth.
fn holds_secret(value: &Value) -> bool {
    let mut found = false;
    value.walk(&mut |it| found |= matches!(it, Value::Secret(_)));
    found
}
