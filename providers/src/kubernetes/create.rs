//! Making an object, or adopting our own.
//!
//! What is cluster-wide is claimed by a create that fails if it is there, and then filled in: two
//! installations can never both have a namespace. What is in a namespace is looked at first and
//! then applied; in a namespace that this process has just made there is nothing to look at. The
//! server's answer says whether the apply made the object, and where it did not, what we had put
//! onto somebody's object is taken off again.

use matih_model::{Applied, ErrorKind, OwnerMark, ProviderError};
use serde_json::{Value as Json, json};

use super::call::{Deed, TRIES, conflict};
use super::cluster::{How, live};
use super::failure::Failure;
use super::live::Live;
use super::manifest::Wanted;
use super::mark;
use super::place::Place;
use super::wire::Reply;

/// Makes it.
///
/// # Errors
/// It is somebody else's, the server refuses it, or it is not known what came of it.
pub(super) async fn create(
    deed: &Deed<'_>,
    wanted: &Wanted<'_>,
) -> Result<(Applied, Live), ProviderError> {
    let mut body = wanted.body(deed.call.secrets, deed.call.owner)?;
    let mut unseen = deed.is_new || !deed.api.namespaced;
    for _ in 0..TRIES {
        let there = if unseen { None } else { deed.look().await? };
        unseen = false;
        let Some(there) = there else {
            match make(deed, wanted, &body).await? {
                Some(made) => return Ok((deed.applied(&made, false), made)),
                None => continue,
            }
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
    }
    Err(restless(&deed.place))
}

/// Makes what is not there; `None`: look again.
async fn make(
    deed: &Deed<'_>,
    wanted: &Wanted<'_>,
    body: &Json,
) -> Result<Option<Live>, ProviderError> {
    if !deed.api.namespaced {
        return claim(deed, wanted, body).await;
    }
    deed.sent()?;
    let how = How::default();
    let applied = deed
        .cluster
        .apply(&deed.api, &deed.place, body, how, deed.until)
        .await;
    deed.acted()?;
    let reply = applied.map_err(|failure| deed.refused(failure, None))?;
    let now = live(reply.json)?;
    if reply.code == 201 {
        return Ok(Some(now));
    }
    // Somebody made it after our look: an empty apply takes off what only we have put on it.
    deed.sent()?;
    let bare = wanted.bare();
    let taken_off = deed
        .cluster
        .apply(&deed.api, &deed.place, &bare, how, deed.until)
        .await;
    deed.acted()?;
    let message = format!(
        "{} came from somebody else while it was being created",
        deed.place
    );
    Err(match taken_off {
        Ok(_) => conflict(format!("{message}; it is left as it was")),
        Err(failure) => conflict(format!(
            "{message}, and our fields are on it: {}",
            failure.message
        )),
    }
    .with_hint(import(deed)))
}

/// Makes what is cluster-wide with nothing but our mark, and then fills it in.
async fn claim(
    deed: &Deed<'_>,
    wanted: &Wanted<'_>,
    body: &Json,
) -> Result<Option<Live>, ProviderError> {
    let mut posted = post(deed, &wanted.claim(deed.call.owner)?).await?;
    if matches!(&posted, Err(failure) if failure.kind == ErrorKind::Invalid) {
        // A kind of which nothing can be left out at first.
        posted = post(deed, body).await?;
    }
    let mut there = match posted {
        Ok(reply) => live(reply.json)?,
        Err(failure) if failure.status.reason == "AlreadyExists" => return Ok(None),
        Err(failure) => return Err(deed.refused(failure, None)),
    };
    for _ in 0..TRIES {
        if let Some(now) = adopt(deed, body, &there).await? {
            return Ok(Some(now));
        }
        let Some(now) = deed.look().await? else {
            return Ok(None);
        };
        there = now;
    }
    Err(restless(&deed.place))
}

async fn post(deed: &Deed<'_>, body: &Json) -> Result<Result<Reply, Failure>, ProviderError> {
    deed.sent()?;
    let cluster = &deed.cluster;
    let posted = cluster.post(&deed.api, &deed.place, body, deed.until).await;
    deed.acted()?;
    Ok(posted)
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
