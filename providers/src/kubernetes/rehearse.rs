//! What would come of creates and updates, asked of the server as dry runs.
//!
//! A dry run is the very request of the apply, but for one word: it passes validation, admission
//! and quota, and ends before it is stored. The second half of a replacement is tried as a create,
//! although its name is taken still: the server says that after everything else. What cannot be
//! asked yet, because its namespace, its kind or a value of it comes with the same plan, is held
//! against the schema that the server publishes. No secret is read: a stand-in goes in its place,
//! and a refusal that may be about the stand-in counts for nothing.

use futures_util::future::join_all;
use matih_model::{
    Answer, AttributePath, ChangeKind, ErrorKind, ProviderError, Rehearsal, Rehearse, Text,
};
use serde_json::Value as Json;

use super::answer::{filled, immutable, is_misfit, is_over_quota, knows_no_dry_run};
use super::call::{Deed, TRIES};
use super::cluster::live;
use super::create::{may_adopt, onto};
use super::failure::Failure;
use super::fit::{misfit_of, misfits};
use super::live::Live;
use super::openapi::schema;
use super::provider::Kubernetes;
use super::stage::{Part, Stage, Unasked};
use super::wire::Reply;

/// Answers each request, in order.
pub(super) async fn rehearse(provider: &Kubernetes, requests: &[Rehearse<'_>]) -> Vec<Rehearsal> {
    let parts = requests.iter().map(|request| Part::of(provider, request));
    let parts = join_all(parts).await;
    let stage = Stage::set(&parts, provider.force()).await;
    let answers = parts.iter().map(|part| async {
        match part {
            Ok(part) => stage.rehearsal(part).await,
            Err(answer) => answer.clone().into(),
        }
    });
    join_all(answers).await
}

impl Stage {
    async fn rehearsal(&self, part: &Part<'_>) -> Rehearsal {
        let (api, place) = match self.place(part) {
            Ok(found) => found,
            Err(Unasked::For(why)) => return self.instead(part, why).await.into(),
            Err(Unasked::With(answer)) => return answer.into(),
        };
        let call = part.call();
        let deed = Deed::new(&call, part.cluster.clone(), api.clone(), place, self.force);
        let tried = match part.request.kind {
            ChangeKind::Update => self.update(&deed, part).await,
            ChangeKind::Replace => self.anew(&deed, part).await,
            _ => self.create(&deed, part).await,
        };
        tried.unwrap_or_else(Rehearsal::from)
    }

    /// An apply to what should not be there, or is ours.
    async fn create(&self, deed: &Deed<'_>, part: &Part<'_>) -> Result<Rehearsal, Answer> {
        let body = body(deed, part)?;
        let cluster = &deed.cluster;
        let ask = || cluster.try_apply(&deed.api, &deed.place, &body, deed.force);
        let mut tried = ask().await;
        for _ in 1..TRIES {
            if !matches!(&tried, Err(failure) if failure.is_stale()) {
                break;
            }
            tried = ask().await;
        }
        let is_there = match &tried {
            Ok(reply) => reply.code != 201,
            Err(failure) => failure.has_cause("FieldManagerConflict"),
        };
        let mut there = None;
        if is_there {
            there = deed.look().await.map_err(not_asked)?;
            if let Some(there) = &there {
                match may_adopt(deed, there) {
                    Err(error) if there.is_going() => return Err(not_asked(error)),
                    adoptable => adoptable.map_err(Answer::Refused)?,
                }
            }
        }
        match tried {
            Ok(reply) => accepted(reply, None, part),
            Err(failure) => Err(self.refusal(deed, part, failure, there.as_ref()).await),
        }
    }

    /// An apply to the object as it was looked at.
    async fn update(&self, deed: &Deed<'_>, part: &Part<'_>) -> Result<Rehearsal, Answer> {
        for _ in 0..TRIES {
            // A look alone may be behind, and what is not there is refused.
            let there = deed.cluster.get_surely(&deed.api, &deed.place).await;
            let there = there.map_err(|failure| not_asked(failure.into()))?;
            let Some(there) = there.filter(|there| deed.is_meant(there)) else {
                let message = format!("{} is not there", deed.place);
                let error = ProviderError::new(ErrorKind::NotFound, message);
                return Err(Answer::Refused(
                    error.with_hint("plan with a look at the world"),
                ));
            };
            deed.may_touch(&there).map_err(Answer::Refused)?;
            if there.is_going() {
                return Err(not_asked(deed.going(&there)));
            }
            let owner = deed.call.owner.onto(there.mark.as_ref());
            let body = part.wanted.body(deed.call.secrets, &owner);
            let body = onto(&body.map_err(Answer::Misfit)?, &there);
            let cluster = &deed.cluster;
            match cluster
                .try_apply(&deed.api, &deed.place, &body, deed.force)
                .await
            {
                Ok(reply) => return accepted(reply, Some(&there), part),
                Err(failure) if failure.is_stale() => {}
                Err(failure) => return Err(self.refusal(deed, part, failure, Some(&there)).await),
            }
        }
        Err(Answer::not_yet(format!(
            "{} is changed all the time",
            deed.place
        )))
    }

    /// A create of what has a namesake still, which goes first.
    async fn anew(&self, deed: &Deed<'_>, part: &Part<'_>) -> Result<Rehearsal, Answer> {
        let body = body(deed, part)?;
        match deed.cluster.try_post(&deed.api, &deed.place, &body).await {
            Ok(reply) => accepted(reply, None, part),
            Err(failure) if failure.status.reason == "AlreadyExists" => {
                Ok(Answer::Accepted { filled: Vec::new() }.into())
            }
            Err(failure) if is_over_quota(&failure) => {
                let why = "what it replaces still counts against the quota";
                Err(Answer::not_yet(why))
            }
            Err(failure) => Err(self.refusal(deed, part, failure, None).await),
        }
    }

    /// What a dry run that did not succeed means.
    async fn refusal(
        &self,
        deed: &Deed<'_>,
        part: &Part<'_>,
        failure: Failure,
        there: Option<&Live>,
    ) -> Answer {
        let going = failure.has_cause("NamespaceTerminating");
        if failure.is_without_home() || going {
            let state = if going {
                "being deleted"
            } else {
                "not there yet"
            };
            let why = format!("its namespace {} is {state}", deed.place.namespace);
            return self.instead(part, why.into()).await;
        }
        if knows_no_dry_run(&failure) {
            return Answer::not_yet(format!("a webhook knows no dry runs: {}", failure.message));
        }
        let told = matches!(
            failure.kind,
            ErrorKind::NotFound | ErrorKind::Denied | ErrorKind::Conflict | ErrorKind::Invalid
        );
        if !told || failure.is_stale() {
            return not_asked(failure.into());
        }
        let fixed = immutable(&failure).filter(|_| !part.is_new());
        let of_secrets = failure.kind == ErrorKind::Invalid && part.has_secrets();
        if let Some((paths, told)) = fixed
            && !(of_secrets && paths.iter().any(holds_values))
        {
            return Answer::Immutable { paths, told };
        }
        if of_secrets && !is_misfit(&failure) {
            let why = "stand-ins went in place of its secrets, and the server does not take them";
            return Answer::not_yet(why);
        }
        let misfit = is_misfit(&failure) && self.own_schema(part).is_none();
        let error = deed.refused(failure, there);
        if misfit {
            Answer::Misfit(error)
        } else {
            Answer::Refused(error)
        }
    }

    /// The answer where the server cannot be asked, for this reason.
    async fn instead(&self, part: &Part<'_>, why: Text) -> Answer {
        let gvk = &part.wanted.gvk;
        let manifest = part.wanted.manifest;
        let faults = if let Some(own) = self.own_schema(part) {
            Some(misfits(&Json::Null, own, manifest))
        } else {
            let cluster = &part.cluster;
            let document = cluster.schemas.document(&cluster.wire, gvk).await.ok();
            let schema = document.as_deref().and_then(|it| schema(it, gvk));
            schema.map(|(schemas, root)| misfits(schemas, root, manifest))
        };
        match faults {
            None => Answer::NotYet {
                why,
                checked: false,
            },
            Some(faults) if faults.is_empty() => Answer::NotYet { why, checked: true },
            Some(faults) => Answer::Misfit(misfit(part, &faults)),
        }
    }
}

fn misfit(part: &Part<'_>, faults: &[String]) -> ProviderError {
    let message = misfit_of(&part.wanted.gvk, part.wanted.name, faults);
    ProviderError::new(ErrorKind::Invalid, message)
        .with_hint("correct the manifest; its fields are told by: kubectl explain KIND")
}

/// Whether a path may be about what a secret stands for.
fn holds_values(path: &AttributePath) -> bool {
    let data = path.parts().get(1);
    data.is_none_or(|part| matches!(&**part, "data" | "stringData"))
}

fn body(deed: &Deed<'_>, part: &Part<'_>) -> Result<Json, Answer> {
    let body = part.wanted.body(deed.call.secrets, deed.call.owner);
    body.map_err(Answer::Misfit)
}

/// A look or a dry run that was not answered.
fn not_asked(error: ProviderError) -> Answer {
    Answer::not_yet(format!("the server cannot be asked: {error}"))
}

fn accepted(reply: Reply, before: Option<&Live>, part: &Part<'_>) -> Result<Rehearsal, Answer> {
    let warnings = reply.warnings.into_iter().map(Text::from).collect();
    let now = live(reply.json).map_err(|failure| not_asked(failure.into()))?;
    let filled = filled(&now, before, part.wanted.manifest);
    Ok(Rehearsal {
        answer: Answer::Accepted { filled },
        objects: Vec::new(),
        warnings,
    })
}
