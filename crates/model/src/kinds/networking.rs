//! `networking.k8s.io`.

mod addresses;
mod ingress;
mod ingress_class;
mod network_policy;

use super::neutral;
use crate::resource::Behavior;
use crate::validation::names;

/// The rules of `plural`, if it is a kind of this group.
pub fn behavior(plural: &str) -> Option<Behavior> {
    Some(match plural {
        "networkpolicies" => Behavior {
            default: network_policy::default,
            validate_create: |policy| network_policy::validate(policy, None),
            validate_update: |policy, old, _| network_policy::validate(policy, Some(old)),
            warnings: network_policy::warnings,
            validate_name: names::object_subdomain,
            ..neutral()
        },
        "ingresses" => Behavior {
            validate_create: ingress::validate_create,
            validate_update: ingress::validate_update,
            warnings: ingress::warnings,
            validate_name: names::object_subdomain,
            ..neutral()
        },
        "ingressclasses" => Behavior {
            default: ingress_class::default,
            validate_create: ingress_class::validate,
            validate_update: |class, old, _| ingress_class::validate_update(class, old),
            validate_name: names::object_subdomain,
            ..neutral()
        },
        "ipaddresses" => Behavior {
            validate_create: addresses::validate_address,
            validate_update: |address, old, _| addresses::validate_address_update(address, old),
            validate_name: |name, _| addresses::address_name(name),
            ..neutral()
        },
        "servicecidrs" => Behavior {
            validate_create: addresses::validate_range,
            validate_update: |range, old, subresource| match subresource {
                "status" => Vec::new(),
                _ => addresses::validate_range_update(range, old),
            },
            validate_name: names::object_subdomain,
            ..neutral()
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
