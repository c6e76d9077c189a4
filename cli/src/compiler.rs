//! From a spec's text to what is desired: the blueprint, read and compiled once, when a spec has to
//! be compiled, and its use.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use matih_model::{Digest, ResourceGraph, SecretRef, TenantId};
use matih_specs::rules::check_fleet;
use matih_specs::{
    Blueprint, BlueprintFiles, Diagnostics, Directives, Parsed, SharedInputs, Source, StepRow,
};

use crate::context::Context;
use crate::failure::Failure;
use crate::platform::Platform;

/// The blueprint of a platform.
pub(crate) struct Compiler {
    platform: Arc<Platform>,
    files: BlueprintFiles,
    blueprint: OnceLock<Result<Blueprint, Diagnostics>>,
    shared: SharedInputs,
}

/// What a spec comes to.
pub(crate) struct Desired {
    /// The spec, as it was named.
    pub(crate) spec: String,
    /// The tier, as it is written.
    pub(crate) tier: String,
    /// All that the tenant should have.
    pub(crate) graph: ResourceGraph,
    /// What the spec says about what was there before.
    pub(crate) directives: Directives,
    /// The table of steps.
    pub(crate) steps: Vec<StepRow>,
    /// The digest of all that it was compiled from, but for the values of secrets.
    pub(crate) inputs: Digest,
    /// Findings that do not stand in the way.
    pub(crate) warnings: Diagnostics,
}

impl Desired {
    /// Whose it is.
    pub(crate) fn tenant(&self) -> &TenantId {
        self.graph.tenant()
    }
}

impl Compiler {
    /// The embedded blueprint, with the overlay of `--blueprint` or of the platform file.
    ///
    /// # Errors
    /// The overlay's folder cannot be read, exit code 6.
    pub(crate) fn new(context: &Context, platform: &Arc<Platform>) -> Result<Self, Failure> {
        let overlay = context.global.blueprint.clone();
        let overlay = overlay.or_else(|| {
            let named = platform.file.platform.blueprint.as_ref();
            named.map(|named| platform.path(named))
        });
        let files = match overlay {
            Some(folder) => BlueprintFiles::load(&folder),
            None => Ok(BlueprintFiles::embedded()),
        };
        let files = files.map_err(|findings| context.invalid(&findings))?;
        let text = &platform.source.text;
        let shared = SharedInputs::new(text, files.digest(), &platform.catalog);
        Ok(Self {
            platform: platform.clone(),
            files,
            blueprint: OnceLock::new(),
            shared,
        })
    }

    /// The blueprint, read when it is first asked for: an unchanged tenant needs none.
    fn blueprint(&self) -> Result<&Blueprint, Diagnostics> {
        let read = self.blueprint.get_or_init(|| self.files.read());
        read.as_ref().map_err(Clone::clone)
    }

    /// What a compile of this text depends on: cheap beside the compile.
    pub(crate) fn inputs(&self, source: &Source) -> Digest {
        self.shared.with_spec(&source.text)
    }

    /// Reads and checks specs that are used together, and gives those back that may have to be
    /// planned: all but the ones whose inputs are in `same`. Where nothing may have to be planned,
    /// nothing is read.
    ///
    /// # Errors
    /// The blueprint breaks a rule, or one of the specs does, or two of them are of one tenant: every
    /// finding of all of them is told at once, exit code 6.
    pub(crate) fn check<T>(
        &self,
        context: &Context,
        sources: &[Source],
        same: &BTreeMap<Digest, T>,
    ) -> Result<Vec<Parsed>, Failure> {
        let inputs: BTreeSet<Digest> = sources.iter().map(|source| self.inputs(source)).collect();
        let all_differ = inputs.len() == sources.len();
        if all_differ && inputs.iter().all(|inputs| same.contains_key(inputs)) {
            return Ok(Vec::new());
        }
        self.ready(context)?;
        let (mut parsed, findings) = self.parse(sources);
        if findings.has_errors() {
            return Err(context.invalid(&findings));
        }
        parsed.retain(|parsed| !same.contains_key(&self.inputs(parsed.places.source())));
        Ok(parsed)
    }

    /// Reads the blueprint, if it was not read yet.
    ///
    /// # Errors
    /// All findings in the overlay, exit code 6.
    pub(crate) fn ready(&self, context: &Context) -> Result<(), Failure> {
        let read = self.blueprint().map(|_| ());
        read.map_err(|findings| context.invalid(&findings))
    }

    /// The specs that can be read, and the findings of all of them but for the warnings of those.
    pub(crate) fn parse(&self, sources: &[Source]) -> (Vec<Parsed>, Diagnostics) {
        let defaults = &self.platform.file.defaults;
        let mut findings = Diagnostics::default();
        let mut all = Vec::new();
        for source in sources {
            match matih_specs::parse_tenant_with(&source.name, &source.text, defaults) {
                Ok(parsed) => all.push(parsed),
                Err(found) => findings.extend(found),
            }
        }
        findings.extend(check_fleet(&all));
        (all, findings)
    }

    /// Compiles a spec that was checked; `secret` gives the keyed digest of a secret's value now.
    ///
    /// # Errors
    /// All findings.
    pub(crate) fn compile(
        &self,
        parsed: &Parsed,
        secret: &dyn Fn(&SecretRef) -> Option<Digest>,
    ) -> Result<Desired, Diagnostics> {
        let platform = &self.platform;
        let (file, catalog) = (&platform.file, &platform.catalog);
        let compiled = matih_specs::compile(parsed, file, self.blueprint()?, catalog, secret)?;
        let mut warnings = parsed.warnings.clone();
        warnings.extend(compiled.warnings);
        let source = parsed.places.source();
        Ok(Desired {
            spec: source.name.to_string(),
            tier: parsed.spec.tenant.tier.to_string(),
            graph: compiled.graph,
            directives: compiled.directives,
            steps: compiled.steps,
            inputs: self.inputs(source),
            warnings,
        })
    }

    /// Reads, checks and compiles one spec, for commands that ask nobody: secrets need not be
    /// there.
    ///
    /// # Errors
    /// All findings, exit code 6.
    pub(crate) fn compile_alone(
        &self,
        context: &Context,
        source: &Source,
    ) -> Result<Desired, Failure> {
        self.compile_with(context, source, &|_| None)
    }

    /// The same with the secrets of an installation.
    ///
    /// # Errors
    /// All findings, exit code 6.
    pub(crate) fn compile_with(
        &self,
        context: &Context,
        source: &Source,
        secret: &dyn Fn(&SecretRef) -> Option<Digest>,
    ) -> Result<Desired, Failure> {
        let invalid = |findings: Diagnostics| context.invalid(&findings);
        let nothing = BTreeMap::<Digest, ()>::new();
        let mut parsed = self.check(context, std::slice::from_ref(source), &nothing)?;
        let parsed = parsed
            .pop()
            .ok_or_else(|| Failure::error("no spec was read"))?;
        self.compile(&parsed, secret).map_err(invalid)
    }
}
