//! A small world for the tests: a catalog, a language to write tenants in, and a way to carry a
//! plan out without anything outside.
//!
//! Resources are named `box/a` for `acme/thing.box/a`. A plan is shown as lines of text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

use matih_model::{
    Action, Address, Applied, Attributes, Catalog, Digest, Edit, Lifecycle, Observation, Observed,
    Op, Origin, OutputRef, OwnerMark, Phase, Plan, Reading, RemoteId, Resource, ResourceGraph,
    ResourceName, RetryPolicy, RunId, Snapshot, Tenancy, TenantId, Value, Verb, Version,
};
use matih_planner::{AddressPattern, PlanInput, PlanOptions, PlannerError};

/// Kinds: `box` (plain), `disk` (data-bearing), `mail` (one-way), `gate` (a check), `part` (a disk
/// where `class` is `disk`).
pub(crate) fn catalog() -> &'static Catalog {
    static CATALOG: LazyLock<Catalog> = LazyLock::new(new_catalog);
    &CATALOG
}

fn new_catalog() -> Catalog {
    let attributes = serde_json::json!([
        {"path": "size", "type": "any", "doc": "Plain."},
        {"path": "place", "type": "any", "doc": "Cannot be changed.", "immutable": true},
        {"path": "tags", "type": "list", "doc": "Order does not count.", "set_like": true},
        {"path": "note", "type": "any", "doc": "The server may fill it in.", "computed": true},
        {"path": "key", "type": "string", "doc": "Not to be shown.", "sensitive": true},
        {"path": "limit", "type": "any", "doc": "What others must fit below.", "limit": true},
        {"path": "class", "type": "string", "doc": "Decides the undo class of a part."},
        {"path": "body", "type": "map", "doc": "Anything."},
        {"path": "body.name", "type": "string", "doc": "Cannot be changed.", "immutable": true},
        {"path": "body.*.pin", "type": "string", "doc": "Not to be shown.", "sensitive": true},
    ]);
    let outputs = serde_json::json!([
        {"name": "id", "doc": "Stays."},
        {"name": "ip", "doc": "Stays."},
        {"name": "rev", "doc": "Differs after each update.", "volatile": true},
    ]);
    let kind = |name: &str, role: &str, undo: &str, rules: serde_json::Value| {
        let schema = serde_json::json!({
            "kind": format!("thing.{name}"), "doc": "For tests.", "role": role, "undo": undo,
            "undo_rules": rules, "attribute": attributes, "output": outputs,
        });
        serde_json::from_value(schema).unwrap()
    };
    let none = || serde_json::json!([]);
    Catalog::new([
        kind("box", "resource", "reversible", none()),
        kind("disk", "resource", "data_bearing", none()),
        kind("mail", "resource", "one_way", none()),
        kind("gate", "check", "reversible", none()),
        kind(
            "part",
            "resource",
            "reversible",
            serde_json::json!([{"path": "class", "equals": "disk", "undo": "data_bearing"}]),
        ),
    ])
    .unwrap()
}

/// The tenant of all tests.
pub(crate) fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

/// `box/a` as an address.
pub(crate) fn at(name: &str) -> Address {
    format!("acme/thing.{name}").parse().unwrap()
}

/// `box/a` as a name without tenant.
pub(crate) fn named(name: &str) -> ResourceName {
    at(name).resource_name()
}

/// `box/a*` as a pattern; one with a tenant is taken as it is.
pub(crate) fn pat(pattern: &str) -> AddressPattern {
    if pattern.split('/').count() == 2 {
        format!("thing.{pattern}").parse().unwrap()
    } else {
        pattern.parse().unwrap()
    }
}

/// An address as the tests write it.
pub(crate) fn short(address: &Address) -> String {
    address.to_string().replace("acme/thing.", "")
}

/// A resource in phase 2 with nothing set.
pub(crate) fn res(name: &str) -> Res {
    Res(Resource {
        address: at(name),
        phase: Phase::new(2).unwrap(),
        steps: vec![],
        depends_on: BTreeSet::new(),
        attributes: Attributes::new(),
        lifecycle: Lifecycle::default(),
        retry: RetryPolicy::default(),
    })
}

/// A resource that is being written down.
#[derive(Clone, Debug)]
pub(crate) struct Res(pub(crate) Resource);

impl Res {
    pub(crate) fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.attributes.insert(key, value);
        self
    }
    /// Sets a key to what JSON says, also references, secrets, lists and maps.
    pub(crate) fn json(self, key: &str, value: serde_json::Value) -> Self {
        self.set(key, serde_json::from_value::<Value>(value).unwrap())
    }
    /// Sets a key to an output of another resource.
    pub(crate) fn refers(self, key: &str, to: &str, output: &str) -> Self {
        let reference = OutputRef {
            address: at(to),
            output: output.into(),
        };
        self.set(key, Value::Ref(reference))
    }
    pub(crate) fn needs(mut self, other: &str) -> Self {
        self.0.depends_on.insert(at(other));
        self
    }
    pub(crate) fn phase(mut self, number: u8) -> Self {
        self.0.phase = Phase::new(number).unwrap();
        self
    }
    pub(crate) fn protect(mut self) -> Self {
        self.0.lifecycle.protect = true;
        self
    }
    pub(crate) fn ignore(mut self, path: &str) -> Self {
        self.0.lifecycle.ignore_changes.push(path.parse().unwrap());
        self
    }
}

/// A graph of some resources.
pub(crate) fn graph(list: impl IntoIterator<Item = Res>) -> ResourceGraph {
    let list = list.into_iter().map(|it| it.0);
    ResourceGraph::new(tenant(), Tenancy::Shared, list).unwrap()
}

/// One question to the planner; what is not said is empty.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) base: Option<Snapshot>,
    pub(crate) desired: ResourceGraph,
    pub(crate) observation: Observation,
    pub(crate) options: PlanOptions,
    pub(crate) verb: Verb,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |sign: &str, it: &Resource| {
            let needs: Vec<_> = it.depends_on.iter().map(short).collect();
            let attributes = serde_json::to_string(&it.attributes).map_err(|_| fmt::Error)?;
            let (name, phase) = (short(&it.address), it.phase.number());
            writeln!(
                f,
                "{sign} {name} phase {phase} needs {needs:?} {attributes}"
            )
        };
        let was = self.base.iter().flat_map(|base| base.resources().values());
        was.map(|it| &it.resource)
            .try_for_each(|it| line("was", it))?;
        let now = self.desired.resources().values();
        now.map(|it| &**it).try_for_each(|it| line("now", it))?;
        for (address, reading) in &self.observation.readings {
            writeln!(f, "read {} {reading:?}", short(address))?;
        }
        writeln!(f, "{:?}", self.options)
    }
}

impl Case {
    /// Nothing is recorded yet.
    pub(crate) fn fresh(desired: impl IntoIterator<Item = Res>) -> Self {
        Self::from(None, graph(desired))
    }
    /// The first list was applied, the second is desired.
    pub(crate) fn new<const A: usize, const B: usize>(was: [Res; A], desired: [Res; B]) -> Self {
        Self::from(Some(applied(was)), graph(desired))
    }
    /// What was applied is desired still.
    pub(crate) fn same<const A: usize>(list: [Res; A]) -> Self {
        Self::new(list.clone(), list)
    }
    pub(crate) fn from(base: Option<Snapshot>, desired: ResourceGraph) -> Self {
        Self {
            base,
            desired,
            observation: Observation::default(),
            options: PlanOptions::default(),
            verb: Verb::Apply,
        }
    }
    pub(crate) fn read(mut self, name: &str, reading: Reading) -> Self {
        self.observation.readings.insert(at(name), reading);
        self
    }
    /// The object was read as it was applied, except for what `change` does to it.
    pub(crate) fn sees(mut self, name: &str, change: impl FnOnce(&mut Observed)) -> Self {
        let mut observed = as_applied(self.base.as_ref().unwrap(), name);
        change(&mut observed);
        if observed != as_applied(self.base.as_ref().unwrap(), name) {
            observed.version = Version::new("moved");
        }
        self.observation
            .readings
            .insert(at(name), Reading::Present(Box::new(observed)));
        self
    }
    pub(crate) fn with(mut self, change: impl FnOnce(&mut PlanOptions)) -> Self {
        change(&mut self.options);
        self
    }
    pub(crate) fn target(self, pattern: &str) -> Self {
        self.with(|it| it.targets.push(pat(pattern)))
    }
    pub(crate) fn exclude(self, pattern: &str) -> Self {
        self.with(|it| it.excludes.push(pat(pattern)))
    }
    pub(crate) fn destroy(mut self) -> Self {
        self.verb = Verb::Destroy;
        self.with(|it| it.destroy = true)
    }
    pub(crate) fn moved(self, from: &str, to: &str) -> Self {
        self.with(|it| it.moved.push((named(from), named(to))))
    }

    pub(crate) fn try_plan(&self) -> Result<Plan, PlannerError> {
        matih_planner::plan(&PlanInput {
            tenant: &tenant(),
            base: self.base.as_ref(),
            desired: &self.desired,
            observation: &self.observation,
            catalog: catalog(),
            options: &self.options,
            verb: self.verb.clone(),
            inputs: Digest::of("test", &0),
        })
    }
    pub(crate) fn plan(&self) -> Plan {
        self.try_plan().unwrap()
    }
    /// The plan as lines of text.
    pub(crate) fn shows(&self) -> Vec<String> {
        show(&self.plan())
    }
    /// Only who is acted on and how, in order.
    pub(crate) fn acts(&self) -> Vec<String> {
        self.plan().actions().iter().map(verb).collect()
    }
    /// The snapshot after the plan was carried out.
    pub(crate) fn carried_out(&self) -> Snapshot {
        carry_out(self.base.as_ref(), &self.plan())
    }
}

fn verb(action: &Action) -> String {
    format!("{} {}", action.op.verb(), short(action.address()))
}

/// Edits and actions, one a line, with what differs and whom they wait for.
pub(crate) fn show(plan: &Plan) -> Vec<String> {
    let edits = plan.edits().iter().map(|edit| match edit {
        Edit::Move { from, to } => format!("move {} to {}", short(from), short(to)),
        Edit::Rewrite { resource } => format!("rewrite {}", short(&resource.address)),
        Edit::Forget { address } => format!("forget {}", short(address)),
        Edit::Refresh { address, .. } => format!("refresh {}", short(address)),
    });
    let actions = plan.actions().iter().map(|action| {
        let mut line = verb(action);
        if let Op::Create { generation, .. } = &action.op
            && *generation > 1
        {
            line += &format!(" again ({generation})");
        }
        if let Op::Update { changes, .. } = &action.op {
            for change in changes {
                let side = |value: &Option<Value>| match value {
                    Some(value) => serde_json::to_string(value).unwrap(),
                    None => "nothing".to_owned(),
                };
                let (before, after) = (side(&change.before), side(&change.after));
                line += &format!(" {}: {before} -> {after}", change.path);
            }
        }
        line + " because " + &action.reason.to_string()
    });
    edits.chain(actions).collect()
}

/// A snapshot in which a list was applied.
pub(crate) fn applied(list: impl IntoIterator<Item = Res>) -> Snapshot {
    Case::fresh(list).carried_out()
}

/// What a reading of an untouched object holds.
pub(crate) fn as_applied(base: &Snapshot, name: &str) -> Observed {
    let recorded = base.get(&at(name)).unwrap();
    Observed {
        remote_id: recorded.remote_id.clone(),
        attributes: recorded.applied(),
        outputs: recorded.outputs.clone(),
        version: recorded.version.clone().unwrap(),
        owner: Some(OwnerMark {
            installation: "here".to_owned(),
            address: at(name),
            generation: recorded.generation,
            run: RunId::new("run-1"),
        }),
        touches: Vec::new(),
    }
}

/// The snapshot after a plan, in a world where everything succeeds and every answer follows from
/// the address, the generation and what was sent.
pub(crate) fn carry_out(base: Option<&Snapshot>, plan: &Plan) -> Snapshot {
    let resources = matih_planner::after(plan, base, &mut answer);
    Snapshot::new(
        tenant(),
        base.map_or(1, |base| base.serial() + 1),
        base.map(Snapshot::id),
        Origin {
            run: RunId::new("run-1"),
            verb: plan.verb().clone(),
        },
        plan.tenancy(),
        resources,
    )
}

fn answer(action: &Action, sent: &Attributes) -> Applied {
    assert!(
        sent.values().all(|value| !value.has_unknown()),
        "{} is sent before all of it is known",
        action.address()
    );
    let generation = match &action.op {
        Op::Create { generation, .. } => *generation,
        Op::Update { recorded, .. } => recorded.generation,
        Op::Delete { .. } | Op::Check { .. } => unreachable!("nothing is recorded of these"),
    };
    let name = short(action.address());
    let revision = sent.digest().short();
    let outputs = BTreeMap::from([
        ("id", format!("{name}#{generation}")),
        ("ip", format!("ip of {name}#{generation}")),
        ("rev", revision.clone()),
    ]);
    let outputs = outputs.into_iter();
    Applied {
        remote_id: RemoteId::new(format!("{name}#{generation}")),
        outputs: outputs
            .map(|(key, value)| (key.into(), Value::from(value)))
            .collect(),
        version: Version::new(format!("{generation}-{revision}")),
        adopted: false,
        unready: None,
    }
}
