//! Taking an object away, and waiting for its end.
//!
//! Only this life of it, and only as it was looked at. Finalizers are never taken off: what holds
//! an object is told.

use std::time::Duration;

use matih_model::{ErrorKind, ProviderError, Telling};
use tokio::time::Instant;

use super::call::{Deed, TRIES, held};
use super::create::restless;
use super::live::Live;
use super::mark;
use super::place::Place;

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// An end that takes longer than all waits before this one is worth a word.
const WORTH_TELLING: Duration = Duration::from_millis(800);

/// Takes it away.
///
/// # Errors
/// It is somebody else's or not as expected, the server refuses, or something holds it.
pub(super) async fn delete(deed: &Deed<'_>) -> Result<(), ProviderError> {
    for _ in 0..TRIES {
        // What is taken for gone is forgotten.
        let there = deed.cluster.get_surely(&deed.api, &deed.place).await?;
        let Some(there) = there.filter(|there| is_ours(deed, there)) else {
            return Ok(());
        };
        deed.may_touch(&there)?;
        if there.is_going() {
            return end(deed, &there).await;
        }
        if !deed.is_expected(&there) {
            return Err(deed.changed(&there));
        }
        deed.sent()?;
        let removed = deed
            .cluster
            .remove(&deed.api, &deed.place, &there, deed.until)
            .await;
        deed.acted()?;
        match removed {
            Ok(_) => return end(deed, &there).await,
            Err(failure) if failure.is_absent() => return Ok(()),
            Err(failure) if failure.code == Some(409) => {}
            Err(failure) => return Err(deed.refused(failure, Some(&there))),
        }
    }
    Err(restless(&deed.place))
}

/// Without a remote id only what bears our mark is meant; with one, this life of the object.
fn is_ours(deed: &Deed<'_>, there: &Live) -> bool {
    if deed.call.remote_id.is_some() {
        return deed.is_meant(there);
    }
    let mark = there.mark.as_ref();
    mark.is_some_and(|mark| mark::same(mark, deed.call.owner))
}

/// Waits until this life of the object is over, by the word of the server's storage: the server has
/// only promised its end, and a look that is behind knows nothing of the object's beginning either.
async fn end(deed: &Deed<'_>, there: &Live) -> Result<(), ProviderError> {
    let uid = there.uid();
    let place = Place {
        uid: uid.to_owned(),
        ..deed.place.clone()
    };
    let mut wait = FIRST_WAIT;
    loop {
        let now = deed.cluster.get_surely(&deed.api, &place).await?;
        let now = now.filter(|now| now.uid() == uid);
        let Some(now) = now else {
            return Ok(());
        };
        if Instant::now() + wait >= deed.until {
            return Err(stuck(deed, &now));
        }
        if wait >= WORTH_TELLING {
            let why = format!("it is being deleted{}", held(&now));
            deed.call.crossing.tell(Telling::Waiting(&why));
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// The server has taken the deletion on, and it has not come to its end.
fn stuck(deed: &Deed<'_>, now: &Live) -> ProviderError {
    let message = format!(
        "{} is being deleted and not gone yet{}",
        deed.place,
        held(now)
    );
    let error = ProviderError::new(ErrorKind::Unknown, message);
    if now.finalizers().is_empty() && now.kind() != "Namespace" {
        error
    } else {
        error.with_hint(format!(
            "whoever put the finalizers there has to finish; look with: kubectl get {} {} -o yaml",
            deed.api.plural, deed.place.name
        ))
    }
}
