//! The law of order: the only file that names petgraph.
//!
//! Required edges:
//! - (a) a create, update or check waits for the create, update or check of what it depends on;
//! - (b) a delete waits for the delete of what, as recorded, depended on it;
//! - (c) the create half of a replacement waits for its delete half.
//!
//! Where an update takes a limit down, (a) is turned round: it waits for what depends on it and has
//! to fit below the limit, so that this happens while there is room. Checks wait for it as before.
//!
//! Preferred, tried in order of address and dropped where it would close a circle:
//! - (d) a delete waits for the update of what, as recorded, depended on it.
//!
//! A dependency counts through resources on which nothing acts. Edges of (a) go along the desired
//! graph, edges of (b) against the recorded one, and (c) leads from the second to the first, so
//! (a) to (c) never close a circle. Only a record can have one, also as an older snapshot that is
//! desired again: updates that turn a dependency round and fail half way leave both directions in
//! it. Then the edges along it are preferred only.
//!
//! The sort is topological; ties go by (sweep, rank of the phase, address). The build sweep holds
//! creates, updates, checks, the delete halves of replacements, *and every delete that one of
//! these has to wait for*: without that, building could not come before tearing down. All other
//! deletes are the teardown, with ranks reversed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use matih_model::{Action, ActionIndex, Address, Op, Reason, Sweep, Tenancy, UndoClass};
use petgraph::Direction::{Incoming, Outgoing};
use petgraph::algo::{has_path_connecting, is_cyclic_directed, kosaraju_scc};
use petgraph::graph::{DiGraph, NodeIndex};

mod links;

pub(crate) use links::Links;

/// An action that has no place yet.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) op: Op,
    pub(crate) reason: Reason,
    pub(crate) undo: UndoClass,
    /// An update that takes down a limit on what depends on the resource.
    pub(crate) lowers: bool,
}

impl Task {
    fn address(&self) -> &Address {
        &self.op.resource().address
    }

    fn is_delete(&self) -> bool {
        matches!(self.op, Op::Delete { .. })
    }
}

impl<'a> Links<'a> {
    /// All resources, each after all that it is linked to; those of a circle side by side.
    pub(crate) fn sorted(&self) -> Vec<&'a Address> {
        let graph = self.graph();
        let circles = kosaraju_scc(&graph).into_iter().flat_map(|mut members| {
            members.sort_unstable();
            members
        });
        circles
            .filter_map(|node| graph.node_weight(node).copied())
            .collect()
    }

    /// Whether no link leads back to where it came from.
    fn is_sound(&self) -> bool {
        !is_cyclic_directed(&self.graph())
    }

    fn graph(&self) -> DiGraph<&'a Address, ()> {
        let mut graph = DiGraph::new();
        let nodes = self.addresses().map(|it| (it, graph.add_node(it)));
        let nodes: BTreeMap<_, _> = nodes.collect();
        for (from, to) in self.pairs() {
            if let (Some(from), Some(to)) = (nodes.get(from), nodes.get(to)) {
                graph.update_edge(*from, *to, ());
            }
        }
        graph
    }
}

/// Tasks as nodes; an edge leads from what comes before to what comes after.
type Waits = DiGraph<usize, ()>;

/// Puts tasks in order. `desired` and `recorded` link resources to what they depend on.
pub(crate) fn order(
    mut tasks: Vec<Task>,
    tenancy: Tenancy,
    desired: &Links<'_>,
    recorded: &Links<'_>,
) -> Vec<Action> {
    tasks.sort_by(|a, b| (a.address(), !a.is_delete()).cmp(&(b.address(), !b.is_delete())));
    let turned = limits_last(&tasks, desired);
    let (waits, sweeps) = waits(&tasks, turned.as_ref().unwrap_or(desired), recorded);
    let places = places(&tasks, tenancy, &waits, &sweeps);
    let place = |node: NodeIndex| places.get(node.index()).copied().unwrap_or_default();
    let mut actions: Vec<Action> = tasks
        .into_iter()
        .zip(waits.node_indices())
        .map(|(task, node)| {
            let mut waits_for: Vec<_> = waits
                .neighbors_directed(node, Incoming)
                .map(place)
                .map(ActionIndex)
                .collect();
            waits_for.sort_unstable();
            Action {
                index: ActionIndex(place(node)),
                op: task.op,
                reason: task.reason,
                sweep: sweep(&sweeps, node),
                waits_for,
                undo: task.undo,
            }
        })
        .collect();
    actions.sort_unstable_by_key(|action| action.index);
    actions
}

/// The desired links with the limits that are taken down behind what has to fit below them, if
/// there are such. One that something refers to has to tell its outputs first.
fn limits_last<'a>(tasks: &[Task], desired: &Links<'a>) -> Option<Links<'a>> {
    let mut late: BTreeSet<_> = tasks
        .iter()
        .filter(|it| it.lowers)
        .map(Task::address)
        .collect();
    if late.is_empty() {
        return None;
    }
    for task in tasks.iter().filter(|it| !it.is_delete()) {
        for reference in task.op.resource().attributes.refs() {
            late.remove(&reference.address);
        }
    }
    let gates = tasks.iter().filter(|it| matches!(it.op, Op::Check { .. }));
    desired.turned(&late, &gates.map(Task::address).collect())
}

fn sweep(build: &BTreeSet<NodeIndex>, node: NodeIndex) -> Sweep {
    if build.contains(&node) {
        Sweep::Build
    } else {
        Sweep::Teardown
    }
}

/// All edges, and the nodes of the build sweep.
fn waits(
    tasks: &[Task],
    desired: &Links<'_>,
    recorded: &Links<'_>,
) -> (Waits, BTreeSet<NodeIndex>) {
    let mut waits = Waits::new();
    let (mut builds, mut deletes) = (BTreeMap::new(), BTreeMap::new());
    let mut updates_and_deletes = BTreeMap::new();
    for (place, task) in tasks.iter().enumerate() {
        let node = waits.add_node(place);
        let half = if task.is_delete() {
            &mut deletes
        } else {
            &mut builds
        };
        half.insert(task.address(), node);
        if matches!(task.op, Op::Update { .. } | Op::Delete { .. }) {
            updates_and_deletes.insert(task.address(), node);
        }
    }
    let sound = desired.is_sound();
    for (address, node) in &builds {
        for before in desired.nearest(address, &builds) {
            add(&mut waits, before, *node, sound);
        }
        if let Some(half) = deletes.get(address) {
            add(&mut waits, *half, *node, true);
        }
    }
    let dependents = recorded.reversed();
    let sound = deletes.is_empty() || recorded.is_sound();
    for (address, node) in &deletes {
        for before in dependents.nearest(address, &deletes) {
            add(&mut waits, before, *node, sound);
        }
    }
    let build = build_sweep(&waits, &builds);
    for (address, node) in &deletes {
        for before in dependents.nearest(address, &updates_and_deletes) {
            if !tasks.get(before.index()).is_some_and(Task::is_delete) {
                add(&mut waits, before, *node, false);
            }
        }
    }
    (waits, build)
}

/// Adds an edge; one that is not required only where it closes no circle.
fn add(waits: &mut Waits, before: NodeIndex, after: NodeIndex, required: bool) {
    if required || !has_path_connecting(&*waits, after, before, None) {
        waits.update_edge(before, after, ());
    }
}

/// Whatever builds, and whatever something that builds has to wait for.
fn build_sweep(waits: &Waits, builds: &BTreeMap<&Address, NodeIndex>) -> BTreeSet<NodeIndex> {
    let mut build = BTreeSet::new();
    let mut open: Vec<NodeIndex> = builds.values().copied().collect();
    while let Some(node) = open.pop() {
        if build.insert(node) {
            open.extend(waits.neighbors_directed(node, Incoming));
        }
    }
    build
}

/// The place of each task, by its number among `tasks`.
fn places(
    tasks: &[Task],
    tenancy: Tenancy,
    waits: &Waits,
    build: &BTreeSet<NodeIndex>,
) -> Vec<u32> {
    let key = |node: NodeIndex| {
        let task = tasks.get(node.index())?;
        let rank = tenancy.rank(task.op.resource().phase);
        let sweep = sweep(build, node);
        let rank = if sweep == Sweep::Build {
            rank
        } else {
            u8::MAX - rank
        };
        Some(Reverse((sweep, rank, task.address(), node)))
    };
    let mut open: Vec<usize> = waits
        .node_indices()
        .map(|node| waits.neighbors_directed(node, Incoming).count())
        .collect();
    let mut ready: BinaryHeap<_> = waits.externals(Incoming).filter_map(key).collect();
    let mut places = vec![0; tasks.len()];
    let mut next = 0;
    while let Some(Reverse((_, _, _, node))) = ready.pop() {
        if let Some(place) = places.get_mut(node.index()) {
            *place = next;
            next += 1;
        }
        for after in waits.neighbors_directed(node, Outgoing) {
            if let Some(count) = open.get_mut(after.index()) {
                *count -= 1;
                if *count == 0 {
                    ready.extend(key(after));
                }
            }
        }
    }
    places
}

#[cfg(test)]
mod tests;
