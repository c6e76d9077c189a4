//! Somebody else in the same world: edits, deletes, takes marks off, and puts own things there.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use matih_model::{AttributePath, Attributes, Catalog, Resource, Value};
use matih_providers::simulated::{Sandbox, SandboxObject};

use crate::seed::Seed;

/// What the hand may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// Changes a value that is the tenant's.
    Edit,
    /// Adds a value that is nobody's.
    Beside,
    /// Takes a value away.
    Strip,
    /// Deletes an object.
    Delete,
    /// Takes the owner mark off an object.
    Disown,
    /// Makes an object of its own.
    Foreign,
    /// Makes an object where the tenant is about to make one.
    Squat,
}

impl Deed {
    /// All of them.
    pub const ALL: [Deed; 7] = [
        Deed::Edit,
        Deed::Beside,
        Deed::Strip,
        Deed::Delete,
        Deed::Disown,
        Deed::Foreign,
        Deed::Squat,
    ];
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = format!("{self:?}").to_lowercase();
        f.pad(&word)
    }
}

/// What the hand has done so far, as far as an oracle must know.
#[derive(Debug, Default)]
pub(super) struct Traces {
    /// How often it did something to a tenant's object.
    pub(super) touched: usize,
    /// Remote ids that it took away, those that went with a namespace included.
    pub(super) vanished: BTreeSet<String>,
    /// Remote ids of objects whose mark it took off.
    pub(super) disowned: BTreeSet<String>,
    /// Its own objects, as it made them.
    pub(super) own: Vec<SandboxObject>,
    /// Those of them that stand in the tenant's way.
    pub(super) squats: BTreeSet<String>,
}

/// The hand.
pub(super) struct Hand {
    pub(super) sandbox: Sandbox,
    pub(super) traces: Traces,
    catalog: Arc<Catalog>,
    seed: Seed,
    made: usize,
}

impl Hand {
    pub(super) fn new(sandbox: Sandbox, catalog: Arc<Catalog>, seed: Seed) -> Self {
        Self {
            sandbox,
            traces: Traces::default(),
            catalog,
            seed,
            made: 0,
        }
    }

    /// Does it to something that chance picks, and says to what; `None` where there is nothing
    /// to do it to. `wanted` is what the tenant should have.
    pub(super) fn act(&mut self, deed: Deed, wanted: &[Resource]) -> Option<String> {
        match deed {
            Deed::Foreign => return self.foreign(),
            Deed::Squat => return self.squat(wanted),
            _ => {}
        }
        let objects = self.sandbox.list(None).ok()?;
        let ours: Vec<_> = objects.iter().filter(|it| it.owner.is_some()).collect();
        let object = *ours.get(self.seed.below(ours.len()))?;
        let id = object.remote_id.as_str();
        let said = match deed {
            Deed::Edit => self.edit(object)?,
            Deed::Beside => {
                let path: AttributePath = "noticed_by".parse().ok()?;
                let value = Some(Value::from("somebody"));
                self.sandbox.edit(id, &path, value).ok()?;
                format!("{path}")
            }
            Deed::Strip => {
                let path = self.place(object)?;
                self.sandbox.edit(id, &path, None).ok()?;
                format!("{path}")
            }
            Deed::Disown => {
                self.sandbox.disown(id).ok()?;
                self.traces.disowned.insert(id.to_owned());
                String::new()
            }
            _ => {
                self.sandbox.remove(id).ok()?;
                let left = self.sandbox.list(None).ok()?;
                let left: BTreeSet<_> = left.iter().map(|it| &it.remote_id).collect();
                let gone = objects.iter().filter(|it| !left.contains(&it.remote_id));
                let gone = gone.map(|it| it.remote_id.to_string());
                self.traces.vanished.extend(gone);
                String::new()
            }
        };
        self.traces.touched += 1;
        Some(format!("{deed} {} {id} {said}", object.kind))
    }

    fn edit(&mut self, object: &SandboxObject) -> Option<String> {
        let path = self.place(object)?;
        let value = match path.find(&object.attributes)? {
            Value::Integer(number) => Value::Integer(number + 1000),
            Value::Bool(truth) => Value::Bool(!truth),
            _ => Value::from(format!("meddled-{}", self.seed.below(1000))),
        };
        let id = object.remote_id.as_str();
        self.sandbox.edit(id, &path, Some(value)).ok()?;
        Some(path.to_string())
    }

    /// A leaf of an object that chance picks.
    fn place(&mut self, object: &SandboxObject) -> Option<AttributePath> {
        let mut leaves = Vec::new();
        leaves_of(&object.attributes, &AttributePath::root(), &mut leaves);
        // No server lets anybody change what cannot be changed, or what it alone says.
        let schema = self.catalog.get(&object.kind)?;
        let said_by_server = |path: &AttributePath| {
            let mut attributes = schema.attributes.iter();
            attributes.any(|it| it.computed && it.path.covers(path))
        };
        leaves.retain(|path| !schema.is_immutable(path) && !said_by_server(path));
        leaves.get(self.seed.below(leaves.len())).cloned()
    }

    fn foreign(&mut self) -> Option<String> {
        self.made += 1;
        let mut attributes = Attributes::new();
        attributes.insert("server", "elsewhere");
        attributes.insert("name", format!("foreign-{}", self.made));
        let kind = matih_model::Kind::new("postgres.database").ok()?;
        let object = self.sandbox.add(&kind, attributes).ok()?;
        let said = format!("foreign {} {}", object.kind, object.remote_id);
        self.traces.own.push(object);
        Some(said)
    }

    /// Takes the name of something that the tenant has not made yet.
    fn squat(&mut self, wanted: &[Resource]) -> Option<String> {
        let plain = |it: &&Resource| it.attributes.refs().is_empty();
        let wanted: Vec<_> = wanted.iter().filter(plain).collect();
        let resource = *wanted.get(self.seed.below(wanted.len()))?;
        let kind = &resource.address.kind;
        let object = self.sandbox.add(kind, resource.attributes.clone()).ok()?;
        let said = format!("squat {} {}", object.kind, object.remote_id);
        self.traces.squats.insert(object.remote_id.to_string());
        self.traces.own.push(object);
        Some(said)
    }

    /// Takes away what stands in the tenant's way, the one thing that needs a person: what was
    /// put there, and what nobody can tell to be the tenant's any more, since its mark was taken
    /// off before it was recorded.
    pub(super) fn make_way(&mut self, recorded: &BTreeSet<String>) {
        let disowned = self.traces.disowned.iter();
        let orphans = disowned.filter(|id| !recorded.contains(*id)).cloned();
        let orphans: Vec<String> = orphans.collect();
        let objects = self.sandbox.list(None).unwrap_or_default();
        for id in std::mem::take(&mut self.traces.squats)
            .into_iter()
            .chain(orphans)
        {
            let nobodys = |it: &&SandboxObject| it.owner.is_none() && it.remote_id.as_str() == id;
            for object in objects.iter().filter(nobodys) {
                // It may have gone with its namespace. Two kinds may have a name in common.
                if self
                    .sandbox
                    .remove(&format!("{}/{id}", object.kind))
                    .is_ok()
                {
                    self.traces.vanished.insert(id.clone());
                }
            }
            self.traces.own.retain(|it| it.remote_id.as_str() != id);
        }
    }
}

fn leaves_of(map: &Attributes, at: &AttributePath, found: &mut Vec<AttributePath>) {
    for (key, value) in map.iter() {
        let path = at.join(key);
        match value {
            Value::Map(map) if !map.is_empty() => leaves_of(map, &path, found),
            Value::String(_) | Value::Integer(_) | Value::Bool(_) | Value::List(_) => {
                found.push(path);
            }
            _ => {}
        }
    }
}
