//! Lists of indexes of a job, such as `1,3-5,7`.

/// How many indexes a list names, all of them below `completions`; else what is wrong with it.
pub(super) fn count(text: &str, completions: i64) -> Result<i64, String> {
    let mut total = 0i64;
    let mut last: Option<i64> = None;
    if text.is_empty() {
        return Ok(0);
    }
    for interval in text.split(',') {
        let mut limits = interval.split('-');
        let low = index(limits.next().unwrap_or_default(), completions)?;
        if let Some(last) = last.filter(|last| *last >= low) {
            return Err(not_increasing(last, low));
        }
        let high = match (limits.next(), limits.next()) {
            (_, Some(_)) => {
                return Err(format!(
                    "the fragment {interval:?} violates the requirement that an index interval \
                     can have at most two parts separated by '-'"
                ));
            }
            (None, None) => low,
            (Some(high), None) => {
                let high = index(high, completions)?;
                if low >= high {
                    return Err(not_increasing(low, high));
                }
                high
            }
        };
        // Both are below `completions`, and each index counts once.
        total = total.saturating_add(high - low + 1);
        last = Some(high);
    }
    Ok(total)
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
    use super::count;

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
}
