//! Golden files: text that a person has read once and that must not change unseen.

use std::fs;
use std::path::Path;

use similar::TextDiff;

/// The variable that makes [`assert_golden`] write instead of compare.
const UPDATE: &str = "UPDATE_GOLDEN";

/// Asserts that `text` is what the file at `path` holds; shows a unified diff when it is not.
///
/// With `UPDATE_GOLDEN=1` in the environment the file is written instead, for a person to read in
/// `git diff`. A missing file fails: a test without its golden has not been looked at.
#[track_caller]
pub fn assert_golden(path: &Path, text: &str) {
    let updating = std::env::var_os(UPDATE).is_some_and(|value| value == "1");
    if let Err(message) = compare(path, text, updating) {
        crate::fail(&message);
    }
}

fn compare(path: &Path, text: &str, updating: bool) -> Result<(), String> {
    let shown = path.display();
    if updating {
        return fs::write(path, text).map_err(|error| format!("{shown}: {error}"));
    }
    let golden = fs::read_to_string(path)
        .map_err(|error| format!("{shown}: {error}\nWrite it with {UPDATE}=1, then read it."))?;
    if golden == text {
        return Ok(());
    }
    let difference = TextDiff::from_lines(golden.as_str(), text);
    Err(format!(
        "{shown} differs. If the new text is right, write it with {UPDATE}=1.\n{}",
        difference
            .unified_diff()
            .context_radius(3)
            .header("golden", "this run")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_golden_is_written_compared_and_missed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("story.out");
        let missing = compare(&path, "a\n", false).unwrap_err();
        assert!(missing.contains("UPDATE_GOLDEN=1"), "{missing}");
        compare(&path, "a\nb\n", true).unwrap();
        compare(&path, "a\nb\n", false).unwrap();
        let differs = compare(&path, "a\nc\n", false).unwrap_err();
        assert!(differs.contains("-b\n+c\n"), "{differs}");
    }
}
