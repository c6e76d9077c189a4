//! The grammar of a scenario file; the table is in the parent's documentation.

/// One command or remark, with the lines that belong to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Where it stands, from 1.
    pub(super) number: usize,
    /// It and its here-document as typed, for the transcript.
    pub(super) typed: String,
    pub(super) verb: Verb,
    /// The here-document, or nothing.
    pub(super) input: String,
    /// The exit code that the author expects of a `matih`.
    pub(super) exit: i32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verb {
    Say,
    Matih(Vec<String>),
    Copy {
        from: String,
        to: String,
    },
    Write {
        file: String,
    },
    Edit {
        file: String,
        old: String,
        new: String,
    },
    Remove {
        file: String,
    },
    Show {
        file: String,
    },
    Env {
        name: String,
        value: String,
    },
    Let {
        name: String,
        after: String,
    },
}

impl Verb {
    /// The same verb with each word that may hold `${NAME}` changed.
    pub(super) fn map_words(self, change: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Matih(words) => Self::Matih(words.iter().map(|word| change(word)).collect()),
            Self::Edit { file, old, new } => Self::Edit {
                file: change(&file),
                old: change(&old),
                new: change(&new),
            },
            Self::Write { file } => Self::Write {
                file: change(&file),
            },
            Self::Remove { file } => Self::Remove {
                file: change(&file),
            },
            Self::Show { file } => Self::Show {
                file: change(&file),
            },
            Self::Env { name, value } => Self::Env {
                name,
                value: change(&value),
            },
            other @ (Self::Say | Self::Copy { .. } | Self::Let { .. }) => other,
        }
    }
}

/// Reads a scenario; an error is `LINE: what is wrong`.
pub(super) fn parse(text: &str) -> Result<Vec<Line>, String> {
    let mut lines = Vec::<Line>::new();
    let mut rest = (1..).zip(text.lines());
    while let Some((number, line)) = rest.next() {
        let wrong = |message: String| format!("{number}: {message}");
        if let Some(code) = line.strip_prefix("? exit ") {
            let code = code
                .trim()
                .parse()
                .map_err(|_| wrong(format!("no exit code: {code}")))?;
            match lines.last_mut() {
                Some(Line {
                    verb: Verb::Matih(_),
                    exit,
                    ..
                }) => *exit = code,
                _ => return Err(wrong("`? exit` follows a `$ matih` line".to_owned())),
            }
            continue;
        }
        let (command, end) = match line.rsplit_once("<<") {
            Some((command, end)) if line.starts_with("$ ") && !end.is_empty() => {
                (command, Some(end))
            }
            _ => (line, None),
        };
        let verb = verb(command).map_err(wrong)?;
        let mut typed = format!("{line}\n");
        let mut input = String::new();
        if let Some(end) = end {
            loop {
                let (_, line) = rest
                    .next()
                    .ok_or_else(|| wrong(format!("no `{end}` ends it")))?;
                typed += &format!("{line}\n");
                if line == end {
                    break;
                }
                input += &format!("{line}\n");
            }
        }
        lines.push(Line {
            number,
            typed,
            verb,
            input,
            exit: 0,
        });
    }
    Ok(lines)
}

fn verb(line: &str) -> Result<Verb, String> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(Verb::Say);
    }
    if let Some(binding) = line.strip_prefix("? let ") {
        return match binding.split_once(" = after ") {
            Some((name, after)) => match words(after)?.as_slice() {
                [after] => Ok(Verb::Let {
                    name: name.trim().to_owned(),
                    after: after.clone(),
                }),
                _ => Err("`? let NAME = after \"TEXT\"` takes one text".to_owned()),
            },
            None => Err("it reads `? let NAME = after \"TEXT\"`".to_owned()),
        };
    }
    let Some(command) = line.strip_prefix("$ ") else {
        return Err(format!("a line begins with `# `, `$ ` or `? `: {line}"));
    };
    let words = words(command)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let owned = |word: &str| word.to_owned();
    Ok(match words.as_slice() {
        ["matih", arguments @ ..] => {
            Verb::Matih(arguments.iter().map(|word| owned(word)).collect())
        }
        ["copy", from, to] => Verb::Copy {
            from: owned(from),
            to: owned(to),
        },
        ["write", file] => Verb::Write { file: owned(file) },
        ["edit", file, change] => {
            let (old, new) = substitution(change)?;
            Verb::Edit {
                file: owned(file),
                old,
                new,
            }
        }
        ["rm", file] => Verb::Remove { file: owned(file) },
        ["cat", file] => Verb::Show { file: owned(file) },
        ["env", setting] => match setting.split_once('=') {
            Some((name, value)) => Verb::Env {
                name: owned(name),
                value: owned(value),
            },
            None => return Err(format!("`{setting}` is not NAME=VALUE")),
        },
        _ => return Err(format!("no command of a scenario: {command}")),
    })
}

/// OLD and NEW of `s/OLD/NEW/`, with any character in the place of `/`.
fn substitution(text: &str) -> Result<(String, String), String> {
    let mut rest = text.strip_prefix('s').unwrap_or_default().chars();
    let parts: Vec<&str> = match rest.next() {
        Some(mark) => rest.as_str().split(mark).collect(),
        None => Vec::new(),
    };
    match parts.as_slice() {
        [old, new, ""] if !old.is_empty() => Ok(((*old).to_owned(), (*new).to_owned())),
        _ => Err(format!("`{text}` is not s/OLD/NEW/")),
    }
}

/// Splits at blanks outside quotes; a quote keeps all up to the next of its kind.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    match quote {
        Some(open) => Err(format!("no {open} closes the quote")),
        None => Ok(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_quoted_blanks() {
        assert_eq!(
            words("a  'b c'd \"\" \"it's\"").unwrap(),
            ["a", "b cd", "", "it's"]
        );
        assert_eq!(words("a 'b").unwrap_err(), "no ' closes the quote");
    }

    #[test]
    fn an_exit_code_belongs_to_the_command_above() {
        let lines = parse("$ matih plan a.toml\n? exit 2\n$ matih version\n").unwrap();
        assert_eq!(
            lines.iter().map(|line| line.exit).collect::<Vec<_>>(),
            [2, 0]
        );
        assert_eq!(
            parse("# x\n? exit 2\n").unwrap_err(),
            "2: `? exit` follows a `$ matih` line"
        );
    }

    #[test]
    fn a_here_document_is_input_and_is_seen() {
        let lines = parse("$ matih apply a.toml <<END\nyes\nEND\n").unwrap();
        assert_eq!(lines[0].input, "yes\n");
        assert_eq!(lines[0].typed, "$ matih apply a.toml <<END\nyes\nEND\n");
        assert_eq!(
            parse("\n$ write a <<END\nyes\n").unwrap_err(),
            "2: no `END` ends it"
        );
    }

    #[test]
    fn edits_take_any_mark() {
        assert_eq!(
            substitution("s|a/b|c|").unwrap(),
            ("a/b".to_owned(), "c".to_owned())
        );
        assert_eq!(
            substitution("s/a//").unwrap(),
            ("a".to_owned(), String::new())
        );
        for wrong in ["", "s", "s/a/b", "s//b/", "s/a/b/g", "y/a/b/"] {
            assert!(substitution(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_wrong_line_is_refused_with_its_number() {
        for wrong in [
            "$ ls",
            "matih plan",
            "$ env A",
            "$ copy a",
            "? let a",
            "? wait",
        ] {
            let message = parse(&format!("# fine\n{wrong}\n")).unwrap_err();
            assert!(message.starts_with("2: "), "{wrong}: {message}");
        }
    }
}
