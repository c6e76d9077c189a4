//! Killed at every boundary, and killed again while recovering: the same world and record as
//! without a crash.

use std::collections::BTreeMap;

use matih_executor::{Counting, ExecutorError};
use matih_model::{Address, Attributes, ResourceGraph, Tenancy};
use matih_state::TenantStatus;

use crate::bench::{Bench, Picture};
use crate::tenant::{acme, first, second};

/// A way from one version to another.
struct Way {
    name: &'static str,
    before: Option<ResourceGraph>,
    after: ResourceGraph,
}

/// Without a crash: how many boundaries there are, and what is there in the end.
struct Undisturbed {
    counted: usize,
    present: BTreeMap<Address, Attributes>,
    recorded: BTreeMap<Address, Attributes>,
    status: TenantStatus,
}

/// Without generations: a replacement whose delete was committed by a crash starts them anew.
fn attributes(picture: Picture) -> BTreeMap<Address, Attributes> {
    let plain = |(address, (attributes, _))| (address, attributes);
    picture.into_iter().map(plain).collect()
}

fn lives(picture: &Picture) -> Vec<(&Address, u64)> {
    let life = |(address, (_, generation)): (_, &(_, u64))| (address, *generation);
    picture.iter().map(life).collect()
}

fn ways() -> Vec<Way> {
    vec![
        Way {
            name: "create",
            before: None,
            after: first(),
        },
        Way {
            name: "update",
            before: Some(first()),
            after: second(),
        },
        Way {
            name: "destroy",
            before: Some(second()),
            after: ResourceGraph::empty(acme(), Tenancy::Shared),
        },
    ]
}

impl Way {
    async fn bench(&self) -> Bench {
        let bench = Bench::new();
        if let Some(before) = &self.before {
            bench.apply(before, &()).await.unwrap();
        }
        bench
    }

    async fn undisturbed(&self) -> Undisturbed {
        let bench = self.bench().await;
        let counting = Counting::new(&());
        bench.apply(&self.after, &counting).await.unwrap();
        Undisturbed {
            counted: counting.crossed(),
            present: attributes(bench.present()),
            recorded: attributes(bench.recorded()),
            status: bench.status(),
        }
    }

    /// Goes on until it is done, and compares.
    async fn finish(&self, bench: &Bench, undisturbed: &Undisturbed, when: &str) {
        bench.apply(&self.after, &()).await.unwrap();
        let (present, recorded) = (bench.present(), bench.recorded());
        assert_eq!(lives(&present), lives(&recorded), "{when}: generations");
        assert_eq!(
            attributes(present),
            undisturbed.present,
            "{when}: the world"
        );
        assert_eq!(
            attributes(recorded),
            undisturbed.recorded,
            "{when}: the record"
        );
        assert_eq!(bench.status(), undisturbed.status, "{when}");
        bench.assert_sound(&self.after, when).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_boundary_changes_nothing_in_the_end() {
    for way in ways() {
        let undisturbed = way.undisturbed().await;
        let counted = undisturbed.counted;
        assert!(counted > 40, "{}: {counted} boundaries", way.name);
        let mut visited = 0;
        for number in 1..=counted {
            let when = format!("{} killed at {number}", way.name);
            let bench = way.bench().await;
            let killer = Counting::stopping_at(&(), number);
            let died = bench.apply(&way.after, &killer).await;
            assert!(
                matches!(died, Err(ExecutorError::Abandoned)),
                "{when}: {died:?}"
            );
            visited += 1;
            way.finish(&bench, &undisturbed, &when).await;
        }
        assert_eq!(visited, counted, "{}", way.name);
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_crash_while_recovering_changes_nothing_either() {
    /// Every so many first crashes, so many second ones.
    const STRIDE: usize = 7;
    const SECOND: usize = 8;
    for way in ways() {
        let undisturbed = way.undisturbed().await;
        let counted = undisturbed.counted;
        for first in (1..=counted).step_by(STRIDE) {
            for second in 1..=SECOND {
                let when = format!("{} killed at {first}, then at {second}", way.name);
                let bench = way.bench().await;
                let killer = Counting::stopping_at(&(), first);
                bench.apply(&way.after, &killer).await.unwrap_err();
                let killer = Counting::stopping_at(&(), second);
                let again = bench.apply(&way.after, &killer).await;
                assert_eq!(again.is_err(), killer.crossed() >= second, "{when}");
                way.finish(&bench, &undisturbed, &when).await;
            }
        }
    }
}
