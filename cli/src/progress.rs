//! What a run shows while it runs: a bar on a terminal, a line an event in a pipe, NDJSON for
//! programs, nothing for those who want quiet.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};
use matih_executor::{Event, Step, What};
use serde_json::{Value, json};

use crate::clock::now_ms;
use crate::render::report::cause as said;
use crate::render::style::{ADD, BAD, FAINT, WARN, paint};
use crate::render::time::duration;
use crate::screen::Screen;

/// Where events go.
pub(crate) enum Progress {
    /// One JSON object a line, to standard output.
    Stream(Stream),
    /// A bar that moves, and lines for what went wrong.
    Bar(Bar),
    /// A line for each action that came to an end, or says what it waits for.
    Lines(Lines),
    /// Nothing.
    Silent,
}

/// NDJSON: `{v, seq, ts, run, type, …}`.
pub(crate) struct Stream {
    screen: Screen,
    seq: AtomicU64,
    /// Lines of several tenants must not mix, and their numbers must ascend.
    turn: Mutex<()>,
}

/// A bar for one run.
pub(crate) struct Bar {
    screen: Screen,
    bar: ProgressBar,
    running: Mutex<Vec<(String, String)>>,
}

/// Lines for one run.
pub(crate) struct Lines {
    screen: Screen,
    done: AtomicUsize,
    all: AtomicUsize,
    /// What each action under way last said of itself.
    waiting: Mutex<BTreeMap<String, String>>,
}

impl Progress {
    /// `fleet`: many tenants run at once, and each shows no more than its end.
    pub(crate) fn new(screen: Screen, json: bool, fleet: bool) -> Self {
        if json {
            Self::Stream(Stream {
                screen,
                seq: AtomicU64::new(0),
                turn: Mutex::new(()),
            })
        } else if screen.is_quiet() || fleet {
            Self::Silent
        } else if screen.can_move() {
            Self::Bar(Bar {
                screen,
                bar: ProgressBar::hidden(),
                running: Mutex::default(),
            })
        } else {
            Self::lines(screen)
        }
    }

    fn lines(screen: Screen) -> Self {
        Self::Lines(Lines {
            screen,
            done: AtomicUsize::new(0),
            all: AtomicUsize::new(0),
            waiting: Mutex::default(),
        })
    }

    /// Whether programs read along, so that no text for people goes to standard output.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self, Self::Stream(_))
    }

    /// Shows an event of a run.
    pub(crate) fn event(&self, event: &Event) {
        match self {
            Self::Stream(stream) => stream.write(|seq| event.line(seq)),
            Self::Bar(bar) => bar.event(&event.what),
            Self::Lines(lines) => lines.event(&event.what),
            Self::Silent => {}
        }
    }

    /// An event of our own, for programs only: `plan_ready`, `approval_required`, `diagnostic`,
    /// `change_summary`.
    pub(crate) fn tell(&self, kind: &str, fields: Value) {
        let Self::Stream(stream) = self else { return };
        stream.write(|seq| {
            let mut event = json!({ "v": 1, "seq": seq, "ts": now_ms(), "type": kind });
            if let (Some(event), Value::Object(fields)) = (event.as_object_mut(), fields) {
                event.extend(fields);
            }
            event.to_string()
        });
    }

    /// Takes the bar away, so that what follows stands below what was printed.
    pub(crate) fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.bar.finish_and_clear();
        }
    }
}

impl Stream {
    fn write(&self, line: impl FnOnce(u64) -> String) {
        let _turn = self.turn.lock();
        let seq = self.seq.fetch_add(1, Ordering::SeqCst) + 1;
        self.screen.print(&format!("{}\n", line(seq)));
    }
}

impl Bar {
    fn event(&self, what: &What) {
        match what {
            What::RunStarted { actions, .. } => {
                let template = "{elapsed_precise} [{bar:30}] {pos}/{len} {wide_msg}";
                let style = ProgressStyle::with_template(template);
                self.bar.set_length(*actions as u64);
                self.bar.set_style(
                    style
                        .unwrap_or(ProgressStyle::default_bar())
                        .progress_chars("=> "),
                );
                self.bar
                    .set_draw_target(indicatif::ProgressDrawTarget::stderr());
                self.bar
                    .enable_steady_tick(std::time::Duration::from_millis(200));
            }
            What::StepStarted { step } => {
                self.running(|running| running.push((name(step), String::new())));
            }
            What::StepWaiting { step, note } => self.running(|running| {
                let name = name(step);
                let found = running.iter_mut().find(|(other, _)| *other == name);
                if let Some((_, last)) = found {
                    note.clone_into(last);
                }
            }),
            What::StepFinished { step, .. } => {
                self.ended(step);
                if self.screen.is_verbose() {
                    self.line(what);
                }
            }
            What::StepFailed { step, .. } => {
                self.ended(step);
                self.line(what);
            }
            What::StepBlocked { .. } if !self.screen.is_verbose() => {}
            What::StepRetry { .. }
            | What::StepNoted { .. }
            | What::StepBlocked { .. }
            | What::StepSettled { .. } => self.line(what),
            What::RunFinished { .. } => self.bar.finish_and_clear(),
        }
    }

    fn ended(&self, step: &Step) {
        self.bar.inc(1);
        let name = name(step);
        self.running(|running| running.retain(|(other, _)| *other != name));
    }

    fn running(&self, change: impl FnOnce(&mut Vec<(String, String)>)) {
        if let Ok(mut running) = self.running.lock() {
            change(&mut running);
            // What says something of itself comes first: a line is soon full.
            let (silent, telling): (Vec<_>, Vec<_>) =
                running.iter().partition(|(_, note)| note.is_empty());
            let shown = telling.iter().chain(&silent);
            let shown = shown.map(|(name, note)| match note.as_str() {
                "" => name.clone(),
                note => format!("{name} ({note})"),
            });
            self.bar.set_message(shown.collect::<Vec<_>>().join(", "));
        }
    }

    fn line(&self, what: &What) {
        if let Some(line) = line(what) {
            self.bar.suspend(|| self.screen.note(&line));
        }
    }
}

impl Lines {
    fn event(&self, what: &What) {
        match what {
            What::RunStarted { actions, .. } => {
                self.done.store(0, Ordering::SeqCst);
                self.all.store(*actions, Ordering::SeqCst);
            }
            // One failure may block hundreds; the report counts them.
            What::StepStarted { .. } | What::StepBlocked { .. } if !self.screen.is_verbose() => {}
            What::StepWaiting { step, note } if !self.is_new(step, note) => {}
            What::StepFinished { .. } | What::StepFailed { .. } | What::StepBlocked { .. } => {
                let done = self.done.fetch_add(1, Ordering::SeqCst) + 1;
                let all = self.all.load(Ordering::SeqCst);
                let width = all.to_string().len();
                if let Some(line) = line(what) {
                    self.screen.say(&format!("[{done:>width$}/{all}] {line}"));
                }
            }
            _ => {
                if let Some(line) = line(what) {
                    self.screen.say(&line);
                }
            }
        }
    }
}

impl Lines {
    /// Whether an action says something else than it said last.
    fn is_new(&self, step: &Step, note: &str) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let last = waiting.insert(name(step), note.to_owned());
        last.as_deref() != Some(note)
    }
}

fn name(step: &Step) -> String {
    step.addr.resource_name().to_string()
}

/// One event as one line; none for the start and the end of a run, which have texts of their own.
fn line(what: &What) -> Option<String> {
    Some(match what {
        What::RunStarted { .. } | What::RunFinished { .. } => return None,
        What::StepStarted { step } => format!("{}: {}…", step.addr, doing(&step.action)),
        What::StepFinished { step, ms, adopted } => {
            let done = if *adopted {
                "adopted"
            } else {
                done(&step.action)
            };
            format!(
                "{}: {} {}",
                step.addr,
                paint(ADD, done),
                paint(FAINT, duration(*ms))
            )
        }
        What::StepWaiting { step, note } => format!("{}: waiting: {note}", step.addr),
        What::StepNoted { step, note } => format!("{}: {note}", step.addr),
        What::StepRetry {
            step,
            attempt,
            cause,
            after_ms,
            ..
        } => format!(
            "{}: {} {}; try {} in {}",
            step.addr,
            paint(WARN, format!("try {attempt} failed:")),
            said(&step.addr, cause),
            attempt + 1,
            duration(*after_ms)
        ),
        What::StepFailed {
            step,
            cause,
            warning,
            ..
        } => {
            let word = if *warning {
                paint(WARN, "not done:").to_string()
            } else {
                paint(BAD, "failed:").to_string()
            };
            format!("{}: {word} {}", step.addr, said(&step.addr, cause))
        }
        What::StepBlocked { step, by } => format!("{}: not started, since {by} failed", step.addr),
        What::StepSettled { step, found } => format!("{}: settled: {found}", step.addr),
    })
}

fn doing(action: &str) -> &'static str {
    match action {
        "create" => "creating",
        "update" => "changing",
        "delete" => "deleting",
        _ => "checking",
    }
}

fn done(action: &str) -> &'static str {
    match action {
        "create" => "created",
        "update" => "changed",
        "delete" => "deleted",
        _ => "passed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use matih_model::{Phase, StepNumber};

    fn lines() -> Progress {
        Progress::lines(Screen::new(&crate::args::Global::default()))
    }

    fn step(action: &str) -> Step {
        Step {
            addr: "acme/dns.record/app".parse().unwrap(),
            phase: Phase::new(5).unwrap(),
            steps: vec![StepNumber::new(41).unwrap()],
            action: action.to_owned(),
        }
    }

    #[test]
    fn what_an_action_waits_for_is_told_once_until_it_is_something_else() {
        let Progress::Lines(lines) = lines() else {
            panic!("not lines")
        };
        let one = step("create");
        let told = ["0 of 2", "0 of 2", "1 of 2", "0 of 2"].map(|it| lines.is_new(&one, it));
        assert_eq!(told, [true, false, true, true]);
        let other = Step {
            addr: "acme/dns.record/www".parse().unwrap(),
            ..one
        };
        assert!(lines.is_new(&other, "0 of 2"));
    }

    #[test]
    fn an_event_is_one_plain_line() {
        let plain = |what: &What| anstream::adapter::strip_str(&line(what).unwrap()).to_string();
        let finished = What::StepFinished {
            step: step("update"),
            ms: 140,
            adopted: false,
        };
        assert_eq!(plain(&finished), "acme/dns.record/app: changed 140ms");
        let failed = What::StepFailed {
            step: step("create"),
            ms: 1,
            error: "denied".to_owned(),
            cause: "no right".to_owned(),
            hint: None,
            unsettled: false,
            warning: false,
        };
        assert_eq!(plain(&failed), "acme/dns.record/app: failed: no right");
        let noted = What::StepNoted {
            step: step("create"),
            note: "what was left was taken away first".to_owned(),
        };
        let noted = plain(&noted);
        assert_eq!(
            noted,
            "acme/dns.record/app: what was left was taken away first"
        );
    }
}
