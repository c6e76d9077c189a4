//! The provider on a real cluster with the real Helm, where there are both.

mod charts;
mod contract;
mod edited;
mod ground;
mod others;
mod rehearsed;
mod stuck;
mod unready;
