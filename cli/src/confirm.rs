//! The one question: only the word `yes` means yes.

use std::io::BufRead;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::style::{STRONG, paint};
use crate::screen::Screen;

/// Who may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    /// The answer was given beforehand.
    Approved,
    /// Somebody at standard input.
    Somebody,
    /// Nobody.
    Nobody,
}

impl Asking {
    /// From `--auto-approve` and `--no-input`.
    pub(crate) fn new(approved: bool, nobody: bool) -> Self {
        match (approved, nobody) {
            (true, _) => Self::Approved,
            (false, true) => Self::Nobody,
            (false, false) => Self::Somebody,
        }
    }
}

/// Asks `question` and takes nothing but `yes`.
///
/// # Errors
/// Another answer (exit code 1), or nobody to ask or no answer at all (exit code 9). In each case
/// nothing was done.
pub(crate) fn confirm(screen: &Screen, asking: Asking, question: &str) -> Result<(), Failure> {
    match asking {
        Asking::Approved => Ok(()),
        Asking::Nobody => Err(unanswered(question)),
        Asking::Somebody => {
            screen.note(&format!("\n{}", paint(STRONG, question)));
            screen.note("Only `yes` will be accepted.");
            answer(std::io::stdin().lock(), question)
        }
    }
}

fn answer(mut input: impl BufRead, question: &str) -> Result<(), Failure> {
    let mut line = String::new();
    match input.read_line(&mut line) {
        Ok(0) | Err(_) => Err(unanswered(question)),
        Ok(_) if line.trim_end_matches(['\r', '\n']) == "yes" => Ok(()),
        Ok(_) => Err(Failure::error("Cancelled. Nothing was changed.")),
    }
}

fn unanswered(question: &str) -> Failure {
    let message = format!("Nobody answered “{question}” Nothing was changed.");
    Failure::new(Exit::Approval, message)
        .hint("read the plan, then run the command again with --auto-approve")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_yes_is_yes() {
        assert_eq!(answer(&b"yes\n"[..], "Do it?"), Ok(()));
        assert_eq!(answer(&b"yes\r\n"[..], "Do it?"), Ok(()));
        for no in ["y\n", "Yes\n", "yes please\n", " yes\n", "\n", "no\n"] {
            let failure = answer(no.as_bytes(), "Do it?").unwrap_err();
            assert_eq!(failure.exit, Exit::Error, "{no:?}");
        }
    }

    #[test]
    fn no_answer_is_no_error_of_the_person() {
        assert_eq!(answer(&b""[..], "Do it?").unwrap_err().exit, Exit::Approval);
        let screen = Screen::new(&crate::args::Global::default());
        let nobody = confirm(&screen, Asking::new(false, true), "Do it?");
        assert_eq!(nobody.unwrap_err().exit, Exit::Approval);
        assert_eq!(confirm(&screen, Asking::new(true, true), "Do it?"), Ok(()));
    }
}
