//! An object as the server gave it.

use matih_model::{Attributes, OwnerMark, Text, Value};

use super::fields::FieldSet;
use super::json::{at, number, table, text};
use super::mark;

/// The field manager that we apply as.
pub(super) const MANAGER: &str = "matih";

/// Who owns which fields.
#[derive(Clone, Debug)]
pub(super) struct Manager {
    pub(super) name: Text,
    /// `Apply` or `Update`.
    pub(super) how: Text,
    /// `status`, `scale`; empty for the object itself.
    pub(super) subresource: Text,
    pub(super) when: Option<Text>,
    pub(super) fields: FieldSet,
}

impl Manager {
    /// Whether this is our own hand.
    pub(super) fn is_ours(&self) -> bool {
        &*self.name == MANAGER && &*self.how == "Apply" && self.subresource.is_empty()
    }

    /// In which way, for people.
    pub(super) fn way(&self) -> Text {
        if self.subresource.is_empty() {
            self.how.clone()
        } else {
            format!("{} of {}", self.how, self.subresource).into()
        }
    }
}

/// A live object.
#[derive(Clone, Debug)]
pub(super) struct Live {
    /// All of it but who owns which field.
    pub(super) body: Attributes,
    pub(super) managers: Vec<Manager>,
    pub(super) mark: Option<OwnerMark>,
}

impl Live {
    /// Takes an answer apart. `None`: it is no object.
    pub(super) fn read(json: serde_json::Value) -> Option<Self> {
        let serde_json::Value::Object(mut map) = json else {
            return None;
        };
        let metadata = map.get_mut("metadata")?.as_object_mut()?;
        let managers = match metadata.remove("managedFields") {
            Some(serde_json::Value::Array(entries)) => entries.iter().filter_map(manager).collect(),
            _ => Vec::new(),
        };
        let body = table(map);
        let mark = mark::of(&body);
        let live = Self {
            body,
            managers,
            mark,
        };
        (!live.uid().is_empty()).then_some(live)
    }

    pub(super) fn uid(&self) -> &str {
        text(&self.body, &["metadata", "uid"])
    }

    pub(super) fn name(&self) -> &str {
        text(&self.body, &["metadata", "name"])
    }

    /// Empty for what is cluster-wide.
    pub(super) fn namespace(&self) -> &str {
        text(&self.body, &["metadata", "namespace"])
    }

    pub(super) fn resource_version(&self) -> &str {
        text(&self.body, &["metadata", "resourceVersion"])
    }

    pub(super) fn kind(&self) -> &str {
        text(&self.body, &["kind"])
    }

    /// The API group; empty for the core.
    pub(super) fn group(&self) -> &str {
        let version = text(&self.body, &["apiVersion"]);
        version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Whether it is on its way out.
    pub(super) fn is_going(&self) -> bool {
        !text(&self.body, &["metadata", "deletionTimestamp"]).is_empty()
    }

    /// What must be done before it goes.
    pub(super) fn finalizers(&self) -> Vec<&str> {
        let list = at(&self.body, &["metadata", "finalizers"]);
        let list = list.and_then(Value::as_list).unwrap_or_default();
        list.iter().filter_map(Value::as_str).collect()
    }

    /// Whether the controllers have seen what is wanted now.
    pub(super) fn is_observed(&self) -> bool {
        let wanted = number(&self.body, &["metadata", "generation"]);
        number(&self.body, &["status", "observedGeneration"]) >= wanted
    }

    /// The fields that are ours.
    pub(super) fn ours(&self) -> Option<&FieldSet> {
        let ours = self.managers.iter().find(|it| it.is_ours());
        ours.map(|manager| &manager.fields)
    }

    /// Whether it holds secrets.
    pub(super) fn is_secret(&self) -> bool {
        self.kind() == "Secret" && self.group().is_empty()
    }
}

/// One entry; none if it owns nothing.
fn manager(entry: &serde_json::Value) -> Option<Manager> {
    let text = |key: &str| entry.get(key).and_then(serde_json::Value::as_str);
    let fields = entry.get("fieldsV1")?;
    fields.as_object().filter(|fields| !fields.is_empty())?;
    Some(Manager {
        name: text("manager")?.into(),
        how: text("operation").unwrap_or_default().into(),
        subresource: text("subresource").unwrap_or_default().into(),
        when: text("time").map(Into::into),
        fields: FieldSet::parse(fields),
    })
}
