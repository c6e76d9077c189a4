//! The promises of tokens and of lists.

use matih_model::Marked;

use super::hand::{Hand, holds, same, worked};
use super::{Bench, cases::Result};

pub(super) async fn token_stays_when_the_server_changes_its_own(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    let before = hand.observe(&made.remote_id).await?;
    bench.stir(&made.remote_id);
    let after = hand.observe(&made.remote_id).await?;
    holds(
        after.attributes != before.attributes,
        "the bench stirred nothing",
    )?;
    same("token", &after.version, &made.version)
}

pub(super) async fn token_differs_when_ours_was_changed(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    bench.tamper(&made.remote_id);
    let after = hand.observe(&made.remote_id).await?;
    holds(after.version != made.version, "the token stayed")
}

pub(super) async fn list_of_a_stranger_gives_the_token_of_what_was_made(
    bench: &dyn Bench,
) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    let stranger = bench.stranger();
    let (here, tenant) = (&hand.owner.installation, hand.owner.tenant());
    let listed = worked(stranger.list(here, tenant).await)?;
    let tokens: Vec<_> = listed.iter().map(|it| it.version.ours()).collect();
    same("token", &tokens, &vec![made.version.ours()])
}

pub(super) async fn list_shows_one_installation_and_tenant(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    same("ours", &hand.list().await?, &vec![made.remote_id.clone()])?;
    let others = [
        hand.of_tenant("globex")?.owner.tenant().clone(),
        hand.of_tenant("initech")?.owner.tenant().clone(),
    ];
    let tenants = [others[0].clone(), hand.owner.tenant().clone()];
    let marked = worked(hand.provider.marks("here", &tenants).await)?;
    let ours = Marked {
        owner: hand.owner.clone(),
        remote_id: made.remote_id,
    };
    same("marks", &marked, &vec![ours])?;
    for others in [&others[..], &others[..1]] {
        let marked = worked(hand.provider.marks("here", others).await)?;
        same("marks of other tenants", &marked, &vec![])?;
    }
    for other in [hand.in_installation("there"), hand.of_tenant("globex")?] {
        same("others", &other.list().await?, &vec![])?;
    }
    Ok(())
}
