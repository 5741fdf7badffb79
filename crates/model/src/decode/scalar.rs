//! What a plain YAML scalar stands for, by the rules of upstream's parser.

use crate::Value;
use serde_json::Number;

/// Why a scalar has no JSON value; upstream's text.
pub(super) type ScalarError = String;

/// The value of an untagged plain scalar.
pub(super) fn resolve(text: &str) -> Result<Value, ScalarError> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            true.into()
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            false.into()
        }
        ".nan" | ".NaN" | ".NAN" => return Err("json: unsupported value: NaN".to_owned()),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Err("json: unsupported value: +Inf".to_owned());
        }
        "-.inf" | "-.Inf" | "-.INF" => return Err("json: unsupported value: -Inf".to_owned()),
        _ => number(text).unwrap_or_else(|| Value::String(text.to_owned())),
    })
}

/// The number that a scalar stands for, if it does.
pub(super) fn number(text: &str) -> Option<Value> {
    if !text.starts_with([
        '+', '-', '.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9',
    ]) {
        return None;
    }
    let plain = if text.contains('_') && !text.starts_with('.') {
        text.replace('_', "")
    } else {
        text.to_owned()
    };
    integer(&plain).or_else(|| float(&plain))
}

/// A whole number in Go's notation: `0x`, `0o`, `0b` or a leading zero choose the base.
fn integer(text: &str) -> Option<Value> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    if negative {
        0_i64.checked_sub_unsigned(magnitude).map(Value::from)
    } else if text.starts_with('+') {
        // Go's unsigned numbers have no sign.
        i64::try_from(magnitude).ok().map(Value::from)
    } else {
        Some(i64::try_from(magnitude).map_or_else(|_| magnitude.into(), Value::from))
    }
}

fn float(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((m, e)) => (m, Some(e.strip_prefix(['+', '-']).unwrap_or(e))),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole)
        || !all_digits(fraction)
        || (whole.is_empty() && fraction.is_empty())
        || exponent.is_some_and(|e| e.is_empty() || !all_digits(e))
    {
        return None;
    }
    whole_or_float(text.parse().ok()?)
}

/// A number as Go's JSON encoder writes it: without a fraction if it has none.
pub(super) fn whole_or_float(number: f64) -> Option<Value> {
    const EXACT: f64 = 9.0e18;
    if number.fract() == 0.0 && number.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within bounds")]
        return Some((number as i64).into());
    }
    Number::from_f64(number).map(Value::Number)
}

/// The key that a resolved scalar makes, as JSON has only texts for keys.
pub(super) fn key(value: Value) -> Result<String, ScalarError> {
    match value {
        Value::String(text) => Ok(text),
        Value::Bool(on) => Ok(on.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null => Err("unsupported map key of type: %!s(<nil>), key: <nil>".to_owned()),
        Value::Array(_) | Value::Object(_) => Err("yaml: invalid map key".to_owned()),
    }
}
