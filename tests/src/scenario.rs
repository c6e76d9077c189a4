//! Scenarios: a terminal session as a file, its transcript beside it as a golden.
//!
//! A scenario is `NAME.scn`, its golden `NAME.out`. Each line is one of
//!
//! | line | does |
//! |---|---|
//! | `# text` | says something; kept in the transcript |
//! | `$ matih ARGS` | runs the binary |
//! | `$ copy FROM TO` | copies a file of the repository into the sandbox |
//! | `$ write FILE` | writes the here-document that follows |
//! | `$ edit FILE s/OLD/NEW/` | replaces every OLD, which must be there |
//! | `$ rm FILE` | removes a file or a folder |
//! | `$ cat FILE` | shows a file |
//! | `$ env NAME=VALUE` | sets a variable for all later commands |
//! | `? exit N` | the command above must exit with N; without this line, with 0 |
//! | `? let NAME = after "TEXT"` | `${NAME}` is from now on the word after TEXT in the output above |
//!
//! A command whose line ends in `<<EOF` takes the lines up to `EOF` as its input. Words are split
//! at blanks; `'…'` and `"…"` keep blanks. The transcript is what was typed, then standard output,
//! then standard error with `! ` before each line, then the exit code if it is not 0.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::{Output, Sandbox, assert_golden, normalise, workspace_root};

mod script;

use script::{Line, Verb};

/// Runs the scenario at `path` and compares its transcript with the golden beside it.
///
/// A line that cannot be carried out and an exit code that differs fail the test, also when
/// goldens are being rewritten: what the author expects is never taken from a run.
#[track_caller]
pub fn check(path: &Path) {
    match transcript(path) {
        Ok(text) => assert_golden(&path.with_extension("out"), &text),
        Err(message) => crate::fail(&format!("{}:{message}", path.display())),
    }
}

/// Runs the scenario and gives its normalised transcript, or `LINE: what went wrong`.
fn transcript(path: &Path) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("0: {error}"))?;
    let mut session = Session::default();
    for line in script::parse(&text)? {
        session.carry_out(&line).map_err(|message| {
            let so_far = normalise(&session.transcript, session.sandbox.folder());
            format!("{}: {message}\nThe session so far:\n{so_far}", line.number)
        })?;
    }
    Ok(normalise(&session.transcript, session.sandbox.folder()))
}

/// A scenario as it runs.
#[derive(Default)]
struct Session {
    sandbox: Sandbox,
    names: BTreeMap<String, String>,
    last: Option<Output>,
    transcript: String,
}

impl Session {
    fn carry_out(&mut self, line: &Line) -> Result<(), String> {
        self.transcript.push_str(&line.typed);
        let verb = line.verb.clone().map_words(|word| self.expand(word));
        let input = self.expand(&line.input);
        match &verb {
            Verb::Say => {}
            Verb::Matih(arguments) => {
                let output = self.sandbox.run_with_input(arguments, &input);
                self.transcript
                    .push_str(&output.to_string().replace("? exit 0\n", ""));
                if output.status != Some(line.exit) {
                    return Err(format!("it must exit with {}, but\n{output}", line.exit));
                }
                self.last = Some(output);
            }
            Verb::Let { name, after } => {
                let word = self.word_after(after)?;
                self.names.insert(name.clone(), word);
            }
            Verb::Env { name, value } => self.sandbox.set_env(name, value),
            Verb::Write { file } => self.sandbox.write(file, &input),
            Verb::Copy { from, to } => {
                let text = fs::read_to_string(workspace_root().join(from))
                    .map_err(|error| format!("{from}: {error}"))?;
                self.sandbox.write(to, &text);
            }
            Verb::Edit { file, old, new } => {
                let text = self.text(file)?;
                if !text.contains(old.as_str()) {
                    return Err(format!("{file} does not contain `{old}`"));
                }
                self.sandbox.write(file, &text.replace(old.as_str(), new));
            }
            Verb::Remove { file } => {
                let path = self.sandbox.path(file);
                if path.is_dir() {
                    fs::remove_dir_all(path)
                } else {
                    fs::remove_file(path)
                }
                .map_err(|error| format!("{file}: {error}"))?;
            }
            Verb::Show { file } => {
                let text = self.text(file)?;
                self.transcript.push_str(&text);
            }
        }
        Ok(())
    }

    fn text(&self, file: &str) -> Result<String, String> {
        fs::read_to_string(self.sandbox.path(file)).map_err(|error| format!("{file}: {error}"))
    }

    fn expand(&self, text: &str) -> String {
        self.names
            .iter()
            .fold(text.to_owned(), |text, (name, value)| {
                text.replace(&format!("${{{name}}}"), value)
            })
    }

    fn word_after(&self, text: &str) -> Result<String, String> {
        let output = self.last.as_ref().ok_or("no command has run yet")?;
        [&output.stdout, &output.stderr]
            .into_iter()
            .find_map(|output| output.split_once(text)?.1.split_whitespace().next())
            .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned())
            .ok_or_else(|| format!("the output above has no `{text}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(script: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("story.scn");
        fs::write(&path, script).unwrap();
        transcript(&path)
    }

    #[test]
    fn files_are_written_edited_shown_and_removed() {
        let script = "# a story\n$ write d/a.toml <<EOF\ntier = \"FREE\"\nEOF\n\
                      $ edit d/a.toml s/FREE/STARTER/\n$ cat d/a.toml\n$ rm d\n";
        let expected = format!(
            "{}tier = \"STARTER\"\n$ rm d\n",
            script.replace("$ rm d\n", "")
        );
        assert_eq!(session(script).unwrap(), expected);
    }

    #[test]
    fn a_line_that_does_nothing_is_an_error_with_its_number() {
        let missing = session("$ write a <<EOF\nx\nEOF\n$ edit a s/y/z/\n").unwrap_err();
        assert!(
            missing.starts_with("4: a does not contain `y`"),
            "{missing}"
        );
        let unread = session("? let run = after \"run \"\n").unwrap_err();
        assert!(unread.starts_with("1: no command has run yet"), "{unread}");
        assert!(session("$ cat a\n").is_err());
        assert!(session("$ rm a\n").is_err());
        assert!(session("$ copy specs/none.toml a\n").is_err());
    }

    #[test]
    fn a_word_of_the_output_gets_a_name() {
        let stdout = "Applied run run-0192f0c1.\n".to_owned();
        let last = Some(Output {
            status: Some(0),
            stdout,
            stderr: String::new(),
        });
        let mut session = Session {
            last,
            ..Session::default()
        };
        session.names.insert(
            "run".to_owned(),
            session.word_after("Applied run ").unwrap(),
        );
        assert_eq!(
            session.expand("resume ${run} ${other}"),
            "resume run-0192f0c1 ${other}"
        );
        assert!(session.word_after("Refused").is_err());
    }
}
