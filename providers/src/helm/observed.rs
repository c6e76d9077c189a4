//! A revision as the rest of matih sees it: pure.
//!
//! Helm keeps no flags, so how a release is to be installed is told back as it was asked for. A
//! question says that itself; for a list it stands in the description of a revision that we made
//! and that works. Of a revision that somebody else made, a list tells no values: which of them are
//! secrets is not known.

use matih_model::{Attributes, Observed, OwnerMark, Touch, Value};
use serde::{Deserialize, Serialize};

use super::content::{DEPLOYED, drifted, masked, reached, token_of, version};
use super::marks::{Attempt, Stamp, cluster, owner};
use super::objects::Drift;
use super::outputs::outputs;
use super::release::Release;
use super::site::Place;
use super::view::Revision;

/// What a description of ours begins with.
const OURS: &str = "matih ";

/// What a revision itself tells.
const TOLD: &[&str] = &["namespace", "release", "revision", "status", "values"];

/// What stands in a description beside the address.
#[derive(Serialize, Deserialize)]
struct Note {
    /// Attributes that Helm does not keep.
    asked: Attributes,
    /// Of the values, those that are secrets, by reference.
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    secrets: Attributes,
}

/// The description of a revision, for people and for lists.
pub(super) fn description(owner: &OwnerMark, attributes: &Attributes) -> String {
    let kept = attributes
        .iter()
        .filter(|(key, _)| !TOLD.contains(&&***key));
    let note = Note {
        asked: kept
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        secrets: attributes
            .get("values")
            .and_then(Value::as_map)
            .map(secrets_of)
            .unwrap_or_default(),
    };
    let note = serde_json::to_string(&note).unwrap_or_default();
    format!("{OURS}{} {note}", owner.address)
}

/// What a description says to people: of ours, only what somebody gave as the reason.
pub(super) fn said(description: &str) -> String {
    match described(description) {
        Some(asked) => asked.text("description").unwrap_or_default().to_owned(),
        None => description.to_owned(),
    }
}

/// The attributes in a description of ours, with the places of secrets as values.
fn described(description: &str) -> Option<Attributes> {
    let (_, note) = description.strip_prefix(OURS)?.split_once(' ')?;
    let note: Note = serde_json::from_str(note).ok()?;
    let mut asked = note.asked;
    asked.insert("values", note.secrets);
    Some(asked)
}

/// The part of a tree that leads to secrets. Lists are kept at their length, so that places stay.
fn secrets_of(tree: &Attributes) -> Attributes {
    fn keep(value: &Value) -> Option<Value> {
        match value {
            Value::Secret(_) => Some(value.clone()),
            Value::Map(map) => {
                let inside = secrets_of(map);
                (!inside.is_empty()).then_some(Value::Map(inside))
            }
            Value::List(items) => {
                let kept: Vec<Option<Value>> = items.iter().map(keep).collect();
                kept.iter().any(Option::is_some).then(|| {
                    Value::List(
                        kept.into_iter()
                            .map(|it| it.unwrap_or(Value::Null))
                            .collect(),
                    )
                })
            }
            _ => None,
        }
    }
    let pairs = tree
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), keep(value)?)));
    pairs.collect()
}

/// Whether a release is to have an address outside of the cluster, by its attributes.
pub(super) fn is_exposed(asked: &Attributes) -> bool {
    asked.text("expose") == Some("load_balancer")
}

/// A revision with all that there is to know of it.
pub(super) struct Seen<'a> {
    pub(super) place: &'a Place,
    pub(super) revision: &'a Revision,
    pub(super) release: &'a Release,
    /// The address outside of the cluster; empty if there is none.
    pub(super) address: &'a str,
    /// How its objects are otherwise than helm made them.
    pub(super) drift: &'a Drift,
}

impl Seen<'_> {
    /// The attributes and the token, by what a question asks about, or else by what the description
    /// says.
    pub(super) fn observed(&self, asked: Option<&Attributes>) -> Observed {
        let described = described(&self.release.info.description);
        let asked = asked.or(described.as_ref());
        Observed {
            remote_id: self.place.id(),
            attributes: self.attributes(asked),
            outputs: self.outputs(),
            version: version(&self.token(asked)),
            owner: owner(&self.revision.labels),
            touches: self.touches(),
        }
    }

    /// What it tells.
    pub(super) fn outputs(&self) -> Attributes {
        let stamp = Stamp::of(&self.revision.labels, self.revision.number);
        let chart = stamp.map(|stamp| stamp.chart).unwrap_or_default();
        outputs(&self.place.namespace, self.release, &chart, self.address)
    }

    /// Its token.
    pub(super) fn token(&self, asked: Option<&Attributes>) -> String {
        let values = asked
            .and_then(|asked| asked.get("values"))
            .and_then(Value::as_map);
        let names = (&*self.place.namespace, &*self.place.release);
        let token = token_of(names, self.release, values);
        let token = if asked.is_some_and(is_exposed) {
            reached(&token, self.address)
        } else {
            token
        };
        if self.drift.texts.is_empty() {
            return token;
        }
        drifted(&token, &self.drift.texts)
    }

    fn attributes(&self, asked: Option<&Attributes>) -> Attributes {
        let (release, place) = (self.release, self.place);
        let mut told = Attributes::new();
        for (key, value) in asked.into_iter().flat_map(Attributes::iter) {
            // What is not known to the question is not known to the answer.
            let known = matches!(value, Value::Bool(_) | Value::Integer(_) | Value::String(_));
            let works = &**key != "expose" || !self.address.is_empty();
            if known && works {
                told.insert(key, value.clone());
            }
        }
        if let Some(cluster) = cluster(&self.revision.labels) {
            told.insert("cluster", cluster);
        }
        told.insert("namespace", place.namespace.as_str());
        told.insert("release", place.release.as_str());
        told.insert("status", self.status());
        told.insert(
            "revision",
            i64::try_from(release.version).unwrap_or(i64::MAX),
        );
        told.insert("chart", self.chart(asked));
        if let Some(asked) = asked {
            let asked = asked.get("values").and_then(Value::as_map);
            told.insert("values", masked(&release.config, asked));
        }
        told
    }

    /// Helm's word, and what Helm does not know.
    fn status(&self) -> String {
        let status = &self.release.info.status;
        match &self.drift.texts[..] {
            [] => status.clone(),
            texts => format!("{status}, but {}", texts.join("; ")),
        }
    }

    fn chart(&self, asked: Option<&Attributes>) -> Attributes {
        let metadata = &self.release.chart.metadata;
        let mut chart = Attributes::new();
        let asked = asked
            .and_then(|asked| asked.get("chart"))
            .and_then(Value::as_map);
        // Helm keeps neither of them.
        for key in ["repository", "digest"] {
            if let Some(text) = asked.and_then(|asked| asked.text(key)) {
                chart.insert(key, text);
            }
        }
        chart.insert("name", metadata.name.as_str());
        chart.insert("version", metadata.version.as_str());
        chart
    }

    /// Whose hand made this revision, if it was not ours.
    fn touches(&self) -> Vec<Touch> {
        let mut touches = self.drift.touches.clone();
        if Attempt::of(&self.revision.labels, self.revision.number).is_some() {
            return touches;
        }
        let info = &self.release.info;
        let word = if info.status == DEPLOYED {
            ""
        } else {
            ", not done"
        };
        let touch = |path: &str| {
            Some(Touch {
                path: path.parse().ok()?,
                by: "helm".into(),
                how: format!(
                    "revision {}{word}: {}",
                    self.release.version, info.description
                )
                .into(),
                when: Some(info.last_deployed.as_str().into())
                    .filter(|it: &matih_model::Text| !it.is_empty()),
            })
        };
        let paths = ["values", "chart", "status"];
        touches.extend(paths.into_iter().filter_map(touch));
        touches
    }
}
