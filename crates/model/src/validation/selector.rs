//! The rules of label selectors in object form (`matchLabels`, `matchExpressions`), for every
//! kind that embeds one.

use super::at::{At, Report};
use super::names;
use super::object_meta;
use super::read::{is_blank, list, text, texts};
use crate::Value;
use crate::field::ErrorList;

/// Reports what is wrong with a selector.
pub fn validate(selector: &Value, at: &At<'_>, errors: &mut ErrorList) {
    validate_with(selector, true, at, errors);
}

/// As [`validate`], but with `strict_values` unset the values of expressions need not be legal
/// label values (upstream's `AllowInvalidLabelValueInSelector`, for old objects).
pub fn validate_with(selector: &Value, strict_values: bool, at: &At<'_>, errors: &mut ErrorList) {
    object_meta::labels(selector, "matchLabels", at, errors);
    let expressions = at.child("matchExpressions");
    for (i, expression) in list(selector, "matchExpressions").iter().enumerate() {
        requirement(expression, strict_values, &expressions.index(i), errors);
    }
}

/// Whether a selector says nothing, and so selects everything.
pub fn is_empty(selector: &Value) -> bool {
    is_blank(selector.get("matchLabels")) && is_blank(selector.get("matchExpressions"))
}

fn requirement(expression: &Value, strict_values: bool, at: &At<'_>, errors: &mut ErrorList) {
    let operator = text(expression, "operator");
    let values = at.child("values");
    let given = list(expression, "values").len();
    match operator {
        "In" | "NotIn" => {
            if given == 0 {
                errors.required(
                    &values,
                    "must be specified when `operator` is 'In' or 'NotIn'",
                );
            }
        }
        "Exists" | "DoesNotExist" => {
            if given > 0 {
                errors.forbidden(
                    &values,
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                );
            }
        }
        other => errors.invalid(
            &at.child("operator"),
            other,
            "not a valid selector operator",
        ),
    }
    let key = text(expression, "key");
    errors.invalid_each(&at.child("key"), key, names::qualified_name(key));
    if strict_values {
        for (i, value) in texts(expression, "values").enumerate() {
            errors.invalid_each(&values.index(i), value, names::label_value(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules() {
        let cases = [
            (json!({}), ""),
            (json!({"matchLabels": {"a": "b"}}), ""),
            (
                json!({"matchLabels": {"a": "b c"}}),
                "s.matchLabels: Invalid value: \"b c\": a valid label",
            ),
            (
                json!({"matchExpressions": [{"key": "a", "operator": "In"}]}),
                "s.matchExpressions[0].values: Required value: must be specified when `operator` \
                 is 'In' or 'NotIn'",
            ),
            (
                json!({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}),
                "s.matchExpressions[0].values: Forbidden: may not be specified when `operator` is \
                 'Exists' or 'DoesNotExist'",
            ),
            (
                json!({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["b"]}]}),
                "s.matchExpressions[0].operator: Invalid value: \"Gt\": not a valid selector \
                 operator",
            ),
            (
                json!({"matchExpressions": [{"key": "", "operator": "Exists"}]}),
                "s.matchExpressions[0].key: Invalid value: \"\": name part must be non-empty",
            ),
            (
                json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "-"]}]}),
                "s.matchExpressions[0].values[1]: Invalid value: \"-\": a valid label",
            ),
        ];
        for (selector, want) in cases {
            let mut errors = ErrorList::new();
            validate(&selector, &At::of("s"), &mut errors);
            match (want, errors.first()) {
                ("", None) => {}
                (want, Some(e)) if !want.is_empty() => {
                    assert!(e.to_string().starts_with(want), "{e}");
                }
                (_, got) => panic!("{selector}: {got:?}"),
            }
        }
    }
}
