//! The canonical text of a quantity: no precision lost, no fractional digits, the largest suffix
//! that allows both.

use super::{Format, NANOS, Quantity};
use std::fmt;

const DECIMAL: [(i32, &str); 10] = [
    (-9, "n"),
    (-6, "u"),
    (-3, "m"),
    (0, ""),
    (3, "k"),
    (6, "M"),
    (9, "G"),
    (12, "T"),
    (15, "P"),
    (18, "E"),
];
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        // Small or fractional amounts have no exact binary form.
        let binary = self.format == Format::BinarySI
            && self.nanos.unsigned_abs() >= 1024 * NANOS.unsigned_abs()
            && self.nanos % NANOS == 0;
        if binary {
            let mut amount = self.nanos / NANOS;
            let mut suffixes = BINARY.iter();
            let mut suffix = suffixes.next().copied().unwrap_or_default();
            while amount % 1024 == 0
                && let Some(next) = suffixes.next()
            {
                amount /= 1024;
                suffix = next;
            }
            return write!(f, "{amount}{suffix}");
        }
        let mut amount = self.nanos;
        let mut exponent = -9;
        let largest = match self.format {
            Format::DecimalExponent => i32::MAX,
            Format::DecimalSI | Format::BinarySI => 18,
        };
        while amount % 1000 == 0 && exponent < largest {
            amount /= 1000;
            exponent += 3;
        }
        if self.format == Format::DecimalExponent {
            if exponent == 0 {
                return write!(f, "{amount}");
            }
            return write!(f, "{amount}e{exponent}");
        }
        let suffix = DECIMAL
            .iter()
            .find(|(e, _)| *e == exponent)
            .map_or("", |(_, suffix)| suffix);
        write!(f, "{amount}{suffix}")
    }
}
