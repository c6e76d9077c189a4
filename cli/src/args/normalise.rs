//! Terraform's spellings in ours: `-out=x` is `--out=x`, `force-unlock` is `lock release`.
//!
//! A word is touched only if it is one of the spellings of the table, so a cluster of short
//! options (`-qv`) and a path that begins with a hyphen after `--` stay what they are.

use std::ffi::OsString;

/// Options that Terraform writes with one hyphen and that mean the same here.
const SAME: &[&str] = &[
    "allow-data-loss",
    "auto-approve",
    "chdir",
    "check",
    "destroy",
    "detailed-exitcode",
    "diff",
    "exclude",
    "force",
    "help",
    "json",
    "lock-timeout",
    "out",
    "parallelism",
    "refresh",
    "refresh-only",
    "replace",
    "state",
    "target",
    "version",
];

/// Whole words with another name here.
const OTHER: &[(&str, &[&str])] = &[
    ("-no-color", &["--color=never"]),
    ("-input=false", &["--no-input"]),
    ("-input=true", &[]),
    // `matih fmt` always looks into folders.
    ("-recursive", &[]),
    ("-compact-warnings", &[]),
];

/// Commands with another name here, and what they become.
const VERBS: &[(&str, &[&str])] = &[
    ("force-unlock", &["lock", "release"]),
    ("refresh", &["apply", "--refresh-only"]),
];

/// The line as clap is to read it; the first word is the program's name.
pub(super) fn normalise(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words = words.into_iter();
    let mut line: Vec<OsString> = words.next().into_iter().collect();
    let mut verb_seen = false;
    let mut value_follows = false;
    while let Some(word) = words.next() {
        if word == "--" {
            line.push(word);
            line.extend(words);
            break;
        }
        let Some(text) = word.to_str() else {
            line.push(word);
            continue;
        };
        let is_verb = !verb_seen && !value_follows && !text.starts_with('-');
        verb_seen |= is_verb;
        value_follows = !verb_seen && takes_value(text);
        match replacement(text, is_verb) {
            Some(words) => line.extend(words.into_iter().map(OsString::from)),
            None => line.push(word),
        }
    }
    line
}

/// Whether an option before the verb has its value in the next word.
fn takes_value(option: &str) -> bool {
    const BEFORE_THE_VERB: &[&str] = &[
        "-C",
        "--chdir",
        "--tenant",
        "--state",
        "--platform",
        "--blueprint",
        "--color",
    ];
    BEFORE_THE_VERB.contains(&option)
}

fn replacement(word: &str, is_verb: bool) -> Option<Vec<String>> {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    if is_verb {
        let (_, words) = VERBS.iter().find(|(verb, _)| *verb == word)?;
        return Some(owned(words));
    }
    if let Some((_, words)) = OTHER.iter().find(|(spelling, _)| *spelling == word) {
        return Some(owned(words));
    }
    let name = word.strip_prefix('-')?;
    let name = name.split_once('=').map_or(name, |(name, _)| name);
    SAME.contains(&name).then(|| vec![format!("-{word}")])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> String {
        let words = normalise(text.split_whitespace().map(OsString::from));
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    #[test]
    fn terraforms_words_become_ours() {
        for (theirs, ours) in [
            (
                "matih plan -out=a -target=x",
                "matih plan --out=a --target=x",
            ),
            (
                "matih apply -auto-approve a",
                "matih apply --auto-approve a",
            ),
            (
                "matih plan -refresh=false -no-color",
                "matih plan --refresh=false --color=never",
            ),
            (
                "matih -chdir=d force-unlock -force x",
                "matih --chdir=d lock release --force x",
            ),
            (
                "matih --state s refresh a",
                "matih --state s apply --refresh-only a",
            ),
            ("matih apply -input=false", "matih apply --no-input"),
        ] {
            assert_eq!(line(theirs), ours);
        }
    }

    #[test]
    fn everything_else_stays() {
        for same in [
            "matih plan -qv --out a",
            "matih plan -o json",
            "matih plan -- -out=a",
            "matih state show refresh",
            "matih -C refresh plan",
            "matih plan -v=2",
        ] {
            assert_eq!(line(same), same);
        }
    }
}
