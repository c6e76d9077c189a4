//! The store from outside: through its public API, on real files.

mod births;
mod copies;
mod damage;
mod fences;
mod fixture;
mod laws;
mod runs;
