//! What is asked of the world before a plan is carried out, and whose fields may be taken.

use clap::{ArgAction, Args};

/// How a command looks at the world: the same words for every verb that plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct Look {
    /// Look at the world first.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub(crate) refresh: bool,
    /// Ask nobody: neither look at the world nor ask what would come of the plan.
    #[arg(long)]
    pub(crate) offline: bool,
    /// Take over fields that other managers own, whatever the platform file says.
    #[arg(long)]
    pub(crate) force_conflicts: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            refresh: true,
            offline: false,
            force_conflicts: false,
        }
    }
}

impl Look {
    /// Whether to look at the world first.
    pub(crate) fn looks(self) -> bool {
        self.refresh && !self.offline
    }

    /// Whether to ask what would come of a plan.
    pub(crate) fn rehearses(self) -> bool {
        !self.offline
    }

    /// The words that a saved plan does not say itself, each after a blank.
    pub(crate) fn of_saved(self) -> &'static str {
        if self.force_conflicts {
            " --force-conflicts"
        } else {
            ""
        }
    }

    /// The words that say it again, each after a blank.
    pub(crate) fn words(self) -> String {
        let given = [
            (" --refresh=false", !self.refresh),
            (" --offline", self.offline),
            (" --force-conflicts", self.force_conflicts),
        ];
        let words = given.iter().filter(|(_, given)| *given);
        words.map(|(word, _)| *word).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_said_again_and_nothing_else() {
        let usual = Look::default();
        assert!(usual.looks() && usual.rehearses());
        assert_eq!((usual.words().as_str(), usual.of_saved()), ("", ""));
        let unusual = Look {
            refresh: false,
            offline: true,
            force_conflicts: true,
        };
        assert!(!unusual.looks() && !unusual.rehearses());
        assert_eq!(
            unusual.words(),
            " --refresh=false --offline --force-conflicts"
        );
        assert_eq!(unusual.of_saved(), " --force-conflicts");
    }
}
