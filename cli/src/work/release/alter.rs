//! Another version and other values, laid over what is recorded. Pure.
//!
//! Tables are merged key by key, deeply (domain.md section 11, Helm); everything else takes the
//! place of what was there. An explicit nothing stays: it switches a chart's default off.

use matih_model::{
    Address, AttributePath, Attributes, Catalog, Digest, KindSchema, SecretRef, SecretUse, Value,
};

use crate::exit::Exit;
use crate::failure::Failure;

/// What an upgrade sets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Override {
    /// The chart's version.
    pub(crate) version: Option<String>,
    /// Values, from files.
    pub(crate) values: Attributes,
    /// Values one by one, after those.
    pub(crate) set: Vec<(AttributePath, Value)>,
    /// What is said of the revision.
    pub(crate) description: Option<String>,
}

impl Override {
    /// Whether it changes what a release holds.
    pub(crate) fn is_nothing(&self) -> bool {
        self.version.is_none() && self.values.is_empty() && self.set.is_empty()
    }

    /// The attributes of a release with this laid over them; as they are, if that is what they
    /// hold already.
    ///
    /// # Errors
    /// A path leads into something that has no such place, or a secret would be written out.
    pub(crate) fn on(
        &self,
        address: &Address,
        recorded: &Attributes,
        catalog: &Catalog,
    ) -> Result<Attributes, Failure> {
        let wrong = |message: String| Failure::usage(format!("{address}: {message}."));
        let mut wanted = recorded.clone();
        if let Some(version) = &self.version {
            let chart = wanted.get("chart").and_then(Value::as_map);
            let mut chart = chart.cloned().unwrap_or_default();
            chart.insert("version", version.as_str());
            wanted.insert("chart", chart);
        }
        let values = recorded.get("values").and_then(Value::as_map);
        let mut values = merge(&values.cloned().unwrap_or_default(), &self.values);
        for (path, value) in &self.set {
            assign(&mut values, path.parts(), value.clone()).map_err(wrong)?;
        }
        if !values.is_empty() {
            wanted.insert("values", values);
        }
        if has_same_content(&wanted, recorded) {
            return Ok(recorded.clone());
        }
        if let Some(path) = catalog
            .get(&address.kind)
            .and_then(|schema| written_out(schema, recorded, &wanted))
        {
            let message = format!(
                "{address}: `{path}` is a secret, and a secret stands nowhere in plain text. Nothing was changed."
            );
            return Err(Failure::new(Exit::Invalid, message).hint(format!(
                "name its place: --set '{}={{\"$secret\":{{\"env\":\"NAME\"}}}}'",
                below_values(&path)
            )));
        }
        wanted.remove("description");
        if let Some(description) = &self.description {
            wanted.insert("description", description.as_str());
        }
        Ok(wanted)
    }

    /// The paths that it sets, from the root of a release's attributes.
    pub(crate) fn paths(&self) -> Vec<AttributePath> {
        let values = AttributePath::root().join("values");
        let mut paths = Vec::new();
        leaves(&self.values, &values, false, &mut paths);
        for (path, _) in &self.set {
            paths.push(
                path.parts()
                    .iter()
                    .fold(values.clone(), |it, part| it.join(part)),
            );
        }
        paths.sort();
        paths.dedup();
        paths
    }
}

/// Whether two releases hold the same, whatever is said of them.
pub(crate) fn has_same_content(one: &Attributes, other: &Attributes) -> bool {
    let content = |all: &Attributes| {
        let mut content = all.clone();
        content.remove("description");
        content
    };
    content(one) == content(other)
}

/// Tables laid over each other, deeply.
pub(crate) fn merge(below: &Attributes, above: &Attributes) -> Attributes {
    let mut merged = below.clone();
    for (key, value) in above.iter() {
        let value = match (below.get(key).and_then(Value::as_map), value) {
            (Some(below), Value::Map(above)) => Value::Map(merge(below, above)),
            (_, value) => value.clone(),
        };
        merged.insert(key, value);
    }
    merged
}

/// Sets one place; tables on the way are made, items of lists are named by number.
fn assign(map: &mut Attributes, path: &[matih_model::Text], value: Value) -> Result<(), String> {
    let Some((first, rest)) = path.split_first() else {
        return Ok(());
    };
    if rest.is_empty() {
        map.insert(first, value);
        return Ok(());
    }
    if map.get(first).is_none() {
        map.insert(first, Attributes::new());
    }
    match map.get_mut(first) {
        Some(place) => assign_inside(place, first, rest, value),
        None => Ok(()),
    }
}

fn assign_inside(
    place: &mut Value,
    name: &str,
    path: &[matih_model::Text],
    value: Value,
) -> Result<(), String> {
    match place {
        Value::Map(map) => assign(map, path, value),
        Value::List(items) => {
            let Some((first, rest)) = path.split_first() else {
                return Ok(());
            };
            let index: Option<usize> = first.parse().ok();
            match index.and_then(|index| items.get_mut(index)) {
                Some(item) if rest.is_empty() => {
                    *item = value;
                    Ok(())
                }
                Some(item) => assign_inside(item, first, rest, value),
                None => Err(format!(
                    "`{name}` is a list of {} items, and `{first}` is none of them",
                    items.len()
                )),
            }
        }
        // What is no table gives way to one.
        other => {
            let mut map = Attributes::new();
            assign(&mut map, path, value)?;
            *other = Value::Map(map);
            Ok(())
        }
    }
}

/// `PATH=VALUE`: the value is JSON, or text if it is no JSON. A number with a fraction is text, as
/// everywhere in matih.
///
/// # Errors
/// It is not that.
pub(crate) fn assignment(text: &str) -> Result<(AttributePath, Value), Failure> {
    let wrong = |cause: String| {
        Failure::usage(cause).hint("for example --set replicaCount=3 --set 'image.tag=\"2\"'")
    };
    let (path, value) = text
        .split_once('=')
        .ok_or_else(|| wrong("A value to be set is written as PATH=VALUE.".to_owned()))?;
    let path = path.parse().map_err(|error| wrong(format!("{error}.")))?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::string(value));
    Ok((path, value))
}

/// The tree with the keyed digest of each secret in it, by which a changed one shows.
pub(crate) fn with_digests(value: &Value, digest: &dyn Fn(&SecretRef) -> Option<Digest>) -> Value {
    match value {
        Value::Secret(secret) => Value::Secret(SecretUse {
            reference: secret.reference.clone(),
            digest: digest(&secret.reference),
        }),
        Value::List(items) => {
            Value::List(items.iter().map(|it| with_digests(it, digest)).collect())
        }
        Value::Map(map) => {
            let pairs = map.iter();
            Value::Map(
                pairs
                    .map(|(key, it)| (key.clone(), with_digests(it, digest)))
                    .collect(),
            )
        }
        plain => plain.clone(),
    }
}

/// The places of a tree that hold no table; `items`: those inside of lists too.
fn leaves(map: &Attributes, path: &AttributePath, items: bool, found: &mut Vec<AttributePath>) {
    for (key, value) in map.iter() {
        leaf(value, path.join(key), items, found);
    }
}

fn leaf(value: &Value, path: AttributePath, items: bool, found: &mut Vec<AttributePath>) {
    match value {
        Value::Map(map) if !map.is_empty() => leaves(map, &path, items, found),
        Value::List(list) if items && !list.is_empty() => {
            for (index, item) in list.iter().enumerate() {
                leaf(item, path.join(index.to_string()), items, found);
            }
        }
        _ => found.push(path),
    }
}

/// The first place where plain text would come to stand that the schema calls sensitive, or where
/// a secret's reference stood.
fn written_out(
    schema: &KindSchema,
    before: &Attributes,
    after: &Attributes,
) -> Option<AttributePath> {
    let mut places = Vec::new();
    leaves(after, &AttributePath::root(), true, &mut places);
    let plain = |path: &AttributePath| match path.find(after) {
        None | Some(Value::Secret(_) | Value::Ref(_) | Value::Null) => false,
        Some(value) => path.find(before) != Some(value),
    };
    let secret = |path: &AttributePath| {
        schema.is_sensitive(path) || matches!(path.find(before), Some(Value::Secret(_)))
    };
    places.into_iter().find(|path| plain(path) && secret(path))
}

fn below_values(path: &AttributePath) -> String {
    let text = path.to_string();
    text.strip_prefix("values.")
        .map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests;
