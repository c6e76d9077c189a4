//! Answers to many questions at once, from one unmoving view of the world.

use matih_model::{ReadRequest, Reading};
use rusqlite::params;

use super::faults::{CallOp, Fault, Target};
use super::provider::Simulated;
use super::session::Session;
use super::trouble::{self, struck};
use super::world::Done;

impl Simulated {
    /// Answers each request, in order; what a script strikes cannot be read.
    pub(super) fn readings(&self, requests: &[ReadRequest<'_>]) -> Done<Vec<Reading>> {
        let faults = self.scripted(requests)?;
        self.world.view(|session| {
            let clock = session.fact("clock")?;
            let answer = |(index, request): (usize, &ReadRequest<'_>)| {
                let fault = faults.get(index).and_then(Option::as_ref);
                if fault.is_none() {
                    return self.answer(session, request, clock);
                }
                let error = struck(fault);
                Ok(Reading::Unknown(error.message))
            };
            requests.iter().enumerate().map(answer).collect()
        })
    }

    /// What a script does to the reading of each object; empty: nothing to any.
    fn scripted(&self, requests: &[ReadRequest<'_>]) -> Done<Vec<Option<Fault>>> {
        if self
            .world
            .view(|session| self.behaviour.trouble.sleeps(session))?
        {
            return Ok(Vec::new());
        }
        self.world.write(|session| {
            let strike = |request: &ReadRequest<'_>| {
                let subject = request.address.to_string();
                let target = Target {
                    op: CallOp::Read,
                    kind: Some(&request.address.kind),
                    subject: &subject,
                };
                trouble::scripted(session, &target)
            };
            requests.iter().map(strike).collect()
        })
    }

    fn answer(
        &self,
        session: &Session<'_>,
        request: &ReadRequest<'_>,
        clock: i64,
    ) -> Done<Reading> {
        let kind = &request.address.kind;
        let catalog = &self.behaviour.catalog;
        if catalog.is_check(kind) || catalog.get(kind).is_none() {
            return Ok(Reading::Unknown(format!(
                "the simulated cloud keeps no `{kind}`"
            )));
        }
        let found = match request.remote_id {
            Some(remote_id) => {
                // The index alone answers this, without the row.
                let values = params![kind.as_str(), remote_id.as_str()];
                let sql = "SELECT token FROM object WHERE kind = ?1 AND remote_id = ?2";
                let recorded = request.version.map(|version| version.ours());
                let same = session.first(sql, values, |row| {
                    Ok(row.get_ref(0)?.as_str().ok() == recorded)
                })?;
                match same {
                    None => return Ok(Reading::Missing),
                    Some(true) => return Ok(Reading::Unchanged),
                    Some(false) => session.at(kind, remote_id.as_str())?,
                }
            }
            None => {
                let address = request.address.to_string();
                let values = params![request.address.tenant.as_str(), address, clock];
                let condition = "tenant = ?1 AND address = ?2 AND visible_at <= ?3";
                let mut found = session.objects(condition, values)?;
                if found.len() > 1 {
                    let text = format!("{address} is there for {} installations", found.len());
                    return Ok(Reading::Unknown(text));
                }
                found.pop()
            }
        };
        Ok(found.map_or(Reading::Missing, |object| {
            Reading::Present(Box::new(object.observed()))
        }))
    }
}
