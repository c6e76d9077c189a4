//! The promise of rehearsals.

use matih_model::{ChangeKind, Rehearsal, Rehearse};

use super::hand::{Hand, holds, same, worked};
use super::{Bench, cases::Result};

pub(super) async fn rehearse_changes_nothing(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let (first, second) = (&hand.sample.first, &hand.sample.second);
    let create = Rehearse {
        owner: &hand.owner,
        kind: ChangeKind::Create,
        attributes: first,
        before: None,
        remote_id: None,
    };
    let answers: Vec<Rehearsal> = worked(hand.provider.rehearse(&[create]).await)?;
    same("answers", &answers.len(), &1)?;
    same("list", &hand.list().await?, &vec![])?;
    let made = worked(hand.create(first).await)?;
    holds(!made.adopted, "the rehearsal made it")?;
    let update = Rehearse {
        kind: ChangeKind::Update,
        attributes: second,
        before: Some(first),
        remote_id: Some(&made.remote_id),
        ..create
    };
    let replace = Rehearse {
        kind: ChangeKind::Replace,
        attributes: second,
        ..create
    };
    let before = hand.observe(&made.remote_id).await?;
    let answers = worked(hand.provider.rehearse(&[update, replace, create]).await)?;
    same("answers", &answers.len(), &3)?;
    let after = hand.observe(&made.remote_id).await?;
    same("token", &after.version, &before.version)?;
    same("list", &hand.list().await?, &vec![made.remote_id])
}
