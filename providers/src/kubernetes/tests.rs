//! What a real server says, kept as text, and a real server where there is one.

mod asked;
mod books;
mod contract;
mod fake;
mod fleet;
mod ground;
mod real;
mod waits;
mod wire;
