//! Where output goes: results to standard output, everything else to standard error.
//!
//! A pipe that was closed by its reader ends the output quietly, never the process: state is
//! being written while we print.

use std::io::{IsTerminal, Write};

use anstream::AutoStream;

use crate::args::Global;
use crate::failure::Failure;
use crate::render::document::{self, Notation};
use crate::render::style::{BAD, WARN, paint};

/// The two streams and how much goes to them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    color: anstream::ColorChoice,
    quiet: bool,
    verbose: u8,
}

impl Screen {
    /// As the command line says.
    pub(crate) fn new(global: &Global) -> Self {
        Self {
            color: global.color.into(),
            quiet: global.quiet,
            verbose: global.verbose,
        }
    }

    /// Whether details are wanted.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose > 0
    }

    /// Whether results and errors only are wanted.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether a bar that moves makes sense on standard error.
    pub(crate) fn can_move(&self) -> bool {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        !self.quiet && !dumb && std::io::stderr().is_terminal()
    }

    /// A result: text as it is, to standard output.
    pub(crate) fn print(&self, text: &str) {
        write(AutoStream::new(std::io::stdout().lock(), self.color), text);
    }

    /// A result for programs: one document, to standard output.
    pub(crate) fn print_document(&self, notation: Notation, document: &impl serde::Serialize) {
        match document::text(notation, document) {
            Ok(text) => self.print(&text),
            Err(message) => self.complain(&Failure::error(message)),
        }
    }

    /// Something on the way, unless it is to be quiet: a line to standard error.
    pub(crate) fn say(&self, line: &str) {
        if !self.quiet {
            self.note(line);
        }
    }

    /// A warning.
    pub(crate) fn warn(&self, line: &str) {
        self.note(&format!("{} {line}", paint(WARN, "warning:")));
    }

    /// An error, with its hint on a line of its own.
    pub(crate) fn complain(&self, failure: &Failure) {
        let message = &failure.message;
        if failure.is_report {
            self.note(message);
        } else {
            self.note(&format!("{} {message}", paint(BAD, "error:")));
        }
        if let Some(hint) = &failure.hint {
            self.note(&format!("hint: {hint}"));
        }
    }

    /// A line to standard error, whatever else was said.
    pub(crate) fn note(&self, line: &str) {
        let line = format!("{line}\n");
        write(AutoStream::new(std::io::stderr().lock(), self.color), &line);
    }
}

fn write(mut stream: impl Write, text: &str) {
    // The reader has gone, or the disk is full: there is nobody to tell.
    let written = stream.write_all(text.as_bytes());
    let _ = written.and_then(|()| stream.flush());
}
