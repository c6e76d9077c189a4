//! Secrets: the installation's key, and where values come from.
//!
//! The key lies in a file beside the state that only its owner can read, made on first use. Three
//! keys are derived from it and never used for another purpose: one that values of the embedded
//! store derive from, one for the digests of values that stand in the state, one that signs saved
//! plans. Values are read at the wire and nowhere kept.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use matih_model::{Digest, Op, Plan, SecretError, SecretRef, SecretSource, SecretValue};

use crate::exit::Exit;
use crate::failure::Failure;

/// The three keys of an installation.
#[derive(Clone)]
pub(crate) struct Keys {
    store: [u8; 32],
    digests: [u8; 32],
    plans: [u8; 32],
}

impl Keys {
    /// Reads the key file, or makes one if `may_make` says that nothing depends on an older one.
    ///
    /// # Errors
    /// The file is missing where it may not be made, is no key, or cannot be read or written.
    pub(crate) fn open(path: &Path, may_make: bool) -> Result<Self, Failure> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text),
            Err(error) if error.kind() == ErrorKind::NotFound && may_make => Self::make(path),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(Failure::error(format!(
                "{} is missing, but there is a state that was made with it. Nothing was changed.",
                path.display()
            ))
            .hint(
                "put the file back from your backup: without it no secret and no saved plan fits",
            )),
            Err(error) => Err(Failure::file("read", path, &error)),
        }
    }

    fn make(path: &Path) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::file("written", path, &error);
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| {
            Failure::error(format!("the system gives no random bytes: {error}"))
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(failed)?;
        // A temporary file can be read by its owner only, and appears under its name whole or not
        // at all; of two processes that make a key at once, one wins and both read it.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        writeln!(file, "{}", Digest::from_bytes(key)).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        match file.persist_noclobber(path) {
            Ok(_) => {}
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error.error)),
        }
        Self::open(path, false)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        let key: Digest = text.trim().parse().map_err(|_| {
            Failure::error(format!(
                "{} does not hold a key of 64 hex digits",
                path.display()
            ))
            .hint("put the file back from your backup")
        })?;
        Ok(Self::of(key.as_bytes()))
    }

    fn of(key: &[u8; 32]) -> Self {
        let derived = |purpose: &[u8]| *Digest::keyed(key, purpose).as_bytes();
        Self {
            store: derived(b"matih secret store v1"),
            digests: derived(b"matih secret digests v1"),
            plans: derived(b"matih saved plans v1"),
        }
    }

    /// The signature of a saved plan's bytes.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Digest {
        Digest::keyed(&self.plans, bytes)
    }
}

/// Reads secrets where their references say: the environment, a file, the embedded store.
pub(crate) struct Secrets {
    keys: Keys,
    folder: PathBuf,
}

impl Secrets {
    /// `folder` is the one that relative paths in references start from.
    pub(crate) fn new(keys: Keys, folder: PathBuf) -> Self {
        Self { keys, folder }
    }

    /// The installation's keys.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The keyed digest of a value: what state may hold. `None` where it cannot be read.
    pub(crate) fn digest(&self, reference: &SecretRef) -> Option<Digest> {
        let value = self.reveal(reference).ok()?;
        Some(Digest::keyed(&self.keys.digests, value.expose().as_bytes()))
    }

    /// Reads every secret that a plan will need, so that a missing one is known before anything
    /// is changed.
    ///
    /// # Errors
    /// One cannot be read: exit code 7.
    pub(crate) fn check(&self, plan: &Plan) -> Result<(), Failure> {
        for action in plan.actions() {
            if matches!(action.op, Op::Delete { .. }) {
                continue;
            }
            for secret in action.op.resource().attributes.secrets() {
                if let Err(error) = self.reveal(&secret.reference) {
                    let message = format!(
                        "{error}; {} needs it. Nothing was changed.",
                        action.address()
                    );
                    let failure = Failure::new(Exit::Preflight, message);
                    return Err(failure.hint(remedy(&error.reference)));
                }
            }
        }
        Ok(())
    }
}

fn remedy(reference: &SecretRef) -> String {
    match reference {
        SecretRef::Env(name) => format!("set it: export {name}=…"),
        SecretRef::File(path) => format!("write the value to {path}"),
        SecretRef::Store(name) => format!("put `{name}` into the platform's secret store"),
    }
}

impl SecretSource for Secrets {
    fn reveal(&self, reference: &SecretRef) -> Result<SecretValue, SecretError> {
        let failed = |cause: &str| SecretError {
            reference: reference.clone(),
            cause: cause.to_owned(),
        };
        match reference {
            SecretRef::Env(name) => match std::env::var(name) {
                Ok(value) => Ok(SecretValue::new(value)),
                Err(std::env::VarError::NotPresent) => Err(failed("the variable is not set")),
                Err(_) => Err(failed("the variable is not UTF-8")),
            },
            SecretRef::File(path) => match fs::read_to_string(self.folder.join(path)) {
                Ok(mut value) => {
                    if value.ends_with('\n') {
                        value.pop();
                    }
                    Ok(SecretValue::new(value))
                }
                Err(error) => Err(failed(&error.kind().to_string())),
            },
            SecretRef::Store(name) => {
                let value = Digest::keyed(&self.keys.store, name.as_bytes());
                Ok(SecretValue::new(value.to_string()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_key_is_made_once_and_only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = folder();
        let path = folder.path().join("in/secret.key");
        assert!(Keys::open(&path, false).is_err());
        let first = Keys::open(&path, true).map_err(|it| it.message).unwrap();
        let again = Keys::open(&path, true).map_err(|it| it.message).unwrap();
        assert_eq!(first.sign(b"x"), again.sign(b"x"));
        assert_ne!(first.store, first.digests);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_broken_key_is_never_replaced() {
        let folder = folder();
        let path = folder.path().join("secret.key");
        fs::write(&path, "abc\n").unwrap();
        assert!(Keys::open(&path, true).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "abc\n");
    }

    #[test]
    fn values_come_from_where_the_reference_says() {
        let folder = folder();
        fs::write(folder.path().join("p"), "word\n").unwrap();
        let secrets = Secrets::new(Keys::of(&[7; 32]), folder.path().to_owned());
        let reveal = |reference| {
            let value = secrets.reveal(&reference);
            value.map(|value| value.expose().to_owned())
        };
        assert_eq!(reveal(SecretRef::File("p".into())).unwrap(), "word");
        assert_eq!(reveal(SecretRef::Store("a".into())).unwrap().len(), 64);
        assert_ne!(
            reveal(SecretRef::Store("a".into())),
            reveal(SecretRef::Store("b".into()))
        );
        let error = reveal(SecretRef::Env("MATIH_NO_SUCH".into())).unwrap_err();
        assert!(error.to_string().contains("not set"), "{error}");
        assert_eq!(secrets.digest(&SecretRef::File("none".into())), None);
    }
}
