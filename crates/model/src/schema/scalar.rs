//! The scalar types with a syntax of their own: times, quantities, int-or-string.

use crate::Value;
use crate::quantity::Quantity;
use serde_json::Number;

/// Go's name for the JSON type of a value, as its decoding errors have it.
pub(super) fn json_kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
    }
}

/// Whether a number is whole and fits 32 (`true`) or 64 bits. Go reads the digits as they stand,
/// so `1.0` is not whole.
pub(super) fn fits(number: &Number, narrow: bool) -> bool {
    match number.as_i64() {
        Some(i) if narrow => i32::try_from(i).is_ok(),
        Some(_) => true,
        None => false,
    }
}

/// Checks an int-or-string.
pub(super) fn int_or_string(value: &Value) -> Result<(), String> {
    match value {
        Value::String(_) => Ok(()),
        Value::Number(n) if fits(n, true) => Ok(()),
        Value::Number(n) => Err(format!(
            "json: cannot unmarshal number {n} into Go value of type int32"
        )),
        other => Err(format!(
            "json: cannot unmarshal {} into Go value of type int32",
            json_kind(other)
        )),
    }
}

/// Brings a time to the form in which upstream writes it: UTC, in whole seconds or, with `micro`,
/// in microseconds.
pub(super) fn time(text: &str, micro: bool) -> Result<String, String> {
    let layout = if micro {
        "2006-01-02T15:04:05.000000Z07:00"
    } else {
        "2006-01-02T15:04:05Z07:00"
    };
    let parsed = parse_time(text).map_err(|(rest, part)| match part {
        "" => format!("parsing time {text:?}: extra text: {rest:?}"),
        "range" => format!("parsing time {text:?}: {rest} out of range"),
        part => format!("parsing time {text:?} as {layout:?}: cannot parse {rest:?} as {part:?}"),
    })?;
    // Go's microsecond layout does not read a time without its six digits.
    if micro && fraction_digits(text) != 6 {
        let rest = text.get(19..).unwrap_or_default();
        return Err(format!(
            "parsing time {text:?} as {layout:?}: cannot parse {rest:?} as \".000000\""
        ));
    }
    Ok(if micro {
        format!("{:.6}", parsed)
    } else {
        format!("{:.0}", Seconds(parsed))
    })
}

/// Shows a timestamp cut (not rounded) to seconds.
struct Seconds(jiff::Timestamp);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let whole = jiff::Timestamp::from_second(floor_second(self.0)).unwrap_or(self.0);
        write!(f, "{whole}")
    }
}

fn floor_second(at: jiff::Timestamp) -> i64 {
    let second = at.as_second();
    if at.subsec_nanosecond() < 0 {
        second - 1
    } else {
        second
    }
}

fn fraction_digits(text: &str) -> usize {
    text.get(19..)
        .and_then(|rest| rest.strip_prefix('.'))
        .map_or(0, |rest| {
            rest.bytes().take_while(u8::is_ascii_digit).count()
        })
}

/// Reads RFC 3339. On failure: what is left of the text, and the part of Go's layout that did not
/// match it (`""` for text after the end, `"range"` for a number that is too large).
fn parse_time(text: &str) -> Result<jiff::Timestamp, (&str, &'static str)> {
    let mut rest = text;
    let mut numbers = [0_u32; 6];
    let parts: [(&str, usize, &'static str); 6] = [
        ("", 4, "2006"),
        ("-", 2, "01"),
        ("-", 2, "02"),
        ("T", 2, "15"),
        (":", 2, "04"),
        (":", 2, "05"),
    ];
    for (slot, (separator, digits, part)) in numbers.iter_mut().zip(parts) {
        rest = rest.strip_prefix(separator).ok_or((rest, separator))?;
        let number = rest
            .get(..digits)
            .filter(|n| n.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|n| n.parse().ok())
            .ok_or((rest, part))?;
        *slot = number;
        rest = rest.get(digits..).unwrap_or_default();
    }
    if let Some(fraction) = rest.strip_prefix(['.', ',']) {
        let end = fraction
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(fraction.len());
        if end > 0 {
            rest = fraction.get(end..).unwrap_or_default();
        }
    }
    let zone_ok = match rest.as_bytes() {
        [b'Z'] => true,
        [b'Z', ..] => return Err((rest.get(1..).unwrap_or_default(), "")),
        [b'+' | b'-', a, b, b':', c, d, after @ ..] => {
            if !after.is_empty() {
                return Err((rest.get(6..).unwrap_or_default(), ""));
            }
            [a, b, c, d].iter().all(|d| d.is_ascii_digit())
        }
        _ => false,
    };
    if !zone_ok {
        return Err((rest, "Z07:00"));
    }
    let [_, month, day, hour, minute, second] = numbers;
    for (number, from, to, what) in [
        (month, 1, 12, "month"),
        (day, 1, 31, "day"),
        (hour, 0, 23, "hour"),
        (minute, 0, 59, "minute"),
        (second, 0, 59, "second"),
    ] {
        if number < from || number > to {
            return Err((what, "range"));
        }
    }
    text.replacen(',', ".", 1)
        .parse()
        .map_err(|_| ("day", "range"))
}

/// Brings a quantity (a text or a number) to its canonical text.
pub(super) fn quantity(value: &mut Value) -> Result<(), String> {
    let parsed = match &*value {
        Value::String(text) => Quantity::parse(text.trim()),
        other => Quantity::from_value(other),
    }
    .map_err(|e| e.to_string())?;
    let canonical = parsed.to_string();
    if value.as_str() != Some(&canonical) {
        *value = Value::String(canonical);
    }
    Ok(())
}
