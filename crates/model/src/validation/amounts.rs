//! Quantities as the rules of kinds need them: compared, and asked for their sign.

use crate::Value;

/// A quantity as a number of billionths, saturated; exact for everything upstream can represent
/// in practice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(i128);

const NANO: i128 = 1_000_000_000;

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// A whole number of units.
    pub fn whole(units: i64) -> Self {
        Self(i128::from(units) * NANO)
    }

    /// Reads a quantity; `None` if the value is none.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::parse(text),
            Value::Number(number) => Self::parse(&number.to_string()),
            _ => None,
        }
    }

    /// Reads a quantity's text.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |c: char| c.is_ascii_digit() || c == '.';
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = rest.find(|c| !digits(c)).unwrap_or(rest.len());
        let (number, suffix) = rest.split_at_checked(end)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return None;
        }
        let (multiplier, shift) = scale(suffix)?;
        let mut value: i128 = 0;
        for digit in whole.chars().chain(fraction.chars()) {
            value = value
                .saturating_mul(10)
                .saturating_add(i128::from(digit.to_digit(10)?));
        }
        value = value.saturating_mul(multiplier);
        let power = shift + 9 - i64::try_from(fraction.len()).ok()?;
        let exponent = u32::try_from(power.unsigned_abs()).ok()?;
        let value = match 10i128.checked_pow(exponent) {
            Some(factor) if power >= 0 => value.saturating_mul(factor),
            // Upstream rounds what is finer than it can hold away from zero.
            Some(factor) => value / factor + i128::from(value % factor != 0),
            None if value == 0 => 0,
            None if power >= 0 => i128::MAX,
            None => 1,
        };
        Some(Self(if negative { -value } else { value }))
    }

    /// Whether it is below zero.
    pub fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Whether it is above zero.
    pub fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Whether it is a whole number of units.
    pub fn is_whole(self) -> bool {
        self.0 % NANO == 0
    }

    /// Whether it is a whole multiple of `unit`.
    pub fn is_multiple_of(self, unit: Self) -> bool {
        unit.0 != 0 && self.0 % unit.0 == 0
    }

    /// Whether it is a whole number of thousandths.
    pub fn is_milli(self) -> bool {
        self.0 % (NANO / 1000) == 0
    }
}

/// The factor and the power of ten of a suffix.
fn scale(suffix: &str) -> Option<(i128, i64)> {
    let binary = |n: u32| 1i128.checked_shl(n).map(|f| (f, 0));
    match suffix {
        "n" => Some((1, -9)),
        "u" => Some((1, -6)),
        "m" => Some((1, -3)),
        "" => Some((1, 0)),
        "k" => Some((1, 3)),
        "M" => Some((1, 6)),
        "G" => Some((1, 9)),
        "T" => Some((1, 12)),
        "P" => Some((1, 15)),
        "E" => Some((1, 18)),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            let power: i64 = exponent.parse().ok()?;
            Some((1, power.clamp(-1000, 1000)))
        }
    }
}

/// Whether two quantities are the same amount, however they are written.
pub fn equal(a: &Value, b: &Value) -> bool {
    a == b || matches!((Amount::of(a), Amount::of(b)), (Some(x), Some(y)) if x == y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_every_notation() {
        for (text, same) in [
            ("1", "1000m"),
            ("1Ki", "1024"),
            ("1.5Gi", "1536Mi"),
            ("2e3", "2k"),
            ("0.001", "1m"),
            ("-1", "-1000m"),
            (".5", "500m"),
            ("+5", "5"),
            ("1E", "1000P"),
        ] {
            assert_eq!(Amount::parse(text), Amount::parse(same), "{text}");
            assert!(Amount::parse(text).is_some(), "{text}");
        }
        for bad in ["", "m", "1.2.3", "1 ", "1x", "1e", "--1", "0x1"] {
            assert_eq!(Amount::parse(bad), None, "{bad}");
        }
        assert!(Amount::parse("1").unwrap() < Amount::parse("1001m").unwrap());
        assert!(!Amount::parse("100m").unwrap().is_whole());
    }

    proptest! {
        #[test]
        fn never_panics(text in "[-+]?[0-9.]{0,60}[a-zA-Z0-9+-]{0,6}") {
            let _ = Amount::parse(&text);
        }
    }
}
