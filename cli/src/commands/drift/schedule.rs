//! `--schedule`: a small daemon, or what other schedulers need to do the same.

use std::str::FromStr;
use std::time::Duration;

use croner::Cron;
use jiff::Zoned;
use jiff::tz::TimeZone;

use super::once;
use crate::args::DriftArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupt;
use matih_executor::Answer;

/// A sleep is cut into pieces, so that a machine that slept notices when it wakes.
const PIECE: Duration = Duration::from_secs(30);

/// Reads five cron fields.
///
/// # Errors
/// They make no sense.
pub(super) fn parse(cron: &str) -> Result<Cron, Failure> {
    Cron::from_str(cron).map_err(|error| {
        let cause = error.to_string();
        Failure::usage(format!(
            "`{cron}` is no schedule: {}.",
            cause.trim_end_matches('.')
        ))
        .hint("for example '*/15 * * * *'")
    })
}

/// Looks at each time of the schedule until a signal comes. Times that were missed, by a machine
/// that slept or a look that took long, are made up for by one look.
pub(super) async fn stay(context: &Context, args: &DriftArgs, schedule: &Cron) -> Outcome {
    let interrupt = Interrupt::listen(context.screen)?;
    let mut last = now();
    loop {
        let next = schedule
            .find_next_occurrence(&last, false)
            .map_err(|error| Failure::usage(format!("the schedule never comes again: {error}.")))?;
        context.screen.say(&format!(
            "Next look at {}.",
            next.strftime("%Y-%m-%d %H:%M:%SZ")
        ));
        while now() < next {
            let left = Duration::try_from(next.duration_since(&now())).unwrap_or_default();
            tokio::select! {
                () = tokio::time::sleep(left.min(PIECE)) => {}
                _ = interrupt.changed(Answer::Continue) => {
                    return Ok(interrupt.exit().unwrap_or(Exit::Interrupted));
                }
            }
        }
        // From now on, not from `next`: whatever was missed in between is this look.
        last = now();
        if let Err(failure) = once(context, args).await {
            context.screen.complain(&failure);
        }
    }
}

fn now() -> Zoned {
    Zoned::now().with_time_zone(TimeZone::UTC)
}

fn command(args: &DriftArgs) -> Vec<String> {
    let mut words = vec!["matih".to_owned(), "drift".to_owned()];
    words.extend(args.tenants.iter().cloned());
    words.push("--detailed-exitcode".to_owned());
    if args.unmarked {
        words.push("--unmarked".to_owned());
    }
    if let Some(address) = &args.notify {
        words.extend(["--notify".to_owned(), address.clone()]);
    }
    words
}

/// A Kubernetes CronJob.
pub(super) fn cronjob(cron: &str, args: &DriftArgs) -> String {
    let words: Vec<String> = command(args)
        .iter()
        .map(|word| format!("            - {}\n", serde_json::Value::from(word.as_str())))
        .collect();
    format!(
        "apiVersion: batch/v1
kind: CronJob
metadata:
  name: matih-drift
spec:
  schedule: {}
  timeZone: Etc/UTC
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 3600
  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          containers:
          - name: drift
            image: matih:{}
            workingDir: /var/lib/matih
            command:
{}            volumeMounts:
            - name: state
              mountPath: /var/lib/matih
          volumes:
          - name: state
            persistentVolumeClaim:
              claimName: matih-state
",
        serde_json::Value::from(cron),
        env!("CARGO_PKG_VERSION"),
        words.concat()
    )
}

/// A systemd service and its timer.
///
/// # Errors
/// The schedule has no such form in systemd's calendar.
pub(super) fn systemd(cron: &str, args: &DriftArgs) -> Result<String, Failure> {
    let calendar = calendar(cron).ok_or_else(|| {
        Failure::usage(format!("`{cron}` has no form in systemd's calendar."))
            .hint("use plain numbers, `*`, `*/N`, lists and ranges")
    })?;
    let words: Vec<String> = command(args)
        .iter()
        .map(|word| {
            if word.contains([' ', '%', '"']) {
                format!("\"{}\"", word.replace('%', "%%"))
            } else {
                word.clone()
            }
        })
        .collect();
    let folder = std::env::current_dir().unwrap_or_default();
    Ok(format!(
        "# matih-drift.service
[Unit]
Description=matih: look for drift

[Service]
Type=oneshot
WorkingDirectory={}
ExecStart={}
# 2 is drift: a finding, not a failure of the service.
SuccessExitStatus=2

# matih-drift.timer
[Unit]
Description=matih: look for drift

[Timer]
OnCalendar={calendar}
Persistent=true

[Install]
WantedBy=timers.target
",
        folder.display(),
        words.join(" ")
    ))
}

/// `*/15 * * * *` as `*-*-* *:00/15:00 UTC`.
fn calendar(cron: &str) -> Option<String> {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else {
        return None;
    };
    let field = |text: &str, first: &str| -> Option<String> {
        let plain = |c: char| c.is_ascii_digit() || matches!(c, ',' | '-');
        match text.split_once('/') {
            Some(("*", step)) if step.chars().all(|c| c.is_ascii_digit()) => {
                Some(format!("{first}/{step}"))
            }
            None if text == "*" => Some("*".to_owned()),
            None if text.chars().all(plain) => Some(text.replace('-', "..")),
            _ => None,
        }
    };
    let days = match *weekday {
        "*" => String::new(),
        numbers => {
            const NAMES: [&str; 8] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
            let name = |text: &str| {
                text.parse::<usize>()
                    .ok()
                    .and_then(|it| NAMES.get(it).copied())
            };
            let part = |text: &str| match text.split_once('-') {
                Some((from, to)) => Some(format!("{}..{}", name(from)?, name(to)?)),
                None => name(text).map(str::to_owned),
            };
            let parts: Option<Vec<_>> = numbers.split(',').map(part).collect();
            format!("{} ", parts?.join(","))
        }
    };
    Some(format!(
        "{days}*-{}-{} {}:{}:00 UTC",
        field(month, "01")?,
        field(day, "01")?,
        field(hour, "00")?,
        field(minute, "00")?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cron_becomes_systemds_calendar() {
        for (cron, expected) in [
            ("*/15 * * * *", "*-*-* *:00/15:00 UTC"),
            ("30 6 * * 1-5", "Mon..Fri *-*-* 6:30:00 UTC"),
            ("0 0 1 */3 *", "*-01/3-1 0:0:00 UTC"),
        ] {
            assert_eq!(calendar(cron).as_deref(), Some(expected), "{cron}");
        }
        assert_eq!(calendar("@daily"), None);
        assert_eq!(calendar("0 0 L * *"), None);
    }

    #[test]
    fn a_schedule_that_makes_no_sense_is_refused() {
        assert!(parse("*/15 * * * *").is_ok());
        assert_eq!(parse("every day").unwrap_err().exit, Exit::Usage);
    }
}
