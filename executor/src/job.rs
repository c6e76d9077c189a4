//! One action under way: what it needs, and one try of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use matih_model::{
    Action, Address, Applied, Attributes, Call, CheckReport, ErrorKind, Observed, Op, OutputRef,
    OwnerMark, Provider, ProviderError, Recorded, RemoteId, RunId, Value, Version,
};
use tokio::time::Instant;

use crate::boundary::ActionPoint;
use crate::look::{Sight, look};
use crate::resolve::{Resolved, resolve};
use crate::watch::{CallPoints, Watch};
use crate::world::World;

/// An action under way.
pub(crate) struct Job<'p> {
    pub(crate) action: &'p Action,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) owner: OwnerMark,
    /// What is wanted; for a delete, what was applied.
    pub(crate) wanted: Resolved,
    before: Option<Attributes>,
    expects: Option<Version>,
    /// The number of its try, from 1.
    pub(crate) attempt: u32,
    /// A request was sent and whether it was carried out is not known.
    pub(crate) in_doubt: bool,
    /// When its first try began.
    pub(crate) since: Instant,
}

/// What a try came to, if it was answered.
pub(crate) enum Reply {
    /// Created or updated.
    Applied(Applied),
    /// Gone.
    Deleted,
    /// Looked at.
    Checked(CheckReport),
}

impl<'p> Job<'p> {
    /// Gathers what an action needs, from what is recorded by now.
    ///
    /// # Errors
    /// No provider serves its kind, or it refers to an output that nobody told.
    pub(crate) fn new(
        action: &'p Action,
        world: &World<'_>,
        run: &RunId,
        recorded: &BTreeMap<Address, Arc<Recorded>>,
    ) -> Result<Self, ProviderError> {
        let address = action.address();
        let provider = world.registry.provider(&address.kind).ok_or_else(|| {
            let message = format!("no provider serves kind `{}`", address.kind);
            ProviderError::new(ErrorKind::Invalid, message)
        })?;
        let wanted = match &action.op {
            Op::Delete { recorded, .. } => Resolved {
                attributes: recorded.applied(),
                references: BTreeMap::new(),
            },
            Op::Create { resource, .. } | Op::Update { resource, .. } | Op::Check { resource } => {
                let outputs = |address: &Address| recorded.get(address).map(|it| &it.outputs);
                resolve(&resource.attributes, outputs).map_err(|missing| untold(&missing))?
            }
        };
        let (before, expects) = match &action.op {
            Op::Create { .. } | Op::Check { .. } => (None, None),
            Op::Update {
                recorded, expects, ..
            } => (Some(recorded.applied()), expects.clone()),
            Op::Delete { expects, .. } => (Some(wanted.attributes.clone()), expects.clone()),
        };
        Ok(Self {
            action,
            provider: provider.clone(),
            owner: OwnerMark {
                installation: world.installation.to_owned(),
                address: address.clone(),
                generation: generation(&action.op),
                run: run.clone(),
            },
            wanted,
            before,
            expects,
            attempt: 1,
            in_doubt: false,
            since: Instant::now(),
        })
    }

    /// Tries once. A try that takes longer than `limit` is dropped, and leaves doubt.
    pub(crate) async fn attempt(
        mut self,
        world: &World<'_>,
        watch: &Watch<'_>,
        limit: Duration,
    ) -> (Self, Result<Reply, ProviderError>) {
        let tried = tokio::time::timeout(limit, self.try_once(world, watch, limit)).await;
        let result = tried.unwrap_or_else(|_| {
            let message = format!("no answer within {} s", limit.as_secs());
            Err(ProviderError::new(ErrorKind::Unknown, message))
        });
        if matches!(&result, Err(error) if error.kind == ErrorKind::Unknown) {
            self.in_doubt = !matches!(self.action.op, Op::Check { .. });
        }
        (self, result)
    }

    async fn try_once(
        &mut self,
        world: &World<'_>,
        watch: &Watch<'_>,
        limit: Duration,
    ) -> Result<Reply, ProviderError> {
        watch.cross_action(self.action, self.attempt, ActionPoint::IntentCommitted)?;
        if self.in_doubt {
            let sight = self.look().await?;
            self.in_doubt = self.has_begun(&sight);
            if let Some(reply) = self.done_already(sight)? {
                return Ok(reply);
            }
        }
        let crossing = CallPoints {
            watch,
            action: self.action,
            attempt: self.attempt,
        };
        let call = Call {
            owner: &self.owner,
            attributes: &self.wanted.attributes,
            before: self.before.as_ref(),
            remote_id: self.remote_id(),
            expects: self.expects.as_ref(),
            timeout: limit,
            secrets: world.secrets,
            crossing: &crossing,
        };
        match &self.action.op {
            Op::Create { .. } => self.provider.create(&call).await.map(Reply::Applied),
            Op::Update { .. } => self.provider.update(&call).await.map(Reply::Applied),
            Op::Delete { .. } => match self.provider.delete(&call).await {
                Err(error) if error.kind == ErrorKind::NotFound => Ok(Reply::Deleted),
                result => result.map(|()| Reply::Deleted),
            },
            Op::Check { .. } => self.provider.check(&call).await.map(Reply::Checked),
        }
    }

    /// Looks what became of the action.
    pub(crate) async fn look(&self) -> Result<Sight, ProviderError> {
        let provider = self.provider.as_ref();
        look(
            provider,
            &self.owner,
            self.remote_id(),
            &self.wanted.attributes,
        )
        .await
    }

    /// After a look: whether a part of the action is there. It stays so though every later try
    /// does nothing, so the doubt does too.
    fn has_begun(&self, sight: &Sight) -> bool {
        match (&self.action.op, sight) {
            (Op::Create { .. }, Sight::Different(_)) => true,
            (Op::Update { .. }, Sight::Different(observed)) => !self.is_untouched(observed),
            _ => false,
        }
    }

    /// Whether the object that is to be updated is as it was before.
    fn is_untouched(&self, observed: &Observed) -> bool {
        match &self.action.op {
            Op::Update {
                recorded, expects, ..
            } => expects.as_ref().or(recorded.version.as_ref()) == Some(&observed.version),
            _ => false,
        }
    }

    /// After a look: the reply, if there is nothing left to do. Otherwise the next request is
    /// made to fit what is there now, since our own lost request may have changed its token.
    fn done_already(&mut self, sight: Sight) -> Result<Option<Reply>, ProviderError> {
        Ok(match (&self.action.op, sight) {
            // Whose token is as it was has not been updated yet, though nothing may be missing but
            // our mark.
            (Op::Update { .. }, Sight::AsWanted(observed)) if self.is_untouched(&observed) => None,
            (Op::Create { .. } | Op::Update { .. }, Sight::AsWanted(observed)) => {
                Some(Reply::Applied(applied(observed, &self.action.op)))
            }
            (Op::Delete { .. }, Sight::Absent) => Some(Reply::Deleted),
            (Op::Update { .. }, Sight::Absent) => {
                return Err(ProviderError::new(ErrorKind::NotFound, "it is gone"));
            }
            (_, Sight::AsWanted(observed) | Sight::Different(observed)) => {
                self.expects = self.expects.take().map(|_| observed.version);
                None
            }
            (_, Sight::Absent) => None,
        })
    }

    /// The time that one try may take by the resource's own policy.
    pub(crate) fn timeout(&self) -> Duration {
        let seconds = self.action.op.resource().retry.timeout_seconds;
        Duration::from_secs(u64::from(seconds))
    }

    /// Whether the object must still have a certain token.
    pub(crate) fn expects_token(&self) -> bool {
        self.expects.is_some()
    }

    fn remote_id(&self) -> Option<&RemoteId> {
        match &self.action.op {
            Op::Create { .. } | Op::Check { .. } => None,
            Op::Update { recorded, .. } | Op::Delete { recorded, .. } => Some(&recorded.remote_id),
        }
    }
}

/// Which life of the address the action is about; a check has none.
pub(crate) fn generation(op: &Op) -> u64 {
    match op {
        Op::Create { generation, .. } => *generation,
        Op::Update { recorded, .. } | Op::Delete { recorded, .. } => recorded.generation,
        Op::Check { .. } => 0,
    }
}

fn applied(observed: Observed, op: &Op) -> Applied {
    Applied {
        remote_id: observed.remote_id,
        outputs: observed.outputs,
        version: observed.version,
        adopted: matches!(op, Op::Create { .. }),
        unready: None,
    }
}

/// The record of a create or update that was carried out; `None` for other operations. What does
/// not work yet is recorded with a demand for an update, which looks at it again.
pub(crate) fn record(
    op: &Op,
    applied: Applied,
    references: &BTreeMap<OutputRef, Value>,
) -> Option<Recorded> {
    let (Op::Create { resource, .. } | Op::Update { resource, .. }) = op else {
        return None;
    };
    Some(Recorded {
        resource: resource.as_ref().clone(),
        remote_id: applied.remote_id,
        outputs: applied.outputs,
        generation: generation(op),
        resolved: references.clone(),
        version: Some(applied.version),
        unsettled: applied.unready.is_some(),
    })
}

fn untold(missing: &OutputRef) -> ProviderError {
    ProviderError::new(
        ErrorKind::Invalid,
        format!("it refers to {missing}, which is not known"),
    )
    .with_hint("the resource is not applied, or its provider tells no such output")
}
