//! The outside world, as matih sees it: the kinds that there are and who serves them.
//!
//! Promises that every kind of the tables in `providers/kinds` is served by exactly one provider
//! of the registry, and that each provider keeps the contract of [`matih_model::provider`].
//! Refuses to know of plans, of state, and of what a tenant is.

pub mod kinds;
