//! A tenant spec, a platform file and a blueprint to the graph of all that the tenant should have.
//!
//! Promises all findings at once, each with its place in the blueprint or the spec, and the same
//! graph for the same input on every machine.

mod catalog;
mod directives;
mod link;

use std::sync::Arc;

use matih_model::{Catalog, Digest, Phase, ResourceGraph, RetryPolicy, SecretRef};
use serde_json::Value as Json;

pub(crate) use catalog::CATALOG;
pub use directives::Directives;

use crate::blueprint::Blueprint;
use crate::context::{Context, NAMES};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expand::{Draft, Expander};
use crate::language::Scope;
use crate::parse::Parsed;
use crate::platform::PlatformFile;
use crate::rule::rules;
use crate::steps::{self, StepRow};
use crate::template::{Compiler, Filler, Library, Memo, Origin};

rules! {
    /// The rules of the graph that a spec and a blueprint come to.
    COMPILE:
    /// A resource is one of its kind and name in its tenant.
    DUPLICATE = "MTH-3201" "graph.duplicate" Error;
    /// What a resource depends on or refers to must be part of the same tenant.
    MISSING = "MTH-3202" "graph.missing-dependency" Error;
    /// Resources must not wait for each other in a circle.
    CYCLE = "MTH-3203" "graph.cycle" Error;
    /// The services of a tenant must fit its quota, or Kubernetes would refuse some of their pods.
    QUOTA = "MTH-3204" "graph.quota" Error;
    /// What a spec says has moved or is removed cannot be wanted at the old name as well.
    CONTRADICTION = "MTH-3205" "graph.contradiction" Error;
    /// A `[[lifecycle]]` or `[[moved]]` that is about no resource is without effect.
    NO_MATCH = "MTH-3206" "graph.no-match" Warning;
}

/// The phase of the resources that a spec adds: with the services, before activation.
const EXTRA_PHASE: u8 = 5;

/// What a spec compiles to.
#[derive(Debug)]
pub struct Compiled {
    /// All that the tenant should have.
    pub graph: ResourceGraph,
    /// What the spec says about resources that were there before.
    pub directives: Directives,
    /// The 56 steps, by number.
    pub steps: Vec<StepRow>,
    /// Findings that do not stand in the way.
    pub warnings: Diagnostics,
}

/// Compiles one tenant. `secret` gives the keyed digest of a secret's value now, or none if the
/// value cannot be read here.
///
/// # Errors
/// All findings, warnings too, if one of them is an error.
pub fn compile(
    parsed: &Parsed,
    platform: &PlatformFile,
    blueprint: &Blueprint,
    catalog: &Catalog,
    secret: &dyn Fn(&SecretRef) -> Option<Digest>,
) -> Result<Compiled, Diagnostics> {
    let mut diagnostics = Diagnostics::default();
    let origin = Arc::new(Origin::of_spec(parsed));
    let compiled = graph(
        parsed,
        platform,
        blueprint,
        catalog,
        secret,
        &origin,
        &mut diagnostics,
    );
    // Findings show the lines that they are about.
    if !diagnostics.is_empty() {
        for file in blueprint.origins.iter().chain([&origin]) {
            diagnostics.extend(Diagnostics::new(file.source.clone()));
        }
    }
    match compiled {
        Some(compiled) => Ok(Compiled {
            warnings: diagnostics,
            ..compiled
        }),
        None => Err(diagnostics),
    }
}

fn graph(
    parsed: &Parsed,
    platform: &PlatformFile,
    blueprint: &Blueprint,
    catalog: &Catalog,
    secret: &dyn Fn(&SecretRef) -> Option<Digest>,
    origin: &Arc<Origin>,
    diagnostics: &mut Diagnostics,
) -> Option<Compiled> {
    let spec = &parsed.spec;
    let tenant = spec.tenant_id();
    let scope = Scope {
        tenant: &tenant,
        secret,
    };
    let context = Context::of(spec, platform, blueprint, &scope, diagnostics).ok()?;
    check_quota(&context, origin, diagnostics);
    let expander = Expander {
        blueprint,
        context: &context,
        scope: &scope,
        memo: Memo::default(),
        diagnostics,
    };
    let mut expansion = expander.expand();
    expansion
        .drafts
        .extend(extras(parsed, origin, &context, &scope, diagnostics));

    for draft in &expansion.drafts {
        catalog::check(draft, catalog, diagnostics);
    }
    let drafts = expansion.drafts;
    let linker = link::Linker::new(&tenant, blueprint, &drafts, diagnostics);
    let resources = drafts
        .into_iter()
        .map(|draft| linker.resource(draft, catalog, diagnostics));
    let mut resources: Vec<_> = resources.collect();
    directives::protect(parsed, origin, &mut resources, diagnostics);
    let directives = directives::read(parsed, origin, &resources, diagnostics);
    if diagnostics.has_errors() {
        return None;
    }
    let steps = steps::table(blueprint, &expansion.skipped, &resources);
    match ResourceGraph::new(tenant.clone(), spec.tenancy(), resources) {
        Ok(graph) => Some(Compiled {
            graph,
            directives,
            steps,
            warnings: Diagnostics::default(),
        }),
        Err(errors) => {
            for error in &errors {
                diagnostics.push(linker.of_graph(error));
            }
            None
        }
    }
}

/// Says which parts of the quota are too small for the services.
fn check_quota(context: &Context, origin: &Origin, diagnostics: &mut Diagnostics) {
    for (name, used, allowed) in context.sizing.shortfalls() {
        let unit = match name {
            "requests.memory" | "limits.memory" => (1000 << 20, "Mi"),
            "requests.cpu" | "limits.cpu" => (1, "m"),
            _ => (1000, ""),
        };
        let amount = |millis: u128| format!("{}{}", millis.div_ceil(unit.0), unit.1);
        let message = format!(
            "the services of this tenant take {} of `{name}`, and its quota is {}",
            amount(used),
            amount(allowed)
        );
        let path = format!("quota.{}", name.replace('.', "_"));
        let path = if origin.places.contains(&path) {
            path.as_str()
        } else {
            "tenant.tier"
        };
        let hint = "switch off modules, take a larger tier or size, or raise the quota";
        diagnostics.push(
            Diagnostic::new(QUOTA, message)
                .hint(hint)
                .at(origin.place(path)),
        );
    }
}

/// The resources that the spec adds.
fn extras(
    parsed: &Parsed,
    origin: &Arc<Origin>,
    context: &Context,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Vec<Draft> {
    let mut library = Library::default();
    let mut memo = Memo::default();
    let terms = context.terms();
    let Ok(phase) = Phase::new(EXTRA_PHASE) else {
        return Vec::new();
    };
    let mut drafts = Vec::new();
    for (index, extra) in parsed.spec.resource.iter().enumerate() {
        let path = format!("resource[{index}]");
        let written = Json::Object(extra.attributes.clone());
        let before = diagnostics.len();
        let mut compiler = Compiler {
            library: &mut library,
            origin,
            names: NAMES,
            diagnostics,
        };
        let template = compiler.tree(&format!("{path}.attributes"), &written);
        if diagnostics.len() > before {
            continue;
        }
        let library = &library;
        let mut filler = Filler {
            library,
            origin,
            scope,
            terms: &terms,
            memo: &mut memo,
            diagnostics,
        };
        if let Ok(attributes) = filler.map(&template) {
            drafts.push(Draft {
                name: extra.resource_name(),
                phase,
                steps: Vec::new(),
                after: [].into(),
                depends_on: extra.depends_on.clone(),
                attributes,
                retry: RetryPolicy::default(),
                origin: Arc::clone(origin),
                path,
            });
        }
    }
    drafts
}

/// The part of an inputs digest that all tenants share: cheap to keep, dear to make.
#[derive(Clone, Copy, Debug)]
pub struct SharedInputs(Digest);

impl SharedInputs {
    /// Takes the platform file's text, the blueprint's digest and the catalog.
    pub fn new(platform_text: &str, blueprint: Digest, catalog: &Catalog) -> Self {
        let parts = (
            env!("CARGO_PKG_VERSION"),
            platform_text,
            blueprint,
            catalog.digest(),
        );
        Self(Digest::of("matih shared inputs v1", &parts))
    }

    /// The digest of everything that one tenant is compiled from, but for the values of secrets:
    /// those are compared apart, by their keyed digests.
    pub fn with_spec(&self, spec_text: &str) -> Digest {
        Digest::of("matih inputs v1", &(self.0, spec_text))
    }
}
