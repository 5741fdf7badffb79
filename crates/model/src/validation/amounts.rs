//! Quantities as the rules of kinds need them: compared, and asked for their sign.

use crate::Value;
use crate::quantity::Quantity;

/// A quantity as a number of billionths.
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
        Quantity::from_value(value).ok().map(|q| Self(q.nanos()))
    }

    /// Reads a quantity's text.
    pub fn parse(text: &str) -> Option<Self> {
        Quantity::parse(text).ok().map(|q| Self(q.nanos()))
    }

    /// The sum, saturated.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// How many times `unit` it is, as near as a float has it.
    pub fn ratio_to(self, unit: Self) -> f64 {
        self.0 as f64 / unit.0 as f64
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
        for bad in ["", "1.2.3", "1 ", "1x", "1e", "--1", "0x1"] {
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
