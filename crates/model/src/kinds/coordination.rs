//! `coordination.k8s.io`: leases.

use super::neutral;
use crate::field::ErrorList;
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::int;
use crate::{Value, meta};

/// The rules of `plural`, if it is a kind of this group.
pub fn behavior(plural: &str) -> Option<Behavior> {
    (plural == "leases").then(|| Behavior {
        prepare_create: drop_coordination,
        prepare_update: |lease, _, _| drop_coordination(lease),
        validate_create: validate,
        validate_update: |lease, _, _| validate(lease),
        validate_name: names::object_subdomain,
        ..neutral()
    })
}

/// Coordinated leader election is off by default, and so are its fields.
fn drop_coordination(lease: &mut Value) {
    for key in ["strategy", "preferredHolder"] {
        meta::remove(lease, &["spec", key]);
    }
}

fn validate(lease: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let none = Value::Null;
    let spec = lease.get("spec").unwrap_or(&none);
    let at = At::of("spec");
    if let Some(seconds) = int(spec, "leaseDurationSeconds").filter(|s| *s <= 0) {
        let at = at.child("leaseDurationSeconds");
        errors.invalid(&at, seconds, "must be greater than 0");
    }
    if let Some(count) = int(spec, "leaseTransitions").filter(|c| *c < 0) {
        let at = at.child("leaseTransitions");
        errors.invalid(&at, count, "must be greater than or equal to 0");
    }
    errors
}

#[cfg(test)]
mod tests {
    use crate::kinds::check::create;
    use serde_json::json;

    #[test]
    fn rules() {
        let cases = [
            (json!({}), ""),
            (
                json!({"leaseDurationSeconds": 15, "leaseTransitions": 0}),
                "",
            ),
            (
                json!({"leaseDurationSeconds": 0, "leaseTransitions": -1}),
                "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0; \
                 spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
            ),
        ];
        for (spec, want) in cases {
            let errors = create("coordination.k8s.io", "leases", &json!({"spec": spec}));
            assert_eq!(errors.join("; "), want);
        }
    }
}
