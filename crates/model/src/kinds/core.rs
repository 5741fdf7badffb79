//! The kinds of the core group (`v1`), a module each.

mod affinity;
pub mod claim_spec;
mod container;
mod container_env;
mod container_mounts;
mod container_probe;
mod fill;
mod paths;
pub mod placement;
pub mod pod_defaults;
mod pod_hosts;
mod pod_os;
pub mod pod_spec;
pub mod pod_template;
pub mod resources;
mod security;
mod volume;
pub mod volume_sources;

use super::neutral;
use crate::resource::Behavior;
use crate::validation::names;

/// The rules of `plural`, if it is a kind of this group.
pub fn behavior(plural: &str) -> Option<Behavior> {
    Some(match plural {
        "podtemplates" => Behavior {
            validate_name: names::object_subdomain,
            ..neutral()
        },
        _ => return None,
    })
}
