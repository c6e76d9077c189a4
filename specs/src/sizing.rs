//! How much of everything a tenant gets: which services run, how many of each, in what quota.
//!
//! Promises exact arithmetic in thousandths of a core and bytes. Knows the tables of a blueprint
//! by their form and none of their numbers.

mod quota;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use quota::{ONE, Pod, Usage, limit, quota, scaled};

use crate::schema::{Modules, TenantSpec};
use crate::words::Word;

/// The tables that matih computes with; the others are for templates only.
#[derive(Debug, Deserialize)]
pub(crate) struct Tables {
    tiers: BTreeMap<String, TierRow>,
    resource_tiers: BTreeMap<String, u32>,
    modules: BTreeMap<String, Vec<String>>,
    services: BTreeMap<String, ServiceRow>,
    ingress: IngressRow,
    namespace: NamespaceRow,
}

#[derive(Debug, Deserialize)]
struct TierRow {
    quota: BTreeMap<String, Json>,
    smallest_percent: u32,
    replicas_percent: u32,
    dedicated_ingress: bool,
    ingress_replicas: u32,
    #[serde(default)]
    resources: BTreeMap<String, Resources>,
}

#[derive(Debug, Deserialize)]
struct ServiceRow {
    replicas: u32,
    max_replicas: u32,
    requires: Vec<String>,
    resources: Resources,
}

#[derive(Debug, Deserialize)]
struct IngressRow {
    services: u32,
    resources: Resources,
}

#[derive(Debug, Deserialize)]
struct NamespaceRow {
    services: u32,
}

/// What one container asks for and may use.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Resources {
    requests: Amounts,
    limits: Amounts,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Amounts {
    cpu: String,
    memory: String,
}

/// What a tenant gets.
pub(crate) struct Sizing {
    /// The rows of the enabled services, with what the tenant's size makes of them.
    pub(crate) services: Map<String, Json>,
    /// The quota, as Kubernetes names it.
    pub(crate) quota: Map<String, Json>,
    /// What the services and the ingress take of it.
    pub(crate) used: Usage,
    /// Whether the tenant has an ingress of its own.
    pub(crate) dedicated_ingress: bool,
    /// How many pods that ingress has.
    pub(crate) ingress_replicas: u32,
}

impl Sizing {
    /// What is used, in the units that people count in: millicores, MiB, and pieces.
    pub(crate) fn usage(&self) -> Map<String, Json> {
        let amount = |(name, millis): (&&str, &u128)| {
            let unit = match *name {
                "requests.cpu" | "limits.cpu" => 1,
                "requests.memory" | "limits.memory" => ONE << 20,
                _ => ONE,
            };
            let whole = u64::try_from(millis.div_ceil(unit)).unwrap_or(u64::MAX);
            (name.replace('.', "_"), Json::from(whole))
        };
        self.used.iter().map(amount).collect()
    }

    /// Where the quota is too small: its name, what is used and what is allowed, in thousandths.
    pub(crate) fn shortfalls(&self) -> Vec<(&'static str, u128, u128)> {
        let short = |(name, used): (&&'static str, &u128)| {
            let allowed = limit(&self.quota, name)?;
            (*used > allowed).then_some((*name, *used, allowed))
        };
        self.used.iter().filter_map(short).collect()
    }
}

impl Tables {
    /// Reads the tables, or says what is wrong with them.
    pub(crate) fn read(tables: &Map<String, Json>) -> Result<Self, String> {
        let tables =
            Self::deserialize(Json::Object(tables.clone())).map_err(|it| it.to_string())?;
        let known = |name: &String| tables.services.contains_key(name);
        let named = tables.modules.values().flatten();
        let required = tables.services.values().flat_map(|row| &row.requires);
        if let Some(name) = named.chain(required).find(|name| !known(name)) {
            return Err(format!("there is no service `{name}`"));
        }
        Ok(tables)
    }

    /// The services that some modules switch on, with all that these services require.
    pub(crate) fn enabled(&self, modules: &Modules) -> BTreeSet<&str> {
        let switches = [
            ("base", true),
            ("core", modules.core),
            ("bi", modules.bi),
            ("context_graph", modules.context_graph),
            ("ml", modules.ml),
            ("data_platform", modules.data_platform),
        ];
        let on = switches
            .iter()
            .filter(|(_, on)| *on)
            .filter_map(|(name, _)| self.modules.get(*name));
        let mut open: Vec<&str> = on.flatten().map(String::as_str).collect();
        let mut enabled = BTreeSet::new();
        while let Some(name) = open.pop() {
            if enabled.insert(name) {
                open.extend(
                    self.services
                        .get(name)
                        .into_iter()
                        .flat_map(|row| &row.requires)
                        .map(String::as_str),
                );
            }
        }
        enabled
    }

    /// What a tenant gets. `rows` are the full rows of the services, of which this knows a part.
    pub(crate) fn size(
        &self,
        spec: &TenantSpec,
        ingress: bool,
        rows: &Map<String, Json>,
    ) -> Result<Sizing, String> {
        let tier_name = spec.tenant.tier.as_str();
        let tier = self
            .tiers
            .get(tier_name)
            .ok_or(format!("there is no tier {tier_name}"))?;
        let size = spec.infrastructure.resource_tier.as_str();
        let percent = self
            .resource_tiers
            .get(size)
            .ok_or(format!("there is no size {size}"))?;
        let percent = *percent.max(&tier.smallest_percent);
        let quota = quota(&tier.quota, percent, spec.quota.as_ref())?;
        let dedicated_ingress = ingress && tier.dedicated_ingress;
        let ingress_replicas = scaled(tier.ingress_replicas, percent);
        let mut used = Usage::from([("services.loadbalancers", 0)]);
        *used.entry("services").or_default() += u128::from(self.namespace.services) * ONE;
        if dedicated_ingress {
            let pod = Pod::of(&self.ingress.resources)?;
            pod.add_to(&mut used, ingress_replicas);
            *used.entry("services").or_default() += u128::from(self.ingress.services) * ONE;
            *used.entry("services.loadbalancers").or_default() += ONE;
        }
        let mut sized = Vec::new();
        for name in self.enabled(&spec.modules) {
            let row = self
                .services
                .get(name)
                .ok_or(format!("there is no service {name}"))?;
            let replicas = (row.replicas * tier.replicas_percent).div_ceil(100);
            let replicas = scaled(replicas, percent);
            let own = tier.resources.get(name).or(tier.resources.get("default"));
            let resources = own.unwrap_or(&row.resources);
            let pod = Pod::of(resources)?;
            pod.add_to(&mut used, replicas);
            *used.entry("services").or_default() += ONE;
            sized.push((name, row, replicas, resources, pod));
        }
        let mut grown = used.clone();
        let mut services = Map::new();
        for (name, row, replicas, resources, pod) in sized {
            let growth = row
                .max_replicas
                .saturating_sub(replicas)
                .min(pod.room(&quota, &grown));
            pod.add_to(&mut grown, growth);
            let mut json = rows
                .get(name)
                .and_then(Json::as_object)
                .cloned()
                .unwrap_or_default();
            json.insert("name".into(), name.into());
            json.insert("replicas".into(), replicas.into());
            json.insert("max_replicas".into(), (replicas + growth).into());
            json.insert(
                "resources".into(),
                serde_json::to_value(resources).unwrap_or_default(),
            );
            services.insert(name.to_owned(), json.into());
        }
        Ok(Sizing {
            services,
            quota,
            used,
            dedicated_ingress,
            ingress_replicas,
        })
    }
}
