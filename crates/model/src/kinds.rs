//! The rules of the built-in kinds: defaulting, strategy and validation, a module per API group.

use crate::resource::Behavior;

/// The rules of `plural` in `group`; a kind without rules of its own gets neutral ones.
pub fn behavior(_group: &str, _plural: &str) -> Behavior {
    neutral()
}

/// Rules that leave everything as it is.
pub fn neutral() -> Behavior {
    Behavior {
        default: |_, _| {},
        prepare_create: |_| {},
        prepare_update: |_, _, _| {},
        validate_create: |_| Vec::new(),
        validate_update: |_, _, _| Vec::new(),
        warnings: |_, _| Vec::new(),
        validate_name: |_, _| Vec::new(),
    }
}
