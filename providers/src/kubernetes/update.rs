//! Altering an object that is there.

use matih_model::{Applied, ErrorKind, ProviderError};
use serde_json::Value as Json;

use super::call::{Deed, TRIES};
use super::cluster::{How, live};
use super::create::{apply_to, onto, restless};
use super::live::Live;
use super::manifest::Wanted;

/// Alters it.
///
/// # Errors
/// It is gone or somebody else's, it is not as expected, or the server refuses the change.
pub(super) async fn update(
    deed: &Deed<'_>,
    wanted: &Wanted<'_>,
) -> Result<(Applied, Live), ProviderError> {
    for _ in 0..TRIES {
        let there = deed.look().await?.filter(|there| deed.is_meant(there));
        let Some(there) = there else {
            let message = format!("{} is not there", deed.place);
            return Err(ProviderError::new(ErrorKind::NotFound, message));
        };
        deed.may_touch(&there)?;
        if there.is_going() {
            return Err(deed.going(&there));
        }
        let owner = deed.call.owner.onto(there.mark.as_ref());
        let body = wanted.body(deed.call.secrets, &owner)?;
        if !deed.is_expected(&there) {
            // Our own change may have been carried out already, and its answer lost.
            match is_done(deed, &body, &there).await? {
                Some(true) => return Ok((deed.applied(&there, false), there)),
                Some(false) => return Err(deed.changed(&there)),
                None => continue,
            }
        }
        if let Some(now) = apply_to(deed, &body, &there).await? {
            return Ok((deed.applied(&now, false), now));
        }
    }
    Err(restless(&deed.place))
}

/// Whether the change would do nothing: the server itself is asked, since it alone knows its
/// normal form. `None`: the object moved.
async fn is_done(
    deed: &Deed<'_>,
    body: &Json,
    there: &Live,
) -> Result<Option<bool>, ProviderError> {
    let body = onto(body, there);
    let how = How {
        force: deed.force,
        dry: true,
    };
    let tried = deed
        .cluster
        .apply(&deed.api, &deed.place, &body, how, deed.until)
        .await;
    match tried {
        Ok(reply) => {
            let after = live(reply.json)?;
            let same_fields = after.ours() == there.ours();
            Ok(Some(same_fields && after.body == there.body))
        }
        Err(failure) if failure.is_stale() => Ok(None),
        Err(failure) if failure.has_cause("FieldManagerConflict") => Ok(Some(false)),
        Err(failure) => Err(deed.refused(failure, Some(there))),
    }
}
