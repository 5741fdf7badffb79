//! The syntax of schedules: five cron fields or a descriptor such as `@daily`, with the messages
//! of the parser that upstream uses.

use super::zones;

/// A field of a schedule: its bounds and the names of its values.
struct Field {
    low: u32,
    high: u32,
    names: &'static [&'static str],
    /// The number that the first name stands for.
    first: u32,
}

const fn numbers(low: u32, high: u32) -> Field {
    Field {
        low,
        high,
        names: &[],
        first: 0,
    }
}

/// Minute, hour, day of the month, month, day of the week.
const FIELDS: [Field; 5] = [
    numbers(0, 59),
    numbers(0, 23),
    numbers(1, 31),
    Field {
        low: 1,
        high: 12,
        names: &[
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
        first: 1,
    },
    Field {
        low: 0,
        high: 6,
        names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
        first: 0,
    },
];

/// Checks a schedule; the error says what is wrong.
pub(super) fn check(schedule: &str) -> Result<(), String> {
    if schedule.is_empty() {
        return Err("empty spec string".to_owned());
    }
    let mut rest = schedule;
    if schedule.starts_with("TZ=") || schedule.starts_with("CRON_TZ=") {
        let (zone, after) = schedule.split_once(' ').unwrap_or((schedule, ""));
        if after.is_empty() {
            let zone = zone.split_once('=').map_or("", |(_, name)| name);
            return Err(format!("provided bad location {zone}: no schedule follows"));
        }
        let zone = zone.split_once('=').map_or("", |(_, name)| name);
        zones::check(zone).map_err(|why| format!("provided bad location {zone}: {why}"))?;
        rest = after.trim();
    }
    if rest.starts_with('@') {
        return descriptor(rest);
    }
    let parts: Vec<&str> = rest.split_whitespace().collect();
    if parts.len() != FIELDS.len() {
        return Err(format!(
            "expected exactly 5 fields, found {}: [{}]",
            parts.len(),
            parts.join(" ")
        ));
    }
    FIELDS
        .iter()
        .zip(parts)
        .try_for_each(|(field, part)| field.check(part))
}

fn descriptor(text: &str) -> Result<(), String> {
    match text {
        "@yearly" | "@annually" | "@monthly" | "@weekly" | "@daily" | "@midnight" | "@hourly" => {
            Ok(())
        }
        _ => match text.strip_prefix("@every ") {
            Some(period) => duration(period)
                .map_err(|why| format!("failed to parse duration {text}: time: {why}")),
            None => Err(format!("unrecognized descriptor: {text}")),
        },
    }
}

impl Field {
    fn check(&self, text: &str) -> Result<(), String> {
        text.split(',')
            .filter(|part| !part.is_empty())
            .try_for_each(|part| self.check_range(part))
    }

    fn check_range(&self, text: &str) -> Result<(), String> {
        let mut steps = text.split('/');
        let mut ends = steps.next().unwrap_or_default().split('-');
        let (first, second) = (ends.next().unwrap_or_default(), ends.next());
        let (start, mut end) = if matches!(first, "*" | "?") {
            (self.low, self.high)
        } else {
            let start = self.value(first)?;
            match (second, ends.next()) {
                (_, Some(_)) => return Err(format!("too many hyphens: {text}")),
                (Some(second), None) => (start, self.value(second)?),
                (None, None) => (start, start),
            }
        };
        let step = match (steps.next(), steps.next()) {
            (_, Some(_)) => return Err(format!("too many slashes: {text}")),
            (Some(step), None) => {
                // `5/10` means from 5 to the last.
                if second.is_none() {
                    end = self.high;
                }
                number(step)?
            }
            (None, None) => 1,
        };
        let (low, high) = (self.low, self.high);
        if start < low {
            return Err(format!(
                "beginning of range ({start}) below minimum ({low}): {text}"
            ));
        }
        if end > high {
            return Err(format!(
                "end of range ({end}) above maximum ({high}): {text}"
            ));
        }
        if start > end {
            return Err(format!(
                "beginning of range ({start}) beyond end of range ({end}): {text}"
            ));
        }
        if step == 0 {
            return Err(format!("step of range should be a positive number: {text}"));
        }
        Ok(())
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        let lower = text.to_ascii_lowercase();
        (self.first..)
            .zip(self.names)
            .find(|(_, name)| **name == lower)
            .map_or_else(|| number(text), |(number, _)| Ok(number))
    }
}

fn number(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let why = if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        "invalid syntax"
    } else if text.starts_with('-') && digits.bytes().any(|b| b != b'0') {
        return Err(format!("negative number ({text}) not allowed: {text}"));
    } else {
        match digits.parse() {
            Ok(number) => return Ok(number),
            Err(_) => "value out of range",
        }
    };
    Err(format!(
        "failed to parse int from {text}: strconv.Atoi: parsing {text:?}: {why}"
    ))
}

/// Checks a duration in Go's notation, such as `1h30m`.
fn duration(text: &str) -> Result<(), String> {
    let invalid = || format!("invalid duration {text:?}");
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return Ok(());
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    while !rest.is_empty() {
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let amount = rest.strip_suffix(after).unwrap_or(rest);
        let dots = amount.bytes().filter(|b| *b == b'.').count();
        if dots > 1 || amount.len() == dots {
            return Err(invalid());
        }
        let next = after.trim_start_matches(|c: char| !c.is_ascii_digit() && c != '.');
        let unit = after.strip_suffix(next).unwrap_or(after);
        match unit {
            "ns" | "us" | "\u{b5}s" | "\u{3bc}s" | "ms" | "s" | "m" | "h" => {}
            "" => return Err(format!("missing unit in duration {text:?}")),
            unit => return Err(format!("unknown unit {unit:?} in duration {text:?}")),
        }
        rest = next;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use proptest::prelude::*;

    #[test]
    fn schedules() {
        let good = [
            "* * * * *",
            "*/5 0 1,15 * 1-5",
            "5/10 0-12/2 ? jan-MAR sun",
            "@daily",
            "@every 1h30m",
            "TZ=UTC 0 0 * * *",
        ];
        for schedule in good {
            assert_eq!(check(schedule), Ok(()), "{schedule}");
        }
        let bad = [
            ("", "empty spec string"),
            ("* *", "expected exactly 5 fields, found 2: [* *]"),
            ("error", "expected exactly 5 fields, found 1: [error]"),
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            ("* * * * 7", "end of range (7) above maximum (6): 7"),
            (
                "5-1 * * * *",
                "beginning of range (5) beyond end of range (1): 5-1",
            ),
            (
                "*/0 * * * *",
                "step of range should be a positive number: */0",
            ),
            ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
            ("1/2/3 * * * *", "too many slashes: 1/2/3"),
            (
                "-1 * * * *",
                "failed to parse int from : strconv.Atoi: parsing \"\": invalid syntax",
            ),
            (
                "x * * * *",
                "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax",
            ),
            (
                "CRON_TZ=Mars/Base 0 0 * * *",
                "provided bad location Mars/Base: unknown time zone Mars/Base",
            ),
            ("@never", "unrecognized descriptor: @never"),
            (
                "@every 5",
                "failed to parse duration @every 5: time: missing unit in duration \"5\"",
            ),
        ];
        for (schedule, want) in bad {
            assert_eq!(check(schedule), Err(want.to_owned()), "{schedule}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "\\PC{0,30}", fields in "([-*/?,0-9a-z@]{1,6} ?){0,6}") {
            let _ = (check(&text), check(&fields));
        }
    }
}
