//! Lists of indexes of a job, such as `1,3-5,7`.

/// How many indexes a list names, all of them below `completions`; else what is wrong with it.
pub(super) fn count(text: &str, completions: i64) -> Result<i64, String> {
    let mut total = 0i64;
    let mut last: Option<i64> = None;
    if text.is_empty() {
        return Ok(0);
    }
    for part in text.split(',') {
        let (low, high) = interval(part, completions)?;
        if let Some(last) = last.filter(|last| *last >= low) {
            return Err(not_increasing(last, low));
        }
        // Both are below `completions`, and each index counts once.
        total = total.saturating_add(high - low + 1);
        last = Some(high);
    }
    Ok(total)
}

/// The first index that both lists name. What cannot be read of either is passed over: that is
/// reported where the list itself is checked.
pub(super) fn common(one: &str, other: &str, completions: i64) -> Option<i64> {
    let read = |text: &str| {
        let parts = text
            .split(',')
            .filter_map(|part| interval(part, completions).ok());
        let mut intervals: Vec<_> = parts.collect();
        intervals.sort_unstable();
        intervals
    };
    let (one, other) = (read(one), read(other));
    let (mut a, mut b) = (one.iter().peekable(), other.iter().peekable());
    while let (Some((low, high)), Some((other_low, other_high))) = (a.peek(), b.peek()) {
        if low <= other_high && other_low <= high {
            return Some(*low.max(other_low));
        }
        if low <= other_low {
            a.next();
        } else {
            b.next();
        }
    }
    None
}

/// Reads `3` or `3-5`.
fn interval(text: &str, completions: i64) -> Result<(i64, i64), String> {
    let mut limits = text.split('-');
    let low = limits.next().unwrap_or_default();
    match (limits.next(), limits.next()) {
        (_, Some(_)) => Err(format!(
            "the fragment {text:?} violates the requirement that an index interval can have at \
             most two parts separated by '-'"
        )),
        (None, None) => index(low, completions).map(|low| (low, low)),
        (Some(high), None) => {
            let (low, high) = (index(low, completions)?, index(high, completions)?);
            if low >= high {
                return Err(not_increasing(low, high));
            }
            Ok((low, high))
        }
    }
}

fn index(text: &str, completions: i64) -> Result<i64, String> {
    let number = text
        .parse::<i64>()
        .ok()
        .filter(|number| *number >= 0)
        .ok_or_else(|| format!("cannot convert string to integer for index: {text:?}"))?;
    if number >= completions {
        return Err(format!("too large index: {text:?}"));
    }
    Ok(number)
}

fn not_increasing(previous: i64, current: i64) -> String {
    format!("non-increasing order, previous: {previous}, current: {current}")
}

#[cfg(test)]
mod tests {
    use super::{common, count};

    #[test]
    fn lists() {
        let cases = [
            ("", Ok(0)),
            ("0", Ok(1)),
            ("0,2-4", Ok(4)),
            ("0-9", Ok(10)),
            ("10", Err("too large index: \"10\"")),
            ("2,1", Err("non-increasing order, previous: 2, current: 1")),
            ("3-3", Err("non-increasing order, previous: 3, current: 3")),
            (
                "a",
                Err("cannot convert string to integer for index: \"a\""),
            ),
            (
                "1,",
                Err("cannot convert string to integer for index: \"\""),
            ),
            (
                "1-2-3",
                Err(
                    "the fragment \"1-2-3\" violates the requirement that an index interval can \
                     have at most two parts separated by '-'",
                ),
            ),
        ];
        for (text, want) in cases {
            assert_eq!(count(text, 10), want.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn what_lists_have_in_common() {
        let cases = [
            ("", "", None),
            ("0-3", "4-9", None),
            ("0,2,4", "1,3,5", None),
            ("0-3,7", "5,7", Some(7)),
            ("2-6", "0-4", Some(2)),
            ("x,3", "3", Some(3)),
            ("12", "12", None),
        ];
        for (one, other, want) in cases {
            assert_eq!(common(one, other, 10), want, "{one} {other}");
            assert_eq!(common(other, one, 10), want, "{other} {one}");
        }
    }
}
