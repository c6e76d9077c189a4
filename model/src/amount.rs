//! How much of something: a number with a unit, as Kubernetes writes quantities.
//!
//! `0.5` and `500m` are one amount in two spellings. Whether a value of an attribute *is* an amount
//! is for its kind to say; nothing here guesses it.

use std::cmp::Ordering;

use crate::value::Value;

/// An amount that can be held against another: `digits` times ten to the `ten` times two to the
/// `two`.
///
/// The comparison is exact. Two of which one is too large to tell are neither equal nor in order.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    digits: i128,
    ten: i32,
    two: u32,
}

impl Amount {
    /// What a text or a whole number amounts to; nothing else is an amount.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::parse(text),
            Value::Integer(number) => Some(Self {
                digits: (*number).into(),
                ten: 0,
                two: 0,
            }),
            _ => None,
        }
    }

    /// Reads a number with or without a suffix: `80`, `-1.5`, `500m`, `2e3`, `160Gi`.
    fn parse(text: &str) -> Option<Self> {
        let end = text
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-')))
            .unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if !fraction.bytes().all(|b| b.is_ascii_digit())
            || !number.bytes().any(|b| b.is_ascii_digit())
        {
            return None;
        }
        let digits = format!("{whole}{fraction}").parse().ok()?;
        let shift = i32::try_from(fraction.len()).ok()?;
        let (ten, two) = match suffix {
            "" => (0, 0),
            "n" => (-9, 0),
            "u" => (-6, 0),
            "m" => (-3, 0),
            "k" => (3, 0),
            "M" => (6, 0),
            "G" => (9, 0),
            "T" => (12, 0),
            "P" => (15, 0),
            "E" => (18, 0),
            "Ki" => (0, 10),
            "Mi" => (0, 20),
            "Gi" => (0, 30),
            "Ti" => (0, 40),
            "Pi" => (0, 50),
            "Ei" => (0, 60),
            _ => (suffix.strip_prefix(['e', 'E'])?.parse().ok()?, 0),
        };
        Some(Self {
            digits,
            ten: i32::checked_sub(ten, shift)?,
            two,
        })
    }
}

impl PartialEq for Amount {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let low = self.ten.min(other.ten);
        let scaled = |amount: &Self| {
            let tens = u32::try_from(amount.ten.checked_sub(low)?).ok()?;
            let tens = 10_i128.checked_pow(tens)?;
            let twos = 2_i128.checked_pow(amount.two)?;
            amount.digits.checked_mul(tens)?.checked_mul(twos)
        };
        Some(scaled(self)?.cmp(&scaled(other)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_amount_are_equal_and_others_are_in_order() {
        use Ordering::{Equal, Greater, Less};
        for (one, other, order) in [
            ("0.5", "500m", Equal),
            ("1", "1000m", Equal),
            ("1Gi", "1024Mi", Equal),
            ("1Gi", "1G", Greater),
            ("1.5Gi", "1536Mi", Equal),
            ("1e3", "1k", Equal),
            ("2E", "2e18", Equal),
            ("0", "0m", Equal),
            ("-1", "-1000m", Equal),
            ("1", "2", Less),
            ("999m", "1", Less),
            ("10", "9", Greater),
            ("160Gi", "32Gi", Greater),
        ] {
            let order_of = |one, other| {
                let (one, other) = (Amount::parse(one)?, Amount::parse(other)?);
                one.partial_cmp(&other)
            };
            assert_eq!(order_of(one, other), Some(order), "{one} {other}");
            assert_eq!(order_of(other, one), Some(order.reverse()), "{other} {one}");
        }
        assert_eq!(Amount::of(&Value::Integer(10)), Amount::of(&"10".into()));
    }

    #[test]
    fn what_is_no_amount_is_none() {
        for text in ["", ".", "x", "Gi", "1gi", "1 Gi", "1.x", "1-2", "1e", "٣"] {
            assert!(Amount::parse(text).is_none(), "{text}");
        }
        assert!(Amount::of(&Value::Bool(true)).is_none());
    }

    #[test]
    fn what_is_too_large_to_tell_is_neither_equal_nor_in_order() {
        let large = Amount::parse("9999999999999999999999Ei").unwrap();
        assert_eq!(large.partial_cmp(&Amount::parse("1n").unwrap()), None);
        let far = Amount::parse("1e2147483647").unwrap();
        assert_eq!(far.partial_cmp(&Amount::parse("1.5").unwrap()), None);
        assert!(Amount::parse("1.5e-2147483648").is_none());
    }
}
