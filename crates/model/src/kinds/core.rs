//! The kinds of the core group (`v1`), a module each.

mod affinity;
pub mod app_armor;
pub mod claim_spec;
mod config_map;
mod container;
mod container_env;
mod container_mounts;
mod container_probe;
mod diff;
mod endpoints;
mod event;
pub(crate) mod fill;
mod limit_range;
mod namespace;
mod node;
mod paths;
pub mod persistent_volume;
mod persistent_volume_claim;
pub mod placement;
mod pod;
pub mod pod_amounts;
mod pod_annotations;
pub mod pod_defaults;
mod pod_hosts;
mod pod_os;
pub mod pod_qos;
pub mod pod_spec;
mod pod_status;
pub mod pod_template;
mod pod_update;
pub mod pod_warnings;
pub mod replication_controller;
mod resource_quota;
pub mod resources;
mod secret;
mod security;
pub mod service;
mod service_account;
mod service_rules;
mod volume;
pub mod volume_sources;

use super::neutral;
use crate::resource::Behavior;

/// The rules of `plural`, if it is a kind of this group.
pub fn behavior(plural: &str) -> Option<Behavior> {
    Some(match plural {
        "bindings" => event::binding_behavior(),
        // Computed on reading, never written.
        "componentstatuses" => neutral(),
        "configmaps" => config_map::behavior(),
        "endpoints" => endpoints::behavior(),
        "events" => event::behavior(),
        "limitranges" => limit_range::behavior(),
        "namespaces" => namespace::behavior(),
        "nodes" => node::behavior(),
        "persistentvolumeclaims" => persistent_volume_claim::behavior(),
        "persistentvolumes" => persistent_volume::behavior(),
        "pods" => pod::behavior(),
        "podtemplates" => replication_controller::template_behavior(),
        "replicationcontrollers" => replication_controller::behavior(),
        "resourcequotas" => resource_quota::behavior(),
        "secrets" => secret::behavior(),
        "serviceaccounts" => service_account::behavior(),
        "services" => service::behavior(),
        _ => return None,
    })
}

/// The rules that `plural` of `events.k8s.io` adds to those of the core group, if it is a kind of
/// that group. They see objects in the form of the core group.
pub(crate) fn events_behavior(plural: &str) -> Option<Behavior> {
    (plural == "events").then(event::strict_behavior)
}
