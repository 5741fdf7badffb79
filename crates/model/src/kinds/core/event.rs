//! Events, in the core group and in `events.k8s.io` (both show the same objects), and bindings.
//!
//! Both kinds of events are checked in the form of the core group, as which they are stored. Those
//! that come in through `events.k8s.io` must be whole, and say the same for ever but for their
//! series.

use crate::Value;
use crate::field::ErrorList;
use crate::kinds::neutral;
use crate::meta;
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{get, int, same_field, text};

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
    // Events on things without a namespace belong into `default`; those with a precise time are
    // let in elsewhere too.
    let precise = get(event, "eventTime").is_some();
    let fits = match (involved, precise) {
        ("", true) => matches!(namespace, "default" | "kube-system"),
        ("", false) => matches!(namespace, "" | "default"),
        (_, true) => true,
        (_, false) => namespace == involved,
    };
    if !fits {
        errors.invalid(
            &At::of("involvedObject.namespace"),
            involved,
            "does not match event.namespace",
        );
    }
    if precise {
        current_fields(event, &mut errors);
    }
    errors
}

/// The rules that `events.k8s.io` adds.
pub(crate) fn strict_behavior() -> Behavior {
    Behavior {
        validate_create: validate_whole,
        validate_update: |event, old, _| validate_unchanged(event, old),
        ..neutral()
    }
}

fn validate_whole(event: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let name = meta::name(event);
    errors.invalid_each(
        &At::of("metadata.name"),
        name,
        names::dns1123_subdomain(name),
    );
    series(event, &mut errors);
    if get(event, "eventTime").is_none() {
        errors.required(&At::of("eventTime"), "");
    }
    let kind = text(event, "type");
    if !matches!(kind, "Normal" | "Warning") {
        errors.invalid(&At::of("type"), "", format!("has invalid value: {kind}"));
    }
    let source = get(event, "source").unwrap_or(&Value::Null);
    for (key, set) in [
        ("firstTimestamp", get(event, "firstTimestamp").is_some()),
        ("lastTimestamp", get(event, "lastTimestamp").is_some()),
        ("count", int(event, "count").unwrap_or(0) != 0),
        (
            "source",
            !text(source, "component").is_empty() || !text(source, "host").is_empty(),
        ),
    ] {
        if set {
            errors.invalid(&At::of(key), "", "needs to be unset");
        }
    }
    errors
}

fn series(event: &Value, errors: &mut ErrorList) {
    let Some(series) = get(event, "series") else {
        return;
    };
    if int(series, "count").unwrap_or(0) < 2 {
        errors.invalid(&At::of("series.count"), "", "should be at least 2");
    }
    if get(series, "lastObservedTime").is_none() {
        errors.required(&At::of("series.lastObservedTime"), "");
    }
}

fn validate_unchanged(event: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    if !same_field(event, old, "series") {
        series(event, &mut errors);
    }
    for (key, shown) in [
        ("involvedObject", "involvedObject"),
        ("reason", "reason"),
        ("message", "message"),
        ("source", "source"),
        ("firstTimestamp", "firstTimestamp"),
        ("lastTimestamp", "lastTimestamp"),
        ("count", "count"),
        ("type", "type"),
        ("eventTime", "eventTime"),
        ("action", "action"),
        ("related", "related"),
        ("reportingComponent", "reportingController"),
        ("reportingInstance", "reportingInstance"),
    ] {
        if !same_field(event, old, key) {
            let value = event.get(key).cloned().unwrap_or_default();
            errors.invalid(&At::of(shown), value, "field is immutable");
        }
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
        let precise = |namespace: &str, involved: &str| {
            let mut event = whole();
            event["metadata"]["namespace"] = namespace.into();
            event["involvedObject"]["namespace"] = involved.into();
            validate(&event).len()
        };
        assert_eq!(
            precise("a", "b") + precise("kube-system", "") + precise("default", ""),
            0
        );
        assert_eq!(precise("a", ""), 1);
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

    /// An event that `events.k8s.io` takes, as it is stored.
    fn whole() -> Value {
        json!({
            "metadata": {"name": "e", "namespace": "a"}, "involvedObject": {"namespace": "a"},
            "eventTime": "2024-01-01T00:00:00.000000Z", "type": "Normal", "reason": "R",
            "action": "A", "reportingComponent": "example.com/c", "reportingInstance": "i",
        })
    }

    #[test]
    fn events_of_the_newer_group_are_whole() {
        assert!(validate(&whole()).is_empty() && validate_whole(&whole()).is_empty());
        let cases = [
            ("eventTime", Value::Null, "eventTime: Required value"),
            (
                "type",
                json!("Odd"),
                "type: Invalid value: \"\": has invalid value: Odd",
            ),
            (
                "count",
                json!(1),
                "count: Invalid value: \"\": needs to be unset",
            ),
            (
                "source",
                json!({"host": "h"}),
                "source: Invalid value: \"\": needs to be unset",
            ),
            (
                "lastTimestamp",
                json!("2024-01-01T00:00:00Z"),
                "lastTimestamp: Invalid value: \"\": needs to be unset",
            ),
            (
                "series",
                json!({"count": 1}),
                "series.count: Invalid value: \"\": should be at least 2; \
                 series.lastObservedTime: Required value",
            ),
        ];
        for (key, value, want) in cases {
            let mut event = whole();
            event[key] = value;
            assert_eq!(texts(&validate_whole(&event)).join("; "), want);
            // The older group takes them all.
            assert!(key == "eventTime" || validate(&event).is_empty(), "{key}");
        }
    }

    #[test]
    fn events_of_the_newer_group_only_grow_their_series() {
        let mut event = whole();
        event["series"] = json!({"count": 2, "lastObservedTime": "2024-01-01T00:00:01.000000Z"});
        assert!(validate_unchanged(&event, &whole()).is_empty());
        event["note"] = "not stored under this name".into();
        event["message"] = "x".into();
        event["reportingComponent"] = "y".into();
        assert_eq!(
            texts(&validate_unchanged(&event, &whole())),
            [
                "message: Invalid value: \"x\": field is immutable",
                "reportingController: Invalid value: \"y\": field is immutable",
            ]
        );
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
