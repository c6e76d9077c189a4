//! Where a comparison stands inside of a tree of attributes, and what patterns mean there.

use matih_model::{AttributePath, Text, Value};

/// A path from the leaf up, on the stack: it becomes an [`AttributePath`] only where one is needed.
#[derive(Clone, Copy)]
pub(crate) struct Trail<'t> {
    parent: Option<&'t Trail<'t>>,
    part: Part<'t>,
}

#[derive(Clone, Copy)]
enum Part<'t> {
    Key(&'t str),
    Index(usize),
}

impl<'t> Trail<'t> {
    pub(crate) fn key(parent: Option<&'t Self>, key: &'t str) -> Self {
        Self {
            parent,
            part: Part::Key(key),
        }
    }

    pub(crate) fn item(parent: &'t Self, index: usize) -> Self {
        Self {
            parent: Some(parent),
            part: Part::Index(index),
        }
    }

    pub(crate) fn path(&self) -> AttributePath {
        let above = self.parent.map_or_else(AttributePath::root, Self::path);
        match self.part {
            Part::Key(key) => above.join(key),
            Part::Index(index) => above.join(index.to_string()),
        }
    }
}

/// The parts of the value at `path` that a pattern stands for: all of it, or what it leads to
/// inside of it, or nothing.
pub(crate) fn within<'v>(
    pattern: &AttributePath,
    path: &AttributePath,
    value: &'v Option<Value>,
) -> Vec<&'v Value> {
    let Some(value) = value else {
        return Vec::new();
    };
    let mut pairs = pattern.parts().iter().zip(path.parts());
    if !pairs.all(|(mine, part)| &**mine == "*" || mine == part) {
        return Vec::new();
    }
    found(
        value,
        pattern
            .parts()
            .get(path.parts().len()..)
            .unwrap_or_default(),
    )
}

/// All values that a pattern leads to inside of a value.
fn found<'v>(value: &'v Value, pattern: &[Text]) -> Vec<&'v Value> {
    let Some((first, rest)) = pattern.split_first() else {
        return vec![value];
    };
    let any = &**first == "*";
    let next: Vec<&Value> = match value {
        Value::Map(map) if any => map.values().collect(),
        Value::Map(map) => map.get(first).into_iter().collect(),
        Value::List(list) if any => list.iter().collect(),
        Value::List(list) => first
            .parse::<usize>()
            .ok()
            .and_then(|at| list.get(at))
            .into_iter()
            .collect(),
        // Whatever it will turn out to be may differ there.
        Value::Unknown => vec![value],
        _ => vec![],
    };
    next.into_iter()
        .flat_map(|value| found(value, rest))
        .collect()
}
