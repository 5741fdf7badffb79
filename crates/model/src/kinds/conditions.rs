//! The conditions of `meta/v1`, which several kinds' status have.

use crate::Value;
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{int, text};

/// Reports what is wrong with conditions.
pub(crate) fn validate(conditions: &[Value], at: &At<'_>, errors: &mut ErrorList) {
    let mut seen = Vec::new();
    for (i, condition) in conditions.iter().enumerate() {
        let at = at.index(i);
        let kind = text(condition, "type");
        let kind_at = at.child("type");
        if seen.contains(&kind) {
            errors.duplicate(&kind_at, kind);
        }
        seen.push(kind);
        if kind.is_empty() {
            errors.required(&kind_at, "must be set");
        } else {
            errors.invalid_each(&kind_at, kind, names::qualified_name(kind));
        }
        let status = text(condition, "status");
        if !matches!(status, "True" | "False" | "Unknown") {
            errors.not_supported(&at.child("status"), status, &["False", "True", "Unknown"]);
        }
        errors.non_negative(
            &at.child("observedGeneration"),
            int(condition, "observedGeneration").unwrap_or(0),
        );
        if text(condition, "lastTransitionTime").is_empty() {
            errors.required(&at.child("lastTransitionTime"), "must be set");
        }
        reason(text(condition, "reason"), &at.child("reason"), errors);
        if text(condition, "message").len() > 32 * 1024 {
            errors.too_long(&at.child("message"), 32 * 1024);
        }
    }
}

fn reason(reason: &str, at: &At<'_>, errors: &mut ErrorList) {
    if reason.is_empty() {
        errors.required(at, "must be set");
        return;
    }
    let fits = reason.starts_with(|c: char| c.is_ascii_alphabetic())
        && reason.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && reason
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_,:".contains(&b));
    if !fits {
        let message = names::regex_error(
            "a condition reason must start with alphabetic character, optionally followed by a \
             string of alphanumeric characters or '_,:', and must end with an alphanumeric \
             character or '_'",
            "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?",
            &[
                "my_name",
                "MY_NAME",
                "MyName",
                "ReasonA,ReasonB",
                "ReasonA:ReasonB",
            ],
        );
        errors.invalid(at, reason, message);
    }
    if reason.len() > 1024 {
        errors.too_long(at, 1024);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules() {
        let good = json!({"type": "A", "status": "True", "reason": "R", "lastTransitionTime": "2024-01-01T00:00:00Z"});
        let mut errors = ErrorList::new();
        validate(std::slice::from_ref(&good), &At::of("c"), &mut errors);
        assert!(errors.is_empty());
        validate(&[good.clone(), good], &At::of("c"), &mut errors);
        assert_eq!(errors[0].to_string(), "c[1].type: Duplicate value: \"A\"");
        errors.clear();
        validate(
            &[json!({"reason": "-", "observedGeneration": -1})],
            &At::of("c"),
            &mut errors,
        );
        let starts = [
            "c[0].type: Required value: must be set",
            "c[0].status: Unsupported value: \"\": supported values: \"False\", \"True\", \"Unknown\"",
            "c[0].observedGeneration: Invalid value: -1: must be",
            "c[0].lastTransitionTime: Required value: must be set",
            "c[0].reason: Invalid value: \"-\": a condition reason must start",
        ];
        assert_eq!(errors.len(), starts.len(), "{errors:?}");
        for (error, start) in errors.iter().zip(starts) {
            assert!(error.to_string().starts_with(start), "{error}");
        }
    }
}
