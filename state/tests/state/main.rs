//! The store from outside: through its public API, on real files.

mod fixture;
mod runs;
