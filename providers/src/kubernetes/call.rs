//! One changing call under way: whom it goes to, what is there, and whether it may be touched.

use std::sync::Arc;
use std::time::Duration;

use matih_model::{
    Abandoned, Applied, Attributes, Call, ErrorKind, OwnerMark, Point, ProviderError, RemoteId,
    Value, Version,
};
use tokio::time::Instant;

use super::cluster::Cluster;
use super::discovery::Api;
use super::failure::Failure;
use super::live::Live;
use super::manifest::shape;
use super::mark;
use super::place::Place;
use super::project::project;
use super::token::token;

/// How often a change is tried again because the object moved between the look and the change:
/// controllers write their status all the time.
pub(super) const TRIES: u32 = 8;

/// A call to one object of one cluster.
pub(super) struct Deed<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) cluster: Arc<Cluster>,
    pub(super) api: Arc<Api>,
    pub(super) place: Place,
    /// What is wanted (for a delete: what was applied): tokens are made over this.
    pub(super) shape: Attributes,
    pub(super) force: bool,
    /// When the answer is due.
    pub(super) until: Instant,
}

/// When an answer is due: a little before the caller stops listening, so that it can be told why.
pub(crate) fn due(timeout: Duration) -> Instant {
    Instant::now() + timeout - (timeout / 10).min(Duration::from_secs(1))
}

impl<'a> Deed<'a> {
    /// A call that begins now.
    pub(super) fn new(
        call: &'a Call<'a>,
        cluster: Arc<Cluster>,
        api: Arc<Api>,
        place: Place,
        force: bool,
    ) -> Self {
        Self {
            call,
            cluster,
            api,
            place,
            shape: shape_of(call.attributes),
            force,
            until: due(call.timeout),
        }
    }

    /// The object as it is.
    pub(super) async fn look(&self) -> Result<Option<Live>, ProviderError> {
        Ok(self.cluster.get(&self.api, &self.place).await?)
    }

    /// A changing request goes out.
    pub(super) fn sent(&self) -> Result<(), Abandoned> {
        self.call.crossing.cross(Point::Sent)
    }

    /// It was answered.
    pub(super) fn acted(&self) -> Result<(), Abandoned> {
        self.call.crossing.cross(Point::Acted)
    }

    /// The token of an object for this call.
    pub(super) fn token(&self, live: &Live) -> Version {
        token(live, Some(&self.shape))
    }

    /// Whether this is the very object that the record is of: the same life by the server's id,
    /// or, where it was put back from a copy, by the mark that it bears.
    pub(super) fn is_meant(&self, live: &Live) -> bool {
        let same_mark = live.mark.as_ref().is_some_and(|mark| {
            mark::same(mark, self.call.owner) && mark.generation == self.call.owner.generation
        });
        self.place.uid.is_empty() || self.place.uid == live.uid() || same_mark
    }

    /// Whether the object may be touched by who knows its remote id: it bears a mark of the same
    /// installation and tenant, or none.
    pub(super) fn may_touch(&self, live: &Live) -> Result<(), ProviderError> {
        let owner = self.call.owner;
        let foreign = |mark: &OwnerMark| {
            mark.installation != owner.installation || mark.tenant() != owner.tenant()
        };
        if live.mark.as_ref().is_some_and(foreign) {
            return Err(conflict(format!(
                "{} may not be touched: {} belongs to {}",
                owner.address,
                self.place,
                mark::whose(live.mark.as_ref())
            )));
        }
        self.is_of_our_time(live)
    }

    /// Whether the object is of no later life than the call knows.
    pub(super) fn is_of_our_time(&self, live: &Live) -> Result<(), ProviderError> {
        let owner = self.call.owner;
        match &live.mark {
            Some(mark) if mark.generation > owner.generation => Err(conflict(format!(
                "{} is there in a later life than this plan knows: as {}",
                owner.address,
                mark::whose(Some(mark))
            ))),
            _ => Ok(()),
        }
    }

    /// Whether the object is as the call expects it: its token was made over what was applied
    /// before, or, if it was looked at since, over what is wanted.
    pub(super) fn is_expected(&self, live: &Live) -> bool {
        let Some(expects) = self.call.expects else {
            return true;
        };
        let before = || self.call.before.map(shape_of);
        *expects == self.token(live) || *expects == token(live, before().as_ref())
    }

    /// The object was changed by somebody else: nothing was done.
    pub(super) fn changed(&self, live: &Live) -> ProviderError {
        let seen = project(live, &self.shape);
        let who = seen.touches.first().map_or_else(
            || "by somebody else".to_owned(),
            |touch| format!("at `{}` {touch}", touch.path),
        );
        conflict(format!(
            "{} was changed {who} since it was last read; nothing was done",
            self.call.owner.address
        ))
    }

    /// The object is on its way out: whoever makes it anew has to wait.
    pub(super) fn going(&self, live: &Live) -> ProviderError {
        let message = format!("{} is still being deleted{}", self.place, held(live));
        ProviderError::new(ErrorKind::Unavailable, message)
    }

    /// The server's refusal of a change, in words that name who and what.
    pub(super) fn refused(&self, failure: Failure, live: Option<&Live>) -> ProviderError {
        if failure.has_cause("FieldManagerConflict") {
            return self.owned_by_others(&failure, live);
        }
        if failure.is_absent() {
            let message = format!("{}: {}", self.place, failure.message);
            let hint = if failure.is_without_home() {
                "the namespace must be there before what is in it"
            } else {
                "what it refers to must be there before it: name that in `depends_on`"
            };
            return ProviderError::new(ErrorKind::NotFound, message).with_hint(hint);
        }
        let mut failure = failure;
        if self.api.gvk.is("", "Secret") && failure.kind == ErrorKind::Invalid {
            // The server quotes what it refuses.
            let causes = failure.status.details.causes.iter();
            let mut fields: Vec<&str> = causes.map(|cause| cause.field.as_str()).collect();
            fields.extend(undeclared(&failure.message));
            failure.message = match fields.as_slice() {
                [] => "the server refuses it, in words that may quote it".to_owned(),
                fields => format!("the server refuses it at {}", fields.join(", ")),
            };
        }
        failure.message = format!("{}: {}", self.place, failure.message);
        let fixed = failure.kind == ErrorKind::Invalid && failure.message.contains("immutable");
        let error = ProviderError::from(failure);
        if fixed {
            let name = self.call.owner.address.resource_name();
            return error.with_hint(format!("matih apply SPEC --replace {name} makes it anew"));
        }
        error
    }

    fn owned_by_others(&self, failure: &Failure, live: Option<&Live>) -> ProviderError {
        let causes = failure.status.details.causes.iter();
        let lines: Vec<String> = causes
            .filter(|cause| cause.reason == "FieldManagerConflict")
            .map(|cause| {
                let manager = cause.message.split('"').nth(1).unwrap_or(&cause.message);
                let since = live.and_then(|live| {
                    let mut all = live.managers.iter().filter(|it| &*it.name == manager);
                    let latest =
                        all.try_fold("", |latest, it| Some(latest.max(it.when.as_deref()?)));
                    latest.filter(|when| !when.is_empty())
                });
                match since {
                    Some(since) => format!("`{}` by {manager} since {since}", cause.field),
                    None => format!("`{}` by {manager}", cause.field),
                }
            })
            .collect();
        conflict(format!("{}: others own {}", self.place, lines.join(", "))).with_hint(
            "leave the field out of the spec, or take it over: --force-conflicts, or `force_conflicts = true` under [providers.kubernetes]",
        )
    }

    /// What the call came to.
    pub(super) fn applied(&self, live: &Live, adopted: bool) -> Applied {
        Applied {
            remote_id: id(&self.place, live),
            outputs: outputs(live),
            version: self.token(live),
            adopted,
            unready: None,
        }
    }
}

/// The fields that a refusal says are not there, by its words.
fn undeclared(message: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = message.split(": field not declared in schema").collect();
    parts.pop();
    parts
        .iter()
        .filter_map(|part| part.rsplit(' ').next())
        .collect()
}

/// A refusal because of whose or how an object is.
pub(super) fn conflict(message: String) -> ProviderError {
    ProviderError::new(ErrorKind::Conflict, message)
}

/// The remote id of this life of an object.
pub(super) fn id(place: &Place, live: &Live) -> RemoteId {
    Place {
        uid: live.uid().to_owned(),
        ..place.clone()
    }
    .id()
}

/// What an object tells of itself.
pub(super) fn outputs(live: &Live) -> Attributes {
    let told = [
        ("uid", live.uid()),
        ("name", live.name()),
        ("namespace", live.namespace()),
        ("resource_version", live.resource_version()),
    ];
    told.into_iter()
        .map(|(key, value)| (key.into(), Value::from(value)))
        .collect()
}

/// The shape that a resource's attributes give to tokens.
pub(super) fn shape_of(attributes: &Attributes) -> Attributes {
    let manifest = attributes.get("manifest").and_then(Value::as_map);
    manifest.map(shape).unwrap_or_default()
}

/// What keeps an object that is on its way out.
pub(super) fn held(live: &Live) -> String {
    let mut reasons: Vec<String> = Vec::new();
    let finalizers = live.finalizers();
    if !finalizers.is_empty() {
        reasons.push(format!("its finalizers are {}", finalizers.join(", ")));
    }
    // A namespace says itself what is left in it, and what that waits for.
    let conditions = super::json::tables(&live.body, &["status", "conditions"]);
    reasons.extend(conditions.filter_map(|condition| {
        let kind = condition.text("type")?;
        let holds = condition.text("status") == Some("True");
        let tells = kind.starts_with("Namespace") && holds;
        tells.then(|| condition.text("message").unwrap_or(kind).to_owned())
    }));
    if reasons.is_empty() {
        String::new()
    } else {
        format!(": {}", reasons.join("; "))
    }
}
