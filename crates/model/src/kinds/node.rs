//! `node.k8s.io`: runtime classes.

use super::core::{placement, resources};
use super::neutral;
use crate::Value;
use crate::field::ErrorList;
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::object_meta::{immutable_field, labels};
use crate::validation::read::{get, list, text};
use serde_json::json;
use std::collections::BTreeSet;

/// The rules of `plural`, if it is a kind of this group.
pub fn behavior(plural: &str) -> Option<Behavior> {
    (plural == "runtimeclasses").then(|| Behavior {
        validate_create: validate,
        validate_update: |class, old, _| {
            let mut errors = ErrorList::new();
            immutable_field(class, old, "handler", &At::root(), &mut errors);
            errors
        },
        validate_name: names::object_subdomain,
        ..neutral()
    })
}

fn validate(class: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let handler = text(class, "handler");
    let faults = names::dns1123_label(handler);
    errors.invalid_each(&At::of("handler"), handler, faults);
    if let Some(overhead) = get(class, "overhead") {
        let limits = json!({"limits": overhead.get("podFixed")});
        let at = At::of("overhead");
        resources::validate_requirements(
            &limits,
            resources::validate_container_name,
            &BTreeSet::new(),
            &at,
            &mut errors,
        );
    }
    if let Some(scheduling) = get(class, "scheduling") {
        let at = At::of("scheduling");
        labels(scheduling, "nodeSelector", &at, &mut errors);
        let tolerations = list(scheduling, "tolerations");
        let at = at.child("tolerations");
        // Upstream names the field twice.
        placement::validate_tolerations(tolerations, &at.child("tolerations"), &mut errors);
        for (i, toleration) in tolerations.iter().enumerate() {
            if tolerations.iter().take(i).any(|t| t == toleration) {
                errors.duplicate(&at.index(i), toleration.clone());
            }
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use crate::kinds::check::{create, update};
    use serde_json::json;

    const KIND: (&str, &str) = ("node.k8s.io", "runtimeclasses");

    #[test]
    fn rules() {
        let good = json!({"handler": "runc", "overhead": {"podFixed": {"cpu": "250m"}},
            "scheduling": {"nodeSelector": {"a": "b"}, "tolerations": [{"operator": "Exists"}]}});
        assert!(create(KIND.0, KIND.1, &good).is_empty());
        let bad = json!({"handler": "A", "overhead": {"podFixed": {"cpu": "-1"}},
            "scheduling": {"tolerations": [{"operator": "Exists"}, {"operator": "Exists"}]}});
        let errors = create(KIND.0, KIND.1, &bad);
        let starts = [
            "handler: Invalid value: \"A\": a lowercase RFC 1123 label",
            "overhead.limits[cpu]: Invalid value: \"-1\": must be greater than or equal to 0",
            "scheduling.tolerations[1]: Duplicate value: ",
        ];
        assert_eq!(errors.len(), starts.len(), "{errors:?}");
        for (error, start) in errors.iter().zip(starts) {
            assert!(error.starts_with(start), "{error}");
        }
        assert_eq!(
            update(
                KIND.0,
                KIND.1,
                &json!({"handler": "b"}),
                &json!({"handler": "a"}),
                ""
            ),
            ["handler: Invalid value: \"b\": field is immutable"]
        );
    }
}
