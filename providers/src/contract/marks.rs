//! The promises of owner marks.

use matih_model::{Reading, RunId};

use super::hand::{Hand, same, worked};
use super::{Bench, cases::Result};

pub(super) async fn read_finds_by_mark(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    match hand.read(None, None).await? {
        Reading::Present(there) => same("remote id", &there.remote_id, &made.remote_id)?,
        other => return Err(format!("it bears our mark and reads {other:?}")),
    }
    let nothing = hand.nowhere()?.read(None, None).await?;
    same("an address without an object", &nothing, &Reading::Missing)
}

pub(super) async fn read_and_list_tell_whose_it_is(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    let ours = Some(hand.owner.clone());
    same("read", &hand.observe(&made.remote_id).await?.owner, &ours)?;
    let (here, tenant) = (&hand.owner.installation, hand.owner.tenant());
    let listed = worked(hand.provider.list(here, tenant).await)?;
    let owners: Vec<_> = listed.into_iter().map(|it| it.owner).collect();
    same("list", &owners, &vec![ours])
}

pub(super) async fn update_leaves_the_run_in_the_mark(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    let mut later = hand.clone();
    later.owner.run = RunId::new("run-2");
    let second = &hand.sample.second;
    worked(later.update(&made.remote_id, second, None).await)?;
    let there = hand.observe_as(second, &made.remote_id).await?;
    same("mark", &there.owner, &Some(hand.owner.clone()))
}
