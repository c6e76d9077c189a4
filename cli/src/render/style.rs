//! The few colours of matih, by meaning.

use std::fmt::{self, Display};

use anstyle::{AnsiColor, Style};

/// Something comes.
pub(crate) const ADD: Style = AnsiColor::Green.on_default();
/// Something is altered.
pub(crate) const CHANGE: Style = AnsiColor::Yellow.on_default();
/// Something goes.
pub(crate) const REMOVE: Style = AnsiColor::Red.on_default();
/// Something is looked at.
pub(crate) const LOOK: Style = AnsiColor::Cyan.on_default();
/// A heading, or a number that counts.
pub(crate) const STRONG: Style = Style::new().bold();
/// What may be skipped.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// An error.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// A warning.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default().bold();

/// Text in a style.
pub(crate) fn paint(style: Style, text: impl Display) -> impl Display {
    Painted { style, text }
}

struct Painted<T> {
    style: Style,
    text: T,
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:#}", self.style, self.text, self.style)
    }
}
