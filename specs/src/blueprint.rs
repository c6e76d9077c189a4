//! The blueprint: 56 steps as data, and the tables that they look things up in.
//!
//! A blueprint is nine phase files and `tables.toml`. The built-in one is part of the program; a
//! folder of the platform team is laid over it, file by file, in the order of their names:
//!
//! - `tables.toml` is merged into the built-in tables, key by key;
//! - in any other file a `[[step]]` with a `name` takes the place of the step of that number, and
//!   one without a name adds its resources to it;
//! - a `[[resource]]` of a file is added to the file's phase.
//!
//! A `[[resource]]` may stand inside of a step or beside the steps of a phase. Inside, it is made
//! if that step runs, and reports it; beside, it names the steps that it reports in `covers`, and
//! is made if one of them runs. Either way it comes after everything that its steps depend on.

mod read;
mod written;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use matih_model::{Digest, Kind, Phase, RetryPolicy, StepNumber};
use minijinja::value::Value as Term;
use serde_json::{Map, Value as Json};

use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::rule::rules;
use crate::sizing::Tables;
use crate::template::{Library, Origin, Template};

rules! {
    /// The rules of a blueprint.
    BLUEPRINT:
    /// Every step from 1 to 56 is there, and every resource belongs to some of them.
    STEPS = "MTH-3001" "blueprint.steps" Error;
    /// A step belongs to the phase of its file.
    PHASE = "MTH-3002" "blueprint.phase" Error;
    /// The tables that matih itself computes with must have the form that it knows.
    TABLES = "MTH-3003" "blueprint.tables" Error;
    /// The files of an overlay folder must be readable.
    FOLDER = "MTH-3004" "blueprint.folder" Error;
}

/// What to do about a table that matih cannot compute with.
pub(crate) const TABLES_HINT: &str = "the built-in tables.toml shows the form of every row";

/// The file that holds tables and no steps.
const TABLES_FILE: &str = "tables.toml";

/// The built-in files, in the order of reading.
const EMBEDDED: [(&str, &str); 10] = [
    (TABLES_FILE, include_str!("../blueprint/tables.toml")),
    (
        "0-validation.toml",
        include_str!("../blueprint/0-validation.toml"),
    ),
    (
        "1-control-plane.toml",
        include_str!("../blueprint/1-control-plane.toml"),
    ),
    (
        "2-kubernetes.toml",
        include_str!("../blueprint/2-kubernetes.toml"),
    ),
    (
        "3-cloud-storage.toml",
        include_str!("../blueprint/3-cloud-storage.toml"),
    ),
    (
        "4-data-infrastructure.toml",
        include_str!("../blueprint/4-data-infrastructure.toml"),
    ),
    (
        "5-services.toml",
        include_str!("../blueprint/5-services.toml"),
    ),
    (
        "6-observability.toml",
        include_str!("../blueprint/6-observability.toml"),
    ),
    (
        "7-cloud-infrastructure.toml",
        include_str!("../blueprint/7-cloud-infrastructure.toml"),
    ),
    (
        "8-finalization.toml",
        include_str!("../blueprint/8-finalization.toml"),
    ),
];

/// The built-in files as they were read: once for all that is laid over them.
static BUILT_IN: LazyLock<read::Reader> = LazyLock::new(|| {
    let mut reader = read::Reader::default();
    for (name, text) in EMBEDDED {
        reader.file(&Source::new(name, text));
    }
    reader
});

/// The digest of the built-in files.
static BUILT_IN_DIGEST: LazyLock<Digest> =
    LazyLock::new(|| Digest::of("matih built-in blueprint v1", &EMBEDDED));

/// The steps and tables that tenants are compiled with, every template compiled.
#[derive(Debug)]
pub struct Blueprint {
    pub(crate) steps: BTreeMap<StepNumber, Step>,
    pub(crate) rows: Vec<Arc<Row>>,
    pub(crate) tables: Tables,
    pub(crate) service_rows: Map<String, Json>,
    pub(crate) terms: Term,
    pub(crate) tables_origin: Arc<Origin>,
    pub(crate) names: BTreeMap<String, (Arc<Origin>, Template)>,
    pub(crate) origins: Vec<Arc<Origin>>,
    pub(crate) library: Library,
}

/// A step: an entry of the table that people read, and what its resources have in common.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) number: StepNumber,
    pub(crate) name: String,
    pub(crate) phase: Phase,
    pub(crate) depends_on: Vec<StepNumber>,
    pub(crate) when: Option<Template>,
    pub(crate) skipped: Option<Template>,
    pub(crate) retry: RetryPolicy,
    pub(crate) origin: Arc<Origin>,
}

/// A resource of the blueprint, or as many as its `for_each` has items.
#[derive(Debug)]
pub(crate) struct Row {
    /// The step that it stands in; none beside the steps.
    pub(crate) step: Option<StepNumber>,
    pub(crate) phase: Phase,
    pub(crate) kind: Kind,
    pub(crate) name: Template,
    pub(crate) when: Option<Template>,
    pub(crate) for_each: Option<Template>,
    pub(crate) depends_on: Template,
    pub(crate) covers: Template,
    pub(crate) timeout_seconds: Option<u32>,
    pub(crate) attributes: Template,
    pub(crate) origin: Arc<Origin>,
    pub(crate) path: String,
}

/// The files of a blueprint as they are written: what it is known by, and not yet read.
///
/// Who only asks whether anything has changed needs the digest and no more.
#[derive(Clone, Debug)]
pub struct BlueprintFiles {
    over: Vec<Source>,
    digest: Digest,
}

impl BlueprintFiles {
    /// The built-in files.
    pub fn embedded() -> Self {
        Self::overlaid(Vec::new())
    }

    /// The built-in files with the files of a folder laid over them.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn load(folder: &Path) -> Result<Self, Diagnostics> {
        crate::load::file_or_folder(folder)
            .map(Self::overlaid)
            .map_err(|cause| {
                let mut diagnostics = Diagnostics::default();
                let message = format!("the blueprint folder cannot be read: {cause}");
                diagnostics.push(Diagnostic::new(FOLDER, message).hint(cause.hint()));
                diagnostics
            })
    }

    /// The built-in files with some files laid over them, in their order.
    pub fn overlaid(over: Vec<Source>) -> Self {
        let texts: Vec<_> = over.iter().map(|it| (&it.name, &it.text)).collect();
        let digest = Digest::of("matih blueprint v2", &(*BUILT_IN_DIGEST, texts));
        Self { over, digest }
    }

    /// The digest of all files: part of what a compile depends on.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Reads them, and compiles every template.
    ///
    /// # Errors
    /// All findings in the files.
    pub fn read(&self) -> Result<Blueprint, Diagnostics> {
        let mut reader = BUILT_IN.clone();
        self.over.iter().for_each(|source| reader.file(source));
        reader.finish()
    }
}

impl Blueprint {
    /// The built-in blueprint.
    ///
    /// # Errors
    /// Never in a released build: a test compiles every file of it.
    pub fn embedded() -> Result<Self, Diagnostics> {
        BlueprintFiles::embedded().read()
    }
}
