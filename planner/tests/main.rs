//! What the planner promises: each rule as a table of cases, each law as a property.

mod laws;
mod rules;
mod world;
