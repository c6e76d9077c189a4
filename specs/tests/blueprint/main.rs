//! The blueprint, held against the kinds that the providers have: as it is built in, and as a
//! platform or a spec changes it.

mod broken;
mod built_in;
mod fixture;
mod overlays;
