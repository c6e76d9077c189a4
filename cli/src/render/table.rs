//! Plain tables: columns two blanks apart, no lines.

use std::fmt::Write;

use super::style::{STRONG, paint};

/// Rows under a heading.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    heading: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(heading: &[&str]) -> Self {
        Self {
            heading: heading.iter().map(|word| (*word).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; what it lacks is empty.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// The table as text, a line break at the end of each row.
    pub(crate) fn render(&self) -> String {
        let columns = self.heading.len();
        let width = |column: usize| {
            std::iter::once(&self.heading)
                .chain(&self.rows)
                .filter_map(|row| row.get(column))
                .map(|cell| visible_width(cell))
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        let heading = self
            .heading
            .iter()
            .map(|word| paint(STRONG, word).to_string());
        write_row(&mut text, &heading.collect::<Vec<_>>(), &widths);
        for row in &self.rows {
            write_row(&mut text, row, &widths);
        }
        text
    }
}

fn write_row(text: &mut String, cells: &[String], widths: &[usize]) {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        let padding = width.saturating_sub(visible_width(cell)) + 2;
        let _ = write!(line, "{cell}{:padding$}", "");
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

/// The number of characters that a person sees.
fn visible_width(text: &str) -> usize {
    anstream::adapter::strip_str(text)
        .map(|part| part.chars().count())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_also_with_colours() {
        let mut table = Table::new(&["A", "LONG", "C"]);
        table.row(["é", "x", "y"]);
        table.row([
            paint(STRONG, "wide").to_string(),
            String::new(),
            "z".to_owned(),
        ]);
        let text = anstream::adapter::strip_str(&table.render()).to_string();
        assert_eq!(text, "A     LONG  C\né     x     y\nwide        z\n");
    }
}
