//! The store from outside: through its public API, on real files.

mod copies;
mod fences;
mod fixture;
mod runs;
