//! The first moment of a state file, when several processes want to make it.

use std::sync::Barrier;

use matih_state::Store;

use super::fixture::create;

#[test]
fn all_that_open_at_once_get_the_one_state_that_one_of_them_made() {
    const ROUNDS: usize = 100;
    const OPENERS: usize = 4;
    for round in 0..ROUNDS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let ready = Barrier::new(OPENERS);
        let opened: Vec<_> = std::thread::scope(|scope| {
            let open = || {
                ready.wait();
                // Twice: the second time the file may be there while it is still being made.
                Store::open(&path, &create())?;
                Store::open(&path, &create()).map(|store| store.installation().to_owned())
            };
            let openers: Vec<_> = (0..OPENERS).map(|_| scope.spawn(open)).collect();
            openers.into_iter().map(|it| it.join().unwrap()).collect()
        });
        for result in opened {
            assert_eq!(result.unwrap(), "test-installation", "round {round}");
        }
    }
}
