//! The kinds of the core group (`v1`), a module each.

mod fill;
pub mod pod_defaults;
pub mod pod_template;

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
