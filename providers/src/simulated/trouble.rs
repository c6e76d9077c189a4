//! Where faults come from at a call: the script in the world's file first, then chance.

use std::sync::{Mutex, MutexGuard, PoisonError};

use matih_model::{ErrorKind, Kind, ProviderError};
use rusqlite::params;

use super::chance::FaultPlan;
use super::faults::{Fault, FaultRule, Target};
use super::session::Session;
use super::world::{Done, WorldError};

/// The chances of one process; scripts are in the world.
pub(super) struct Trouble {
    chance: Mutex<FaultPlan>,
}

impl Trouble {
    pub(super) fn new(chance: FaultPlan) -> Self {
        let chance = Mutex::new(chance);
        Self { chance }
    }

    /// Puts other chances in place of those before.
    pub(super) fn set_chance(&self, chance: FaultPlan) {
        *self.chance() = chance;
    }

    /// Whether no call can be struck now.
    pub(super) fn sleeps(&self, session: &Session<'_>) -> Done<bool> {
        Ok(self.chance().is_idle() && rules(session)?.is_empty())
    }

    /// What strikes this call, if anything does; counted.
    pub(super) fn strike(&self, session: &Session<'_>, target: &Target<'_>) -> Done<Option<Fault>> {
        let by_chance = self.chance().draw();
        let by_script = scripted(session, target)?;
        if by_script.is_none()
            && let Some(fault) = &by_chance
        {
            count(session, fault, target)?;
        }
        Ok(by_script.or(by_chance))
    }

    fn chance(&self) -> MutexGuard<'_, FaultPlan> {
        self.chance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the script does to this call; counted.
pub(super) fn scripted(session: &Session<'_>, target: &Target<'_>) -> Done<Option<Fault>> {
    let mut struck = None;
    for (id, rule, matched) in rules(session)? {
        if !rule.covers(target) {
            continue;
        }
        let hit = struck.is_none() && rule.strikes(matched + 1);
        session.execute(
            "UPDATE fault SET matched = matched + 1, struck = struck + ?2 WHERE id = ?1",
            params![id, hit],
        )?;
        if hit {
            count(session, &rule.fault, target)?;
            struck = Some(rule.fault);
        }
    }
    Ok(struck)
}

fn count(session: &Session<'_>, fault: &Fault, target: &Target<'_>) -> Done<()> {
    session.execute(
        "INSERT INTO struck VALUES (?1, ?2, ?3, 1) ON CONFLICT DO UPDATE SET count = count + 1",
        params![
            fault.name(),
            target.op.as_str(),
            target.kind.map_or("", Kind::as_str)
        ],
    )?;
    Ok(())
}

/// The script: id, rule, and how many calls matched so far.
fn rules(session: &Session<'_>) -> Done<Vec<(i64, FaultRule, u64)>> {
    let rows = session.all(
        "SELECT id, rule, matched FROM fault ORDER BY id",
        [],
        |row| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?)),
    )?;
    rows.into_iter()
        .map(|(id, rule, matched)| {
            let rule = serde_json::from_str(&rule)
                .map_err(|error| WorldError::Broken(error.to_string()))?;
            Ok((id, rule, matched.cast_unsigned()))
        })
        .collect()
}

/// What the caller hears of a fault; without one, that its time was over. The caller knows which
/// resource it asked about, so the message does not say it again.
pub(super) fn struck(fault: Option<&Fault>) -> ProviderError {
    let (kind, text) = match fault {
        Some(Fault::Fail { kind, message }) => (*kind, message.as_str()),
        Some(Fault::Throttle { retry_after }) => (
            ErrorKind::Throttled(*retry_after),
            "the simulated cloud has had too many calls",
        ),
        Some(Fault::LoseReply | Fault::Partial) => (
            ErrorKind::Unknown,
            "the connection broke before the reply came",
        ),
        Some(Fault::Hang) | None => (
            ErrorKind::Unknown,
            "no reply came in the time that the call had",
        ),
    };
    ProviderError::new(kind, text)
}
