//! The rules of the built-in kinds: defaulting, strategy and validation, a module per API group.

pub mod admission_registration;
pub mod apps;
pub mod autoscaling;
pub mod batch;
pub mod certificates;
#[cfg(test)]
pub(crate) mod check;
pub(crate) mod conditions;
pub mod coordination;
pub mod core;
pub(crate) mod csi;
pub mod custom_resources;
pub mod discovery;
pub mod flowcontrol;
pub(crate) mod int_or_percent;
pub mod networking;
pub mod node;
pub mod policy;
pub mod rbac;
pub mod registration;
pub mod scheduling;
pub mod storage;
pub(crate) mod webhook_client;
pub(crate) mod workload;

use crate::resource::Behavior;
use crate::validation::names;

/// The rules of `plural` in `group`; a kind without rules of its own gets neutral ones.
pub fn behavior(group: &str, plural: &str) -> Behavior {
    let own = match group {
        "" => core::behavior(plural),
        "admissionregistration.k8s.io" => admission_registration::behavior(plural),
        "apiextensions.k8s.io" => custom_resources::behavior(plural),
        "apiregistration.k8s.io" => registration::behavior(plural),
        "apps" => apps::behavior(plural),
        "autoscaling" => autoscaling::behavior(plural),
        "batch" => batch::behavior(plural),
        "certificates.k8s.io" => certificates::behavior(plural),
        "coordination.k8s.io" => coordination::behavior(plural),
        "discovery.k8s.io" => discovery::behavior(plural),
        "events.k8s.io" => core::events_behavior(plural),
        "flowcontrol.apiserver.k8s.io" => flowcontrol::behavior(plural),
        "networking.k8s.io" => networking::behavior(plural),
        "node.k8s.io" => node::behavior(plural),
        "policy" => policy::behavior(plural),
        "rbac.authorization.k8s.io" => rbac::behavior(plural),
        "scheduling.k8s.io" => scheduling::behavior(plural),
        "storage.k8s.io" => storage::behavior(plural),
        _ => None,
    };
    own.unwrap_or_else(neutral)
}

/// Rules that leave everything as it is, and accept every name that can stand in a path.
pub fn neutral() -> Behavior {
    Behavior {
        default: |_, _| {},
        prepare_create: |_| {},
        prepare_update: |_, _, _| {},
        validate_create: |_| Vec::new(),
        validate_update: |_, _, _| Vec::new(),
        warnings: |_, _| Vec::new(),
        validate_name: names::object_path_segment,
    }
}
