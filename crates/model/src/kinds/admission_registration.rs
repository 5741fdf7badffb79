//! `admissionregistration.k8s.io`: webhooks and policies of admission. The expressions in them
//! are not compiled here.

mod policy;
mod rules;
mod webhook;

use super::neutral;
use crate::Value;
use crate::resource::Behavior;
use crate::validation::names;

/// The rules of `plural`, if it is a kind of this group.
pub fn behavior(plural: &str) -> Option<Behavior> {
    Some(match plural {
        "mutatingwebhookconfigurations" => Behavior {
            default: |_, configuration| webhook::default(configuration, true),
            validate_create: |configuration| webhook::validate(configuration, true, None),
            validate_update: |configuration, old, _| {
                webhook::validate(configuration, true, Some(old))
            },
            validate_name: names::object_subdomain,
            ..neutral()
        },
        "validatingwebhookconfigurations" => Behavior {
            default: |_, configuration| webhook::default(configuration, false),
            validate_create: |configuration| webhook::validate(configuration, false, None),
            validate_update: |configuration, old, _| {
                webhook::validate(configuration, false, Some(old))
            },
            validate_name: names::object_subdomain,
            ..neutral()
        },
        "validatingadmissionpolicies" => Behavior {
            default: |_, policy| policy::default(policy),
            validate_create: policy::validate,
            validate_update: |policy: &Value, _, subresource| match subresource {
                "status" => Vec::new(),
                _ => policy::validate(policy),
            },
            validate_name: names::object_subdomain,
            ..neutral()
        },
        "validatingadmissionpolicybindings" => Behavior {
            default: |_, binding| policy::default_binding(binding),
            validate_create: policy::validate_binding,
            validate_update: |binding, _, _| policy::validate_binding(binding),
            validate_name: names::object_subdomain,
            ..neutral()
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
