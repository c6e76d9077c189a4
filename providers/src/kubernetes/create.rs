//! Making an object, or adopting our own.
//!
//! It is applied under a condition that holds only for what is not there ([`UNBORN`]): two hands
//! can never both make an object, and what somebody else has made is not touched. Only where the
//! server says that the name is taken is it looked at whose it is.

use matih_model::{Applied, ErrorKind, OwnerMark, ProviderError};
use serde_json::{Value as Json, json};

use super::call::{Deed, TRIES, conflict};
use super::cluster::{How, live};
use super::failure::Failure;
use super::live::Live;
use super::manifest::Wanted;
use super::mark;
use super::place::Place;

/// The state of which an object can only be made: states are numbered by the changes of a
/// cluster's whole storage, and none is made by the first. A server-side apply of it makes what is
/// not there (code 201), and of what is there it conflicts with every state.
const UNBORN: &str = "1";

/// Makes it.
///
/// # Errors
/// It is somebody else's, the server refuses it, or it is not known what came of it.
pub(super) async fn create(
    deed: &Deed<'_>,
    wanted: &Wanted<'_>,
) -> Result<(Applied, Live), ProviderError> {
    let mut body = wanted.body(deed.call.secrets, deed.call.owner)?;
    let mut refused = restless(&deed.place);
    for _ in 0..TRIES {
        let taken = match make(deed, &body).await? {
            Ok(made) => return Ok((deed.applied(&made, false), made)),
            Err(taken) => taken,
        };
        let Some(there) = deed.look().await? else {
            // It is gone again, or the server had another conflict.
            refused = deed.refused(taken, None);
            continue;
        };
        if let Some(mark) = &there.mark
            && mark::same(mark, deed.call.owner)
            && mark.generation == deed.call.owner.generation
        {
            // The run in a mark is the one that created the object.
            body = wanted.body(deed.call.secrets, mark)?;
        }
        if let Some(now) = adopt(deed, &body, &there).await? {
            return Ok((deed.applied(&now, true), now));
        }
        refused = restless(&deed.place);
    }
    Err(refused)
}

/// Makes what is not there; the inner error says that it is.
async fn make(deed: &Deed<'_>, body: &Json) -> Result<Result<Live, Failure>, ProviderError> {
    let mut body = body.clone();
    body["metadata"]["resourceVersion"] = json!(UNBORN);
    deed.sent()?;
    let applied = deed
        .cluster
        .apply(&deed.api, &deed.place, &body, How::default(), deed.until)
        .await;
    deed.acted()?;
    match applied {
        Ok(reply) if reply.code == 201 => Ok(Ok(live(reply.json)?)),
        Ok(_) => Err(conflict(format!(
            "{} came from somebody else, and the server put our fields on it against our condition",
            deed.place
        ))),
        Err(failure) if failure.kind == ErrorKind::Conflict => Ok(Err(failure)),
        Err(failure) => Err(deed.refused(failure, None)),
    }
}

/// Brings our own object to what is wanted; `None`: it moved, look again.
async fn adopt(deed: &Deed<'_>, body: &Json, there: &Live) -> Result<Option<Live>, ProviderError> {
    may_adopt(deed, there)?;
    apply_to(deed, body, there).await
}

/// Whether what is there already is ours to adopt.
pub(super) fn may_adopt(deed: &Deed<'_>, there: &Live) -> Result<(), ProviderError> {
    let owner = deed.call.owner;
    let ours = |mark: &OwnerMark| mark::same(mark, owner);
    match &there.mark {
        None => {
            return Err(conflict(format!(
                "{} cannot be created: {} is there already and belongs to nobody that matih knows",
                owner.address, deed.place
            ))
            .with_hint(import(deed)));
        }
        Some(mark) if !ours(mark) => {
            return Err(conflict(format!(
                "{} cannot be created: {} is there already and belongs to {}",
                owner.address,
                deed.place,
                mark::whose(Some(mark))
            )));
        }
        Some(_) => deed.is_of_our_time(there)?,
    }
    if there.is_going() {
        return Err(deed.going(there));
    }
    Ok(())
}

/// Applies to the object as it was read, and to no other; `None`: it moved.
pub(super) async fn apply_to(
    deed: &Deed<'_>,
    body: &Json,
    there: &Live,
) -> Result<Option<Live>, ProviderError> {
    let body = onto(body, there);
    let how = How {
        force: deed.force,
        dry: false,
    };
    deed.sent()?;
    let applied = deed
        .cluster
        .apply(&deed.api, &deed.place, &body, how, deed.until)
        .await;
    deed.acted()?;
    match applied {
        Ok(reply) => Ok(Some(live(reply.json)?)),
        Err(failure) if failure.is_stale() || failure.is_absent() => Ok(None),
        Err(failure) => Err(deed.refused(failure, Some(there))),
    }
}

/// A body that can only be applied to this state of this life of an object.
pub(super) fn onto(body: &Json, there: &Live) -> Json {
    let mut body = body.clone();
    body["metadata"]["uid"] = json!(there.uid());
    body["metadata"]["resourceVersion"] = json!(there.resource_version());
    body
}

/// Somebody changes the object faster than we can look.
pub(super) fn restless(place: &Place) -> ProviderError {
    let message = format!("{place} is changed all the time: {TRIES} tries met another state");
    ProviderError::new(ErrorKind::Unavailable, message)
}

fn import(deed: &Deed<'_>) -> String {
    let name = deed.call.owner.address.resource_name();
    format!(
        "matih import SPEC {name} {} makes it yours",
        deed.place.id()
    )
}
