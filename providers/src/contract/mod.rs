//! The contract of [`matih_model::provider`] as a suite that every provider must pass.
//!
//! A provider gives a [`Bench`]: itself on an empty system, an object to play with, and two hands
//! to change it from outside. [`prove`] runs every case on a bench of its own and says what was
//! broken. It is the same suite for the simulated cloud and for a real one; it promises to use
//! nothing but the trait. Compiled for tests and with the feature `contract`.

mod cases;
mod hand;
mod marks;
mod own;
mod rehearsals;
mod tokens;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use matih_model::{Attributes, Kind, Provider, RemoteId};

pub use cases::CASES;
pub use own::Own;

/// A provider on an empty system, and what there is to play with.
pub trait Bench: Send + Sync {
    /// The provider under proof. Every call gives the same one.
    fn provider(&self) -> Arc<dyn Provider>;

    /// The provider as another process has it, which has made nothing and remembers nothing.
    fn stranger(&self) -> Arc<dyn Provider>;

    /// The object to play with.
    fn sample(&self) -> Sample;

    /// Changes something of the object that is the server's own, such as its status.
    fn stir(&self, remote_id: &RemoteId);

    /// Changes something of the object that the sample sets, as somebody else would.
    fn tamper(&self, remote_id: &RemoteId);
}

/// One object in two forms.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Its kind.
    pub kind: Kind,
    /// As it is made.
    pub first: Attributes,
    /// As it is altered in place: the same object, another value of what can be changed.
    pub second: Attributes,
}

/// A finding: which promise was broken, and how it showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The name of the case.
    pub case: &'static str,
    /// What was seen.
    pub seen: String,
}

/// What a case comes to: the text says what was seen instead.
pub type CaseFuture<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// One promise, tried on a bench.
pub type Case = for<'a> fn(&'a dyn Bench) -> CaseFuture<'a>;

/// Runs every case on a bench of its own and returns what is broken.
pub async fn prove<B: Bench>(bench: impl Fn() -> B) -> Vec<Broken> {
    let mut broken = Vec::new();
    for (case, run) in CASES {
        if let Err(seen) = run(&bench()).await {
            broken.push(Broken { case, seen });
        }
    }
    broken
}
