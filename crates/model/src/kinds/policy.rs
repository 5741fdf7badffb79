//! `policy`: disruption budgets, and the pod security policies that upstream no longer has.

mod budget;
mod pod_security;

use super::neutral;
use crate::resource::Behavior;
use crate::validation::names;

/// The rules of `plural`, if it is a kind of this group.
pub fn behavior(plural: &str) -> Option<Behavior> {
    Some(match plural {
        "poddisruptionbudgets" => Behavior {
            validate_create: budget::validate,
            validate_update: |budget, _, subresource| match subresource {
                "status" => budget::validate_status(budget),
                _ => budget::validate(budget),
            },
            validate_name: names::object_subdomain,
            ..neutral()
        },
        "podsecuritypolicies" => Behavior {
            default: pod_security::default,
            validate_create: pod_security::validate,
            validate_update: |policy, _, _| pod_security::validate(policy),
            validate_name: names::object_subdomain,
            ..neutral()
        },
        _ => return None,
    })
}
