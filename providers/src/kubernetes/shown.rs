//! What of an object may be seen outside of this provider: no marks of ours, no secrets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use matih_model::{AttributePath, Attributes, Text, Touch, Value};

use super::live::Live;
use super::mark;
use super::project::Projection;

/// A projection as it may be seen, over the manifest that was asked for. Of a Secret only the
/// keys that were asked for are there, in the table that they were asked for in.
pub(super) fn shown(live: &Live, seen: Projection, asked: &Attributes) -> (Attributes, Vec<Touch>) {
    let Projection {
        mut manifest,
        mut touches,
    } = seen;
    mark::strip(&mut manifest);
    if !live.is_secret() {
        return (manifest, touches);
    }
    let there = match manifest.remove("data") {
        Some(Value::Map(there)) => there,
        _ => Attributes::new(),
    };
    let keys = |table: &str| asked.get(table).and_then(Value::as_map);
    let of = |keys: &Attributes, say: fn(&Value) -> Value| -> Attributes {
        let pair = |key: &Text| Some((key.clone(), say(there.get(key)?)));
        keys.iter().filter_map(|(key, _)| pair(key)).collect()
    };
    if let Some(keys) = keys("data") {
        manifest.insert("data", of(keys, Value::clone));
    }
    if let Some(keys) = keys("stringData") {
        manifest.insert("stringData", of(keys, decoded));
        for touch in &mut touches {
            touch.path = said(&touch.path, keys);
        }
    }
    (manifest, touches)
}

/// The text that a value of `data` stands for.
fn decoded(value: &Value) -> Value {
    let text = value.as_str().and_then(|text| {
        let bytes = STANDARD.decode(text).ok()?;
        String::from_utf8(bytes).ok()
    });
    text.map_or_else(|| value.clone(), Value::from)
}

/// The path of a key as it was asked for.
fn said(path: &AttributePath, keys: &Attributes) -> AttributePath {
    match path.parts() {
        [manifest, data, key, ..] if &**data == "data" && keys.get(key).is_some() => {
            AttributePath::root()
                .join(manifest)
                .join("stringData")
                .join(key)
        }
        _ => path.clone(),
    }
}

/// All of an object that somebody could have asked for, without what only the server says.
pub(super) fn whole(live: &Live) -> Attributes {
    let mut manifest = live.body.clone();
    without_the_servers(&mut manifest);
    if live.is_secret() {
        manifest.remove("data");
    }
    mark::strip(&mut manifest);
    manifest
}

/// Takes off what only the server says.
pub(super) fn without_the_servers(manifest: &mut Attributes) {
    manifest.remove("status");
    if let Some(Value::Map(metadata)) = manifest.get_mut("metadata") {
        for key in [
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
        ] {
            metadata.remove(key);
        }
    }
}
