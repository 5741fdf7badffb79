//! Resource quantities (`resource.Quantity`): `100m`, `1.5Gi`, `2e3`.
//!
//! Amounts are exact, counted in billionths. As upstream, finer fractions are rounded away from
//! zero when parsed. Amounts beyond ±1.7e29 (far beyond upstream's cap of 2^63-1 for what it
//! cannot hold exactly) are held at that bound; arithmetic saturates there.

mod parse;
mod show;

use crate::Value;
use std::cmp::Ordering;

/// Why a text is no quantity; upstream's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct QuantityError(pub String);

/// The family of suffixes in which a quantity is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `Ki`, `Mi`, `Gi`, …
    BinarySI,
    /// `m`, none, `k`, `M`, `G`, …
    DecimalSI,
    /// `e3`, `e6`, …
    DecimalExponent,
}

/// Billionths in one.
const NANOS: i128 = 1_000_000_000;
/// Billionths in a thousandth.
const NANOS_PER_MILLI: i128 = 1_000_000;

/// An exact amount with the format in which it is written. Comparisons look at the amount only.
#[derive(Debug, Clone, Copy)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self {
        nanos: 0,
        format: Format::DecimalSI,
    };

    /// Parses a quantity.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        parse::parse(text)
    }

    /// Reads a quantity from an object, where it may be a text or a number, as upstream accepts
    /// both; null is zero.
    pub fn from_value(value: &Value) -> Result<Self, QuantityError> {
        match value {
            Value::Null => Ok(Self::ZERO),
            Value::String(text) => Self::parse(text),
            other => Self::parse(&other.to_string()),
        }
    }

    /// `units` whole units.
    pub fn from_units(units: i64, format: Format) -> Self {
        Self {
            nanos: i128::from(units) * NANOS,
            format,
        }
    }

    /// `millis` thousandths.
    pub fn from_millis(millis: i64, format: Format) -> Self {
        Self {
            nanos: i128::from(millis) * NANOS_PER_MILLI,
            format,
        }
    }

    /// How it is written.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.nanos == 0
    }

    /// Whether it is less than nothing.
    pub fn is_negative(&self) -> bool {
        self.nanos < 0
    }

    /// The amount in whole units, rounded away from zero, held within 64 bits.
    pub fn value(&self) -> i64 {
        narrow(divide_up(self.nanos, NANOS))
    }

    /// The amount in thousandths, rounded away from zero, held within 64 bits.
    pub fn milli_value(&self) -> i64 {
        narrow(divide_up(self.nanos, NANOS_PER_MILLI))
    }

    /// The amount in units, as near as a float has it.
    pub fn as_f64(&self) -> f64 {
        self.nanos as f64 / NANOS as f64
    }

    /// The amount in billionths.
    pub fn nanos(&self) -> i128 {
        self.nanos
    }

    /// Rounded away from zero to thousandths, the precision that resource lists are kept in.
    #[must_use]
    pub fn rounded_to_milli(self) -> Self {
        Self {
            nanos: divide_up(self.nanos, NANOS_PER_MILLI).saturating_mul(NANOS_PER_MILLI),
            ..self
        }
    }

    /// The sum. Of nothing and something, the format is that of the latter.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            nanos: self.nanos.saturating_add(other.nanos),
            format: self.format_with(other),
        }
    }

    /// The difference. Nothing less something is written as the latter.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            nanos: self.nanos.saturating_sub(other.nanos),
            format: self.format_with(other),
        }
    }

    /// The amount below zero if it is above, and the other way round.
    #[must_use]
    pub fn negated(self) -> Self {
        Self {
            nanos: self.nanos.saturating_neg(),
            ..self
        }
    }

    /// `factor` times the amount.
    #[must_use]
    pub fn times(self, factor: i64) -> Self {
        Self {
            nanos: self.nanos.saturating_mul(i128::from(factor)),
            ..self
        }
    }

    fn format_with(self, other: Self) -> Format {
        if self.is_zero() {
            other.format
        } else {
            self.format
        }
    }
}

impl Default for Quantity {
    fn default() -> Self {
        Self::ZERO
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl std::hash::Hash for Quantity {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.nanos.hash(state);
    }
}

impl std::iter::Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Self::plus)
    }
}

impl From<Quantity> for Value {
    fn from(quantity: Quantity) -> Self {
        Self::String(quantity.to_string())
    }
}

impl std::str::FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        Self::parse(text)
    }
}

/// Division that rounds away from zero.
fn divide_up(amount: i128, unit: i128) -> i128 {
    let (whole, rest) = (amount / unit, amount % unit);
    whole + rest.signum()
}

fn narrow(amount: i128) -> i64 {
    i64::try_from(amount).unwrap_or(if amount < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests;
