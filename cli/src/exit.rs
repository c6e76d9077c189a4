//! Exit codes: what a script may rely on.
//!
//! The numbers are those of the command line's conventions and never change their meaning. Of
//! many tenants the worst code wins; [`Exit::worst`] says which is worse.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Done, or nothing to do.
    Ok,
    /// `--detailed-exitcode`: there are changes, or drift.
    Changes,
    /// An approval is needed and nobody can be asked.
    Approval,
    /// The saved plan does not fit the world any more.
    Stale,
    /// Somebody else holds the tenant's lock.
    Locked,
    /// A guard refuses.
    Denied,
    /// A check before the work failed.
    Preflight,
    /// A spec, platform file or blueprint is wrong.
    Invalid,
    /// Some actions are done, the state is saved, `matih resume` goes on.
    Partial,
    /// Anything else.
    Error,
    /// The command line is wrong.
    Usage,
    /// Ctrl-C; the state is consistent.
    Interrupted,
    /// SIGTERM; the state is consistent.
    Terminated,
}

impl Exit {
    /// All of them, from good to bad.
    pub(crate) const ALL: [Exit; 13] = [
        Exit::Ok,
        Exit::Changes,
        Exit::Approval,
        Exit::Stale,
        Exit::Locked,
        Exit::Denied,
        Exit::Preflight,
        Exit::Invalid,
        Exit::Partial,
        Exit::Error,
        Exit::Usage,
        Exit::Interrupted,
        Exit::Terminated,
    ];

    /// The number that the process ends with.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Error => 1,
            Self::Changes => 2,
            Self::Partial => 3,
            Self::Locked => 4,
            Self::Denied => 5,
            Self::Invalid => 6,
            Self::Preflight => 7,
            Self::Stale => 8,
            Self::Approval => 9,
            Self::Usage => 64,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// What it means, in a few words: help, man page and `version -o json` print it.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done, or no changes",
            Self::Error => "error",
            Self::Changes => "changes or drift, with --detailed-exitcode",
            Self::Partial => "partly applied: the state is saved, go on with `matih resume`",
            Self::Locked => "another run holds the tenant's lock",
            Self::Denied => "refused by a guard",
            Self::Invalid => "a spec, platform file or blueprint is wrong",
            Self::Preflight => {
                "a check failed, or a change would be refused, before anything was changed"
            }
            Self::Stale => "the saved plan no longer fits the tenant",
            Self::Approval => "an approval is needed and nobody can be asked",
            Self::Usage => "the command line is wrong",
            Self::Interrupted => "interrupted by Ctrl-C, the state is consistent",
            Self::Terminated => "ended by SIGTERM, the state is consistent",
        }
    }

    /// The worse of two.
    #[must_use]
    pub(crate) fn worst(self, other: Self) -> Self {
        self.max(other)
    }

    /// The table of all codes, by number, for help texts.
    pub(crate) fn table() -> String {
        let mut all = Self::ALL;
        all.sort_by_key(|exit| exit.code());
        all.iter()
            .map(|exit| format!("  {:>3}  {}\n", exit.code(), exit.meaning()))
            .collect()
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_there_once_and_the_worst_wins() {
        let mut codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        codes.sort_unstable();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 64, 130, 143]);
        assert_eq!(Exit::Ok.worst(Exit::Changes), Exit::Changes);
        assert_eq!(Exit::Partial.worst(Exit::Locked), Exit::Partial);
    }
}
