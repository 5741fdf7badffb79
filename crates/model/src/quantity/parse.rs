//! The grammar of quantities: sign, digits, point, digits, and a suffix.

use super::{Format, NANOS, Quantity, QuantityError};

const FORMAT_ERROR: &str = "quantities must match the regular expression \
                            '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const SUFFIX_ERROR: &str = "unable to parse quantity's suffix";

/// How many digits of a binary fraction are multiplied out. All others are below every amount that
/// is told apart.
const DIGITS_MAX: usize = 80;
/// How many zeros are appended for an exponent; more than any amount that can be held has.
const ZEROS_MAX: i64 = 80;

pub(super) fn parse(text: &str) -> Result<Quantity, QuantityError> {
    let refuse = |why: &str| QuantityError(why.to_owned());
    if text.is_empty() {
        return Err(refuse(FORMAT_ERROR));
    }
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, rest) = digits(rest);
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => ("", rest),
    };
    let letters = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let power = letters.strip_prefix(['+', '-']).unwrap_or(letters);
    if !power.bytes().all(|b| b.is_ascii_digit()) {
        return Err(refuse(FORMAT_ERROR));
    }
    let (scale, format) = scale(suffix).ok_or_else(|| refuse(SUFFIX_ERROR))?;
    let magnitude = match scale {
        Scale::Ten(exponent) => decimal(whole, fraction, exponent),
        Scale::Two(shift) => binary(whole, fraction, shift),
    };
    let nanos = if negative { -magnitude } else { magnitude };
    // A binary amount below one has no binary suffix that could hold it.
    let format = if format == Format::BinarySI && nanos > 0 && nanos < NANOS {
        Format::DecimalSI
    } else {
        format
    };
    Ok(Quantity { nanos, format })
}

fn digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

enum Scale {
    Ten(i64),
    Two(u32),
}

fn scale(suffix: &str) -> Option<(Scale, Format)> {
    let ten = |exponent| Some((Scale::Ten(exponent), Format::DecimalSI));
    let two = |shift| Some((Scale::Two(shift), Format::BinarySI));
    match suffix {
        "n" => ten(-9),
        "u" => ten(-6),
        "m" => ten(-3),
        "" => ten(0),
        "k" => ten(3),
        "M" => ten(6),
        "G" => ten(9),
        "T" => ten(12),
        "P" => ten(15),
        "E" => ten(18),
        "Ki" => two(10),
        "Mi" => two(20),
        "Gi" => two(30),
        "Ti" => two(40),
        "Pi" => two(50),
        "Ei" => two(60),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            Some((Scale::Ten(exponent), Format::DecimalExponent))
        }
    }
}

/// `whole.fraction * 10^exponent` in billionths, rounded up.
fn decimal(whole: &str, fraction: &str, exponent: i64) -> i128 {
    let whole = whole.trim_start_matches('0');
    // Billionths are the digits with the point moved right by this many places.
    let places = exponent.saturating_add(9);
    let point = i64::try_from(whole.len())
        .unwrap_or(i64::MAX)
        .saturating_add(places);
    let mut amount: i128 = 0;
    let mut seen = 0_i64;
    let mut lost = false;
    for (i, digit) in whole.bytes().chain(fraction.bytes()).enumerate() {
        let digit = i128::from(digit.saturating_sub(b'0'));
        if i64::try_from(i).unwrap_or(i64::MAX) < point {
            amount = amount.saturating_mul(10).saturating_add(digit);
            seen += 1;
        } else if digit != 0 {
            lost = true;
            break;
        }
    }
    if amount != 0 {
        // Zeros between the last digit and the point.
        for _ in seen..point.clamp(0, seen.saturating_add(ZEROS_MAX)) {
            amount = amount.saturating_mul(10);
        }
    }
    amount.saturating_add(i128::from(lost))
}

/// `whole.fraction * 2^shift` in billionths, rounded up.
fn binary(whole: &str, fraction: &str, shift: u32) -> i128 {
    let scale = 1_i128 << shift;
    let units = decimal(whole, "", 0).saturating_mul(scale);
    // The fraction's product is found digit by digit from the right, so that nothing is lost:
    // each step keeps the billionths that stand left of the point and whether any stood right.
    let unit = scale.saturating_mul(NANOS);
    let head = fraction.get(..DIGITS_MAX).unwrap_or(fraction);
    let mut lost =
        fraction.len() > head.len() && fraction.bytes().skip(head.len()).any(|digit| digit != b'0');
    let mut part: i128 = 0;
    for digit in head.bytes().rev() {
        let sum = part.saturating_add(unit.saturating_mul(i128::from(digit.saturating_sub(b'0'))));
        lost |= sum % 10 != 0;
        part = sum / 10;
    }
    units.saturating_add(part).saturating_add(i128::from(lost))
}
