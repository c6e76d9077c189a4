//! What differs between two runs of the same story, taken out of its transcript.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What stands in a transcript's place of a text, in order: the first that matches wins.
///
/// A name with `#` is numbered by first appearance, so that a transcript still shows that two
/// places speak of the same run or snapshot.
const FILTERS: &[(&str, &str)] = &[
    ("run-#", r"\brun-[0-9][0-9a-z-]{7,}\b"),
    (
        "time",
        r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?",
    ),
    ("digest-#", r"\b(?:[0-9a-f]{64}|[0-9a-f]{12})\b"),
    // Only durations that a clock has measured; `timeout 300s` is what somebody wrote.
    (
        "duration",
        r"\b(?:\d+\.\d+ ?(?:s|ms|µs)|\d+ ?(?:ms|µs)|(?:\d+h ?)?\d+m ?\d+s)\b",
    ),
];

static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let parts: Vec<String> = FILTERS
        .iter()
        .map(|(_, pattern)| format!("({pattern})"))
        .collect();
    Regex::new(&parts.join("|")).ok()
});

/// A transcript's text with the sandbox's folder, run ids, times, digests and durations replaced
/// by names such as `[digest-2]`.
///
/// A short digest gets the number of the full digest that it abbreviates.
#[must_use]
pub fn normalise(text: &str, sandbox: &Path) -> String {
    let text = text.replace(&*sandbox.to_string_lossy(), "[sandbox]");
    let Some(pattern) = &*PATTERN else {
        crate::fail("a filter's pattern does not compile");
    };
    let mut seen = BTreeMap::<&str, Vec<String>>::new();
    let replaced = pattern.replace_all(&text, |found: &Captures| {
        let matched = (0..FILTERS.len()).find(|filter| found.get(filter + 1).is_some());
        let name = matched.map_or("", |filter| FILTERS[filter].0);
        if !name.ends_with('#') {
            return format!("[{name}]");
        }
        let number = number(seen.entry(name).or_default(), &found[0]);
        format!("[{}]", name.replace('#', &number.to_string()))
    });
    replaced.into_owned()
}

/// The number, from 1, of an id among those seen so far.
fn number(seen: &mut Vec<String>, id: &str) -> usize {
    let same = |known: &String| known.starts_with(id) || id.starts_with(known.as_str());
    let index = seen.iter().position(same).unwrap_or_else(|| {
        seen.push(id.to_owned());
        seen.len() - 1
    });
    index + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> String {
        normalise(text, Path::new("/sandbox/1"))
    }

    #[test]
    fn what_a_run_alone_decides_is_replaced() {
        assert_eq!(
            normal("wrote /sandbox/1/acme.toml"),
            "wrote [sandbox]/acme.toml"
        );
        assert_eq!(
            normal("held since 2026-11-21T23:19:04.5Z"),
            "held since [time]"
        );
        assert_eq!(normal("done in 1.25s, read 310 ms, about 4m 12s"), {
            "done in [duration], read [duration], about [duration]"
        });
    }

    #[test]
    fn ids_keep_their_identity() {
        let full = "0123456789ab".repeat(5) + "cdef";
        let text = format!("run-0192f0c1a7 {full} 0123456789ab ffffffffffff run-0192f0c1a7");
        assert_eq!(
            normal(&text),
            "[run-1] [digest-1] [digest-1] [digest-2] [run-1]"
        );
    }

    #[test]
    fn what_somebody_wrote_stays() {
        for text in [
            "timeout 300s",
            "ttl = 60",
            "run-once",
            "cafe",
            "2026-11-21",
            "55 to add",
        ] {
            assert_eq!(normal(text), text);
        }
    }
}
