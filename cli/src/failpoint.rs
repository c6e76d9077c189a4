//! A test hook: dies or stops at a boundary, or counts the boundaries.
//!
//! `MATIH_FAILPOINT=boundary:N=kill` makes the process send itself SIGKILL when it crosses its
//! N-th boundary, counted from 1 over all tenants, runs and recoveries of the process. It is the
//! crash of reliability.md: nothing is flushed, nothing is released. `boundary:N=stop` sends
//! SIGSTOP: the process sleeps, perhaps past its lease, until SIGCONT. `MATIH_BOUNDARY_COUNT=FILE`
//! writes into FILE, at the end of the process, how many boundaries it has crossed. Without these
//! two variables this module does nothing but add one.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Signal, getpid, kill_process};

use crate::failure::Failure;

/// Counts crossings, and maybe strikes at one of them.
#[derive(Debug)]
pub(crate) struct Failpoint {
    crossed: AtomicUsize,
    strikes: Option<(usize, Signal)>,
    count_into: Option<PathBuf>,
}

impl Failpoint {
    /// As the environment says.
    ///
    /// # Errors
    /// `MATIH_FAILPOINT` is set and says something else than `boundary:N=kill` or `=stop`: a test
    /// that misspells it must not pass.
    pub(crate) fn from_environment() -> Result<Self, Failure> {
        let strikes = match std::env::var("MATIH_FAILPOINT") {
            Ok(text) => Some(parse(&text)?),
            Err(_) => None,
        };
        Ok(Self {
            crossed: AtomicUsize::new(0),
            strikes,
            count_into: std::env::var_os("MATIH_BOUNDARY_COUNT").map(PathBuf::from),
        })
    }

    /// Crosses one boundary.
    pub(crate) fn cross(&self) {
        let number = self.crossed.fetch_add(1, Ordering::SeqCst) + 1;
        match self.strikes {
            Some((at, signal)) if at == number => {
                let _ = kill_process(getpid(), signal);
                if signal == Signal::KILL {
                    // It cannot be caught; should it not be delivered, nothing may go on.
                    std::process::abort();
                }
            }
            _ => {}
        }
    }
}

impl Drop for Failpoint {
    fn drop(&mut self) {
        if let Some(path) = &self.count_into {
            let count = self.crossed.load(Ordering::SeqCst);
            // The test reads the file, and fails if it is not there.
            let _ = std::fs::write(path, format!("{count}\n"));
        }
    }
}

fn parse(text: &str) -> Result<(usize, Signal), Failure> {
    let (number, deed) = text
        .strip_prefix("boundary:")
        .and_then(|text| text.split_once('='))
        .unwrap_or_default();
    let signal = match deed {
        "kill" => Some(Signal::KILL),
        "stop" => Some(Signal::STOP),
        _ => None,
    };
    let number = number.parse().ok().filter(|number| *number > 0);
    number.zip(signal).ok_or_else(|| {
        let forms = "boundary:N=kill nor boundary:N=stop";
        Failure::usage(format!("MATIH_FAILPOINT is `{text}`, and neither {forms}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failpoint_that_makes_no_sense_is_refused() {
        assert_eq!(parse("boundary:12=kill"), Ok((12, Signal::KILL)));
        assert_eq!(parse("boundary:3=stop"), Ok((3, Signal::STOP)));
        for bad in [
            "",
            "boundary:0=kill",
            "boundary:x=kill",
            "boundary:1=panic",
            "1=kill",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn crossings_are_counted_into_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("count");
        let failpoint = Failpoint {
            crossed: AtomicUsize::new(0),
            strikes: None,
            count_into: Some(path.clone()),
        };
        failpoint.cross();
        failpoint.cross();
        drop(failpoint);
        assert_eq!(std::fs::read_to_string(path).unwrap(), "2\n");
    }
}
