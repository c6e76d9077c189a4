//! Which action may start now: pure, over a plan and what its actions have come to so far.
//!
//! Waves are barriers: an action starts when every action of the waves before its own is over and
//! every action that it waits for has succeeded. What waits for a failure, directly or not, is
//! blocked. Nothing is taken down after something failed to be built up: what would go may be
//! all that still serves.
//!
//! A [`Plan`] is checked: its indexes are places in it, and nobody waits for a later one. The
//! indexing here rests on that.

use std::collections::BTreeSet;

use matih_model::{ActionIndex, Plan, Sweep};

/// The order of one run.
pub(crate) struct Schedule<'p> {
    plan: &'p Plan,
    /// Per action: over, or never to start.
    over: Vec<bool>,
    /// Per action: how many of those that it waits for have not succeeded.
    unmet: Vec<usize>,
    /// Per action: who waits for it.
    followers: Vec<Vec<usize>>,
    /// Waiting actions that wait for nobody, in all waves.
    ready: BTreeSet<usize>,
    wave: usize,
    /// Per wave: how many of its actions are not over.
    open: Vec<usize>,
    build_failed: bool,
    halted: bool,
}

impl<'p> Schedule<'p> {
    /// Nothing has started.
    pub(crate) fn new(plan: &'p Plan) -> Self {
        let actions = plan.actions();
        let mut followers = vec![Vec::new(); actions.len()];
        for (place, action) in actions.iter().enumerate() {
            for before in &action.waits_for {
                followers[before.as_usize()].push(place);
            }
        }
        let unmet: Vec<usize> = actions
            .iter()
            .map(|action| action.waits_for.len())
            .collect();
        let ready = (0..actions.len())
            .filter(|place| unmet[*place] == 0)
            .collect();
        Self {
            plan,
            over: vec![false; actions.len()],
            unmet,
            followers,
            ready,
            wave: 0,
            open: plan.waves().iter().map(|wave| wave.actions.len()).collect(),
            build_failed: false,
            halted: false,
        }
    }

    /// The first action in plan order that may start now.
    pub(crate) fn next_ready(&self) -> Option<ActionIndex> {
        let wave = self.plan.waves().get(self.wave)?;
        if self.halted || (self.build_failed && wave.sweep == Sweep::Teardown) {
            return None;
        }
        let place = self.ready.range(wave.actions.clone()).next()?;
        self.plan.actions().get(*place).map(|action| action.index)
    }

    /// Starts nothing more.
    pub(crate) fn halt(&mut self) {
        self.halted = true;
    }

    /// The action has started.
    pub(crate) fn start(&mut self, index: ActionIndex) {
        self.ready.remove(&index.as_usize());
    }

    /// The action is over, and what waits for it may go on.
    pub(crate) fn succeed(&mut self, index: ActionIndex) {
        self.close(index.as_usize());
        for follower in std::mem::take(&mut self.followers[index.as_usize()]) {
            self.unmet[follower] -= 1;
            if self.unmet[follower] == 0 {
                self.ready.insert(follower);
            }
        }
    }

    /// The action is over and failed; returns what is blocked by that, in plan order.
    pub(crate) fn fail(&mut self, index: ActionIndex) -> Vec<ActionIndex> {
        let action = self.plan.action(index);
        self.build_failed |= action.is_some_and(|action| action.sweep == Sweep::Build);
        self.close(index.as_usize());
        let mut reached = BTreeSet::from([index.as_usize()]);
        let mut blocked = Vec::new();
        // Followers always come later in the plan, so taking the smallest first reaches each once.
        while let Some(place) = reached.pop_first() {
            for follower in std::mem::take(&mut self.followers[place]) {
                if !self.over[follower] {
                    self.ready.remove(&follower);
                    self.close(follower);
                    blocked.push(self.plan.actions()[follower].index);
                    reached.insert(follower);
                }
            }
        }
        blocked.sort();
        blocked
    }

    fn close(&mut self, place: usize) {
        self.over[place] = true;
        let waves = self.plan.waves();
        let wave = waves.partition_point(|wave| wave.actions.end <= place);
        self.open[wave] -= 1;
        while self.open.get(self.wave) == Some(&0) {
            self.wave += 1;
        }
    }
}

#[cfg(test)]
mod tests;
