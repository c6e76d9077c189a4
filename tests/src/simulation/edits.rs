//! How a person edits what a tenant should have, when chance is the person.

use std::collections::BTreeSet;

use matih_model::{Address, AttributeSchema, Attributes, Catalog, KindSchema, Name, Value};

use super::values::{changed, made};
use super::vault::Vault;
use super::wanted::Wanted;
use crate::seed::Seed;

impl Wanted {
    /// Changes one attribute of one resource and says which; nothing where chance finds nothing.
    pub(super) fn change(
        &mut self,
        catalog: &Catalog,
        only_mutable: bool,
        seed: &mut Seed,
    ) -> Option<String> {
        let place = seed.below(self.resources.len());
        let resource = self.resources.get_mut(place)?;
        if catalog.is_check(&resource.address.kind) {
            return None;
        }
        let name = resource.address.name.to_string();
        let schema = catalog.get(&resource.address.kind)?;
        let free: Vec<_> = schema
            .attributes
            .iter()
            .filter(|it| it.path.parts().len() == 1 && !it.computed)
            .filter(|it| !only_mutable || is_plain(schema, it))
            .collect();
        let attribute = free.get(seed.below(free.len()))?;
        let key = attribute.path.parts().first()?.clone();
        let value = match resource.attributes.get(&key) {
            Some(_) if !attribute.required && !only_mutable && seed.below(4) == 0 => None,
            Some(Value::Map(manifest)) if &*key == "manifest" => {
                Some(Value::Map(changed_manifest(manifest, &name, seed)))
            }
            Some(value) => Some(changed(value, &name, seed)),
            None => Some(made(attribute, &name, seed)),
        };
        match value {
            Some(value) => resource.attributes.insert(&key, value),
            None => resource.attributes.remove(&key),
        };
        let now = resource.attributes.get(&key);
        let now = serde_json::to_string(&now).unwrap_or_default();
        Some(format!("{} {key} = {now}", resource.address))
    }

    /// Takes one resource out; what referred to it stands on its own then.
    pub(super) fn remove(&mut self, seed: &mut Seed) -> Option<Address> {
        if self.resources.len() < 3 {
            return None;
        }
        let gone = self
            .resources
            .remove(seed.below(self.resources.len()))
            .address;
        for resource in &mut self.resources {
            resource.depends_on.remove(&gone);
            let own = format!("own-{}", resource.address.name);
            resource.attributes = resource.attributes.map_refs(&mut |it| {
                if it.address == gone {
                    Value::from(own.clone())
                } else {
                    Value::Ref(it.clone())
                }
            });
        }
        Some(gone)
    }

    /// Gives one resource another name, and says so in a moved block.
    pub(super) fn rename(&mut self, seed: &mut Seed) -> Option<String> {
        let place = seed.below(self.resources.len());
        let old = self.resources.get(place)?.address.clone();
        self.named += 1;
        let new = Address {
            name: Name::new(format!("r{}", self.named)).ok()?,
            ..old.clone()
        };
        for resource in &mut self.resources {
            if resource.address == old {
                resource.address = new.clone();
            }
            if resource.depends_on.remove(&old) {
                resource.depends_on.insert(new.clone());
            }
            resource.attributes = resource.attributes.map_refs(&mut |it| {
                let mut reference = it.clone();
                if reference.address == old {
                    reference.address = new.clone();
                }
                Value::Ref(reference)
            });
        }
        let first = self.first_names.get(&old).unwrap_or(&old).clone();
        self.first_names.insert(new.clone(), first);
        self.moved.push((old.resource_name(), new.resource_name()));
        Some(format!("{old} -> {new}"))
    }

    /// Changes what is known beside the attributes: dependencies, retries.
    pub(super) fn rewrite(&mut self, seed: &mut Seed) -> Option<Address> {
        let place = seed.below(self.resources.len());
        let other = self.resources.get(seed.below(place))?.address.clone();
        let resource = self.resources.get_mut(place)?;
        match seed.below(3) {
            0 => resource.retry.timeout_seconds += 1,
            1 => drop(resource.depends_on.pop_first()),
            _ if other != resource.address => drop(resource.depends_on.insert(other)),
            _ => {}
        }
        Some(resource.address.clone())
    }

    /// Turns one secret of the tenant over to another value.
    pub(super) fn rotate(&self, vault: &Vault, seed: &mut Seed) -> Option<String> {
        let secrets: BTreeSet<_> = self
            .resources
            .iter()
            .flat_map(|it| it.attributes.secrets())
            .map(|it| it.reference.clone())
            .collect();
        let secret = secrets.into_iter().nth(seed.below(8))?;
        vault.rotate(&secret);
        Some(secret.to_string())
    }
}

/// Whether a value of this attribute can be changed without anybody else taking notice: the
/// checks of a real tenant look at names, hosts and addresses.
fn is_plain(schema: &KindSchema, attribute: &AttributeSchema) -> bool {
    let [key] = attribute.path.parts() else {
        return false;
    };
    !attribute.immutable
        && !schema.kind.as_str().starts_with("check.")
        && matches!(
            &**key,
            "tags" | "labels" | "comment" | "description" | "timeout_seconds"
        )
}

/// A manifest changed where a person changes one: its spec, its labels, rarely its name.
fn changed_manifest(manifest: &Attributes, name: &str, seed: &mut Seed) -> Attributes {
    let mut manifest = manifest.clone();
    let mut metadata = manifest.get("metadata").and_then(Value::as_map).cloned();
    let part = |part: Option<&Value>, seed: &mut Seed| {
        let before = part.and_then(Value::as_map).cloned().unwrap_or_default();
        changed(&Value::Map(before), name, seed)
    };
    match (seed.below(8), &mut metadata) {
        (0, Some(metadata)) => {
            metadata.insert("name", format!("{name}-{}", seed.below(100)));
        }
        (1..=3, Some(metadata)) => {
            let labels = part(metadata.get("labels"), seed);
            metadata.insert("labels", labels);
        }
        _ => {
            let spec = part(manifest.get("spec"), seed);
            manifest.insert("spec", spec);
        }
    }
    if let Some(metadata) = metadata {
        manifest.insert("metadata", metadata);
    }
    manifest
}
