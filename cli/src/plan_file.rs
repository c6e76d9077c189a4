//! Saved plans: what `matih plan --out` writes and `matih apply FILE` carries out.
//!
//! A file is one line of canonical JSON, signed with a key that only this installation has. Any
//! edit, and a plan of another installation, is refused before anything else is looked at; whether
//! the plan still fits the tenant is asked under the tenant's lock.

use std::io::Write;
use std::path::Path;

use matih_model::{Digest, Plan};
use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::secrets::Keys;

/// The version of the file's form.
pub(crate) const FORMAT: u32 = 1;

/// The plan of one tenant, with what it was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedPlan {
    /// The spec, as it was named; none for a plan that needs none.
    pub(crate) spec: Option<String>,
    /// What the spec, platform file, blueprint and catalog were.
    pub(crate) inputs: Digest,
    /// The serial of the head that it starts from; 0: there was none.
    pub(crate) serial: u64,
    /// Whether the world was looked at.
    pub(crate) refreshed: bool,
    /// The head will stand for the inputs in full when it has been carried out.
    pub(crate) whole: bool,
    /// Addresses whose data may be lost, as approved when it was made.
    pub(crate) allow_data_loss: Vec<String>,
    /// The plan itself.
    pub(crate) plan: Plan,
}

/// All that a file holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanFile {
    v: u32,
    /// When it was made, in milliseconds since 1970.
    pub(crate) made_at: u64,
    /// One plan a tenant.
    pub(crate) plans: Vec<SavedPlan>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    #[serde(flatten)]
    file: PlanFile,
    signature: Digest,
}

impl PlanFile {
    /// Plans made at a time.
    pub(crate) fn new(made_at: u64, plans: Vec<SavedPlan>) -> Self {
        Self {
            v: FORMAT,
            made_at,
            plans,
        }
    }

    fn body(&self) -> Result<String, Failure> {
        serde_json::to_string(self).map_err(|error| Failure::error(format!("no JSON: {error}")))
    }

    fn text(&self, keys: &Keys) -> Result<String, Failure> {
        let body = self.body()?;
        let signature = keys.sign(body.as_bytes());
        // The signature is the last member of the object that it signs.
        let open = body.strip_suffix('}').unwrap_or(&body);
        Ok(format!("{open},\"signature\":\"{signature}\"}}\n"))
    }

    /// Writes the file whole, readable by its owner only, in the place of an older one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write(&self, path: &Path, keys: &Keys) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::file("written", path, &error);
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        file.write_all(self.text(keys)?.as_bytes())
            .map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(path).map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// Reads a file and checks that this installation wrote every byte of it.
    ///
    /// # Errors
    /// It is no saved plan, or one that was edited, or another installation's.
    pub(crate) fn read(path: &Path, keys: &Keys) -> Result<Self, Failure> {
        let text =
            std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
        Self::parse(&text, keys).map_err(|cause| {
            let message = format!("{} {cause}. Nothing was changed.", path.display());
            Failure::new(Exit::Stale, message).hint(format!(
                "make it again: matih plan SPEC --out {}",
                path.display()
            ))
        })
    }

    fn parse(text: &str, keys: &Keys) -> Result<Self, String> {
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| format!("is no saved plan: {error}"))?;
        match value.get("v").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(FORMAT) => {}
            Some(version) => {
                return Err(format!(
                    "has form {version} of saved plans, this matih knows {FORMAT}"
                ));
            }
            None => return Err("is no saved plan".to_owned()),
        }
        let edited = || "was edited after it was saved, or another installation made it".to_owned();
        let signed: Signed = serde_json::from_value(value).map_err(|_| edited())?;
        let written = signed.file.text(keys).map_err(|failure| failure.message)?;
        // Its own bytes and nothing else: what does not come out the same was not put in by us.
        if written == text {
            Ok(signed.file)
        } else {
            Err(edited())
        }
    }
}

/// Whether a file looks like a saved plan rather than a spec: JSON begins with a brace, and TOML
/// cannot.
pub(crate) fn looks_like_one(path: &Path) -> bool {
    use std::io::Read;
    let mut first = [0];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut first));
    read.is_ok() && first == *b"{"
}

#[cfg(test)]
mod tests {
    use super::*;
    use matih_model::{PlanDraft, Tenancy, TenantId, Verb};
    use std::collections::BTreeMap;

    fn keys(folder: &Path, name: &str) -> Keys {
        Keys::open(&folder.join(name), true)
            .map_err(|it| it.message)
            .unwrap()
    }

    fn file() -> PlanFile {
        let plan = Plan::new(PlanDraft {
            tenant: TenantId::new("acme").unwrap(),
            tenancy: Tenancy::Shared,
            verb: Verb::Apply,
            base: None,
            inputs: Digest::of("test", &1),
            actions: vec![],
            edits: vec![],
            notes: vec![],
            reads: BTreeMap::new(),
        });
        let saved = SavedPlan {
            spec: Some("acme.toml".to_owned()),
            inputs: Digest::of("test", &1),
            serial: 0,
            refreshed: true,
            whole: true,
            allow_data_loss: vec![],
            plan: plan.unwrap(),
        };
        PlanFile::new(1, vec![saved])
    }

    #[test]
    fn a_plan_comes_back_as_it_was_saved() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keys(folder.path(), "key");
        let path = folder.path().join("a.plan");
        file().write(&path, &keys).unwrap();
        assert!(looks_like_one(&path));
        assert_eq!(PlanFile::read(&path, &keys), Ok(file()));
    }

    #[test]
    fn edited_and_foreign_plans_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let keys_here = keys(folder.path(), "key");
        let text = file().text(&keys_here).unwrap();
        assert!(PlanFile::parse(&text, &keys_here).is_ok());
        for edited in [
            text.replace("acme.toml", "evil.toml"),
            text.replace("\"serial\":0", "\"serial\":1"),
            text.replace("\"v\":1", "\"v\":1,\"w\":1"),
            text.replace(',', ", "),
            text.trim_end().to_owned(),
            text.replace("\"v\":1", "\"v\":2"),
            "{}".to_owned(),
            "tenant = 1".to_owned(),
        ] {
            assert!(PlanFile::parse(&edited, &keys_here).is_err(), "{edited}");
        }
        let elsewhere = keys(folder.path(), "other");
        assert!(PlanFile::parse(&text, &elsewhere).is_err());
    }
}
