//! Does what a plan says, and nothing that it does not say.
//!
//! [`apply()`] carries a plan out under the lock of its tenant: one writer, many provider calls side
//! by side, each with its intent committed before and its outcome after. [`recover()`] settles what a
//! crash left, by looking at the world. [`observe()`] reads what is there, and [`rehearse()`] asks
//! what would come of a plan. What happens on the way is told to an [`Onlooker`], which may also
//! stop it, at any [`Boundary`].
//!
//! It makes no choices: what to do, in which order and whether at all stands in the plan. It knows
//! no provider, no database and no clock but the runtime's, and runs on whatever runtime it is
//! polled by, so that a simulation with held time gives one trace for one seed.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod apply;
mod boundary;
mod error;
mod event;
mod job;
mod lease;
mod look;
mod observe;
mod recover;
mod rehearse;
mod report;
mod resolve;
mod retry;
mod run;
mod schedule;
mod settle;
mod strays;
mod verdict;
mod watch;
mod world;

pub use apply::apply;
pub use boundary::{ActionPoint, Answer, Boundary, Counting, Onlooker, RunPoint};
pub use error::ExecutorError;
pub use event::{Event, Step, What, error_word};
pub use lease::keep_lock;
pub use observe::{ObserveOptions, ask, observe};
pub use recover::{RecoverOptions, Recovery, SettledAction, recover};
pub use rehearse::{Rehearsed, rehearse};
pub use report::{ActionReport, Counts, Ending, Failure, Fate, Report, Stop};
pub use strays::{Search, Unmanaged, unmanaged};
pub use world::{ApplyOptions, Clock, OnFailure, World, run_limit};
