//! From a spec's text to what is desired: the blueprint, compiled once, and its use.

use std::sync::Arc;

use matih_model::{Digest, ResourceGraph, SecretRef, TenantId};
use matih_specs::{Blueprint, Diagnostics, Directives, SharedInputs, Source, StepRow};

use crate::context::Context;
use crate::failure::Failure;
use crate::platform::Platform;

/// The blueprint of a platform.
pub(crate) struct Compiler {
    platform: Arc<Platform>,
    blueprint: Blueprint,
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
    /// All findings in the overlay, exit code 6.
    pub(crate) fn new(context: &Context, platform: &Arc<Platform>) -> Result<Self, Failure> {
        let overlay = context.global.blueprint.clone();
        let overlay = overlay.or_else(|| {
            let named = platform.file.platform.blueprint.as_ref();
            named.map(|named| platform.path(named))
        });
        let blueprint = match overlay {
            Some(folder) => Blueprint::load(&folder),
            None => Blueprint::embedded(),
        };
        let blueprint = blueprint.map_err(|findings| context.invalid(&findings))?;
        let text = &platform.source.text;
        let shared = SharedInputs::new(text, &blueprint, &platform.catalog);
        Ok(Self {
            platform: platform.clone(),
            blueprint,
            shared,
        })
    }

    /// What a compile of this text depends on: cheap beside the compile.
    pub(crate) fn inputs(&self, source: &Source) -> Digest {
        self.shared.with_spec(&source.text)
    }

    /// Compiles a spec; `secret` gives the keyed digest of a secret's value now.
    ///
    /// # Errors
    /// All findings.
    pub(crate) fn compile(
        &self,
        source: &Source,
        secret: &dyn Fn(&SecretRef) -> Option<Digest>,
    ) -> Result<Desired, Diagnostics> {
        let platform = &self.platform;
        let defaults = &platform.file.defaults;
        let parsed = matih_specs::parse_tenant_with(&source.name, &source.text, defaults)?;
        let file = &platform.file;
        let catalog = &platform.catalog;
        let compiled = matih_specs::compile(&parsed, file, &self.blueprint, catalog, secret)?;
        let mut warnings = parsed.warnings;
        warnings.extend(compiled.warnings);
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
}
