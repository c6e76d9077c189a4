//! What a run left behind, seen from outside: by nothing but commands that anyone can type.
//!
//! [`Facts::look`] asks `matih sandbox ls`, `matih state list`, `matih state verify` and a plan
//! that should be empty; [`Facts::findings`] holds the four invariants of reliability.md section
//! 2.1 against the answers. It promises to trust neither side: an object that is in the world and
//! not in the state is found, and so is the reverse.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Output, Sandbox, fail};

/// An object of the simulated world, as `matih sandbox ls -o json` prints it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Object {
    /// Its kind, such as `dns.record`.
    pub kind: String,
    /// The world's name for it.
    pub remote_id: String,
    /// The mark of whoever made it; objects that nobody of ours made have none.
    pub owner: Option<Owner>,
    /// All that is set on it, what the server filled in included.
    pub attributes: Value,
    /// The end of the remote id that is another in another life of the same object; empty if a
    /// name alone makes the id.
    #[serde(default)]
    pub life: String,
}

/// An owner mark.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Owner {
    /// The tenant's slug.
    pub tenant: String,
    /// The full address, `acme/dns.record/www`.
    pub address: String,
    /// Which life of the address this is.
    pub generation: u64,
    /// The run that made it.
    pub run: String,
}

/// A record, as `matih state list -o json` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Row {
    /// The full address.
    pub address: String,
    /// Its kind.
    pub kind: String,
    /// The world's name for it, as recorded.
    pub remote_id: String,
}

/// Everything that the invariants look at.
#[derive(Debug, Clone)]
pub struct Facts {
    tenant: String,
    /// All objects of the world, in the order of the listing.
    pub objects: Vec<Object>,
    /// All records of the tenant.
    pub rows: Vec<Row>,
    /// The plan that should be empty: exit code 0 with `--detailed-exitcode`.
    pub plan: Output,
    /// The check of the state's digests and of the audit chain.
    pub verify: Output,
}

/// What the invariants found; empty when all of them hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// I1: recorded, and not in the world as recorded.
    pub lost: Vec<String>,
    /// I2: in the world with our mark, and not in the state exactly once.
    pub orphaned: Vec<String>,
    /// I3: the next plan is not empty.
    pub restless: Vec<String>,
    /// I4: the chain does not verify.
    pub untold: Vec<String>,
}

impl Facts {
    /// Looks at world and state; `settled` are the words of the plan that must be empty, such as
    /// `["plan", "acme.toml"]`.
    #[must_use]
    #[track_caller]
    pub fn look(sandbox: &Sandbox, tenant: &str, settled: &[&str]) -> Self {
        let mut plan = settled.to_vec();
        plan.push("--detailed-exitcode");
        Self {
            tenant: tenant.to_owned(),
            objects: json(sandbox, &["sandbox", "ls", "-o", "json"]),
            rows: json(
                sandbox,
                &["--tenant", tenant, "state", "list", "-o", "json"],
            ),
            plan: sandbox.run(&plan),
            verify: sandbox.run(&["state", "verify"]),
        }
    }

    /// The same with objects of another world that the tenant lives in too.
    #[must_use]
    pub fn with(mut self, objects: Vec<Object>) -> Self {
        self.objects.extend(objects);
        self
    }

    /// The four invariants.
    #[must_use]
    pub fn findings(&self) -> Findings {
        let recorded: BTreeSet<(&str, &str)> = self
            .rows
            .iter()
            .map(|row| (&*row.address, &*row.remote_id))
            .collect();
        let mut marked = BTreeMap::<&str, Vec<&Object>>::new();
        for (owner, object) in self.own() {
            marked.entry(&owner.address).or_default().push(object);
        }
        let mut findings = Findings::default();
        for row in &self.rows {
            let twins = marked.get(&*row.address).map_or(&[][..], Vec::as_slice);
            if !twins
                .iter()
                .any(|it| it.remote_id == row.remote_id && it.kind == row.kind)
            {
                let there: Vec<_> = twins.iter().map(|it| &it.remote_id).collect();
                let (address, id) = (&row.address, &row.remote_id);
                findings
                    .lost
                    .push(format!("{address}: recorded as {id}, there: {there:?}"));
            }
        }
        for (address, twins) in &marked {
            for object in twins {
                if !recorded.contains(&(*address, &*object.remote_id)) {
                    findings
                        .orphaned
                        .push(format!("{address}: {} unknown", object.remote_id));
                }
            }
            if twins.len() > 1 {
                findings
                    .orphaned
                    .push(format!("{address}: {} objects", twins.len()));
            }
        }
        if recorded.len() != self.rows.len() {
            findings
                .orphaned
                .push("an object is recorded twice".to_owned());
        }
        if self.plan.status != Some(0) {
            findings.restless.push(self.plan.to_string());
        }
        if self.verify.status != Some(0) {
            findings.untold.push(self.verify.to_string());
        }
        findings
    }

    /// The tenant's objects by address, with all that a run alone decides taken out: two ways to
    /// one end give the same.
    ///
    /// Remote ids and generations stay, because the simulated world makes its ids of an object's
    /// name and generation: a resource that was made twice has another id. Times, counters of
    /// changes, digests under the installation's key, and ids that a server draws go.
    #[must_use]
    pub fn end_state(&self) -> BTreeMap<String, Value> {
        let settled = |(owner, object): (&Owner, &Object)| {
            let value = json!({
                "remote_id": object.remote_id.strip_suffix(&*object.life),
                "generation": owner.generation,
                "attributes": settled(&object.attributes),
            });
            (owner.address.clone(), value)
        };
        self.own().map(settled).collect()
    }

    /// The objects with the tenant's mark.
    fn own(&self) -> impl Iterator<Item = (&Owner, &Object)> {
        let ours = |owner: &&Owner| owner.tenant == self.tenant;
        self.objects
            .iter()
            .filter_map(move |object| Some((object.owner.as_ref().filter(ours)?, object)))
    }
}

/// Attributes of the server's own making, which differ from run to run.
const VOLATILE: &[&str] = &[
    "createTime",
    "creationTimestamp",
    "resourceVersion",
    "revision",
];

fn settled(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(settled).collect(),
        Value::Object(map) => {
            let is_secret = map.contains_key("$secret");
            let kept = |key: &&String| {
                !(VOLATILE.contains(&key.as_str()) || is_secret && *key == "digest")
            };
            let keys = map.keys().filter(kept);
            keys.map(|key| (key.clone(), settled(&map[key]))).collect()
        }
        other => other.clone(),
    }
}

impl Findings {
    /// Whether every invariant holds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Findings {
    /// One finding a line, with its invariant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (invariant, found) in [
            ("I1 lost", &self.lost),
            ("I2 orphaned", &self.orphaned),
            ("I3 the next plan is not empty", &self.restless),
            ("I4 the chain does not verify", &self.untold),
        ] {
            for one in found {
                writeln!(f, "{invariant}: {}", one.trim_end())?;
            }
        }
        Ok(())
    }
}

/// What a command prints as JSON.
#[track_caller]
fn json<T: serde::de::DeserializeOwned>(sandbox: &Sandbox, arguments: &[&str]) -> T {
    let output = sandbox.run(arguments).exits(0);
    match serde_json::from_str(&output.stdout) {
        Ok(value) => value,
        Err(error) => fail(&format!("{}: {error}\n{output}", arguments.join(" "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(address: &str, remote_id: &str, attributes: Value) -> Object {
        Object {
            kind: "dns.record".to_owned(),
            remote_id: remote_id.to_owned(),
            owner: Some(Owner {
                tenant: "acme".to_owned(),
                address: address.to_owned(),
                generation: 1,
                run: "run-1".to_owned(),
            }),
            attributes,
            life: String::new(),
        }
    }

    fn row(address: &str, remote_id: &str) -> Row {
        Row {
            address: address.to_owned(),
            kind: "dns.record".to_owned(),
            remote_id: remote_id.to_owned(),
        }
    }

    fn ended(status: i32) -> Output {
        Output {
            status: Some(status),
            stdout: String::new(),
            stderr: String::new(),
        }
    }

    fn facts(objects: Vec<Object>, rows: Vec<Row>) -> Facts {
        Facts {
            tenant: "acme".to_owned(),
            objects,
            rows,
            plan: ended(0),
            verify: ended(0),
        }
    }

    #[test]
    fn a_world_as_recorded_has_no_findings() {
        let mut foreign = object("other/dns.record/a", "r9", Value::Null);
        foreign.owner.as_mut().unwrap().tenant = "other".to_owned();
        let mut wild = foreign.clone();
        wild.owner = None;
        let world = vec![
            object("acme/dns.record/a", "r1", Value::Null),
            foreign,
            wild,
        ];
        let findings = facts(world, vec![row("acme/dns.record/a", "r1")]).findings();
        assert!(findings.is_empty(), "{findings}");
    }

    #[test]
    fn each_invariant_is_seen_to_break() {
        let a = || object("acme/dns.record/a", "r1", Value::Null);
        let lost = facts(vec![], vec![row("acme/dns.record/a", "r1")]).findings();
        assert_eq!((lost.lost.len(), lost.orphaned.len()), (1, 0));

        let orphaned = facts(vec![a()], vec![]).findings();
        assert_eq!((orphaned.lost.len(), orphaned.orphaned.len()), (0, 1));

        let moved = facts(vec![a()], vec![row("acme/dns.record/a", "r2")]).findings();
        assert_eq!((moved.lost.len(), moved.orphaned.len()), (1, 1));

        let twin = object("acme/dns.record/a", "r2", Value::Null);
        let twice = facts(vec![a(), twin], vec![row("acme/dns.record/a", "r1")]).findings();
        assert_eq!((twice.lost.len(), twice.orphaned.len()), (0, 2));

        let again = vec![
            row("acme/dns.record/a", "r1"),
            row("acme/dns.record/a", "r1"),
        ];
        assert_eq!(facts(vec![a()], again).findings().orphaned.len(), 1);

        let mut restless = facts(vec![], vec![]);
        restless.plan = ended(2);
        restless.verify = ended(1);
        let findings = restless.findings();
        assert_eq!((findings.restless.len(), findings.untold.len()), (1, 1));
        assert_eq!(
            findings.to_string(),
            "I3 the next plan is not empty: ? exit 2\nI4 the chain does not verify: ? exit 1\n"
        );
    }

    #[test]
    fn the_end_state_knows_no_run() {
        let end = |remote_id: &str, revision: u64, digest: &str| {
            let secret = json!({ "$secret": { "env": "A" }, "digest": digest });
            let attributes = json!({ "ttl": 60, "revision": revision, "password": secret });
            facts(
                vec![object("acme/dns.record/a", remote_id, attributes)],
                vec![],
            )
            .end_state()
        };
        assert_eq!(end("r1", 4, "aa"), end("r1", 9, "bb"));
        assert_ne!(end("r1", 4, "aa"), end("r2", 4, "aa"), "it was made twice");
        assert_eq!(
            end("r1", 4, "aa")["acme/dns.record/a"]["attributes"],
            json!({ "ttl": 60, "password": { "$secret": { "env": "A" } } })
        );
    }
}
