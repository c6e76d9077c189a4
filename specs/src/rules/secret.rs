//! Secrets in a spec: references, and nothing but references.

use matih_model::SecretRef;

use super::forms;
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::rule::rules;

rules! {
    /// The rules of secret fields.
    SECRETS:
    /// The value of a secret never stands in a spec: specs are shared, logged and kept for good.
    LITERAL = "MTH-1030" "secret.literal" Error;
    /// A secret is a table with one key: `env`, `file` or `secret`.
    REFERENCE = "MTH-1031" "secret.reference" Error;
    /// The name of an environment variable is letters, digits and `_`, first no digit.
    ENV_NAME = "MTH-1032" "secret.env-name" Error;
    /// A secret file needs a path.
    FILE_PATH = "MTH-1033" "secret.file-path" Error;
    /// A name in the secret store is at least two parts of lower-case letters, digits, `-`, `_`
    /// and `.`, joined by `/`.
    STORE_NAME = "MTH-1034" "secret.store-name" Error;
}

const FORMS: &str =
    "write `{ env = \"NAME\" }`, `{ file = \"PATH\" }` or `{ secret = \"STORE/NAME\" }`";

/// The finding for text where a reference must stand. Never quotes the text.
pub(crate) fn literal(path: &str) -> Diagnostic {
    let message = format!("`{path}` is a secret, and its value must not stand in the spec");
    Diagnostic::new(LITERAL, message).hint(format!("{FORMS}, and change the secret: it was seen"))
}

/// The finding for a table that is no reference. Never quotes what is in it.
pub(crate) fn not_a_reference(path: &str) -> Diagnostic {
    let message = format!("`{path}` is not a reference to a secret");
    Diagnostic::new(REFERENCE, message).hint(FORMS)
}

/// Judges the name in a reference. Never quotes it: it may be the secret itself, misplaced.
pub(crate) fn check(path: &str, reference: SecretRef) -> Result<SecretRef, Diagnostic> {
    match &reference {
        SecretRef::Env(name) if !is_variable(name) => {
            let message = format!("`{path}` does not name an environment variable");
            Err(Diagnostic::new(ENV_NAME, message)
                .hint("use letters, digits and `_`, first no digit"))
        }
        SecretRef::File(file) if file.trim().is_empty() || file.contains('\0') => {
            let message = format!("`{path}`: the path of the file is empty");
            Err(Diagnostic::new(FILE_PATH, message)
                .hint("write the path of a file that holds the secret and no more"))
        }
        SecretRef::Store(name) if !is_store_name(name) => {
            let message = format!("`{path}` does not name a secret of the store");
            Err(Diagnostic::new(STORE_NAME, message).hint("write `store/name` in lower case"))
        }
        _ => Ok(reference),
    }
}

fn is_variable(name: &str) -> bool {
    forms::is_plain(name, "_", 1, 200) && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn is_store_name(name: &str) -> bool {
    let part = |part: &str| {
        forms::is_plain(part, "-_.", 1, 100)
            && part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && !part.contains(|c: char| c.is_ascii_uppercase())
    };
    name.contains('/') && name.len() <= 200 && name.split('/').all(part)
}

/// Whether a key by its name may hold a secret.
pub(crate) fn is_named_in(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["pass", "pwd", "secret", "token", "key"]
        .iter()
        .any(|word| key.contains(word))
}

/// Masks what may be secrets in a text that is not TOML.
pub(crate) fn mask_lines(findings: &mut Findings, text: &str) {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if let Some((key, value)) = line.split_once('=')
            && is_named_in(key)
            && !value.trim_start().starts_with('{')
        {
            findings.mask_at(start + key.len() + 1..start + line.trim_end().len());
        }
        start += line.len();
    }
}
