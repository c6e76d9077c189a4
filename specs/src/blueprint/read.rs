//! Files of a blueprint, one laid over the other, to compiled steps and rows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use matih_model::{Phase, StepNumber, phase::STEPS as STEP_COUNT};
use serde_json::{Map, Value as Json};

use super::written::{WrittenPhase, WrittenRow, WrittenStep};
use super::{Blueprint, PHASE, Row, STEPS, Step, TABLES, TABLES_FILE, TABLES_HINT};
use crate::context;
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::findings::Findings;
use crate::language::term;
use crate::read::{Table, read_file};
use crate::sizing::Tables;
use crate::template::{Compiler, Library, Origin, Template};

/// Gathers the files of a blueprint.
#[derive(Clone, Default)]
pub(super) struct Reader {
    steps: BTreeMap<StepNumber, Step>,
    rows: Vec<Arc<Row>>,
    tables: Map<String, Json>,
    tables_origin: Option<Arc<Origin>>,
    names: BTreeMap<String, (Arc<Origin>, Template)>,
    origins: Vec<Arc<Origin>>,
    library: Library,
    diagnostics: Diagnostics,
}

impl Reader {
    /// Lays one file over what was read before.
    pub(super) fn file(&mut self, source: &Source) {
        let mut findings = Findings::new(&source.name, &source.text);
        if Path::new(&*source.name).ends_with(TABLES_FILE) {
            let read = |root: &mut Table<'_, '_>| root.others::<Json>();
            let tables = read_file(&mut findings, &source.text, read).unwrap_or_default();
            let origin = self.origin(source, findings);
            self.lay_tables(&origin, tables.into_iter().collect());
            self.tables_origin = Some(origin);
        } else {
            let phase = read_file(&mut findings, &source.text, WrittenPhase::read);
            let origin = self.origin(source, findings);
            phase
                .into_iter()
                .for_each(|phase| self.lay_phase(&origin, phase));
        }
    }

    /// The blueprint, if nothing was found in its files.
    pub(super) fn finish(mut self) -> Result<Blueprint, Diagnostics> {
        if !self.diagnostics.has_errors() {
            self.check_steps();
        }
        let origin = self.tables_origin.take().unwrap_or_default();
        let tables = Tables::read(&self.tables).map_err(|cause| {
            let message = format!("the tables are not as matih knows them: {cause}");
            self.diagnostics.push(
                Diagnostic::new(TABLES, message)
                    .hint(TABLES_HINT)
                    .at(origin.place("")),
            );
        });
        let services = self.tables.get("services").and_then(Json::as_object);
        match tables {
            Ok(tables) if !self.diagnostics.has_errors() => Ok(Blueprint {
                steps: self.steps,
                rows: self.rows,
                tables,
                service_rows: services.cloned().unwrap_or_default(),
                terms: term(&Json::Object(self.tables)),
                tables_origin: origin,
                names: self.names,
                origins: self.origins,
                library: self.library,
            }),
            _ => Err(self.diagnostics),
        }
    }

    fn origin(&mut self, source: &Source, findings: Findings) -> Arc<Origin> {
        let (diagnostics, places) = findings.into_parts();
        self.diagnostics.extend(diagnostics);
        let origin = Arc::new(Origin {
            source: source.clone(),
            places,
        });
        self.origins.push(Arc::clone(&origin));
        origin
    }

    fn compiler<'a>(
        &'a mut self,
        origin: &'a Origin,
        names: &'static [&'static str],
    ) -> Compiler<'a> {
        let (library, diagnostics) = (&mut self.library, &mut self.diagnostics);
        Compiler {
            library,
            origin,
            names,
            diagnostics,
        }
    }

    fn report(&mut self, origin: &Origin, path: &str, diagnostic: Diagnostic, hint: &str) {
        self.diagnostics
            .push(diagnostic.hint(hint).at(origin.place(path)));
    }

    fn lay_tables(&mut self, origin: &Arc<Origin>, tables: Map<String, Json>) {
        if let Some(Json::Object(names)) = tables.get("names") {
            for (name, json) in names {
                let mut compiler = self.compiler(origin, context::BASE);
                let template = compiler.tree(&format!("names.{name}"), json);
                self.names
                    .insert(name.clone(), (Arc::clone(origin), template));
            }
        }
        merge(&mut self.tables, tables);
    }

    fn lay_phase(&mut self, origin: &Arc<Origin>, written: WrittenPhase) {
        for step in written.steps {
            self.lay_step(origin, written.phase, step);
        }
        for row in written.rows {
            match written.phase {
                _ if row.covers.is_empty() => {
                    let message = "a `[[resource]]` beside the steps says which it `covers`";
                    let hint = "add `covers = [NUMBER, …]`, or move it into a `[[step]]`";
                    self.report(origin, &row.path, Diagnostic::new(STEPS, message), hint);
                }
                Some(phase) => self.lay_row(origin, phase, None, row),
                None => {
                    let message = "a `[[resource]]` beside the steps needs the file's `phase`";
                    let hint = "add `phase = NUMBER` at the top of the file";
                    self.report(origin, &row.path, Diagnostic::new(PHASE, message), hint);
                }
            }
        }
    }

    fn lay_step(&mut self, origin: &Arc<Origin>, phase: Option<Phase>, written: WrittenStep) {
        let number = written.number;
        let known = self.steps.get(&number).map(|step| step.phase);
        let phase = match (phase, known, &written.name) {
            (Some(phase), Some(known), _) if phase != known => {
                let message = format!("step {number} belongs to another phase than {phase}");
                let hint = "a step keeps its phase for good; leave the file's `phase` out";
                return self.report(origin, &written.path, Diagnostic::new(PHASE, message), hint);
            }
            (_, Some(known), None) if written.only_adds => known,
            (_, Some(phase), Some(_)) | (Some(phase), None, Some(_)) => phase,
            _ => {
                let message = format!("step {number} has no `name`, so it can only add resources");
                let hint = "take its other keys away, or write the whole step with its `name`";
                return self.report(origin, &written.path, Diagnostic::new(STEPS, message), hint);
            }
        };
        if let Some(name) = &written.name {
            self.rows.retain(|row| row.step != Some(number));
            let step = self.step(origin, phase, name.clone(), &written);
            self.steps.insert(number, step);
        }
        for mut row in written.rows {
            if row.covers.is_empty() {
                row.covers.push(number.number().into());
            }
            self.lay_row(origin, phase, Some(number), row);
        }
    }

    fn step(
        &mut self,
        origin: &Arc<Origin>,
        phase: Phase,
        name: String,
        written: &WrittenStep,
    ) -> Step {
        let path = &written.path;
        let mut compiler = self.compiler(origin, context::NAMES);
        let when = written.when.as_ref();
        let when = when.map(|text| compiler.expression(&format!("{path}.when"), text));
        let skipped = written.skipped.as_deref().map(Json::from);
        let skipped = skipped.map(|text| compiler.tree(&format!("{path}.skipped"), &text));
        Step {
            number: written.number,
            name,
            phase,
            depends_on: written.depends_on.clone(),
            when,
            skipped,
            retry: written.retry.clone(),
            origin: Arc::clone(origin),
        }
    }

    fn lay_row(
        &mut self,
        origin: &Arc<Origin>,
        phase: Phase,
        step: Option<StepNumber>,
        written: WrittenRow,
    ) {
        let at = |key: &str| format!("{}.{key}", written.path);
        let for_each = written.for_each.as_ref().map(|text| {
            let mut compiler = self.compiler(origin, context::NAMES);
            compiler.expression(&at("for_each"), text)
        });
        let names = if for_each.is_some() {
            context::ITEM_NAMES
        } else {
            context::NAMES
        };
        let mut compiler = self.compiler(origin, names);
        let when = written
            .when
            .as_ref()
            .map(|text| compiler.expression(&at("when"), text));
        let mut tree = |key: &str, json: Json| compiler.tree(&at(key), &json);
        let row = Row {
            step,
            phase,
            kind: written.kind.clone(),
            name: tree("name", written.name.as_str().into()),
            when,
            for_each,
            depends_on: tree("depends_on", written.depends_on.clone().into()),
            covers: tree("covers", written.covers.clone().into()),
            timeout_seconds: written.timeout_seconds,
            attributes: tree("attributes", written.attributes.clone().into()),
            origin: Arc::clone(origin),
            path: written.path.clone(),
        };
        self.rows.push(Arc::new(row));
    }

    /// All 56 are there.
    fn check_steps(&mut self) {
        let there: BTreeSet<u8> = self.steps.keys().map(|step| step.number()).collect();
        let missing = (1..=STEP_COUNT).filter(|number| !there.contains(number));
        let missing: Vec<String> = missing.map(|number| number.to_string()).collect();
        if !missing.is_empty() {
            let message = format!("the blueprint has no step {}", missing.join(", "));
            let diagnostic = Diagnostic::new(STEPS, message);
            self.diagnostics
                .push(diagnostic.hint("add it to the file of its phase"));
        }
    }
}

/// Lays tables over tables, key by key, all the way down.
fn merge(base: &mut Map<String, Json>, over: Map<String, Json>) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Json::Object(base)), Json::Object(over)) => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}
