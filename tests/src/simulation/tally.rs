//! What happened in many stories: so that a table without an empty cell proves what was met.

use std::collections::BTreeMap;
use std::fmt;

/// Counts by row and column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table(pub BTreeMap<(String, String), u64>);

impl Table {
    /// Counts one more.
    pub fn count(&mut self, row: impl Into<String>, column: impl Into<String>) {
        self.add(row, column, 1);
    }

    /// Counts some more.
    pub fn add(&mut self, row: impl Into<String>, column: impl Into<String>, many: u64) {
        *self.0.entry((row.into(), column.into())).or_default() += many;
    }

    /// The cells that are empty, of a table with these rows and columns.
    #[must_use]
    pub fn empty_cells(&self, rows: &[&str], columns: &[&str]) -> Vec<String> {
        let cells = rows
            .iter()
            .flat_map(|row| columns.iter().map(move |it| (*row, *it)));
        cells
            .filter(|(row, column)| {
                let key = ((*row).to_owned(), (*column).to_owned());
                self.0.get(&key).copied().unwrap_or_default() == 0
            })
            .map(|(row, column)| format!("{row}/{column}"))
            .collect()
    }

    fn merge(&mut self, other: &Self) {
        for ((row, column), count) in &other.0 {
            self.add(row, column, *count);
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut columns: Vec<&String> = self.0.keys().map(|(_, column)| column).collect();
        columns.sort();
        columns.dedup();
        write!(f, "{:18}", "")?;
        for column in &columns {
            write!(f, "{column:>12}")?;
        }
        let mut last = None;
        for (row, _) in self.0.keys() {
            if last.replace(row) == Some(row) {
                continue;
            }
            write!(f, "\n{row:18}")?;
            for column in &columns {
                let count = self.0.get(&(row.clone(), (*column).clone()));
                write!(f, "{:>12}", count.copied().unwrap_or_default())?;
            }
        }
        Ok(())
    }
}

/// What was met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Stories told.
    pub seeds: u64,
    /// Rounds: lock, recover, plan, apply, release.
    pub rounds: u64,
    /// Provider calls that were sent.
    pub steps: u64,
    /// Boundaries that were crossed.
    pub boundaries: u64,
    /// Milliseconds of simulated time.
    pub simulated_ms: u64,
    /// The most rounds that any story took to settle after its faults had stopped.
    pub longest: u64,
    /// Faults of the provider, by kind and operation.
    pub faults: Table,
    /// Crashes, by boundary and operation.
    pub crashes: Table,
    /// What people did, by deed and whether a run was under way.
    pub deeds: Table,
    /// How rounds ended, by verb.
    pub endings: Table,
}

impl Tally {
    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.rounds += other.rounds;
        self.steps += other.steps;
        self.boundaries += other.boundaries;
        self.simulated_ms += other.simulated_ms;
        self.longest = self.longest.max(other.longest);
        self.faults.merge(&other.faults);
        self.crashes.merge(&other.crashes);
        self.deeds.merge(&other.deeds);
        self.endings.merge(&other.endings);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY: u64 = 86_400_000;
        writeln!(
            f,
            "{} seeds, {} rounds, {} calls, {} boundaries, {} simulated days; settled within {} rounds",
            self.seeds,
            self.rounds,
            self.steps,
            self.boundaries,
            self.simulated_ms / DAY,
            self.longest,
        )?;
        writeln!(f, "\nfaults fired\n{}", self.faults)?;
        writeln!(f, "\ncrashes\n{}", self.crashes)?;
        writeln!(f, "\nother hands\n{}", self.deeds)?;
        write!(f, "\nendings of rounds\n{}", self.endings)
    }
}
