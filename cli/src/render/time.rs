//! Times and durations for people.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `2026-11-21 23:19:04Z` of milliseconds since 1970.
pub(crate) fn moment(millis: u64) -> String {
    match timestamp(millis) {
        Some(time) => time
            .to_zoned(TimeZone::UTC)
            .strftime("%Y-%m-%d %H:%M:%SZ")
            .to_string(),
        None => "unknown".to_owned(),
    }
}

/// RFC 3339 with milliseconds, for programs.
pub(crate) fn rfc3339(millis: u64) -> String {
    match timestamp(millis) {
        Some(time) => format!("{time:.3}"),
        None => String::new(),
    }
}

fn timestamp(millis: u64) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(millis).ok()?).ok()
}

/// `140ms`, `1.4s`, `2m 05s`, `1h 02m 03s`.
pub(crate) fn duration(millis: u64) -> String {
    let seconds = millis / 1_000;
    match seconds {
        0 => format!("{millis}ms"),
        1..60 => format!("{seconds}.{}s", millis % 1_000 / 100),
        60..3_600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!(
            "{}h {:02}m {:02}s",
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_long_as_they_need_to_be() {
        let texts = [140, 1_440, 125_000, 3_723_000].map(duration);
        assert_eq!(texts, ["140ms", "1.4s", "2m 05s", "1h 02m 03s"]);
    }

    #[test]
    fn moments_are_in_utc() {
        assert_eq!(moment(0), "1970-01-01 00:00:00Z");
        assert_eq!(rfc3339(1_500), "1970-01-01T00:00:01.500Z");
    }
}
