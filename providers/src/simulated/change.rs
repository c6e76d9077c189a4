//! A changing call once it has arrived: what strikes it, and what it comes to.
//!
//! Everything here happens inside of one transaction of the world, away from the caller, who may
//! have given up by then.

use matih_model::{
    Attributes, Catalog, ErrorKind, Kind, KindSchema, OwnerMark, ProviderError, RemoteId, Version,
};

use super::acts::Request;
use super::faults::{CallOp, Fault, Target};
use super::server::Server;
use super::session::Session;
use super::trouble::{Trouble, struck};
use super::wire::half;
use super::world::Done;

/// How the world behaves, whoever calls.
pub(super) struct Behaviour {
    pub(super) catalog: Catalog,
    /// How many calls it takes until lists show a new object.
    pub(super) lag: u32,
    pub(super) trouble: Trouble,
}

/// What of a call arrives.
pub(super) struct Arrived {
    pub(super) op: CallOp,
    pub(super) server: &'static Server,
    pub(super) owner: OwnerMark,
    pub(super) attributes: Attributes,
    pub(super) remote_id: Option<RemoteId>,
    pub(super) expects: Option<Version>,
    /// Digests of the secrets that were sent along, as text.
    pub(super) secrets: String,
    /// It came before its time was over.
    pub(super) in_time: bool,
}

/// What is done where nothing strikes.
pub(super) type Act<T> = fn(&Session<'_>, &Request<'_>) -> Done<Result<T, ProviderError>>;

/// What the caller hears.
pub(super) struct Heard<T> {
    pub(super) reply: Result<T, ProviderError>,
    /// It hears so only when the time of its call is over.
    pub(super) hangs: bool,
}

impl Behaviour {
    /// One tick of the clock that new objects wait for.
    pub(super) fn tick(&self, session: &Session<'_>) -> Done<()> {
        if self.lag > 0 {
            session.count_up("clock")?;
        }
        Ok(())
    }

    /// The schema of a kind, if it is served here.
    pub(super) fn schema(&self, kind: &Kind) -> Result<&KindSchema, ProviderError> {
        self.catalog.get(kind).ok_or_else(|| {
            let text = format!("the simulated cloud does not serve `{kind}`");
            ProviderError::new(ErrorKind::Invalid, text)
        })
    }

    /// Does what a call asks for, unless a fault strikes it.
    pub(super) fn carry_out<T>(
        &self,
        session: &Session<'_>,
        call: &Arrived,
        act: Act<T>,
    ) -> Done<Heard<T>> {
        let schema = match self.schema(&call.owner.address.kind) {
            Ok(schema) => schema,
            Err(error) => return Ok(Heard::at_once(Err(error))),
        };
        self.tick(session)?;
        let subject = call.owner.address.to_string();
        let target = Target {
            op: call.op,
            kind: Some(&schema.kind),
            subject: &subject,
        };
        let fault = self.trouble.strike(session, &target)?;
        let part;
        let wanted = match fault {
            Some(Fault::Partial) => {
                part = half(schema, &call.attributes);
                &part
            }
            _ => &call.attributes,
        };
        let request = Request {
            schema,
            call,
            wanted,
            lag: self.lag,
        };
        match &fault {
            Some(Fault::Fail { .. } | Fault::Throttle { .. } | Fault::Hang) => {}
            None if call.in_time => return Ok(Heard::at_once(act(session, &request)?)),
            None | Some(Fault::LoseReply | Fault::Partial) => {
                // A refusal was on its way too: it is lost with the reply.
                let _lost = act(session, &request)?;
            }
        }
        Ok(Heard {
            hangs: matches!(fault, Some(Fault::Hang)),
            ..Heard::at_once(Err(struck(fault.as_ref())))
        })
    }
}

impl<T> Heard<T> {
    fn at_once(reply: Result<T, ProviderError>) -> Self {
        Self {
            reply,
            hangs: false,
        }
    }
}
