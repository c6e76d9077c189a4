//! What is there, said in the words of what was asked for.
//!
//! The server answers in a normal form of its own: quantities in its spelling, items of lists in
//! its order, defaults beside what we set. Where it means what we asked for, our own words stand
//! in the projection, so that none of this ever counts as a difference; where it does not, what
//! stands there and whose hand it was. Items that others put into lists which the server merges
//! are left out: they are not ours to compare.

use std::collections::BTreeMap;

use matih_model::{AttributePath, Attributes, SecretUse, Text, Touch, Value};

use super::fields::{FieldSet, Part};
use super::live::{Live, Manager};
use super::quantity;
use super::token::{is_keyed, part_of};

/// A manifest as it is now, and the hands on what is ours.
pub(super) struct Projection {
    pub(super) manifest: Attributes,
    pub(super) touches: Vec<Touch>,
}

/// The live object over the manifest that was asked for.
pub(super) fn project(live: &Live, asked: &Attributes) -> Projection {
    let mut walk = Walk {
        group: live.group(),
        touches: Vec::new(),
    };
    let views: Vec<View<'_>> = live
        .managers
        .iter()
        .map(|by| View {
            by,
            set: &by.fields,
        })
        .collect();
    let mut path = vec![Text::from("manifest")];
    let manifest = walk.map(&mut path, asked, &live.body, &views);
    walk.touches.sort();
    walk.touches.dedup();
    Projection {
        manifest,
        touches: walk.touches,
    }
}

/// What somebody owns at one place.
#[derive(Clone, Copy)]
struct View<'a> {
    by: &'a Manager,
    set: &'a FieldSet,
}

struct Walk<'a> {
    group: &'a str,
    touches: Vec<Touch>,
}

fn inside<'a>(views: &[View<'a>], part: &Part) -> Vec<View<'a>> {
    let step = |view: &View<'a>| {
        let set = view.set.inside(part)?;
        Some(View { by: view.by, set })
    };
    views.iter().filter_map(step).collect()
}

impl Walk<'_> {
    fn map(
        &mut self,
        path: &mut Vec<Text>,
        asked: &Attributes,
        live: &Attributes,
        views: &[View<'_>],
    ) -> Attributes {
        let mut seen = Attributes::new();
        for (key, value) in live.iter() {
            let shown = match asked.get(key) {
                None => value.clone(),
                Some(asked) => {
                    let views = inside(views, &Part::Field(key.clone()));
                    path.push(key.clone());
                    let shown = self.value(path, asked, value, &views);
                    path.pop();
                    shown
                }
            };
            seen.insert(key, shown);
        }
        for (key, asked) in asked.iter().filter(|(key, _)| live.get(key).is_none()) {
            match asked {
                // An empty table or list and none at all are one to the server.
                Value::Map(map) if map.is_empty() => drop(seen.insert(key, asked.clone())),
                Value::List(items) if items.is_empty() => drop(seen.insert(key, asked.clone())),
                _ => {}
            }
        }
        seen
    }

    fn value(
        &mut self,
        path: &mut Vec<Text>,
        asked: &Value,
        live: &Value,
        views: &[View<'_>],
    ) -> Value {
        match (asked, live) {
            (Value::Map(asked), Value::Map(live)) => Value::Map(self.map(path, asked, live, views)),
            (Value::List(asked), Value::List(live)) => self.list(path, asked, live, views),
            // What it stood for is compared by who knows that.
            (Value::Ref(_) | Value::Unknown, live) => live.clone(),
            // It cannot be compared: who owns it now has set it.
            (Value::Secret(_), _) if views.iter().any(|view| view.by.is_ours()) => asked.clone(),
            (Value::Secret(secret), _) => {
                self.touch(path, views);
                let reference = secret.reference.clone();
                Value::Secret(SecretUse {
                    reference,
                    digest: None,
                })
            }
            (asked, live) if quantity::same(self.group, path, asked, live) => asked.clone(),
            (_, live) => {
                self.touch(path, views);
                live.clone()
            }
        }
    }

    fn list(
        &mut self,
        path: &mut Vec<Text>,
        asked: &[Value],
        live: &[Value],
        views: &[View<'_>],
    ) -> Value {
        let sets: Vec<&FieldSet> = views.iter().map(|view| view.set).collect();
        let keyed = is_keyed(&sets);
        if !keyed && asked.len() != live.len() {
            self.touch(path, views);
            return Value::List(live.to_vec());
        }
        let whole = Value::List(live.to_vec());
        let parts = asked.iter().enumerate().map(|(index, asked)| {
            let part = if keyed {
                part_of(asked, &sets)?
            } else {
                Part::Place(index)
            };
            let at = live.iter().position(|it| part.find(&whole) == Some(it))?;
            Some((at, part))
        });
        let parts: Vec<Option<(usize, Part)>> = parts.collect();
        let mut said: BTreeMap<usize, Value> = BTreeMap::new();
        let mut seen = Vec::new();
        for (index, (asked, found)) in asked.iter().zip(&parts).enumerate() {
            if let Some((at, part)) = found {
                let views = inside(views, part);
                path.push(index.to_string().into());
                let item = self.value(path, asked, &live[*at], &views);
                path.pop();
                said.insert(*at, item.clone());
                seen.push(item);
            }
        }
        if seen.len() == asked.len() {
            return Value::List(seen);
        }
        // Something of ours is not there: then all that is there may tell why.
        self.touch(path, views);
        let all = live.iter().enumerate();
        let all = all.map(|(at, item)| said.remove(&at).unwrap_or_else(|| item.clone()));
        Value::List(all.collect())
    }

    /// Notes whose hand is on a place that differs: the latest that is not ours.
    fn touch(&mut self, path: &[Text], views: &[View<'_>]) {
        let others = views.iter().filter(|view| !view.by.is_ours());
        let Some(last) = others.max_by(|a, b| a.by.when.cmp(&b.by.when)) else {
            return;
        };
        let root = AttributePath::root();
        self.touches.push(Touch {
            path: path.iter().fold(root, |path, part| path.join(part)),
            by: last.by.name.clone(),
            how: last.by.way(),
            when: last.by.when.clone(),
        });
    }
}
