//! What the platform file says to a provider, read key by key.
//!
//! The platform file leaves the tables of providers and targets to the providers; they promise in
//! turn to refuse what they do not know, with the path of the key, so that a slip of the pen is
//! never silently without effect. Where in the file the key stands is the caller's to say.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::helm::{self, EmbeddedChart};
use crate::kubernetes;
use crate::simulated::SimulatedOptions;

/// All that the providers are set up from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file of the simulated world.
    pub world: PathBuf,
    /// How that world behaves.
    pub simulated: SimulatedOptions,
    /// The folder that relative paths start from.
    pub folder: PathBuf,
    /// A folder for what providers keep on this machine: caches, locks.
    pub scratch: PathBuf,
    /// The charts that are part of the program.
    pub charts: Vec<EmbeddedChart>,
    /// The places to build in, by name.
    pub targets: BTreeMap<String, TargetSettings>,
    /// What is said to each other provider, by its name.
    pub providers: BTreeMap<String, Map<String, Value>>,
}

impl Settings {
    /// Take over fields that other managers own, whatever the platform file says.
    pub fn force_conflicts(&mut self) {
        for name in [kubernetes::NAME, helm::NAME] {
            let own = self.providers.entry(name.to_owned()).or_default();
            own.insert("force_conflicts".to_owned(), Value::Bool(true));
        }
    }
}

/// A place to build in.
#[derive(Clone, Debug)]
pub struct TargetSettings {
    /// The provider that knows how.
    pub provider: String,
    /// What it needs to know.
    pub options: Map<String, Value>,
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{path}`: {message}")]
pub struct SettingError {
    /// Its path in the platform file, or that of the table that should have it.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

/// Reads one table. Every key that is asked for is known; [`Reader::finish`] refuses the others.
pub(crate) struct Reader<'a> {
    path: String,
    map: &'a Map<String, Value>,
    known: Vec<&'static str>,
    errors: Vec<SettingError>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(path: impl Into<String>, map: &'a Map<String, Value>) -> Self {
        Self {
            path: path.into(),
            map,
            known: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn get(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.map.get(key)
    }

    /// Refuses the value of a key.
    pub(crate) fn refuse(&mut self, key: &str, message: String, hint: &str) {
        self.errors.push(SettingError {
            path: format!("{}.{key}", self.path),
            message,
            hint: hint.to_owned(),
        });
    }

    /// Text that is not empty.
    pub(crate) fn text(&mut self, key: &'static str) -> Option<String> {
        match self.get(key)? {
            Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
            _ => {
                self.refuse(key, "it must be text".to_owned(), "put it in quotes");
                None
            }
        }
    }

    /// True or false; false if it is left out.
    pub(crate) fn truth(&mut self, key: &'static str) -> bool {
        match self.get(key) {
            None => false,
            Some(Value::Bool(truth)) => *truth,
            Some(_) => {
                self.refuse(
                    key,
                    "it must be a truth value".to_owned(),
                    "write true or false",
                );
                false
            }
        }
    }

    /// A whole number of a range.
    pub(crate) fn number(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.get(key)?;
        let number = value.as_u64().filter(|number| range.contains(number));
        if number.is_none() {
            let message = format!(
                "it must be a whole number from {} to {}",
                range.start(),
                range.end()
            );
            self.refuse(key, message, "leave it out for the default");
        }
        number
    }

    /// What is wrong with the table.
    pub(crate) fn finish(mut self) -> Vec<SettingError> {
        let keys = self.known.join(", ");
        let unknown: Vec<&String> = self
            .map
            .keys()
            .filter(|key| !self.known.contains(&key.as_str()))
            .collect();
        for key in unknown {
            let hint = format!("the keys here are {keys}");
            self.refuse(key, "it is not a known key".to_owned(), &hint);
        }
        self.errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_told_with_its_path() {
        let map = serde_json::from_str(r#"{"a":1,"b":"x","c":true,"d":0,"z":1}"#).unwrap();
        let mut reader = Reader::new("targets.west", &map);
        assert_eq!(reader.text("a"), None);
        assert_eq!(reader.text("b").as_deref(), Some("x"));
        assert!(reader.truth("c") && !reader.truth("none"));
        assert_eq!(reader.number("d", 1..=9), None);
        let errors = reader.finish();
        let paths: Vec<&str> = errors.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(
            paths,
            ["targets.west.a", "targets.west.d", "targets.west.z"]
        );
        assert!(
            errors[2].hint.contains("a, b, c, none, d"),
            "{}",
            errors[2].hint
        );
    }
}
