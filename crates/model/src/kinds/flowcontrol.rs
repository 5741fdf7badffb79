//! `flowcontrol.apiserver.k8s.io`: flow schemas and priority levels.

mod priority_level;
mod schema;

use super::neutral;
use crate::resource::Behavior;
use crate::validation::names;

/// The name of the flow schema and of the priority level that are never limited.
const EXEMPT: &str = "exempt";

/// The rules of `plural`, if it is a kind of this group.
pub fn behavior(plural: &str) -> Option<Behavior> {
    Some(match plural {
        "flowschemas" => Behavior {
            default: schema::default,
            validate_create: schema::validate,
            validate_update: |schema, _, subresource| match subresource {
                "status" => Vec::new(),
                _ => schema::validate(schema),
            },
            validate_name: names::object_subdomain,
            ..neutral()
        },
        "prioritylevelconfigurations" => Behavior {
            default: priority_level::default,
            validate_create: priority_level::validate,
            validate_update: |level, _, subresource| match subresource {
                "status" => Vec::new(),
                _ => priority_level::validate(level),
            },
            validate_name: names::object_subdomain,
            ..neutral()
        },
        _ => return None,
    })
}
