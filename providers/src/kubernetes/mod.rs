//! Kubernetes clusters: `kubernetes.manifest`, any kind of object that a cluster serves.
//!
//! Promises the contract of [`matih_model::provider`] against a real API server. Objects are
//! applied by the server itself, as field manager `matih`: what is not in the manifest stays as
//! others set it, what another manager owns is a conflict, and a field that leaves the manifest
//! leaves the object. Nothing is ever read, altered here and written back whole, and no finalizer
//! is taken off. What counts as ours is what the server's own books say, so its defaults, its
//! spelling and its status are never a difference.
//!
//! Refuses to know what the kinds mean, but for when one of them is ready. The way of a call:
//! `provider` finds the cluster, `call` says what may be touched, `create`, `update` and `delete`
//! do it over `wire`, `wait` waits. The way of a question: `look` and `list`, which put what is
//! there into the words of what was asked for (`project`, `shown`) and give it a `token`, and
//! `unmarked` for what is not ours. The way of a plan: `rehearse` asks what would come of it (after
//! `stage`), `answer` reads the server's words, and `fit` holds against the published schema
//! (`openapi`) what cannot be asked yet.
//! The way of the gate before activation: `gate` looks, `ways` judges the policies.

mod allowed;
mod answer;
mod call;
mod cluster;
mod connect;
mod create;
mod delete;
mod discovery;
mod failure;
mod fields;
mod fit;
mod gate;
mod json;
mod list;
mod live;
mod look;
mod made;
mod manifest;
mod mark;
mod openapi;
mod pages;
mod place;
mod project;
mod provider;
mod proxy;
mod quantity;
mod ready;
mod rehearse;
mod revisions;
mod settings;
mod shown;
mod stage;
mod token;
mod trouble;
mod unmarked;
mod update;
mod wait;
mod wire;
mod workload;

#[cfg(test)]
mod tests;

pub(crate) use call::due;
pub(crate) use cluster::Cluster;
pub(crate) use discovery::ALL_KINDS;
pub(crate) use failure::Failure;
pub(crate) use gate::findings;
pub(crate) use made::{Hands, Made, hands, manifest, otherwise};
pub(crate) use pages::pages;
pub use provider::Kubernetes;
pub use settings::{ClusterSettings, KubernetesSettings, NAME};
pub(crate) use wire::{Ask, METADATA, encoded};
pub(crate) use workload::{Coming, Why, coming, pods};
