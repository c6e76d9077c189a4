//! A phase file as it is written, before anything in it is compiled.

use matih_model::{Kind, Phase, RetryPolicy, StepNumber};
use serde_json::{Map, Value as Json};

use super::{PHASE, STEPS};
use crate::diagnostic::Diagnostic;
use crate::read::Table;

pub(super) struct WrittenPhase {
    pub(super) phase: Option<Phase>,
    pub(super) steps: Vec<WrittenStep>,
    pub(super) rows: Vec<WrittenRow>,
}

pub(super) struct WrittenStep {
    pub(super) number: StepNumber,
    pub(super) name: Option<String>,
    /// Whether it says nothing but which resources it has.
    pub(super) only_adds: bool,
    pub(super) depends_on: Vec<StepNumber>,
    pub(super) when: Option<String>,
    pub(super) skipped: Option<String>,
    pub(super) retry: RetryPolicy,
    pub(super) rows: Vec<WrittenRow>,
    pub(super) path: String,
}

pub(super) struct WrittenRow {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) when: Option<String>,
    pub(super) for_each: Option<String>,
    pub(super) depends_on: Vec<Json>,
    pub(super) covers: Vec<Json>,
    pub(super) timeout_seconds: Option<u32>,
    pub(super) attributes: Map<String, Json>,
    pub(super) path: String,
}

impl WrittenPhase {
    pub(super) fn read(root: &mut Table<'_, '_>) -> Self {
        let number: Option<u32> = root.optional("phase");
        let phase =
            number.map(|number| u8::try_from(number).ok().and_then(|it| Phase::new(it).ok()));
        if phase == Some(None) {
            root.findings.report(
                "phase",
                Diagnostic::new(PHASE, "this is no phase").hint("a phase has a number from 0 to 8"),
            );
        }
        Self {
            phase: phase.flatten(),
            steps: root.tables("step", WrittenStep::read),
            rows: root.tables("resource", WrittenRow::read),
        }
    }
}

impl WrittenStep {
    fn read(step: &mut Table<'_, '_>) -> Option<Self> {
        let retry = RetryPolicy::default();
        let keys = [
            "depends_on",
            "when",
            "skipped",
            "timeout_seconds",
            "backoff_seconds",
        ];
        let number = step_number(step.required("number"), step, "number");
        let depends_on: Vec<u32> = step.optional("depends_on").unwrap_or_default();
        let written = Self {
            name: step.optional("name"),
            only_adds: !keys.iter().any(|key| step.has(key)),
            depends_on: depends_on
                .into_iter()
                .filter_map(|number| step_number(Some(number), step, "depends_on"))
                .collect(),
            when: step.optional("when"),
            skipped: step.optional("skipped"),
            retry: RetryPolicy {
                timeout_seconds: step
                    .optional("timeout_seconds")
                    .unwrap_or(retry.timeout_seconds),
                backoff_seconds: step
                    .optional("backoff_seconds")
                    .unwrap_or(retry.backoff_seconds),
            },
            rows: step.tables("resource", WrittenRow::read),
            path: step.path().to_owned(),
            number: number?,
        };
        Some(written)
    }
}

fn step_number(
    number: Option<u32>,
    step: &mut Table<'_, '_>,
    key: &'static str,
) -> Option<StepNumber> {
    let number = number?;
    let found = u8::try_from(number)
        .ok()
        .and_then(|it| StepNumber::new(it).ok());
    if found.is_none() {
        let path = step.path_of(key);
        let diagnostic = Diagnostic::new(STEPS, format!("there is no step {number}"));
        step.findings
            .report(&path, diagnostic.hint("a step has a number from 1 to 56"));
    }
    found
}

impl WrittenRow {
    fn read(row: &mut Table<'_, '_>) -> Option<Self> {
        let (kind, name) = (row.required("kind"), row.required("name"));
        let written = Self {
            when: row.optional("when"),
            for_each: row.optional("for_each"),
            depends_on: row.optional("depends_on").unwrap_or_default(),
            covers: row.optional("covers").unwrap_or_default(),
            timeout_seconds: row.optional("timeout_seconds"),
            attributes: row.optional("attributes").unwrap_or_default(),
            path: row.path().to_owned(),
            kind: kind?,
            name: name?,
        };
        Some(written)
    }
}
