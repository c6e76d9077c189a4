//! The repository's own files, for tests that hold rules over all of them.

use std::process::Command;

use regex::Regex;

use crate::{fail, workspace_root};

/// One text file of the repository.
#[derive(Debug)]
pub struct Source {
    /// Path from the workspace's root, with `/`.
    pub path: String,
    /// The whole text.
    pub text: String,
}

/// Every text file that git tracks or would track, in path order. A file that is not yet added
/// counts too, so that a rule speaks before the commit and not after.
#[must_use]
pub fn tracked() -> Vec<Source> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(workspace_root())
        .output();
    let listed = match listed {
        Ok(output) if output.status.success() => output.stdout,
        Ok(output) => fail(&format!(
            "git ls-files: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
        Err(error) => fail(&format!("git ls-files: {error}")),
    };
    let mut paths: Vec<String> = String::from_utf8_lossy(&listed)
        .split_terminator('\0')
        .map(str::to_owned)
        .collect();
    paths.sort();
    paths.dedup();
    // A file deleted in the work tree but still in the index, and a binary file, have no text.
    paths
        .into_iter()
        .filter_map(|path| {
            let text = std::fs::read_to_string(workspace_root().join(&path)).ok()?;
            Some(Source { path, text })
        })
        .collect()
}

impl Source {
    /// Whether the whole file is test code: a `tests.rs` or anything in a `tests` folder.
    #[must_use]
    pub fn is_test(&self) -> bool {
        let mut parts = self.path.rsplit('/');
        parts.next() == Some("tests.rs")
            || parts.any(|folder| matches!(folder, "tests" | "benches" | "examples"))
                && !self.path.starts_with("tests/src/")
    }

    /// The lines before the file's closing `#[cfg(test)] mod …`.
    #[must_use]
    pub fn lines_without_tests(&self) -> usize {
        let lines: Vec<&str> = self.text.lines().collect();
        lines
            .windows(2)
            .position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod "))
            .unwrap_or(lines.len())
    }

    /// `path:line: text` of each line that matches, anywhere in the file.
    #[must_use]
    pub fn lines_matching(&self, pattern: &Regex) -> Vec<String> {
        self.matching(usize::MAX, pattern)
    }

    /// The same, of the file's code only: neither comments nor its tests.
    #[must_use]
    pub fn code_matching(&self, pattern: &Regex) -> Vec<String> {
        if self.is_test() {
            return Vec::new();
        }
        let mut found = self.matching(self.lines_without_tests(), pattern);
        found.retain(|line| !is_comment(line));
        found
    }

    fn matching(&self, lines: usize, pattern: &Regex) -> Vec<String> {
        (1..)
            .zip(self.text.lines().take(lines))
            .filter(|(_, line)| pattern.is_match(line))
            .map(|(number, line)| format!("{}:{number}: {}", self.path, line.trim()))
            .collect()
    }
}

/// Whether the text after `path:line: ` is a comment.
fn is_comment(found: &str) -> bool {
    found
        .splitn(3, ':')
        .nth(2)
        .is_some_and(|text| text.trim_start().starts_with("//"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn code_is_neither_comment_nor_test() {
        let text = "//! no std::fs\nuse std::fs;\n#[cfg(test)]\nmod tests {\nuse std::fs;\n}\n";
        let file = source("model/src/a.rs", text);
        let pattern = Regex::new("std::fs").unwrap();
        assert_eq!(
            file.code_matching(&pattern),
            ["model/src/a.rs:2: use std::fs;"]
        );
        assert_eq!(file.lines_matching(&pattern).len(), 3);
        assert_eq!(file.lines_without_tests(), 2);
    }

    #[test]
    fn test_files_are_known_by_their_place() {
        assert!(source("planner/src/order/tests.rs", "").is_test());
        assert!(source("cli/tests/exit.rs", "").is_test());
        assert!(source("tests/tests/fences.rs", "").is_test());
        assert!(!source("tests/src/lib.rs", "").is_test());
        assert!(!source("planner/src/order.rs", "").is_test());
    }

    #[test]
    fn the_repository_lists_itself() {
        let files = tracked();
        assert!(files.iter().any(|file| file.path == "tests/src/source.rs"));
        assert!(files.iter().all(|file| !file.path.starts_with("target/")));
    }
}
