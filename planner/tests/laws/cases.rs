//! What is drawn for the laws: tenants, readings, and cases between two tenants.
//!
//! Dependencies lead to any phase and turn round between two graphs, since each graph is drawn
//! with an order of its own.

use std::collections::BTreeMap;

use matih_model::{Address, Reading, Snapshot, Version};
use proptest::prelude::*;

use crate::world::{Case, Res, applied, as_applied, at, graph, res, short};

pub(super) const NAMES: [&str; 10] = [
    "box/a", "box/b", "box/c", "box/d", "disk/e", "disk/f", "part/g", "mail/h", "gate/i", "gate/j",
];

/// What is drawn for one resource; it may depend on those that come before it in the graph.
#[derive(Clone, Debug)]
struct Draw {
    there: bool,
    phase: u8,
    depends_on: u16,
    refers: [(bool, usize, usize); 3],
    size: i64,
    place: i64,
    limit: Option<i64>,
    protect: bool,
}

fn draw() -> impl Strategy<Value = Draw> {
    let refers = (prop::bool::weighted(0.4), 0..NAMES.len(), 0..3usize);
    (
        prop::bool::weighted(0.8),
        0..9u8,
        any::<u16>(),
        any::<u16>(),
        prop::array::uniform3(refers),
        0..3i64,
        prop::bool::weighted(0.8),
        prop::option::weighted(0.3, 1..4i64),
        prop::bool::weighted(0.1),
    )
        .prop_map(
            |(there, phase, one, two, refers, size, place, limit, protect)| Draw {
                there,
                phase,
                // Two draws together make dependencies sparse enough to be told apart.
                depends_on: one & two,
                refers,
                size,
                place: i64::from(place),
                limit,
                protect,
            },
        )
}

/// What is drawn for a tenant: an order in which it may be created, and the resource at each place.
#[derive(Clone, Debug)]
struct Tenant {
    order: Vec<usize>,
    draws: Vec<Draw>,
}

fn tenants() -> impl Strategy<Value = Tenant> {
    let order = Just((0..NAMES.len()).collect::<Vec<_>>()).prop_shuffle();
    let draws = prop::collection::vec(draw(), NAMES.len());
    (order, draws).prop_map(|(order, draws)| Tenant { order, draws })
}

impl Tenant {
    fn specs(&self) -> Vec<Res> {
        let mut list: Vec<Res> = Vec::new();
        for (place, draw) in self.order.iter().zip(&self.draws) {
            if draw.there {
                list.push(resource(NAMES[*place], draw, &list));
            }
        }
        list
    }

    /// The same tenant with a few of its resources drawn anew.
    fn edited(&self, other: Tenant, kept: &[bool]) -> Tenant {
        let pairs = self.draws.iter().cloned().zip(other.draws).zip(kept);
        let draws = pairs.map(|((old, new), kept)| if *kept { old } else { new });
        Tenant {
            order: self.order.clone(),
            draws: draws.collect(),
        }
    }
}

pub(super) fn specs() -> impl Strategy<Value = Vec<Res>> {
    tenants().prop_map(|it| it.specs())
}

fn resource(name: &str, draw: &Draw, before: &[Res]) -> Res {
    let mut one = res(name)
        .phase(draw.phase)
        .set("size", draw.size)
        .set("place", draw.place);
    if let Some(limit) = draw.limit {
        one = one.set("limit", limit);
    }
    if draw.protect {
        one = one.protect();
    }
    for (index, other) in before.iter().enumerate() {
        if draw.depends_on & (1 << index) != 0 {
            one.0.depends_on.insert(other.0.address.clone());
        }
    }
    let things: Vec<_> = before
        .iter()
        .map(|it| short(&it.0.address))
        .filter(|it| !it.starts_with("gate"))
        .collect();
    for ((refers, which, output), key) in draw.refers.iter().zip(["size", "place", "note"]) {
        if *refers && !things.is_empty() {
            let output = ["id", "ip", "rev"][*output];
            one = one.refers(key, &things[which % things.len()], output);
        }
    }
    one
}

/// What is read of each recorded resource: as applied, unchanged, gone, drifted, not to be read,
/// filled in by the server, or not asked about.
pub(super) fn readings() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0..7u8, NAMES.len())
}

pub(super) fn observed(base: &Snapshot, draws: &[u8]) -> BTreeMap<Address, Reading> {
    let mut readings = BTreeMap::new();
    for (name, draw) in NAMES.iter().zip(draws) {
        if base.get(&at(name)).is_none() {
            continue;
        }
        let mut object = as_applied(base, name);
        let reading = match draw {
            0 => Reading::Unchanged,
            1 => Reading::Missing,
            2 => Reading::Unknown("no answer".into()),
            3 => Reading::Present(Box::new(object)),
            4 => {
                object.attributes.insert("class", "filled in");
                object.version = Version::new("other");
                Reading::Present(Box::new(object))
            }
            5 => {
                object.attributes.insert("size", 77);
                object.outputs.insert("ip", "moved");
                object.version = Version::new("other");
                Reading::Present(Box::new(object))
            }
            _ => continue,
        };
        readings.insert(at(name), reading);
    }
    readings
}

/// A case between two drawn tenants, with readings of the first. The second is half of the time
/// another tenant altogether and half of the time an edited one.
pub(super) fn cases() -> impl Strategy<Value = Case> {
    let kept = prop::collection::vec(prop::bool::weighted(0.8), NAMES.len());
    let edited = prop::option::of(kept);
    (tenants(), tenants(), edited, readings()).prop_map(|(was, other, edited, draws)| {
        let now = match edited {
            Some(kept) => was.edited(other, &kept),
            None => other,
        };
        let base = applied(was.specs());
        let readings = observed(&base, &draws);
        let mut case = Case::from(Some(base), graph(now.specs()));
        case.observation.readings = readings;
        case
    })
}
