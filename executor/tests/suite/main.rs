//! The executor against the simulated world and a real state file, with held time.

mod apply;
mod bench;
mod crash;
mod faults;
mod gather;
mod observe;
mod rehearse;
mod seeds;
mod stop;
mod tenant;
mod unready;
