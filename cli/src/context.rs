//! What every command has in hand: the two streams, the global options, and the way to the
//! platform.

use matih_specs::Diagnostics;
use serde::Serialize;
use serde_json::json;

use crate::args::{Global, Output};
use crate::clock::now_ms;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::document::Notation;
use crate::screen::Screen;

/// In every command's hand.
#[derive(Clone)]
pub(crate) struct Context {
    /// Where output goes.
    pub(crate) screen: Screen,
    /// The options that every command takes.
    pub(crate) global: Global,
}

impl Context {
    /// Follows `--chdir`, once and for all.
    ///
    /// # Errors
    /// The folder is not there.
    pub(crate) fn new(global: Global) -> Result<Self, Failure> {
        if let Some(folder) = &global.chdir {
            std::env::set_current_dir(folder)
                .map_err(|error| Failure::file("entered", folder, &error))?;
        }
        let screen = Screen::new(&global);
        Ok(Self { screen, global })
    }

    /// An error, for people and, with `--json`, as an event of its own for programs.
    pub(crate) fn complain(&self, failure: &Failure) {
        self.screen.complain(failure);
        if self.global.json {
            let event = json!({
                "v": 1,
                "ts": now_ms(),
                "type": "diagnostic",
                "severity": "error",
                "exit": failure.exit.code(),
                "message": anstream::adapter::strip_str(&failure.message).to_string(),
                "hint": failure.hint,
            });
            self.screen.print(&format!("{event}\n"));
        }
    }

    /// How a command writes its document; none where its text is asked for.
    pub(crate) fn notation(&self, output: Output) -> Option<Notation> {
        if self.global.json {
            Some(Notation::Json)
        } else {
            output.notation()
        }
    }

    /// Prints a result as it is asked for: as text, or as one document.
    pub(crate) fn print<D: Serialize>(
        &self,
        output: Output,
        text: impl FnOnce() -> String,
        document: impl FnOnce() -> D,
    ) {
        match self.notation(output) {
            None => self.screen.print(&text()),
            Some(notation) => self.screen.print_document(notation, &document()),
        }
    }

    /// Findings as a failure with exit code 6.
    pub(crate) fn invalid(&self, findings: &Diagnostics) -> Failure {
        let text = format!("{}\n\n{}.", findings.to_text(true), findings.summary());
        Failure::report(Exit::Invalid, text)
    }

    /// Prints the warnings of a spec that is good all the same.
    pub(crate) fn warn(&self, findings: &Diagnostics) {
        if !findings.is_empty() {
            self.screen.say(&findings.to_text(true));
        }
    }
}
