//! The kinds of the core group (`v1`), a module each.

mod affinity;
pub mod claim_spec;
mod config_map;
mod container;
mod container_env;
mod container_mounts;
mod container_probe;
mod diff;
pub(crate) mod fill;
mod namespace;
mod paths;
pub mod placement;
mod pod;
pub mod pod_defaults;
mod pod_hosts;
mod pod_os;
pub mod pod_qos;
pub mod pod_spec;
mod pod_status;
pub mod pod_template;
mod pod_update;
pub mod pod_warnings;
pub mod resources;
mod secret;
mod security;
mod service_account;
mod volume;
pub mod volume_sources;

use super::neutral;
use crate::resource::Behavior;
use crate::validation::names;

/// The rules of `plural`, if it is a kind of this group.
pub fn behavior(plural: &str) -> Option<Behavior> {
    Some(match plural {
        "configmaps" => config_map::behavior(),
        "namespaces" => namespace::behavior(),
        "pods" => pod::behavior(),
        "secrets" => secret::behavior(),
        "serviceaccounts" => service_account::behavior(),
        "podtemplates" => Behavior {
            validate_name: names::object_subdomain,
            ..neutral()
        },
        _ => return None,
    })
}
