//! `scheduling.k8s.io`: priority classes. That at most one is the global default is admission's
//! to check, which sees the others.

use super::core::fill;
use super::neutral;
use crate::field::{ErrorList, FieldError};
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::object_meta::immutable_field;
use crate::validation::read::{get, int, is_true, text};
use crate::{Value, meta};

/// The highest priority that a user may define.
const HIGHEST_USER_PRIORITY: i64 = 1_000_000_000;
const SYSTEM_CLASSES: [(&str, i64); 2] = [
    ("system-node-critical", 2_000_001_000),
    ("system-cluster-critical", 2_000_000_000),
];

/// The rules of `plural`, if it is a kind of this group.
pub fn behavior(plural: &str) -> Option<Behavior> {
    (plural == "priorityclasses").then(|| Behavior {
        default: |_, class| {
            if let Some(class) = class.as_object_mut() {
                fill::absent(class, "preemptionPolicy", "PreemptLowerPriority");
            }
        },
        validate_create: validate,
        validate_update: |class, old, _| validate_update(class, old),
        validate_name: names::object_subdomain,
        ..neutral()
    })
}

fn validate(class: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let (name, value) = (meta::name(class), int(class, "value").unwrap_or(0));
    if name.starts_with("system-") {
        if let Some(why) = unlike_system_class(class, name, value) {
            errors.forbidden(
                &At::of("metadata.name"),
                format!(
                    "priority class names with 'system-' prefix are reserved for system use only. \
                     error: {why}"
                ),
            );
        }
    } else if value > HIGHEST_USER_PRIORITY {
        errors.forbidden(
            &At::of("value"),
            format!("maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}"),
        );
    }
    if get(class, "preemptionPolicy").is_some() {
        let at = At::of("preemptionPolicy");
        match text(class, "preemptionPolicy") {
            "PreemptLowerPriority" | "Never" => {}
            "" => errors.required(&at, ""),
            other => {
                let known = ["PreemptLowerPriority", "Never"];
                errors.push(FieldError::not_supported_in_order(
                    &at.path(),
                    other,
                    &known,
                ));
            }
        }
    }
    errors
}

/// What keeps a class from being one of the system's own.
fn unlike_system_class(class: &Value, name: &str, value: i64) -> Option<String> {
    match SYSTEM_CLASSES.iter().find(|(known, _)| *known == name) {
        None => Some(format!("{name} is not a known system priority class")),
        Some((_, wanted)) if *wanted != value => {
            Some(format!("value of {name} PriorityClass must be {wanted}"))
        }
        Some(_) if is_true(class, "globalDefault") => Some(format!(
            "globalDefault of {name} PriorityClass must be false"
        )),
        Some(_) => None,
    }
}

fn validate_update(class: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    if int(class, "value").unwrap_or(0) != int(old, "value").unwrap_or(0) {
        errors.forbidden(&At::of("value"), "may not be changed in an update.");
    }
    immutable_field(class, old, "preemptionPolicy", &At::root(), &mut errors);
    errors
}

#[cfg(test)]
mod tests {
    use crate::kinds::check::{create, defaulted, update};
    use serde_json::json;

    const KIND: (&str, &str) = ("scheduling.k8s.io", "priorityclasses");

    #[test]
    fn rules() {
        let cases = [
            (
                json!({"metadata": {"name": "a"}, "value": 1_000_000_000}),
                "",
            ),
            (
                json!({"metadata": {"name": "a"}, "value": 1_000_000_001}),
                "value: Forbidden: maximum allowed value of a user defined priority is 1000000000",
            ),
            (
                json!({"metadata": {"name": "system-node-critical"}, "value": 2_000_001_000}),
                "",
            ),
            (
                json!({"metadata": {"name": "system-node-critical"}, "value": 5}),
                "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved \
                 for system use only. error: value of system-node-critical PriorityClass must be \
                 2000001000",
            ),
            (
                json!({"metadata": {"name": "system-foo"}, "value": 5}),
                "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved \
                 for system use only. error: system-foo is not a known system priority class",
            ),
            (
                json!({"metadata": {"name": "a"}, "preemptionPolicy": "x"}),
                "preemptionPolicy: Unsupported value: \"x\": supported values: \"PreemptLowerPriority\", \"Never\"",
            ),
        ];
        for (class, want) in cases {
            assert_eq!(create(KIND.0, KIND.1, &class).join("; "), want, "{class}");
        }
    }

    #[test]
    fn value_and_policy_stay() {
        let old = defaulted(KIND.0, KIND.1, "v1", &json!({"value": 5}));
        assert_eq!(old["preemptionPolicy"], "PreemptLowerPriority");
        let new = json!({"value": 6, "preemptionPolicy": "Never"});
        assert_eq!(
            update(KIND.0, KIND.1, &new, &old, ""),
            [
                "value: Forbidden: may not be changed in an update.",
                "preemptionPolicy: Invalid value: \"Never\": field is immutable",
            ]
        );
        assert!(update(KIND.0, KIND.1, &old, &old, "").is_empty());
    }
}
