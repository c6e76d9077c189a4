//! The promises, one function each.

use matih_model::{ErrorKind, Kind, Point, Reading};

use super::hand::{Hand, contains, failed, holds, same, worked};
use super::marks::{
    read_and_list_tell_whose_it_is, read_finds_by_mark, update_leaves_the_run_in_the_mark,
};
use super::rehearsals::rehearse_changes_nothing;
use super::tokens::{
    list_of_a_stranger_gives_the_token_of_what_was_made, list_shows_one_installation_and_tenant,
    token_differs_when_ours_was_changed, token_stays_when_the_server_changes_its_own,
};
use super::{Bench, Case};

pub(super) type Result = std::result::Result<(), String>;

macro_rules! cases {
    ($($name:ident)*) => {
        /// Every case by its name.
        pub const CASES: &[(&str, Case)] = &[$((stringify!($name), |bench| Box::pin($name(bench)))),*];
    };
}

cases! {
    create_makes_what_is_wanted
    create_tells_every_output_of_the_schema
    create_again_adopts
    create_brings_the_adopted_to_what_is_wanted
    create_in_a_later_generation_adopts
    create_in_an_earlier_generation_is_refused
    create_refuses_what_belongs_to_another_installation
    create_refuses_what_belongs_to_another_tenant
    create_of_an_unknown_kind_is_invalid
    create_abandoned_before_sent_does_nothing
    create_abandoned_after_acted_has_done_it
    update_alters_in_place
    update_twice_is_once
    update_keeps_the_outputs_that_do_not_change
    update_leaves_the_run_in_the_mark
    update_of_the_absent_is_not_found
    update_refuses_what_belongs_to_another
    update_honours_the_token
    update_whose_reply_was_lost_may_be_repeated
    update_repairs_what_was_tampered_with
    delete_takes_away
    delete_of_the_absent_succeeds
    delete_refuses_what_belongs_to_another
    delete_honours_the_token
    read_changes_nothing
    read_finds_by_mark
    read_and_list_tell_whose_it_is
    read_says_unchanged_only_for_the_same_token
    read_of_the_gone_is_missing
    read_of_an_unknown_kind_is_never_missing
    token_stays_when_the_server_changes_its_own
    token_differs_when_ours_was_changed
    list_of_a_stranger_gives_the_token_of_what_was_made
    list_shows_one_installation_and_tenant
    rehearse_changes_nothing
}

async fn create_makes_what_is_wanted(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    holds(!made.adopted, "it says that it adopted what was not there")?;
    let there = hand.observe(&made.remote_id).await?;
    contains(&there.attributes, &hand.sample.first)?;
    same("token", &there.version, &made.version)?;
    let told = hand.lasting(&made.outputs);
    same("outputs", &hand.lasting(&there.outputs), &told)
}

async fn create_tells_every_output_of_the_schema(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    let kinds = hand.provider.kinds();
    let schema = kinds.iter().find(|schema| schema.kind == hand.sample.kind);
    let schema = schema.ok_or("the provider does not serve its own sample")?;
    for output in &schema.outputs {
        let told = made.outputs.get(&output.name);
        holds(
            told.is_some(),
            format!("output `{}` is missing", output.name),
        )?;
    }
    Ok(())
}

async fn create_again_adopts(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    let again = worked(hand.create(&hand.sample.first).await)?;
    holds(again.adopted, "it does not say that it adopted")?;
    same("remote id", &again.remote_id, &made.remote_id)?;
    same("token", &again.version, &made.version)?;
    same("list", &hand.list().await?, &vec![made.remote_id])
}

async fn create_brings_the_adopted_to_what_is_wanted(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    let again = worked(hand.create(&hand.sample.second).await)?;
    same("remote id", &again.remote_id, &made.remote_id)?;
    let second = &hand.sample.second;
    let there = hand.observe_as(second, &made.remote_id).await?;
    contains(&there.attributes, second)
}

async fn create_in_a_later_generation_adopts(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    let later = hand.in_generation(2);
    let again = worked(later.create(&hand.sample.first).await)?;
    same("remote id", &again.remote_id, &made.remote_id)?;
    let found = worked(hand.provider.list("here", hand.owner.tenant()).await)?;
    let marks: Vec<u64> = found
        .iter()
        .map(|it| it.owner.as_ref().map_or(0, |it| it.generation))
        .collect();
    same("generation", &marks, &vec![2])
}

async fn create_in_an_earlier_generation_is_refused(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?.in_generation(2);
    let made = worked(hand.create(&hand.sample.first).await)?;
    let earlier = hand.in_generation(1);
    failed(
        earlier.create(&hand.sample.second).await,
        ErrorKind::Conflict,
    )?;
    let there = hand.observe(&made.remote_id).await?;
    same("token", &there.version, &made.version)
}

async fn create_refuses_what_belongs_to_another_installation(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    let other = hand.in_installation("there");
    let error = failed(other.create(&hand.sample.second).await, ErrorKind::Conflict)?;
    let named = error.message.contains("acme") && error.message.contains("here");
    holds(named, format!("it does not say whose it is: {error}"))?;
    let there = hand.observe(&made.remote_id).await?;
    same("token", &there.version, &made.version)
}

async fn create_refuses_what_belongs_to_another_tenant(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    worked(hand.create(&hand.sample.first).await)?;
    let other = hand.of_tenant("globex")?;
    let error = failed(other.create(&hand.sample.first).await, ErrorKind::Conflict)?;
    let named = error.message.contains("acme");
    holds(named, format!("it does not say whose it is: {error}"))
}

async fn create_of_an_unknown_kind_is_invalid(bench: &dyn Bench) -> Result {
    let mut hand = Hand::new(bench)?;
    hand.owner.address.kind = Kind::new("nobody.knows").map_err(|error| error.to_string())?;
    failed(hand.create(&hand.sample.first).await, ErrorKind::Invalid)?;
    Ok(())
}

async fn create_abandoned_before_sent_does_nothing(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let stopped = hand
        .create_until(&hand.sample.first, Some(Point::Sent))
        .await;
    holds(stopped.is_err(), "it went on after it was abandoned")?;
    same("list", &hand.list().await?, &vec![])
}

async fn create_abandoned_after_acted_has_done_it(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let stopped = hand
        .create_until(&hand.sample.first, Some(Point::Acted))
        .await;
    failed(stopped, ErrorKind::Unknown)?;
    let again = worked(hand.create(&hand.sample.first).await)?;
    holds(again.adopted, "what was done before is not adopted")
}

async fn update_alters_in_place(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    let expects = Some(&made.version);
    let altered = worked(
        hand.update(&made.remote_id, &hand.sample.second, expects)
            .await,
    )?;
    same("remote id", &altered.remote_id, &made.remote_id)?;
    holds(altered.version != made.version, "the token stayed")?;
    let second = &hand.sample.second;
    let there = hand.observe_as(second, &made.remote_id).await?;
    contains(&there.attributes, second)
}

async fn update_twice_is_once(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    let once = worked(
        hand.update(&made.remote_id, &hand.sample.second, None)
            .await,
    )?;
    let twice = worked(
        hand.update(&made.remote_id, &hand.sample.second, None)
            .await,
    )?;
    same("outcome", &hand.settled(&twice), &hand.settled(&once))
}

async fn update_keeps_the_outputs_that_do_not_change(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    let altered = worked(
        hand.update(&made.remote_id, &hand.sample.second, None)
            .await,
    )?;
    let kinds = hand.provider.kinds();
    let schema = kinds.iter().find(|schema| schema.kind == hand.sample.kind);
    for output in schema.into_iter().flat_map(|schema| &schema.outputs) {
        if !output.volatile {
            let (before, after) = (
                made.outputs.get(&output.name),
                altered.outputs.get(&output.name),
            );
            same(&output.name, &after, &before)?;
        }
    }
    Ok(())
}

async fn update_of_the_absent_is_not_found(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    worked(hand.delete(Some(&made.remote_id), None).await)?;
    let update = hand
        .update(&made.remote_id, &hand.sample.second, None)
        .await;
    failed(update, ErrorKind::NotFound)?;
    Ok(())
}

async fn update_refuses_what_belongs_to_another(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    for other in [hand.in_installation("there"), hand.of_tenant("globex")?] {
        let update = other
            .update(&made.remote_id, &hand.sample.second, None)
            .await;
        failed(update, ErrorKind::Conflict)?;
    }
    let there = hand.observe(&made.remote_id).await?;
    same("token", &there.version, &made.version)
}

async fn update_honours_the_token(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    bench.tamper(&made.remote_id);
    let before = hand.observe(&made.remote_id).await?;
    let expects = Some(&made.version);
    let update = hand
        .update(&made.remote_id, &hand.sample.second, expects)
        .await;
    failed(update, ErrorKind::Conflict)?;
    same("object", &hand.observe(&made.remote_id).await?, &before)
}

async fn update_whose_reply_was_lost_may_be_repeated(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    let expects = Some(&made.version);
    let once = worked(
        hand.update(&made.remote_id, &hand.sample.second, expects)
            .await,
    )?;
    let again = worked(
        hand.update(&made.remote_id, &hand.sample.second, expects)
            .await,
    )?;
    same("outcome", &hand.settled(&again), &hand.settled(&once))
}

async fn update_repairs_what_was_tampered_with(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    bench.tamper(&made.remote_id);
    let repaired = worked(hand.update(&made.remote_id, &hand.sample.first, None).await)?;
    same("token", &repaired.version, &made.version)?;
    let there = hand.observe(&made.remote_id).await?;
    contains(&there.attributes, &hand.sample.first)
}

async fn delete_takes_away(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    worked(
        hand.delete(Some(&made.remote_id), Some(&made.version))
            .await,
    )?;
    let reading = hand.read(Some(&made.remote_id), None).await?;
    same("reading", &reading, &Reading::Missing)?;
    same("list", &hand.list().await?, &vec![])
}

async fn delete_of_the_absent_succeeds(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    for _ in 0..2 {
        worked(
            hand.delete(Some(&made.remote_id), Some(&made.version))
                .await,
        )?;
    }
    worked(hand.nowhere()?.delete(None, None).await)
}

async fn delete_refuses_what_belongs_to_another(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    for other in [hand.in_installation("there"), hand.of_tenant("globex")?] {
        failed(
            other.delete(Some(&made.remote_id), None).await,
            ErrorKind::Conflict,
        )?;
    }
    hand.observe(&made.remote_id).await?;
    Ok(())
}

async fn delete_honours_the_token(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    bench.tamper(&made.remote_id);
    let delete = hand
        .delete(Some(&made.remote_id), Some(&made.version))
        .await;
    failed(delete, ErrorKind::Conflict)?;
    hand.observe(&made.remote_id).await?;
    worked(hand.delete(Some(&made.remote_id), None).await)
}

async fn read_changes_nothing(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    let before = hand.observe(&made.remote_id).await?;
    hand.list().await?;
    hand.nowhere()?.read(None, None).await?;
    same("object", &hand.observe(&made.remote_id).await?, &before)
}

async fn read_says_unchanged_only_for_the_same_token(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    let read = || hand.read(Some(&made.remote_id), Some(&made.version));
    same("untouched", &read().await?, &Reading::Unchanged)?;
    bench.tamper(&made.remote_id);
    let changed = read().await?;
    let present = matches!(changed, Reading::Present(_));
    holds(
        present,
        format!("it was tampered with and reads {changed:?}"),
    )
}

async fn read_of_the_gone_is_missing(bench: &dyn Bench) -> Result {
    let hand = Hand::new(bench)?;
    let made = worked(hand.create(&hand.sample.first).await)?;
    worked(hand.delete(Some(&made.remote_id), None).await)?;
    let gone = hand
        .read(Some(&made.remote_id), Some(&made.version))
        .await?;
    same("reading", &gone, &Reading::Missing)
}

async fn read_of_an_unknown_kind_is_never_missing(bench: &dyn Bench) -> Result {
    let mut hand = Hand::new(bench)?;
    hand.owner.address.kind = Kind::new("nobody.knows").map_err(|error| error.to_string())?;
    let reading = hand.read(None, None).await?;
    holds(
        matches!(reading, Reading::Unknown(_)),
        format!("it reads {reading:?}"),
    )
}
