//! `storage.k8s.io`.

mod attachment;
mod capacity;
mod class;
mod driver;
mod node;

use super::neutral;
use crate::resource::Behavior;
use crate::validation::names;

/// The rules of `plural`, if it is a kind of this group.
pub fn behavior(plural: &str) -> Option<Behavior> {
    let named = Behavior {
        validate_name: names::object_subdomain,
        ..neutral()
    };
    Some(match plural {
        "storageclasses" => Behavior {
            default: class::default,
            validate_create: class::validate,
            validate_update: |class, old, _| class::validate_update(class, old),
            ..named
        },
        "volumeattachments" => Behavior {
            validate_create: attachment::validate_create,
            validate_update: attachment::validate_update,
            ..named
        },
        "csidrivers" => Behavior {
            default: driver::default,
            validate_create: driver::validate,
            validate_update: |driver, old, _| driver::validate_update(driver, old),
            ..named
        },
        "csinodes" => Behavior {
            validate_create: node::validate,
            validate_update: |node, old, _| node::validate_update(node, old),
            ..named
        },
        "csistoragecapacities" => Behavior {
            validate_create: capacity::validate,
            validate_update: |capacity, old, _| capacity::validate_update(capacity, old),
            ..named
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
