//! Who may reach whom in a cluster, decided from labels and network policies alone.
//!
//! It promises the semantics of `networking.k8s.io/v1`: policies are additive, a pod that none of
//! them selects for a direction is open in that direction, and a connection needs both its ends to
//! allow it. Where the API leaves it to the network plugin whether an address block covers a pod,
//! it takes the answer that is worse for whoever asks. It refuses to know tenants and matih: it is
//! told namespaces, pods and policies, from a rendered blueprint or from a live cluster.
//!
//! It proves rules, not a network plugin: a plugin that enforces nothing isolates nobody.

mod network;
mod reach;

pub use network::{Direction, Labels, Malformed, Network, Pod, Policy};
pub use reach::{End, Port, Protocol, Verdict};
