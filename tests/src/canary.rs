//! Secrets that are planted to be searched for: a value that stands nowhere by chance, and every
//! coding in which it might have been written down.

use std::fmt::Write as _;
use std::path::Path;

use crate::fail;
use crate::seed::Seed;

/// A planted secret.
#[derive(Debug, Clone)]
pub struct Canary {
    /// Where it was planted, for the finding: never the value.
    pub name: String,
    value: String,
}

impl Canary {
    /// A new value for this place: 200 bits of entropy, and characters that every coding changes.
    #[must_use]
    pub fn new(name: &str, seed: &mut Seed) -> Self {
        Self::of(name, &format!("{}+/\"{}", seed.word(17), seed.word(17)))
    }

    /// A secret that was made elsewhere and may not be seen either.
    #[must_use]
    pub fn of(name: &str, value: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    /// The secret itself, to be planted.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The text to search for in each coding.
    ///
    /// In base64 the same bytes look different at each of three offsets, and the first and last
    /// characters depend on the neighbours: what is searched for is what is left without them.
    #[must_use]
    pub fn codings(&self) -> Vec<(&'static str, String)> {
        let bytes = self.value.as_bytes();
        let hex = bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        let url = bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = match byte.is_ascii_alphanumeric() {
                true => write!(text, "{}", char::from(*byte)),
                false => write!(text, "%{byte:02X}"),
            };
            text
        });
        let mut codings = vec![
            ("raw", self.value.clone()),
            ("json", self.value.replace('"', "\\\"")),
            ("hex", hex.clone()),
            ("upper-case hex", hex.to_uppercase()),
            ("url", url.clone()),
            (
                "lower-case url",
                url.replace("%2B", "%2b").replace("%2F", "%2f"),
            ),
        ];
        for (offset, name) in ["base64", "base64 at 1", "base64 at 2"]
            .into_iter()
            .enumerate()
        {
            let text = base64_within(bytes, offset);
            codings.push((name, text.clone()));
            codings.push(("url-safe base64", text.replace('+', "-").replace('/', "_")));
        }
        codings
    }

    /// The codings in which it stands in these bytes.
    #[must_use]
    pub fn found_in(&self, bytes: &[u8]) -> Vec<&'static str> {
        // Every coding is ASCII, so what the conversion replaces is no part of a match.
        let text = String::from_utf8_lossy(bytes);
        let mut found: Vec<_> = self
            .codings()
            .into_iter()
            .filter(|(_, needle)| text.contains(needle.as_str()))
            .map(|(coding, _)| coding)
            .collect();
        found.dedup();
        found
    }
}

/// The findings in some bytes that have a name, one a line: `PLACE: canary NAME in CODING`.
#[must_use]
pub fn scan_bytes(place: &str, bytes: &[u8], canaries: &[Canary]) -> Vec<String> {
    let finding = |canary: &Canary| {
        let name = canary.name.clone();
        let found = canary.found_in(bytes).into_iter();
        found
            .map(move |coding| format!("{place}: canary {name} in {coding}"))
            .collect::<Vec<_>>()
    };
    canaries.iter().flat_map(finding).collect()
}

/// The findings in every file below a folder, but for the files in which secrets are kept.
///
/// Gives the number of files that were read too: a scan of nothing finds nothing.
#[must_use]
#[track_caller]
pub fn scan_folder(folder: &Path, canaries: &[Canary], keepers: &[&str]) -> (usize, Vec<String>) {
    let mut findings = Vec::new();
    let mut files = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&at) else {
            fail(&format!("{} cannot be listed", at.display()))
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path
                .strip_prefix(folder)
                .unwrap_or(&path)
                .display()
                .to_string();
            if path.is_dir() {
                folders.push(path);
            } else if !keepers.contains(&name.as_str())
                && let Ok(bytes) = std::fs::read(&path)
            {
                files += 1;
                findings.extend(scan_bytes(&name, &bytes, canaries));
            }
        }
    }
    (files, findings)
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The characters of base64 that these bytes alone decide when `offset` bytes stand before them.
fn base64_within(bytes: &[u8], offset: usize) -> String {
    let bits: Vec<u8> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    // A character has 6 bits; the first whole one begins at the next multiple of 6.
    let skipped = (6 - offset * 8 % 6) % 6;
    let digits = bits.get(skipped..).unwrap_or_default().chunks_exact(6);
    digits
        .map(|six| {
            six.iter()
                .fold(0, |number, bit| number << 1 | usize::from(*bit))
        })
        .map(|number| char::from(BASE64[number]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_known_one() {
        // RFC 4648 section 10: "foobar" is Zm9vYmFy; "xfoobar" is eGZvb2Jhcg==.
        assert_eq!(base64_within(b"foobar", 0), "Zm9vYmFy");
        assert_eq!(base64_within(b"foobar", 1), "Zvb2Jhc");
        // "xyfoobar" is eHlmb29iYXI=.
        assert_eq!(base64_within(b"foobar", 2), "mb29iYX");
    }

    #[test]
    fn each_coding_is_found_in_its_place() {
        let canary = Canary::new("field", &mut Seed::new(1));
        let other = Canary::new("other", &mut Seed::new(2));
        for (coding, text) in canary.codings() {
            let bytes = [b"\xff\x00before ", text.as_bytes(), b" after\xfe"].concat();
            let found = canary.found_in(&bytes);
            assert!(found.contains(&coding), "{coding}: {found:?}");
            assert_eq!(other.found_in(&bytes), [""; 0]);
        }
        assert_eq!(canary.found_in(b"nothing"), [""; 0]);
    }

    #[test]
    fn a_folder_is_searched_to_its_leaves() {
        let canary = Canary::new("field", &mut Seed::new(1));
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        for name in ["kept", "a/b/leak"] {
            std::fs::write(folder.path().join(name), canary.value()).unwrap();
        }
        let (files, findings) = scan_folder(folder.path(), &[canary], &["kept"]);
        assert_eq!(
            (files, findings),
            (1, vec!["a/b/leak: canary field in raw".to_owned()])
        );
    }
}
