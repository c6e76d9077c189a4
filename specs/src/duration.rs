//! Durations as people write them: `500ms`, `30s`, `5m`, `2h`.

use std::time::Duration;

use serde::Serializer;

const UNITS: &[(&str, u64)] = &[("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];

/// Reads a whole number and a unit.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let (number, factor) = UNITS
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))?;
    let digits = (1..=9).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|_| digits)?;
    Some(Duration::from_millis(number * factor))
}

/// Writes the largest unit that leaves no rest.
pub(crate) fn format(duration: &Duration) -> String {
    let millis = duration.as_millis();
    let fits = |factor: u64| millis.is_multiple_of(u128::from(factor));
    match UNITS
        .iter()
        .rev()
        .find(|(_, factor)| millis > 0 && fits(*factor))
    {
        Some((unit, factor)) => format!("{}{unit}", millis / u128::from(*factor)),
        None => "0s".to_owned(),
    }
}

pub(crate) fn serialize<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(duration))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_go_both_ways() {
        for text in ["0s", "500ms", "30s", "5m", "2h", "90s"] {
            assert_eq!(
                parse(text).map(|duration| format(&duration)).as_deref(),
                Some(text)
            );
        }
        for text in ["", "s", "30", "-1s", "1.5s", "1d", "+1s", "9999999999s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
