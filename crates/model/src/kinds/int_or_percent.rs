//! Fields that hold a count or a percentage of some total (`maxSurge: 25%`).

use crate::Value;
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::names;

/// Reports what is neither a count from zero nor a percentage.
pub(crate) fn validate(value: &Value, at: &At<'_>, errors: &mut ErrorList) {
    match value {
        Value::String(text) => errors.invalid_each(at, text, names::percent(text)),
        other => errors.non_negative(at, other.as_i64().unwrap_or(0)),
    }
}

/// Reports a percentage above 100.
pub(crate) fn at_most_all(value: &Value, at: &At<'_>, errors: &mut ErrorList) {
    if percent(value).is_some_and(|percent| percent > 100) {
        errors.invalid(at, value.clone(), "must not be greater than 100%");
    }
}

/// The number that stands there, whichever of the two it is; what is neither counts as zero.
pub(crate) fn number(value: &Value) -> i64 {
    percent(value).or_else(|| value.as_i64()).unwrap_or(0)
}

fn percent(value: &Value) -> Option<i64> {
    let text = value.as_str()?;
    let digits = text.strip_suffix('%')?;
    // Too many digits are a number all the same.
    names::percent(text)
        .is_empty()
        .then(|| digits.parse().unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules() {
        let cases = [
            (json!(0), 0, ""),
            (json!("25%"), 25, ""),
            (json!(500), 500, ""),
            (
                json!(-1),
                -1,
                "x: Invalid value: -1: must be greater than or equal to 0",
            ),
            (
                json!("101%"),
                101,
                "x: Invalid value: \"101%\": must not be greater than 100%",
            ),
            (
                json!("99999999999999999999%"),
                i64::MAX,
                "x: Invalid value: \"99999999999999999999%\": must not be greater than 100%",
            ),
            (
                json!("5"),
                0,
                "x: Invalid value: \"5\": a valid percent string must be a numeric string \
                 followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is \
                 '[0-9]+%')",
            ),
        ];
        for (value, amount, want) in cases {
            let mut errors = ErrorList::new();
            validate(&value, &At::of("x"), &mut errors);
            at_most_all(&value, &At::of("x"), &mut errors);
            let got: Vec<_> = errors.iter().map(ToString::to_string).collect();
            assert_eq!(got.join("; "), want);
            assert_eq!(number(&value), amount, "{value}");
        }
    }
}
