//! A tenant's whole life on a cluster, in four deeds, each of which a test may disturb.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;

use serde_json::Value;

use super::Cluster;
use crate::acme::{self, ACME, example};
use crate::crash::{COUNT, SIGKILL, difference, verdict};
use crate::world::{Facts, Findings};
use crate::{Output, Sandbox, fail};

/// The deeds of a life, in order.
pub const DEEDS: [&str; 4] = ["create", "update", "rollback", "destroy"];

/// One tenant through its whole life.
#[derive(Debug)]
pub struct Life<'a> {
    cluster: &'a Cluster,
    /// Where matih runs.
    pub sandbox: Sandbox,
    tenant: String,
    first: String,
}

/// A deed that is prepared.
#[derive(Debug)]
pub struct Deed {
    /// Which of [`DEEDS`].
    pub name: &'static str,
    /// What is typed after `matih`, again and again until it is done.
    pub words: Vec<String>,
    settled: &'static [&'static str],
}

/// What a deed comes to when nobody disturbs it.
#[derive(Debug)]
pub struct Good {
    /// How many boundaries it crosses.
    pub boundaries: usize,
    end: BTreeMap<String, Value>,
}

impl<'a> Life<'a> {
    /// One that has not begun.
    #[must_use]
    #[track_caller]
    pub fn new(cluster: &'a Cluster, tenant: &str) -> Self {
        let sandbox = cluster.sandbox();
        let first = example("acme").replace(ACME, tenant);
        sandbox.write("acme.toml", &first);
        Self {
            cluster,
            sandbox,
            tenant: tenant.to_owned(),
            first,
        }
    }

    /// Prepares a deed; what is before it is done.
    #[must_use]
    #[track_caller]
    pub fn prepare(&self, name: &'static str) -> Deed {
        let (words, settled) = match name {
            "update" => {
                acme::edit(&self.sandbox);
                (acme::APPLY, acme::PLAN)
            }
            "rollback" => {
                self.sandbox.write("acme.toml", &self.first);
                (acme::ROLLBACK, acme::PLAN)
            }
            "destroy" => (acme::DESTROY, acme::PLAN_DESTROY),
            _ => (acme::APPLY, acme::PLAN),
        };
        let mut words: Vec<String> = words.iter().map(|it| (*it).to_owned()).collect();
        for at in 1..words.len() {
            if words[at] == ACME {
                words[at].clone_from(&self.tenant);
            } else if words[at - 1] == "--to" {
                words[at] = self.sandbox.read("created").trim().to_owned();
            }
        }
        Deed {
            name,
            words,
            settled,
        }
    }

    /// Carries a deed out, or a part of it: only SIGKILL ends it without a code.
    #[track_caller]
    pub fn carry_out(&self, deed: &Deed, environment: (&str, &str)) -> Output {
        let mut command = self.sandbox.command(&deed.words);
        command.env(environment.0, environment.1);
        match command.output() {
            Ok(output) => {
                let signal = output.status.signal();
                assert!(matches!(signal, None | Some(SIGKILL)), "signal {signal:?}");
                output.into()
            }
            Err(error) => fail(&format!("matih: {error}")),
        }
    }

    /// Looks at what a deed has come to whose last command said this: what was found, and all that
    /// is wrong.
    #[must_use]
    #[track_caller]
    pub fn judge(&self, deed: &Deed, good: &Good, last: &Output) -> (Findings, String) {
        let facts = self.facts(deed);
        let findings = facts.findings();
        let mut wrong = verdict(&findings, last) + &difference(&good.end, &facts.end_state());
        if !wrong.is_empty() {
            wrong += &last.to_string();
        }
        (findings, wrong)
    }

    /// A whole life that nobody disturbs, with these words more in each command.
    #[must_use]
    #[track_caller]
    pub fn undisturbed(&self, more: &[&str]) -> Vec<Good> {
        let count = self.sandbox.path("boundaries");
        let deeds = DEEDS.map(|name| {
            let mut deed = self.prepare(name);
            deed.words.extend(more.iter().map(|it| (*it).to_owned()));
            let output = self.carry_out(&deed, (COUNT, &count.to_string_lossy()));
            let output = output.exits(0);
            let facts = self.facts(&deed);
            let findings = facts.findings();
            assert!(
                findings.is_empty(),
                "{name} undisturbed:\n{findings}{output}"
            );
            let boundaries = self.sandbox.read("boundaries");
            Good {
                boundaries: boundaries.trim().parse().unwrap_or_default(),
                end: facts.end_state(),
            }
        });
        deeds.into()
    }

    #[track_caller]
    fn facts(&self, deed: &Deed) -> Facts {
        let facts = self
            .cluster
            .facts(&self.sandbox, &self.tenant, deed.settled);
        if deed.name == "create" {
            self.note_created();
        }
        facts
    }

    /// Notes the snapshot that a rollback leads to.
    #[track_caller]
    fn note_created(&self) {
        let words = ["history", &self.tenant, "-o", "json"];
        let output = self.sandbox.run(&words).exits(0);
        let history: Vec<Value> = serde_json::from_str(&output.stdout).unwrap_or_default();
        match history.last().and_then(|last| last["revision"].as_u64()) {
            Some(serial) => self.sandbox.write("created", &serial.to_string()),
            None => fail(&format!("no revision in the history:\n{output}")),
        }
    }
}
