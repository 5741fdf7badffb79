//! CSIStorageCapacities.

use crate::Value;
use crate::field::ErrorList;
use crate::quantity::Quantity;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, same_field, text};
use crate::validation::{names, selector};

/// Reports what is wrong with a capacity.
pub(super) fn validate(capacity: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    if let Some(topology) = get(capacity, "nodeTopology") {
        selector::validate(topology, &At::of("nodeTopology"), &mut errors);
    }
    let class = text(capacity, "storageClassName");
    let faults = names::dns1123_subdomain(class);
    errors.invalid_each(&At::of("storageClassName"), class, faults);
    for key in ["capacity", "maximumVolumeSize"] {
        let amount = get(capacity, key).and_then(|v| Quantity::from_value(v).ok());
        if let Some(amount) = amount.filter(Quantity::is_negative) {
            errors.invalid(
                &At::of(key),
                amount.to_string(),
                "must be greater than or equal to 0",
            );
        }
    }
    errors
}

/// Reports what may not change: what the driver was asked.
pub(super) fn validate_update(capacity: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    for key in ["nodeTopology", "storageClassName"] {
        if !same_field(capacity, old, key) {
            let value = capacity.get(key).cloned().unwrap_or_default();
            errors.invalid(&At::of(key), value, "field is immutable");
        }
    }
    errors
}
