//! A test hook: dies or stops at a boundary, or counts the boundaries.
//!
//! `MATIH_FAILPOINT=boundary:N=kill` makes the process send itself SIGKILL when it crosses its
//! N-th boundary, counted from 1 over all tenants, runs and recoveries of the process. It is the
//! crash of reliability.md: nothing is flushed, nothing is released. `boundary:N=stop` sends
//! SIGSTOP: the process sleeps, perhaps past its lease, until SIGCONT. `each:POINTS:STRIDE:FILE=kill`
//! kills at the first boundary of one of these points (`run`, `Sent`, `Sent+Acted`) that FILE does
//! not name, and names it there: who repeats a command until it lives has killed it at each of
//! them, once; or, with a stride, at one in so many, chosen by their names.
//! `MATIH_BOUNDARY_COUNT=FILE` writes into FILE, at the end of the process, how many boundaries it
//! has crossed. Without these two variables this module does nothing but add one.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use matih_executor::Boundary;
use rustix::process::{Signal, getpid, kill_process};

use crate::failure::Failure;

/// Counts crossings, and maybe strikes at one of them.
#[derive(Debug)]
pub(crate) struct Failpoint {
    crossed: AtomicUsize,
    strikes: Option<Strike>,
    count_into: Option<PathBuf>,
}

/// Where it strikes.
#[derive(Debug, PartialEq, Eq)]
enum Strike {
    /// At the boundary of this number.
    At(usize, Signal),
    /// At each boundary of these points, once in the life of the file.
    Each {
        points: Vec<String>,
        stride: usize,
        file: PathBuf,
        struck: BTreeSet<String>,
    },
}

impl Failpoint {
    /// As the environment says.
    ///
    /// # Errors
    /// `MATIH_FAILPOINT` is set and says something else than the forms above: a test that
    /// misspells it must not pass.
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
    pub(crate) fn cross(&self, boundary: &Boundary) {
        let number = self.crossed.fetch_add(1, Ordering::SeqCst) + 1;
        let signal = match &self.strikes {
            Some(Strike::At(at, signal)) if *at == number => *signal,
            Some(Strike::Each {
                points,
                stride,
                file,
                struck,
            }) if is_new(boundary, points, *stride, struck) => {
                name_in(file, boundary);
                Signal::KILL
            }
            _ => return,
        };
        let _ = kill_process(getpid(), signal);
        if signal == Signal::KILL {
            // It cannot be caught; should it not be delivered, nothing may go on.
            std::process::abort();
        }
    }
}

fn is_new(
    boundary: &Boundary,
    points: &[String],
    stride: usize,
    struck: &BTreeSet<String>,
) -> bool {
    let name = boundary.to_string();
    let point = match boundary {
        Boundary::Run(_) => "run",
        Boundary::Action { .. } => name.rsplit(' ').next().unwrap_or_default(),
    };
    let sum: usize = name.bytes().map(usize::from).sum();
    points.iter().any(|it| it == point) && sum.is_multiple_of(stride) && !struck.contains(&name)
}

/// A boundary that is not named is struck again and again, which the test that repeats sees.
fn name_in(file: &Path, boundary: &Boundary) {
    let opened = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file);
    let _ = opened.and_then(|mut file| writeln!(file, "{boundary}"));
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

fn parse(text: &str) -> Result<Strike, Failure> {
    let (place, deed) = text.rsplit_once('=').unwrap_or_default();
    let signal = match deed {
        "kill" => Some(Signal::KILL),
        "stop" => Some(Signal::STOP),
        _ => None,
    };
    let strike = match (place.split_once(':'), signal) {
        (Some(("boundary", number)), Some(signal)) => {
            let number = number.parse().ok().filter(|number| *number > 0);
            number.map(|number| Strike::At(number, signal))
        }
        (Some(("each", rest)), Some(Signal::KILL)) => each(rest),
        _ => None,
    };
    strike.ok_or_else(|| {
        let forms = "boundary:N=kill, boundary:N=stop nor each:POINTS:STRIDE:FILE=kill";
        Failure::usage(format!("MATIH_FAILPOINT is `{text}`, and none of {forms}"))
    })
}

/// `POINTS:STRIDE:FILE`.
fn each(text: &str) -> Option<Strike> {
    let (points, rest) = text.split_once(':')?;
    let (stride, file) = rest.split_once(':')?;
    let names = std::fs::read_to_string(file).unwrap_or_default();
    Some(Strike::Each {
        points: points.split('+').map(str::to_owned).collect(),
        stride: stride.parse().ok().filter(|stride| *stride > 0)?,
        file: PathBuf::from(file),
        struck: names.lines().map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use matih_executor::{ActionPoint, RunPoint};
    use matih_model::ActionIndex;

    use super::*;

    fn boundary(point: ActionPoint) -> Boundary {
        Boundary::Action {
            index: ActionIndex(0),
            address: "acme/dns.record/www".parse().unwrap(),
            verb: "create",
            attempt: 1,
            point,
        }
    }

    #[test]
    fn a_failpoint_that_makes_no_sense_is_refused() {
        assert_eq!(parse("boundary:12=kill"), Ok(Strike::At(12, Signal::KILL)));
        assert_eq!(parse("boundary:3=stop"), Ok(Strike::At(3, Signal::STOP)));
        for bad in [
            "",
            "boundary:0=kill",
            "boundary:x=kill",
            "boundary:1=panic",
            "1=kill",
            "each:Sent=kill",
            "each:Sent:file=kill",
            "each:Sent:0:file=kill",
            "each:Sent:1:file=stop",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_boundary_of_a_point_is_new_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("struck");
        let sees_by = |stride: usize, boundary: &Boundary| {
            let text = format!("each:run+Sent:{stride}:{}=kill", file.display());
            match parse(&text) {
                Ok(Strike::Each { points, struck, .. }) => {
                    is_new(boundary, &points, stride, &struck)
                }
                other => panic!("{other:?}"),
            }
        };
        let sees = |boundary: &Boundary| sees_by(1, boundary);
        let (sent, begun) = (
            boundary(ActionPoint::Sent),
            Boundary::Run(RunPoint::RunOpened),
        );
        assert!(sees(&sent) && sees(&begun));
        assert!(!sees(&boundary(ActionPoint::Acted)), "another point");
        let chosen = (1..=64).filter(|stride| sees_by(*stride, &sent)).count();
        assert!(chosen < 32, "a stride leaves most of them out: {chosen}");
        name_in(&file, &sent);
        assert!(!sees(&sent) && sees(&begun));
        name_in(&file, &begun);
        assert!(!sees(&sent) && !sees(&begun));
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
        failpoint.cross(&boundary(ActionPoint::Sent));
        failpoint.cross(&boundary(ActionPoint::Acted));
        drop(failpoint);
        assert_eq!(std::fs::read_to_string(path).unwrap(), "2\n");
    }
}
