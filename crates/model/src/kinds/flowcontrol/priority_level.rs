//! PriorityLevelConfigurations.

use super::EXEMPT;
use crate::field::ErrorList;
use crate::kinds::core::fill;
use crate::kinds::workload::{self, field};
use crate::validation::at::{At, Report};
use crate::validation::read::{get, int, text};
use crate::{Value, meta};

const QUEUES_MAX: i64 = 10_000_000;

/// Fills in a priority level.
pub(super) fn default(_version: &str, level: &mut Value) {
    let Some(spec) = workload::spec_mut(level) else {
        return;
    };
    if let Some(exempt) = fill::map(spec, "exempt") {
        fill::absent(exempt, "nominalConcurrencyShares", 0);
        fill::absent(exempt, "lendablePercent", 0);
    }
    if let Some(limited) = fill::map(spec, "limited") {
        fill::absent(limited, "nominalConcurrencyShares", 30);
        fill::absent(limited, "lendablePercent", 0);
        let response = fill::map(limited, "limitResponse");
        if let Some(queuing) = response.and_then(|response| fill::map(response, "queuing")) {
            fill::number(queuing, "queues", 64);
            fill::number(queuing, "handSize", 8);
            fill::number(queuing, "queueLengthLimit", 50);
        }
    }
}

/// Reports what is wrong with a priority level.
pub(super) fn validate(level: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = field(level, "spec");
    let at = At::of("spec");
    let kind = text(spec, "type");
    if (kind == "Exempt") != (meta::name(level) == EXEMPT) {
        let why = "type must be 'Exempt' if and only if name is 'exempt'";
        errors.invalid(&at.child("type"), kind, why);
    }
    let (limited_at, exempt_at) = (at.child("limited"), at.child("exempt"));
    match (kind, get(spec, "limited"), get(spec, "exempt")) {
        ("Exempt", limited, exempt) => {
            if limited.is_some() {
                errors.forbidden(&limited_at, "must be nil if the type is not Limited");
            }
            if let Some(exempt) = exempt {
                shares(exempt, &exempt_at, &mut errors);
            }
        }
        ("Limited", limited, exempt) => {
            if exempt.is_some() {
                errors.forbidden(&exempt_at, "must be nil if the type is Limited");
            }
            match limited {
                None => errors.required(&limited_at, "must not be empty when type is Limited"),
                Some(limited) => validate_limited(limited, &limited_at, &mut errors),
            }
        }
        (other, ..) => errors.not_supported(&at.child("type"), other, &["Exempt", "Limited"]),
    }
    errors
}

fn shares(level: &Value, at: &At<'_>, errors: &mut ErrorList) {
    if let Some(shares) = int(level, "nominalConcurrencyShares").filter(|shares| *shares < 0) {
        let at = at.child("nominalConcurrencyShares");
        errors.invalid(&at, shares, "must be a non-negative integer");
    }
    if let Some(percent) = int(level, "lendablePercent").filter(|p| !(0..=100).contains(p)) {
        let at = at.child("lendablePercent");
        errors.invalid(&at, percent, "must be between 0 and 100, inclusive");
    }
}

fn validate_limited(limited: &Value, at: &At<'_>, errors: &mut ErrorList) {
    shares(limited, at, errors);
    if let Some(percent) = int(limited, "borrowingLimitPercent").filter(|percent| *percent < 0) {
        let at = at.child("borrowingLimitPercent");
        errors.invalid(&at, percent, "if specified, must be a non-negative integer");
    }
    let response = field(limited, "limitResponse");
    let at = at.child("limitResponse");
    let queuing_at = at.child("queuing");
    match (text(response, "type"), get(response, "queuing")) {
        ("Reject", None) => {}
        ("Reject", Some(_)) => errors.forbidden(
            &queuing_at,
            "must be nil if limited.limitResponse.type is not Limited",
        ),
        ("Queue", None) => errors.required(
            &queuing_at,
            "must not be empty if limited.limitResponse.type is Limited",
        ),
        ("Queue", Some(queuing)) => validate_queuing(queuing, &queuing_at, errors),
        (other, _) => errors.not_supported(&at.child("type"), other, &["Queue", "Reject"]),
    }
}

fn validate_queuing(queuing: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let number = |key: &str| int(queuing, key).unwrap_or(0);
    let (queues, hand) = (number("queues"), number("handSize"));
    for key in ["queueLengthLimit", "queues", "handSize"] {
        if number(key) <= 0 {
            errors.invalid(&at.child(key), number(key), "must be positive");
        }
    }
    if queues > QUEUES_MAX {
        let why = format!("must not be greater than {QUEUES_MAX}");
        errors.invalid(&at.child("queues"), queues, why);
    }
    if hand > queues {
        let why = format!("should not be greater than queues ({queues})");
        errors.invalid(&at.child("handSize"), hand, why);
    }
}

#[cfg(test)]
mod tests {
    use crate::kinds::check::{create, defaulted};
    use serde_json::json;

    const KIND: (&str, &str) = (
        "flowcontrol.apiserver.k8s.io",
        "prioritylevelconfigurations",
    );

    #[test]
    fn rules() {
        let queue = |queuing| json!({"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": queuing}}});
        let at = "spec.limited.limitResponse.queuing";
        let cases = [
            ("a", queue(json!({})), String::new()),
            ("exempt", json!({"type": "Exempt", "exempt": {}}), String::new()),
            (
                "a",
                json!({"type": "Exempt"}),
                "spec.type: Invalid value: \"Exempt\": type must be 'Exempt' if and only if name is 'exempt'".to_owned(),
            ),
            (
                "a",
                json!({"type": "Limited"}),
                "spec.limited: Required value: must not be empty when type is Limited".to_owned(),
            ),
            (
                "a",
                json!({"type": "x"}),
                "spec.type: Unsupported value: \"x\": supported values: \"Exempt\", \"Limited\"".to_owned(),
            ),
            (
                "a",
                queue(json!({"queues": 4, "handSize": 5})),
                format!("{at}.handSize: Invalid value: 5: should not be greater than queues (4)"),
            ),
            (
                "a",
                json!({"type": "Limited", "limited": {"lendablePercent": 101, "limitResponse": {"type": "Queue"}}}),
                format!("spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive; {at}: Required value: must not be empty if limited.limitResponse.type is Limited"),
            ),
        ];
        for (name, spec, want) in cases {
            let level = json!({"metadata": {"name": name}, "spec": spec});
            let level = defaulted(KIND.0, KIND.1, "v1", &level);
            assert_eq!(create(KIND.0, KIND.1, &level).join("; "), want, "{level}");
        }
        let level = defaulted(KIND.0, KIND.1, "v1", &json!({"spec": queue(json!({}))}));
        let limited = &level["spec"]["limited"];
        assert_eq!(limited["nominalConcurrencyShares"], 30);
        assert_eq!(
            limited["limitResponse"]["queuing"],
            json!({"queues": 64, "handSize": 8, "queueLengthLimit": 50})
        );
    }
}
