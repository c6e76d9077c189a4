//! Words out: every text and every document that matih prints.
//!
//! A renderer is a function from data to a `String`; it opens nothing, asks nobody and knows no
//! clock. Colours are in the string as ANSI codes; [`crate::screen::Screen`] takes them out where
//! they are not wanted. A sensitive value never reaches a string made here.

pub(crate) mod diff;
pub(crate) mod document;
pub(crate) mod drift;
pub(crate) mod graph;
pub(crate) mod history;
pub(crate) mod plan;
pub(crate) mod release;
pub(crate) mod report;
pub(crate) mod state;
pub(crate) mod steps;
pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod time;
pub(crate) mod value;
