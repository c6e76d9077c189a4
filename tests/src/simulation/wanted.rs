//! What a tenant should have: made up by chance, and edited by chance, as a person edits a spec.
//!
//! A resource depends on and refers to earlier ones only, so that the list is always a graph.

use std::collections::BTreeMap;
use std::sync::Arc;

use matih_model::{
    Address, AttributePath, Attributes, Catalog, KindSchema, Lifecycle, Name, OutputRef, Phase,
    Resource, ResourceGraph, ResourceName, RetryPolicy, Tenancy, TenantId, Value,
};

use super::values::{made, map};
use super::vault::Vault;
use crate::seed::Seed;

/// Attributes that cannot be altered and may still refer to another resource: another attribute
/// of the same kind keeps the object's name apart from all others.
const PARENTS: [&str; 12] = [
    "bucket",
    "cluster",
    "database",
    "namespace",
    "parent",
    "realm",
    "region",
    "server",
    "tenant_id",
    "user_id",
    "vault",
    "zone",
];

/// The cluster of everything that lives in one.
const CLUSTER: &str = "shared-1";

/// What a tenant should have, and what is said of what it had before.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) tenant: TenantId,
    pub(super) tenancy: Tenancy,
    pub(super) resources: Vec<Resource>,
    /// Old names and new ones.
    pub(super) moved: Vec<(ResourceName, ResourceName)>,
    /// Counts the names that were ever given.
    pub(super) named: usize,
    /// What a resource was called first, by each name that it had since.
    pub(super) first_names: BTreeMap<Address, Address>,
}

impl Wanted {
    /// A tenant of 8 to 25 resources, checks included.
    pub(super) fn made_up(tenant: &TenantId, catalog: &Catalog, seed: &mut Seed) -> Self {
        let tenancy = match seed.below(2) {
            0 => Tenancy::Shared,
            _ => Tenancy::Dedicated,
        };
        let mut wanted = Self::of(tenant.clone(), tenancy, Vec::new());
        for _ in 0..8 + seed.below(18) {
            wanted.add(catalog, seed);
        }
        wanted
    }

    /// What a graph holds; `resources` with dependencies before those that depend on them.
    pub(super) fn of(tenant: TenantId, tenancy: Tenancy, resources: Vec<Resource>) -> Self {
        Self {
            tenant,
            tenancy,
            resources,
            moved: Vec::new(),
            named: 0,
            first_names: BTreeMap::new(),
        }
    }

    /// What a snapshot or a compile says.
    pub(super) fn of_graph(graph: &ResourceGraph) -> Self {
        let mut rest: BTreeMap<&Address, &Arc<Resource>> = graph.resources().iter().collect();
        let mut sorted: Vec<Resource> = Vec::new();
        while !rest.is_empty() {
            let free = |(_, it): &(&&Address, &&Arc<Resource>)| {
                it.dependencies().iter().all(|on| !rest.contains_key(on))
            };
            // A graph has no circle; should one be there, the graph's own check will say so.
            let next = rest.iter().find(free).or(rest.iter().next());
            let Some(address) = next.map(|(address, _)| *address) else {
                break;
            };
            sorted.extend(rest.remove(address).map(|it| it.as_ref().clone()));
        }
        Self::of(graph.tenant().clone(), graph.tenancy(), sorted)
    }

    /// Wants what a graph holds, and forgets no name.
    pub(super) fn become_like(&mut self, graph: &ResourceGraph) {
        let (named, first_names) = (self.named, std::mem::take(&mut self.first_names));
        *self = Self {
            named,
            first_names,
            ..Self::of_graph(graph)
        };
    }

    /// As something to be planned, with the digests that its secrets have now.
    pub(super) fn graph(&self, vault: &Vault) -> Result<ResourceGraph, String> {
        let resources = self.resources.iter().map(|resource| Resource {
            attributes: vault.refreshed(&resource.attributes),
            ..resource.clone()
        });
        ResourceGraph::new(self.tenant.clone(), self.tenancy, resources)
            .map_err(|errors| format!("the simulation asks for no graph: {errors:?}"))
    }

    /// The number of resources on the longest path of dependencies.
    pub(super) fn depth(&self) -> usize {
        let mut depths: BTreeMap<&Address, usize> = BTreeMap::new();
        for resource in &self.resources {
            let below = resource.dependencies().into_iter();
            let below = below.filter_map(|it| depths.get(it)).max();
            depths.insert(&resource.address, below.copied().unwrap_or_default() + 1);
        }
        depths.values().copied().max().unwrap_or_default()
    }

    /// Adds one resource of a kind that chance picks.
    pub(super) fn add(&mut self, catalog: &Catalog, seed: &mut Seed) -> Option<&Resource> {
        let schemas: Vec<&KindSchema> = catalog.iter().collect();
        // Namespaces and what is in them are half of every real tenant.
        let schema = match seed.below(4) {
            0 => *schemas
                .iter()
                .find(|it| it.kind.as_str() == "kubernetes.manifest")?,
            _ => schemas.get(seed.below(schemas.len()))?,
        };
        self.named += 1;
        let name = format!("r{}", self.named);
        let address = Address::new(
            self.tenant.clone(),
            schema.kind.clone(),
            Name::new(&name).ok()?,
        );
        let attributes = self.attributes(schema, &name, catalog, seed);
        let depends_on = (0..seed.below(3))
            .filter_map(|_| self.resources.get(seed.below(self.resources.len())))
            .map(|it| it.address.clone())
            .collect();
        self.resources.push(Resource {
            address,
            phase: Phase::ALL[seed.below(Phase::ALL.len())],
            steps: Vec::new(),
            depends_on,
            attributes,
            lifecycle: Lifecycle::default(),
            retry: RetryPolicy {
                timeout_seconds: 10,
                backoff_seconds: vec![1, 2, 4],
            },
        });
        self.resources.last()
    }

    fn attributes(
        &self,
        schema: &KindSchema,
        name: &str,
        catalog: &Catalog,
        seed: &mut Seed,
    ) -> Attributes {
        if schema.kind.as_str() == "kubernetes.manifest" {
            return self.manifest(name, seed);
        }
        let is_check = catalog.is_check(&schema.kind);
        let mut attributes = Attributes::new();
        for attribute in schema.attributes.iter().filter(|it| !it.computed) {
            let [key] = attribute.path.parts() else {
                continue;
            };
            // A check that asks for what nobody makes would never pass.
            if !attribute.required && (is_check || seed.below(3) != 0) {
                continue;
            }
            let may_refer = !attribute.immutable || PARENTS.contains(&&**key);
            let reference = (may_refer && seed.below(3) == 0)
                .then(|| self.reference(catalog, seed))
                .flatten();
            let value = reference.unwrap_or_else(|| made(attribute, name, seed));
            attributes.insert(key, value);
        }
        if schema.kind.as_str() == "helm.release" {
            attributes.insert("cluster", CLUSTER);
            if let Some(namespace) = self.namespace(seed) {
                attributes.insert("namespace", namespace);
            }
        }
        attributes
    }

    fn manifest(&self, name: &str, seed: &mut Seed) -> Attributes {
        const KINDS: [&str; 6] = [
            "Namespace",
            "Namespace",
            "ConfigMap",
            "Deployment",
            "Service",
            "PersistentVolumeClaim",
        ];
        let kind = KINDS[seed.below(KINDS.len())];
        let mut metadata = Attributes::new();
        metadata.insert("name", name);
        metadata.insert("labels", map(name, 1, seed));
        if kind != "Namespace"
            && let Some(namespace) = self.namespace(seed)
        {
            metadata.insert("namespace", namespace);
        }
        let mut manifest = Attributes::new();
        manifest.insert("apiVersion", "v1");
        manifest.insert("kind", kind);
        manifest.insert("metadata", metadata);
        manifest.insert("spec", map(name, 2, seed));
        let mut attributes = Attributes::new();
        attributes.insert("cluster", CLUSTER);
        attributes.insert("manifest", manifest);
        attributes
    }

    /// The name of one of the tenant's namespaces, by reference.
    fn namespace(&self, seed: &mut Seed) -> Option<Value> {
        let kind: AttributePath = "manifest.kind".parse().ok()?;
        let spaces: Vec<&Resource> = self
            .resources
            .iter()
            .filter(|it| kind.find(&it.attributes) == Some(&Value::from("Namespace")))
            .collect();
        let space = spaces.get(seed.below(spaces.len()))?;
        Some(Value::Ref(OutputRef {
            address: space.address.clone(),
            output: "name".into(),
        }))
    }

    /// A reference to an output of one of the resources so far.
    fn reference(&self, catalog: &Catalog, seed: &mut Seed) -> Option<Value> {
        let resource = self.resources.get(seed.below(self.resources.len()))?;
        let outputs = &catalog.get(&resource.address.kind)?.outputs;
        let output = outputs.get(seed.below(outputs.len()))?;
        Some(Value::Ref(OutputRef {
            address: resource.address.clone(),
            output: output.name.clone(),
        }))
    }
}
