//! Events, in the core group and in `events.k8s.io` (both show the same objects), and bindings.

use crate::Value;
use crate::field::ErrorList;
use crate::kinds::neutral;
use crate::meta;
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{get, text};

/// The rules of events of the core group; those of `events.k8s.io` are stored in this form.
pub(super) fn behavior() -> Behavior {
    Behavior {
        validate_create: validate,
        validate_update: |event, _, _| validate(event),
        ..neutral()
    }
}

fn validate(event: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let namespace = meta::namespace(event);
    let about = get(event, "involvedObject").unwrap_or(&Value::Null);
    let involved = text(about, "namespace");
    // Events on things without a namespace belong into `default`.
    let fits = match involved {
        "" => matches!(namespace, "" | "default" | "kube-system"),
        _ => namespace == involved,
    };
    if !fits {
        errors.invalid(
            &At::of("involvedObject.namespace"),
            involved,
            "does not match event.namespace",
        );
    }
    if get(event, "eventTime").is_some() {
        current_fields(event, &mut errors);
    }
    errors
}

/// Who writes events with a precise time also says who it is and what it did.
fn current_fields(event: &Value, errors: &mut ErrorList) {
    let controller = text(event, "reportingComponent");
    let at = At::of("reportingController");
    if controller.is_empty() {
        errors.required(&at, "");
    }
    errors.invalid_each(&at, controller, names::qualified_name(controller));
    for (key, at) in [
        ("reportingInstance", At::of("reportingInstance")),
        ("action", At::of("action")),
        ("reason", At::of("reason")),
    ] {
        let value = text(event, key);
        if value.is_empty() {
            errors.required(&at, "");
        }
        if value.len() > 128 {
            errors.invalid(&at, "", "can have at most 128 characters");
        }
    }
    if text(event, "message").len() > 1024 {
        errors.invalid(&At::of("message"), "", "can have at most 1024 characters");
    }
}

/// The rules of bindings, the bodies of `pods/binding`.
pub(super) fn binding_behavior() -> Behavior {
    Behavior {
        validate_create: validate_binding,
        ..neutral()
    }
}

fn validate_binding(binding: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let target = get(binding, "target").unwrap_or(&Value::Null);
    let kind = text(target, "kind");
    if !matches!(kind, "" | "Node") {
        errors.not_supported(&At::of("target.kind"), kind, &["Node", "<empty>"]);
    }
    if text(target, "name").is_empty() {
        errors.required(&At::of("target.name"), "");
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(errors: &ErrorList) -> Vec<String> {
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn namespaces_of_events() {
        let event = |namespace: &str, involved: &str| json!({"metadata": {"namespace": namespace}, "involvedObject": {"namespace": involved}});
        assert!(validate(&event("a", "a")).is_empty());
        assert!(validate(&event("default", "")).is_empty());
        for (namespace, involved) in [("a", "b"), ("a", "")] {
            assert_eq!(
                texts(&validate(&event(namespace, involved))),
                [format!(
                    "involvedObject.namespace: Invalid value: \"{involved}\": does not match \
                     event.namespace"
                )]
            );
        }
    }

    #[test]
    fn bindings() {
        assert!(validate_binding(&json!({"target": {"kind": "Node", "name": "n"}})).is_empty());
        assert_eq!(
            texts(&validate_binding(&json!({"target": {"kind": "Pod"}}))),
            [
                "target.kind: Unsupported value: \"Pod\": supported values: \"<empty>\", \"Node\"",
                "target.name: Required value",
            ]
        );
    }
}
