//! The token of an object: a digest of what is ours in it, and of its life.
//!
//! Covered is every field that we own by the server's own books, and every field of the manifest
//! at hand that we no longer own: somebody took it, or took it away. So a change of status, or of
//! what others set beside ours, leaves the token as it is, and a change of ours never does. The
//! values of a Secret are no part of it, since a digest of a short secret tells the secret; there
//! the owner of a field counts, and an edit always changes that.
//!
//! The token of the whole object is its resource version.

use matih_model::{Attributes, Digest, Value, Version};
use serde::Serialize;

use super::fields::{FieldSet, Part};
use super::live::Live;

/// What a token covers, by its path as text.
#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct Leaf<'a> {
    path: String,
    value: Option<&'a Value>,
}

/// The token of a live object; `manifest` is what we applied or want, where that is known.
pub(super) fn token(live: &Live, manifest: Option<&Attributes>) -> Version {
    let mut walk = Walk {
        leaves: Vec::new(),
        secret: live.is_secret(),
    };
    let ours = live.ours();
    for (part, set) in ours.into_iter().flat_map(FieldSet::parts) {
        walk.owned(set, part.find_in(&live.body), &mut part.to_string());
    }
    let all: Vec<&FieldSet> = live.managers.iter().map(|it| &it.fields).collect();
    for (key, shape) in manifest.into_iter().flat_map(Attributes::iter) {
        let part = Part::Field(key.clone());
        let live = live.body.get(key);
        match &**key {
            // These are the object's name, and the server keeps no books about them.
            "apiVersion" | "kind" => {}
            "metadata" => walk.metadata(shape, &part, ours, &all, live),
            _ => walk.step(shape, &part, ours, &all, live, &mut String::new()),
        }
    }
    walk.leaves.sort();
    walk.leaves.dedup();
    let digest = Digest::of("matih kubernetes version v1", &(live.uid(), walk.leaves));
    Version::new(digest.to_string()).with_whole(live.resource_version())
}

static TAKEN: Value = Value::Bool(false);
static KEPT: Value = Value::Bool(true);

struct Walk<'a> {
    leaves: Vec<Leaf<'a>>,
    secret: bool,
}

impl<'a> Walk<'a> {
    fn leaf(&mut self, path: &str, value: Option<&'a Value>, ours: bool) {
        let hidden = self.secret && (path.starts_with(".data") || path.starts_with(".stringData"));
        let value = match value {
            Some(_) if hidden && ours => Some(&KEPT),
            Some(_) if hidden => Some(&TAKEN),
            value => value,
        };
        let path = path.to_owned();
        self.leaves.push(Leaf { path, value });
    }

    /// What we own.
    fn owned(&mut self, set: &FieldSet, live: Option<&'a Value>, path: &mut String) {
        if set.is_whole() {
            self.leaf(path, live, true);
            return;
        }
        for (part, inside) in set.parts() {
            let length = path.len();
            path.push_str(&part.to_string());
            self.owned(inside, live.and_then(|live| part.find(live)), path);
            path.truncate(length);
        }
    }

    fn metadata(
        &mut self,
        shape: &Value,
        part: &Part,
        ours: Option<&FieldSet>,
        all: &[&FieldSet],
        live: Option<&'a Value>,
    ) {
        let ours = ours.and_then(|set| set.inside(part));
        let all = inside(all, part);
        for (key, shape) in shape.as_map().into_iter().flat_map(Attributes::iter) {
            if !matches!(&**key, "name" | "namespace") {
                let inner = Part::Field(key.clone());
                let live = live.and_then(|live| inner.find(live));
                self.step(shape, &inner, ours, &all, live, &mut part.to_string());
            }
        }
    }

    /// What the manifest sets at one part, as far as we do not own it. The sets are those around
    /// the part, `live` is what stands there.
    fn step(
        &mut self,
        shape: &Value,
        part: &Part,
        ours: Option<&FieldSet>,
        all: &[&FieldSet],
        live: Option<&'a Value>,
        path: &mut String,
    ) {
        let ours = ours.and_then(|set| set.inside(part));
        if ours.is_some_and(FieldSet::is_whole) {
            return;
        }
        let all = inside(all, part);
        let length = path.len();
        path.push_str(&part.to_string());
        match shape {
            Value::Map(map) if !map.is_empty() => {
                for (key, shape) in map.iter() {
                    let part = Part::Field(key.clone());
                    let live = live.and_then(|live| part.find(live));
                    self.step(shape, &part, ours, &all, live, path);
                }
            }
            Value::List(items) if !items.is_empty() && is_keyed(&all) => {
                for item in items {
                    if let Some(part) = part_of(item, &all) {
                        let live = live.and_then(|live| part.find(live));
                        self.step(item, &part, ours, &all, live, path);
                    } else {
                        // Nobody owns it, so it is not there.
                        let part = Part::Item(item.clone());
                        self.leaf(&format!("{path}{part}"), None, false);
                    }
                }
            }
            _ if ours.is_some() => {}
            Value::Null => {}
            Value::Map(map) if map.is_empty() && live.is_none() => {}
            Value::List(items) if items.is_empty() && live.is_none() => {}
            _ => self.leaf(path, live, false),
        }
        path.truncate(length);
    }
}

/// The sets inside of a part, of those that have it.
pub(super) fn inside<'s>(all: &[&'s FieldSet], part: &Part) -> Vec<&'s FieldSet> {
    all.iter().filter_map(|set| set.inside(part)).collect()
}

/// Whether the server tells the items of a list apart.
pub(super) fn is_keyed(all: &[&FieldSet]) -> bool {
    all.iter().any(|set| {
        let mut parts = set.parts();
        parts.any(|(part, _)| matches!(part, Part::Key(_) | Part::Item(_)))
    })
}

/// The part that stands for a wanted item.
pub(super) fn part_of(item: &Value, all: &[&FieldSet]) -> Option<Part> {
    let mut parts = all.iter().flat_map(|set| set.parts());
    let found = parts.find(|(part, _)| part.may_be(item));
    found.map(|(part, _)| part.clone())
}
