//! What the templates of a blueprint can speak of: one tenant, its platform, and the tables.
//!
//! Promises that every name is there for every tenant, so that a template either works for all or
//! is wrong. What a spec leaves out is `none`.

use std::collections::BTreeMap;
use std::sync::Arc;

use matih_model::Tenancy;
use minijinja::value::Value as Term;
use serde::Serialize;
use serde_json::Value as Json;

use crate::blueprint::{Blueprint, TABLES, TABLES_HINT};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::language::{Scope, table, term};
use crate::platform::PlatformFile;
use crate::schema::TenantSpec;
use crate::sizing::Sizing;
use crate::template::{Failed, Filler, Memo};
use crate::words::Word;

/// Every name that a template can use.
const ALL: [&str; 20] = [
    "tenant",
    "infrastructure",
    "data_sources",
    "modules",
    "security",
    "platform",
    "provider",
    "shared",
    "dedicated",
    "tables",
    "tiers",
    "tier",
    "quota",
    "usage",
    "services",
    "dedicated_ingress",
    "ingress_replicas",
    "names",
    "item",
    "key",
];

/// The names that the templates of `[names]` can use.
pub(crate) const BASE: &[&str] = ALL.split_at(17).0;

/// The names that steps and resources can use.
pub(crate) const NAMES: &[&str] = ALL.split_at(18).0;

/// The names that a resource with a `for_each` can use.
pub(crate) const ITEM_NAMES: &[&str] = &ALL;

/// All that the templates can speak of.
pub(crate) struct Context {
    terms: BTreeMap<Arc<str>, Term>,
    /// How much of everything the tenant gets.
    pub(crate) sizing: Sizing,
}

impl Context {
    /// Gathers the terms of one tenant.
    ///
    /// # Errors
    /// The tables do not fit the tenant, or a name has no result; both are reported.
    pub(crate) fn of(
        spec: &TenantSpec,
        platform: &PlatformFile,
        blueprint: &Blueprint,
        scope: &Scope<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Result<Self, Failed> {
        let ingress = platform.platform.features.ingress;
        let sizing = blueprint
            .tables
            .size(spec, ingress, &blueprint.service_rows)
            .map_err(|cause| {
                let place = blueprint.tables_origin.place("");
                diagnostics.push(Diagnostic::new(TABLES, cause).hint(TABLES_HINT).at(place));
                Failed
            })?;
        let spec_json = json(spec);
        let of_spec = |key: &str| term(spec_json.get(key).unwrap_or(&Json::Null));
        let dedicated = spec.tenancy() == Tenancy::Dedicated;
        let tier = spec.tenant.tier.as_str();
        let tiers = blueprint.terms.get_attr("tiers").unwrap_or_default();
        let terms = [
            ("tenant", of_spec("tenant")),
            ("infrastructure", of_spec("infrastructure")),
            ("data_sources", of_spec("data_sources")),
            ("modules", of_spec("modules")),
            ("security", of_spec("security")),
            ("platform", term(&json(&platform.platform))),
            (
                "provider",
                Term::from(spec.infrastructure.provider.as_str()),
            ),
            ("shared", Term::from(!dedicated)),
            ("dedicated", Term::from(dedicated)),
            ("tables", blueprint.terms.clone()),
            ("tier", tiers.get_attr(tier).unwrap_or_default()),
            ("tiers", tiers),
            ("quota", term(&Json::Object(sizing.quota.clone()))),
            ("usage", term(&Json::Object(sizing.usage()))),
            ("services", term(&Json::Object(sizing.services.clone()))),
            ("dedicated_ingress", Term::from(sizing.dedicated_ingress)),
            ("ingress_replicas", Term::from(sizing.ingress_replicas)),
        ];
        let terms = terms
            .into_iter()
            .map(|(name, term)| (Arc::from(name), term))
            .collect();
        let mut context = Self { terms, sizing };
        let names = context.names(blueprint, scope, diagnostics)?;
        context.terms.insert("names".into(), names);
        Ok(context)
    }

    fn names(
        &self,
        blueprint: &Blueprint,
        scope: &Scope<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Result<Term, Failed> {
        let terms = self.terms();
        let mut memo = Memo::default();
        let mut names = Vec::new();
        for (name, (origin, template)) in &blueprint.names {
            let mut filler = Filler {
                library: &blueprint.library,
                origin,
                scope,
                terms: &terms,
                memo: &mut memo,
                diagnostics,
            };
            names.push((name.as_str(), filler.raw(template)));
        }
        let names = names
            .into_iter()
            .map(|(name, found)| found.map(|term| (name, term)));
        Ok(table(names.collect::<Result<Vec<_>, Failed>>()?))
    }

    /// For templates of the tenant.
    pub(crate) fn terms(&self) -> Term {
        Term::from_pairs(self.pairs())
    }

    /// For templates of one item of a `for_each`.
    pub(crate) fn terms_of(&self, key: Term, item: Term) -> Term {
        let own = [(Arc::from("key"), key), (Arc::from("item"), item)];
        Term::from_pairs(self.pairs().chain(own))
    }

    fn pairs(&self) -> impl Iterator<Item = (Arc<str>, Term)> {
        self.terms
            .iter()
            .map(|(name, term)| (Arc::clone(name), term.clone()))
    }
}

fn json(value: &impl Serialize) -> Json {
    serde_json::to_value(value).unwrap_or_default()
}
