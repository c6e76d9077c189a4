//! The rules of the planner, one test each; by subject.

mod attributes;
mod edits;
mod graph;
mod guard;
mod order;
mod undo;
